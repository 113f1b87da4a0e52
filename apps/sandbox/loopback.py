"""Where webhooks may go: to this machine only, so that made-up events never reach anybody else."""

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from apps.sandbox.errors import ApiError

HOST: Final = "127.0.0.1"


class Target(NamedTuple):
    """An address to connect to, and how the request is to name it."""

    address: str
    port: int
    host_header: str
    path: str


def target(url: str) -> Target:
    """Return where `url` leads; raises ApiError unless that is plain HTTP on a loopback address.

    `localhost` and `*.localhost` are 127.0.0.1 without asking a resolver (RFC 6761), and stay in the Host header.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        raise _refusal() from None
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme != "http" or parts.username is not None:
        raise _refusal()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(_address(host), port, parts.netloc, path)


def _address(host: str) -> str:
    if host == "localhost" or host.endswith(".localhost"):
        return HOST
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise _refusal() from None
    if not address.is_loopback:
        raise _refusal()
    return str(address)


def _refusal() -> ApiError:
    message = (
        "Invalid URL: this stand-in delivers webhooks to this machine only. Use http:// with 127.0.0.1, "
        "localhost or a name under .localhost."
    )
    return ApiError(message, code="url_invalid", param="url")
