"""Compiled once: every process that a test starts would else compile Django and dj-stripe anew."""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "var" / "bytecode"


def keep() -> None:
    """Where Python is told to write no bytecode beside the sources, keep it in a folder of its own."""
    if sys.dont_write_bytecode:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(FOLDER)
        sys.dont_write_bytecode = False
