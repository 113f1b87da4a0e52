"""Where a pricing.json comes from: a file, an address, or standard input."""

import sys
from pathlib import Path

import requests

from apps.lifecycle.publishing.errors import UnreadableSource

STDIN = "-"
TIMEOUT = 30
MOST_BYTES = 10 * 2**20


def fetch(source: str) -> bytes:
    """The text behind a name, undecoded.

    Raises:
        UnreadableSource: when there is none, or more than ten megabytes.
    """
    if source == STDIN:
        text = sys.stdin.buffer.read(MOST_BYTES + 1)
    else:
        text = _download(source) if source.startswith(("http://", "https://")) else _from_file(source)
    if len(text) > MOST_BYTES:
        raise UnreadableSource(f"{source} is larger than {MOST_BYTES:,} bytes: that is no pricing.json.")
    return text


def _from_file(source: str) -> bytes:
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UnreadableSource(f"{source} cannot be read: {error.strerror or error}.") from error


def _download(url: str) -> bytes:
    try:
        with requests.get(url, timeout=TIMEOUT, stream=True) as answer:
            answer.raise_for_status()
            return bytes(answer.raw.read(MOST_BYTES + 1, decode_content=True))
    except (requests.RequestException, OSError) as error:
        raise UnreadableSource(f"{url} cannot be fetched: {error}.") from error
