"""The stand-in as a process: a threaded HTTP server on the loopback address."""

import os
import signal
import socket
import sys
import threading
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from apps.sandbox.control import Sandbox
from apps.sandbox.delivery import Deliverer
from apps.sandbox.interventions import Faults, Holds, RateLimit, RequestLog
from apps.sandbox.loopback import HOST
from apps.sandbox.resources.account import ensure_account
from apps.sandbox.store import Store
from apps.sandbox.wsgi import HANG_UP, Application


class _Handler(WSGIRequestHandler):
    # A header and a body in two small packets would otherwise wait for each other's acknowledgement.
    disable_nagle_algorithm = True

    def get_environ(self) -> dict[str, Any]:
        """Let the application end the connection without an answer."""
        return {**super().get_environ(), HANG_UP: self._hang_up}

    def _hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: the control API has the log of requests."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 256

    def server_bind(self) -> None:
        """Bind without asking a resolver for this machine's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.socket.getsockname()[1]
        self.setup_environ()

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        """A caller that hung up is no error of the stand-in; its answers' errors are told in `wsgi`."""


class StandIn:
    """A running stand-in: listening since it was made, until `close`.

    `port` 0 takes a free one, `reset` begins with an empty store; raises OSError when the port is in use.
    """

    def __init__(self, *, store: Path, port: int = 0, reset: bool = False) -> None:
        # The port comes first: while another stand-in has it, its store must not be touched.
        self._server = _Server((HOST, port), _Handler)
        if reset:
            _remove(store)
        self._store = Store(store, base=self.url)
        with self._store.writing() as tx:
            ensure_account(tx)
        self._holds = Holds()
        self._deliverer = Deliverer(self._store)
        sandbox = Sandbox(self._store, self._deliverer, self._holds, Faults(), RateLimit(), RequestLog())
        self._server.set_app(Application(sandbox))
        self._deliverer.start()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address of the API."""
        return f"http://{HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening, let held answers go, and end the deliveries at the attempt they are at."""
        self._holds.clear()
        self._server.shutdown()
        self._server.server_close()
        self._deliverer.stop()
        self._store.close()


def default_store() -> Path:
    """Return where the store is kept: under TENANTRY_HOME, or `var` in the current folder."""
    return Path(os.environ.get("TENANTRY_HOME") or "var") / "sandbox" / "stripe.sqlite3"


def serve(*, port: int, store: Path, reset: bool) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    try:
        stand_in = StandIn(store=store, port=port, reset=reset)
    except OSError as error:
        print(f"The Stripe stand-in cannot listen on {HOST}:{port}: {error.strerror}.", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    print(f"Stripe stand-in listening on {stand_in.url}", flush=True)
    ended.wait()
    stand_in.close()
    return 0


def _remove(store: Path) -> None:
    """Remove the store with the journal files that belong to it."""
    for suffix in ("", "-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
