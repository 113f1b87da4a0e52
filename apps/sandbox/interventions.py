"""What a test does to the stand-in's answers: it logs them, holds them back, or makes them fail.

All of it lives in memory and ends with the process.
"""

import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id

LONGEST_HOLD: Final = 120.0
"""Seconds after which a forgotten hold lets its answer go."""

_LOGGED = 20_000


@dataclass
class _Match:
    """Which requests are meant: a method, or any, and a regular expression that the path contains."""

    method: str | None
    path: str
    times: int

    def take(self, *, method: str, path: str) -> bool:
        """Count the request in, if it is meant and there are times left."""
        if self.times < 1 or self.method not in (None, method) or not re.search(self.path, path):
            return False
        self.times -= 1
        return True


@dataclass
class _Hold:
    match: _Match
    held: int = 0
    released: bool = False


class Holds:
    """Answers that are worked out at once and sent only when somebody lets them go."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holds: dict[str, _Hold] = {}

    def add(self, *, method: str | None, path: str, times: int) -> str:
        id = new_id("hold")
        with self._changed:
            self._holds[id] = _Hold(_Match(method, path, times))
        return id

    def claim(self, *, method: str, path: str) -> str | None:
        """Return the hold that this request falls under, as it arrives."""
        with self._changed:
            for id, hold in self._holds.items():
                if not hold.released and hold.match.take(method=method, path=path):
                    return id
        return None

    def wait(self, id: str) -> None:
        """Stay until the hold is released."""
        with self._changed:
            hold = self._holds.get(id)
            if hold is None:
                return
            hold.held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: hold.released, timeout=LONGEST_HOLD)
            hold.held -= 1

    def state(self, id: str, *, wait: float) -> Body:
        """Return how many answers are held, after up to `wait` seconds for a first one."""
        with self._changed:
            hold = self._get(id)
            self._changed.wait_for(lambda: hold.held or hold.released, timeout=wait)
            return {"held": hold.held, "released": hold.released}

    def release(self, id: str) -> Body:
        """Let the held answers go; requests that come later are not held by it any more."""
        with self._changed:
            hold = self._get(id)
            hold.released = True
            self._changed.notify_all()
            return {"held": hold.held, "released": True}

    def clear(self) -> None:
        """Release and forget all."""
        with self._changed:
            for hold in self._holds.values():
                hold.released = True
            self._holds.clear()
            self._changed.notify_all()

    def _get(self, id: str) -> _Hold:
        if id not in self._holds:
            raise ApiError(f"No such hold: '{id}'", status=404)
        return self._holds[id]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request.

    With a `status`, it is refused with that, and not carried out; `retry_after` seconds stand in the answer. After
    `delay` seconds it is answered, or with `hang_up` the connection is closed without an answer, as in a time-out:
    `carried_out` says whether it was done all the same, which the caller cannot know.
    """

    status: int | None = None
    retry_after: float | None = None
    delay: float = 0.0
    hang_up: bool = False
    carried_out: bool = False

    @property
    def prevents(self) -> bool:
        """Whether the request is not carried out."""
        return self.status is not None or (self.hang_up and not self.carried_out)


class Faults:
    """Requests that are refused, lost or slow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[tuple[_Match, Fault]] = []

    def add(self, fault: Fault, *, method: str | None, path: str, times: int) -> None:
        with self._lock:
            self._faults.append((_Match(method, path, times), fault))

    def claim(self, *, method: str, path: str) -> Fault | None:
        with self._lock:
            return next((fault for match, fault in self._faults if match.take(method=method, path=path)), None)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()


class RateLimit:
    """So many requests a second for each endpoint, once it is switched on. Contract: docs.stripe.com/rate-limits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._per_second: int | None = None
        self._taken: dict[str, deque[float]] = {}

    def set(self, per_second: int | None) -> None:
        """Allow so many a second from now on; None is no limit."""
        with self._lock:
            self._per_second = per_second
            self._taken.clear()

    def admit(self, endpoint: str) -> float | None:
        """Count a request in and return None, or return the seconds until the endpoint takes one again."""
        with self._lock:
            if self._per_second is None:
                return None
            now = time.monotonic()
            taken = self._taken.setdefault(endpoint, deque())
            while taken and taken[0] <= now - 1:
                taken.popleft()
            if len(taken) >= self._per_second:
                return taken[0] + 1 - now
            taken.append(now)
            return None


@dataclass
class Entry:
    """A request to the API; `status` is None until it is answered, `at` is real Unix time."""

    method: str
    path: str
    query: str
    status: int | None = None
    at: float = field(default_factory=time.time)


class RequestLog:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_LOGGED)

    def add(self, *, method: str, path: str, query: str) -> Entry:
        entry = Entry(method, path, query)
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        return list(self._entries.copy())

    def clear(self) -> None:
        self._entries.clear()
