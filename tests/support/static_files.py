"""Static files looked for once: a test's every browser looks through all folders before its first request."""

from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware

_look = WhiteNoiseMiddleware.add_files_from_finders
_found: dict[str, Any] = {}


def look_once() -> None:
    """Give every later server what the first has found."""
    WhiteNoiseMiddleware.add_files_from_finders = _add_what_was_found


def _add_what_was_found(server: Any) -> None:
    if not _found:
        _look(server)
        _found.update(server.files)
    server.files.update(_found)
