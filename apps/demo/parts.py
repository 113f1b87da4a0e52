"""The processes of the demonstration: the stand-in for Stripe, the web server, the worker."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import requests
from django.conf import settings

from apps.demo.errors import NotSettled, PartDied, PortInUse
from config.env import BASE_DIR

LOOPBACK = "127.0.0.1"
STANDIN_PORT = 12111


@dataclass
class Parts:
    """Starts processes, keeps an eye on them, and ends them in reverse order."""

    environment: dict[str, str] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    _exit: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def start(self, name: str, *command: str) -> None:
        """Start a process of its own session, so that Ctrl-C reaches this one alone."""
        log = log_file(name).open("w")
        self._exit.callback(log.close)
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=BASE_DIR,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        self._running[name] = process
        self._exit.callback(_end, process)

    def check(self) -> None:
        """Raise when one of them has ended.

        Raises:
            PartDied: naming it, and where its log is.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise PartDied(f"The {name} ended by itself ({process.returncode}); see {log_file(name)}.")

    def wait_until(self, ready: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
        """Wait for something that these processes bring about.

        Raises:
            PartDied: when one of them has ended.
            NotSettled: when it takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        self.check()
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise NotSettled(f"Waited {seconds:.0f} seconds in vain for {what}; see {log_file('worker').parent}.")
            time.sleep(0.05)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def log_file(name: str) -> Path:
    """Where a part writes what it has to say."""
    folder: Path = settings.TENANTRY_HOME / "log"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name.replace(' ', '-')}.log"


def refuse_used_port(port: int) -> None:
    """Say plainly that somebody else listens there.

    Raises:
        PortInUse: when the port cannot be listened on.
    """
    if not _is_free(port):
        raise PortInUse(f"Port {port} is in use. End what listens there, or choose another one with --port.")


def free_port(*, preferred: int = 0) -> int:
    """The preferred port, or any other that is free."""
    if preferred and _is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(url: str) -> bool:
    """Whether somebody answers at this address, whatever the answer."""
    try:
        requests.get(url, timeout=2, allow_redirects=False)
    except (requests.ConnectionError, requests.Timeout):
        return False
    return True
