"""Sends webhooks: on its own in auto mode, or exactly as the control API says in manual mode.

Every endpoint is served by a thread of its own while it is owed something, so that a slow one holds up no other.
What is owed is in the store, so a restart goes on.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from apps.sandbox import deliveries
from apps.sandbox.contract import Body
from apps.sandbox.deliveries import Delivery
from apps.sandbox.sending import TIMEOUT, Outcome, send
from apps.sandbox.store import Store


@dataclass(frozen=True)
class Settings:
    """How auto mode treats webhooks. `duplicate` and `drop` are chances, `delay` is in seconds."""

    mode: str = "auto"
    duplicate: float = 0.0
    drop: float = 0.0
    reorder: bool = False
    delay: float = 0.0
    seed: int = 0


class Deliverer:
    """The threads that deliver; `start` and `stop` frame its life."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._busy: set[str] = set()
        self._idle = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._load()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the threads, each after the attempt it is at; what is pending stays so."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(TIMEOUT)
        self._wait_until_idle()

    def wake(self) -> None:
        """Look again at what is due: a request may have caused events."""
        self._woken.set()

    @property
    def settings(self) -> Settings:
        return self._settings

    def configure(self, settings: Settings) -> None:
        """Keep the settings; once this returns, manual mode sends nothing that it was not told to."""
        with self._store.writing() as tx:
            tx.set("delivery", asdict(settings))
        self._load()
        if settings.mode == "manual":
            self._wait_until_idle()
        self.wake()

    def reload(self) -> None:
        """Take the settings from the store again, after it was reset."""
        self._load()
        self.wake()

    def deliver_now(self, events: Sequence[str] | None) -> list[Body]:
        """Deliver the named events in that order, or all pending ones, and return what each receiver answered."""
        return [self._report(each) for each in deliveries.chosen(self._store, events=events)]

    def _report(self, delivery: Delivery) -> Body:
        outcome = self._attempt(delivery)
        return {
            "event": delivery.event,
            "endpoint": delivery.endpoint,
            "status": outcome.status,
            "body": outcome.text,
        }

    def _load(self) -> None:
        with self._store.reading() as tx:
            self._settings = Settings(**(tx.setting("delivery") or {}))
        self._random = random.Random(self._settings.seed)

    def _wait_until_idle(self) -> None:
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, timeout=TIMEOUT + 1)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            self._woken.wait(self._dispatch())

    def _dispatch(self) -> float | None:
        """Start serving the endpoints that are due; returns the seconds until the next one is, None for never."""
        if self._settings.mode != "auto":
            return None
        waiting = []
        for endpoint, moment in deliveries.next_moments(self._store).items():
            if endpoint in self._busy:
                continue
            if moment <= time.time():
                self._serve(endpoint)
            else:
                waiting.append(moment)
        return max(0.0, min(waiting) - time.time()) if waiting else None

    def _serve(self, endpoint: str) -> None:
        with self._idle:
            self._busy.add(endpoint)
        threading.Thread(target=self._drain, args=(endpoint,), name=f"webhooks to {endpoint}", daemon=True).start()

    def _drain(self, endpoint: str) -> None:
        try:
            while batch := self._batch(endpoint):
                for delivery in batch:
                    if self._may_send():
                        self._send_by_chance(delivery)
        finally:
            with self._idle:
                self._busy.discard(endpoint)
                self._idle.notify_all()
            self.wake()

    def _may_send(self) -> bool:
        return self._settings.mode == "auto" and not self._stopping.is_set()

    def _batch(self, endpoint: str) -> list[Delivery]:
        if not self._may_send():
            return []
        batch = deliveries.due(self._store, endpoint=endpoint)
        if self._settings.reorder:
            self._random.shuffle(batch)
        return batch

    def _send_by_chance(self, delivery: Delivery) -> None:
        """Send it, unless it is its lot to be lost; an attempt after a failure is never lost."""
        if delivery.attempts == 0 and self._random.random() < self._settings.drop:
            deliveries.give_up(self._store, delivery, state="dropped")
            return
        self._attempt(delivery)
        if self._random.random() < self._settings.duplicate:
            self._attempt(delivery)

    def _attempt(self, delivery: Delivery) -> Outcome:
        found = deliveries.contents(self._store, delivery)
        if found is None:
            deliveries.give_up(self._store, delivery, state="failed")
            return Outcome(None, "The endpoint is disabled or deleted.")
        event, endpoint = found
        outcome = send(event=event, endpoint=endpoint)
        deliveries.settle(self._store, delivery, outcome)
        return outcome
