"""How requests go out to Stripe: at the pace it allows, and again when it was too much."""

from collections.abc import Mapping
from typing import Any

import stripe
import structlog

from apps.billing.errors import StripeBusy
from apps.billing.pacing import ACCOUNT, Pace, endpoint_of, seconds_to_wait

log = structlog.get_logger(__name__)

# Seconds that one request may spend on waiting for its turns.
PATIENCE = 30.0
Answer = tuple[bytes, int, Mapping[str, str]]


class PacedClient(stripe.RequestsClient):
    """Stripe's own client for HTTP, with every attempt waiting for its turn."""

    def __init__(self, *, pace: Pace, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._pace = pace

    def request(  # type: ignore[override]  # as the library's own
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> Answer:
        """Send a request; while Stripe answers that it was too much, wait and send it again.

        Raises:
            stripe.RateLimitError: when the waiting would take longer than PATIENCE.
        """
        endpoint, waited, attempt = endpoint_of(method=method, url=url), 0.0, 0
        while True:
            waited += self._wait_for_turn(endpoint, PATIENCE - waited)
            answer = super().request(method, url, headers, post_data)
            if answer[1] != 429:
                return answer
            waited += self._make_room(endpoint, answer[2], attempt, PATIENCE - waited)
            attempt += 1

    def _wait_for_turn(self, endpoint: str, patience: float) -> float:
        try:
            return self._pace.wait_for_turn(endpoint=endpoint, patience=patience)
        except StripeBusy as error:
            raise stripe.RateLimitError(str(error)) from error

    def _make_room(self, endpoint: str, headers: Mapping[str, str], attempt: int, patience: float) -> float:
        """After a refusal: hold back whom it concerns; tells the seconds that it cost this request."""
        seconds = seconds_to_wait(retry_after=headers.get("Retry-After"), attempt=attempt)
        reason = headers.get("Stripe-Rate-Limited-Reason", "")
        log.warning("too many requests for Stripe", endpoint=endpoint, reason=reason, seconds=seconds)
        if reason == "resource-specific":
            # About one object alone: others need not wait.
            if seconds > patience:
                raise stripe.RateLimitError(f"Stripe asks for a pause of {seconds:g} s from {endpoint}.")
            self._pace.pause(seconds)
            return seconds
        self._pace.block(name=ACCOUNT if reason.startswith("global") else endpoint, seconds=seconds)
        return 0.0
