"""The command line, the same for `manage.py sandbox` and `python -m apps.sandbox`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from apps.sandbox.server import default_store, serve


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=12111, help="port on 127.0.0.1; 0 takes a free one (default 12111)")
    parser.add_argument("--store", type=Path, help=f"the SQLite file (default {default_store()})")
    parser.add_argument("--reset", action="store_true", help="begin with an empty store")


def run(*, port: int, store: Path | None, reset: bool) -> int:
    """Serve until a signal ends it; returns the exit code."""
    return serve(port=port, store=store or default_store(), reset=reset)


def main() -> int:
    parser = ArgumentParser(prog="sandbox", description="A stateful local stand-in for Stripe.")
    add_arguments(parser)
    options: Namespace = parser.parse_args()
    return run(port=options.port, store=options.store, reset=options.reset)
