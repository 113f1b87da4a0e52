"""One attempt at one webhook: a real HTTP request to this machine."""

import http.client
import json
import time
from typing import Final, NamedTuple

from apps.sandbox.contract import Body
from apps.sandbox.loopback import target
from apps.sandbox.signing import signature_header

TIMEOUT: Final = 10.0
"""Seconds that a receiver has to answer."""

_SHOWN = 500


class Outcome(NamedTuple):
    """What came back: `status` is None when nothing did, and `text` then says why."""

    status: int | None
    text: str

    @property
    def accepted(self) -> bool:
        """Only 2xx counts (docs.stripe.com/webhooks); a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300


def send(*, event: Body, endpoint: Body) -> Outcome:
    """Post the event, signed for this attempt. Never raises: a receiver that fails is an outcome."""
    payload = json.dumps(_labelled(event, endpoint), indent=2)
    signature = signature_header(payload=payload, secret=endpoint["secret"], timestamp=int(time.time()))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0 (stand-in)",
    }
    try:
        return _post(endpoint["url"], payload=payload, headers=headers)
    except (OSError, http.client.HTTPException) as error:
        return Outcome(None, f"{type(error).__name__}: {error}"[:_SHOWN])


def _labelled(event: Body, endpoint: Body) -> Body:
    """Return the event in the endpoint's version; a thin event has none."""
    if "api_version" not in event:
        return event
    return event | {"api_version": endpoint["api_version"] or event["api_version"]}


def _post(url: str, *, payload: str, headers: dict[str, str]) -> Outcome:
    to = target(url)
    connection = http.client.HTTPConnection(to.address, to.port, timeout=TIMEOUT)
    try:
        connection.request("POST", to.path, payload.encode(), headers | {"Host": to.host_header})
        response = connection.getresponse()
        return Outcome(response.status, response.read(4 * _SHOWN).decode(errors="replace")[:_SHOWN])
    finally:
        connection.close()
