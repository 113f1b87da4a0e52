"""Keeping within Stripe's rate limits, all processes together.

They share nothing but PostgreSQL, so each endpoint has a row that holds from when on it
is free, and the account as a whole has another. One statement, on the database's clock,
takes both for a request and moves them on, or tells how long to wait. Nobody takes a
moment that lies ahead: who waits for one endpoint would hold up the whole account.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from urllib.parse import urlsplit

from django.db import connection

from apps.billing.errors import StripeBusy
from apps.core.clock import Clock

ACCOUNT = "account"
# Over this time, in seconds, no more than the limit begins. Longer than Stripe's second,
# since requests that begin evenly need not arrive so.
WINDOW = 1.1
# So many seconds a request may begin before its even share: a few at once after a pause.
SLACK = 0.1
# Whatever Stripe asks for, somebody looks again after so many seconds.
LONGEST_BLOCK = 300.0

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Rates:
    """Requests a second: to each endpoint, and to the account in all. 0 is no limit."""

    per_endpoint: int
    total: int


class Pace:
    """Gives requests their turns. `clock` is the database's unless a test brings its own."""

    def __init__(self, rates: Rates, *, sleep: Sleep = time.sleep, clock: Clock | None = None) -> None:
        self._endpoint_pause = _pause(rates.per_endpoint)
        self._account_pause = _pause(rates.total)
        self._sleep = sleep
        self._clock = clock

    def wait_for_turn(self, *, endpoint: str, patience: float) -> float:
        """Return once a request to this endpoint may begin; tells the seconds that were waited.

        Raises:
            StripeBusy: when that would take longer than `patience` seconds; then nothing is taken.
        """
        waited = 0.0
        while pause := self._take(endpoint):
            if waited + pause > patience:
                raise StripeBusy(f"Stripe's limit of requests leaves no room for {endpoint} soon enough.")
            self._sleep(pause)
            waited += pause
        return waited

    def block(self, *, name: str, seconds: float) -> None:
        """Let nothing begin for so long, at an endpoint or at the ACCOUNT: Stripe said so."""
        self._ensure(name)
        with connection.cursor() as cursor:
            values = {"name": name, "now": self._now(), "pause": min(seconds, LONGEST_BLOCK)}
            cursor.execute(_BLOCK, {**values, "longest_block": LONGEST_BLOCK})

    def pause(self, seconds: float) -> None:
        """Wait, and hold nobody else up."""
        self._sleep(seconds)

    def _take(self, endpoint: str) -> float:
        """Take this moment and tell 0, or tell in how many seconds to try again."""
        pause = self._taken(endpoint)
        while pause is None:
            self._ensure(endpoint)
            pause = self._taken(endpoint)
        return pause

    def _taken(self, endpoint: str) -> float | None:
        """As `_take`; None where there is no row yet."""
        values: dict[str, str | float | datetime | None] = {
            "endpoint": endpoint,
            "account": ACCOUNT,
            "now": self._now(),
            "slack": SLACK,
            "endpoint_pause": self._endpoint_pause,
            "account_pause": self._account_pause,
            "longest_block": LONGEST_BLOCK,
        }
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, values)
            row = cursor.fetchone()
        return float(row[0]) if row else None

    def _ensure(self, name: str) -> None:
        with connection.cursor() as cursor:
            # In one order everywhere, so that two of them cannot wait for each other.
            cursor.execute(_ENSURE, {"names": sorted({name, ACCOUNT}), "now": self._now()})

    def _now(self) -> datetime | None:
        return self._clock() if self._clock else None


def _pause(per_second: int) -> float:
    """Between two requests, in seconds.

    n requests begin within no less than (n - 1) pauses less the slack; so this long a pause
    lets no more than the limit begin within the window.
    """
    return (WINDOW + SLACK) / per_second if per_second else 0.0


# `locked` holds both rows before `held` reads the clock, or who waited for the rows would
# take a moment that has passed. What lies further ahead than any request or block can have
# put it was written before the database's clock was put back, and is not believed.
_TAKE = """
WITH locked AS (
    SELECT name, free_at, blocked_until, interval '1 second' * (
        CASE name WHEN %(account)s THEN %(account_pause)s ELSE %(endpoint_pause)s END
    ) AS pause, interval '1 second' * %(slack)s AS slack
    FROM billing_pace WHERE name IN (%(endpoint)s, %(account)s) ORDER BY name FOR UPDATE
), held AS (
    SELECT count(*) AS rows, coalesce(%(now)s::timestamptz, clock_timestamp()) AS present FROM locked
), believed AS (
    SELECT name, pause, slack, present,
        CASE WHEN free_at <= present + slack + pause THEN greatest(free_at, present) ELSE present END AS free_at,
        CASE WHEN blocked_until <= present + interval '1 second' * %(longest_block)s THEN blocked_until END
            AS blocked_until
    FROM locked, held WHERE rows = 2
), moment AS (
    SELECT present, greatest(present, max(free_at - slack), max(blocked_until)) AS start FROM believed GROUP BY present
), moved AS (
    UPDATE billing_pace
    SET free_at = believed.free_at + believed.pause, blocked_until = believed.blocked_until
    FROM believed, moment WHERE billing_pace.name = believed.name AND moment.start = moment.present
)
SELECT extract(epoch FROM start - present) FROM moment
"""
_BLOCK = """
WITH said AS (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS present, interval '1 second' * %(pause)s AS pause,
        interval '1 second' * %(longest_block)s AS longest_block
)
UPDATE billing_pace
SET blocked_until = greatest(
    CASE WHEN blocked_until <= present + longest_block THEN blocked_until END, present + pause
)
FROM said WHERE name = %(name)s
"""
_ENSURE = """
INSERT INTO billing_pace (name, free_at)
SELECT unnest(%(names)s::text[]), coalesce(%(now)s::timestamptz, clock_timestamp())
ON CONFLICT DO NOTHING
"""


# What stands before the collection in a path of Stripe's API.
_NAMESPACES = re.compile(
    "apple_pay|apps|billing|billing_portal|checkout|climate|commerce|core|entitlements|financial_connections|forwarding"
    "|identity|issuing|product_catalog|radar|reporting|reserve|sigma|tax|terminal|test_helpers|treasury"
)


def endpoint_of(*, method: str, url: str) -> str:
    """The endpoint that a request counts for: its method and its path, with `*` for every id.

    Ids of products and coupons are the vendor's to choose, so they are told by their place.
    """
    version, *parts = [part for part in urlsplit(url).path.split("/") if part]
    spaces = 0
    while spaces < len(parts) and _NAMESPACES.fullmatch(parts[spaces]):
        spaces += 1
    path = [version, *parts[:spaces]]
    rest = parts[spaces:]
    for collection, identifier in zip_longest(rest[::2], rest[1::2]):
        path += [collection, "*"] if identifier else [collection]
    return f"{method.upper()} /{'/'.join(path)}"


def seconds_to_wait(*, retry_after: str | None, attempt: int) -> float:
    """How long Stripe wants to be left alone: as it says, and longer with each refusal (0.5, 1, 2, … s at least)."""
    asked = float(retry_after) if retry_after and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", retry_after) else 0.0
    return max(asked, 0.5 * 2.0 ** min(attempt, 10))
