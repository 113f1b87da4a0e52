"""The stand-in for Stripe, as a process of its own, and its control API."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]


class StandIn:
    """Controls a running stand-in."""

    def __init__(self, url: str) -> None:
        self.url = url

    def reset(self) -> None:
        """Forget everything; deliver only when told to."""
        self._post("reset", keep_endpoints=False)
        self._post("delivery", mode="manual", duplicate=0, drop=0, reorder=False, delay=0, seed=1)

    def set_clock(self, now: int | None) -> None:
        """Move the stand-in's time; None is the wall clock."""
        self._post("clock", now=now)

    def let_time_pass(self, until: int) -> None:
        """Move the stand-in's time by way of all that falls due, but for what is on test clocks."""
        self._post("clock", now=until, renew=True)

    def configure_billing(self, **settings: Any) -> None:
        """Change the account's billing settings: `after_retries`, `upcoming_days`, `require_method`."""
        self._post("billing", **settings)

    def pending_events(self) -> list[str]:
        """The ids of events not delivered yet, oldest first."""
        return [each["event"] for each in self._get("deliveries")["data"] if each["state"] == "pending"]

    def deliver(self, events: list[str] | None = None) -> list[dict[str, Any]]:
        """Deliver these events in this order, now (all that are pending, when absent)."""
        answers: list[dict[str, Any]] = self._post("deliver", **({} if events is None else {"events": events}))["data"]
        return answers

    def drop(self, events: list[str] | None = None) -> None:
        """Lose these deliveries for good (all that are pending, when absent)."""
        self._post("drop", **({} if events is None else {"events": events}))

    def move_subscription(self, subscription_id: str, status: str, at: int | None = None) -> None:
        """Put a subscription into a status, with what Stripe does besides."""
        self._post(f"subscriptions/{subscription_id}/status", status=status, **({"at": at} if at else {}))

    def hold(self, method: str, path: str, times: int = 1) -> str:
        """Compute the answer to the next such request at once, but send it only on `release`."""
        return str(self._post("holds", method=method, path=path, times=times)["id"])

    def wait_for_held(self, hold_id: str) -> None:
        """Return once a request is being held."""
        assert self._get(f"holds/{hold_id}?wait=20")["held"] >= 1, "no request arrived to be held"

    def release(self, hold_id: str) -> None:
        """Send the held answers."""
        self._post(f"holds/{hold_id}/release")

    def fail(self, method: str, path: str, status: int, times: int = 1, retry_after: float | None = None) -> None:
        """Answer the next such requests with an error."""
        asked = {} if retry_after is None else {"retry_after": retry_after}
        self._post("faults", method=method, path=path, status=status, times=times, **asked)

    def limit_rate(self, per_second: int | None) -> None:
        """Refuse what is more than so many requests a second to one endpoint."""
        self._post("rate_limit", per_second=per_second)

    def statuses(self) -> list[int]:
        """How each API request was answered since the log was cleared, oldest first."""
        return [each["status"] for each in self._get("requests")["data"]]

    def requests(self, method: str = "GET") -> list[str]:
        """The paths of the API requests since the log was cleared."""
        return [each["path"] for each in self._get("requests")["data"] if each["method"] == method]

    def clear_requests(self) -> None:
        """Clear the log of API requests."""
        requests.delete(f"{self.url}/_sandbox/requests", timeout=20).raise_for_status()

    def _post(self, route: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/{route}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def _get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}/_sandbox/{path}", timeout=60)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def running_standin(home: Path) -> Iterator[StandIn]:
    """Run the stand-in on a free port until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.sandbox", "--port", "0", "--store", str(home / "stripe.sqlite3")],
        cwd=ROOT,
        env={**os.environ, "TENANTRY_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield StandIn(process.stdout.readline().split()[-1])
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
