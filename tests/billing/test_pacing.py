"""Stripe's rate limits are kept by all processes together, and a refusal is waited out by all of them."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import stripe
from django.db import ProgrammingError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from apps.billing import gateway
from apps.billing.errors import StripeBusy, StripeUnavailable
from apps.billing.http import PATIENCE, PacedClient
from apps.billing.models import Pace as Row
from apps.billing.pacing import ACCOUNT, LONGEST_BLOCK, Pace, Rates, Sleep, endpoint_of, seconds_to_wait
from tests.factories import NOW
from tests.support import databases
from tests.support.standin import ROOT, StandIn
from tests.support.vendor import KEY

PRICES = "GET /v1/prices/*"
CUSTOMERS = "GET /v1/customers/*"


class Time:
    """A time of our own, in which sleeping costs none."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def pace_in(time: Time, *, per_endpoint: int = 25, total: int = 0) -> Pace:
    return Pace(Rates(per_endpoint=per_endpoint, total=total), sleep=time.sleep, clock=time)


def most_within_a_second(starts: list[datetime]) -> int:
    """The most of these that fall into any half-open second."""
    second = timedelta(seconds=1)
    return max((sum(first <= each < first + second for each in starts) for first in starts), default=0)


# ---- the rule ---------------------------------------------------------------------------
class Waiting(Exception):
    """Somebody sleeps, so that others get their turn."""


def starts_of(arrivals: list[tuple[float, str]], limits: dict[str, int]) -> dict[str, list[datetime]]:
    """When each of these requests begins, who come one after the other and wait beside one another."""

    def sleep(seconds: float) -> None:
        raise Waiting(seconds)

    time = Time()
    pace = Pace(Rates(**limits), sleep=sleep, clock=time)
    starts: dict[str, list[datetime]] = {PRICES: [], CUSTOMERS: []}
    comings = accumulate(gap for gap, _ in arrivals)
    queue = [
        (NOW + timedelta(seconds=coming), number, endpoint)
        for number, (coming, (_, endpoint)) in enumerate(zip(comings, arrivals, strict=True))
    ]
    heapify(queue)
    while queue:
        time.now, number, endpoint = heappop(queue)
        try:
            pace.wait_for_turn(endpoint=endpoint, patience=1e6)
            starts[endpoint].append(time.now)
        except Waiting as pause:
            heappush(queue, (time.now + timedelta(seconds=pause.args[0]), number, endpoint))
    return starts


arrivals = st.lists(
    st.tuples(st.just(0.0) | st.floats(0, 0.7), st.sampled_from([PRICES, CUSTOMERS])), min_size=1, max_size=40
)


@pytest.mark.django_db
@examples(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(arrivals=arrivals, per_endpoint=st.integers(1, 12), total=st.integers(1, 20))
def test_no_second_sees_more_than_the_limit_whatever_the_arrivals(
    arrivals: list[tuple[float, str]], per_endpoint: int, total: int
) -> None:
    limits = {"per_endpoint": per_endpoint, "total": total}
    with transaction.atomic():
        starts = starts_of(arrivals, limits)
        transaction.set_rollback(True)

    assert most_within_a_second(starts[PRICES]) <= per_endpoint
    assert most_within_a_second(starts[CUSTOMERS]) <= per_endpoint
    assert most_within_a_second(starts[PRICES] + starts[CUSTOMERS]) <= total


@pytest.mark.django_db
def test_a_full_queue_moves_at_nearly_the_limit() -> None:
    """Or the rule above could be kept by standing still."""
    time = Time()
    pace = pace_in(time)
    for _ in range(251):
        pace.wait_for_turn(endpoint=PRICES, patience=PATIENCE)
    assert 10 <= (time.now - NOW).total_seconds() <= 12.1


@pytest.mark.django_db
def test_endpoints_do_not_wait_for_each_other() -> None:
    time = Time()
    pace = pace_in(time, per_endpoint=1)
    waits = [pace.wait_for_turn(endpoint=name, patience=PATIENCE) for name in (PRICES, CUSTOMERS)]
    assert waits == [0, 0]


@pytest.mark.django_db
def test_who_would_wait_too_long_takes_nothing() -> None:
    time = Time()
    pace = pace_in(time, per_endpoint=1)
    pace.wait_for_turn(endpoint=PRICES, patience=0)
    before = list(Row.objects.values())
    with pytest.raises(StripeBusy, match=re.escape(PRICES)):
        pace.wait_for_turn(endpoint=PRICES, patience=0.5)
    assert list(Row.objects.values()) == before


@pytest.mark.django_db
def test_a_block_holds_back_those_who_already_wait() -> None:
    """One waits for its turn; meanwhile another process is refused."""
    time = Time()
    other = pace_in(time, per_endpoint=1)
    other.wait_for_turn(endpoint=PRICES, patience=0)

    def sleep(seconds: float) -> None:
        if time.now == NOW:
            other.block(name=PRICES, seconds=9)
        time.sleep(seconds)

    Pace(Rates(per_endpoint=1, total=0), sleep=sleep, clock=time).wait_for_turn(endpoint=PRICES, patience=PATIENCE)
    assert time.now >= NOW + timedelta(seconds=9)


@pytest.mark.django_db
def test_a_block_of_the_account_holds_back_every_endpoint_and_one_of_an_endpoint_only_that() -> None:
    time = Time()
    pace = pace_in(time)
    pace.block(name=PRICES, seconds=3)
    assert pace.wait_for_turn(endpoint=CUSTOMERS, patience=PATIENCE) == 0
    pace.block(name=ACCOUNT, seconds=5)
    assert pace.wait_for_turn(endpoint=CUSTOMERS, patience=PATIENCE) == 5


@pytest.mark.django_db
def test_no_answer_of_stripes_stops_everything_for_ever() -> None:
    time = Time()
    pace = pace_in(time)
    pace.block(name=ACCOUNT, seconds=86_400)
    assert pace.wait_for_turn(endpoint=PRICES, patience=1e6) == LONGEST_BLOCK


@pytest.mark.django_db
def test_a_clock_that_is_put_back_stops_nobody() -> None:
    time = Time()
    pace = pace_in(time)
    for _ in range(10):
        pace.wait_for_turn(endpoint=PRICES, patience=PATIENCE)
    pace.block(name=ACCOUNT, seconds=5)
    time.now -= timedelta(hours=1)
    put_back_to, starts = time.now, []
    for _ in range(60):
        pace.wait_for_turn(endpoint=PRICES, patience=PATIENCE)
        starts.append(time.now)
    assert starts[0] == put_back_to
    assert most_within_a_second(starts) <= 25

    # What was said before has been forgotten by the time that it would come round again.
    time.now = NOW
    assert pace.wait_for_turn(endpoint=CUSTOMERS, patience=PATIENCE) == 0


@pytest.mark.django_db
def test_a_block_by_a_clock_that_was_put_back_holds_as_long_as_it_says() -> None:
    time = Time()
    pace = pace_in(time)
    pace.block(name=ACCOUNT, seconds=5)
    time.now -= timedelta(hours=1)
    pace.block(name=ACCOUNT, seconds=3)
    assert pace.wait_for_turn(endpoint=PRICES, patience=PATIENCE) == 3


@pytest.mark.django_db
def test_without_its_table_nothing_is_sent() -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE billing_pace")
        with pytest.raises(ProgrammingError, match="billing_pace"), transaction.atomic():
            pace_in(Time()).wait_for_turn(endpoint=PRICES, patience=PATIENCE)
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/prices", "GET /v1/prices"),
        ("/v1/prices/price_1?expand[0]=product", "GET /v1/prices/*"),
        ("/v1/products/gold", "GET /v1/products/*"),
        ("/v1/test_helpers/test_clocks/clock_1/advance", "GET /v1/test_helpers/test_clocks/*/advance"),
        ("/v1/billing/meters/mtr_1/event_summaries", "GET /v1/billing/meters/*/event_summaries"),
        ("/v2/core/events/evt_1", "GET /v2/core/events/*"),
        ("/v1/account", "GET /v1/account"),
    ],
)
def test_requests_count_for_an_endpoint_whatever_their_ids(path: str, expected: str) -> None:
    assert endpoint_of(method="get", url=f"https://api.stripe.com{path}") == expected


def test_no_id_is_left_in_any_path_of_stripes_library() -> None:
    """Or the table would grow with the account, and each object had a limit of its own."""
    sources = Path(stripe.__file__).parent.rglob("*_service.py")
    paths = {path for each in sources for path in re.findall(r'"(/v[12]/[^"]+)"', each.read_text())}
    assert len(paths) > 300
    filled = [re.sub(r"\{[^}]*\}", "ours", path) for path in paths]
    assert [path for path in filled if "ours" in endpoint_of(method="get", url=path).split("/")] == []


@pytest.mark.parametrize(
    ("given", "attempt", "expected"), [("3", 0, 3), ("2.5", 0, 2.5), ("0", 1, 1), (None, 3, 4), ("soon", 0, 0.5)]
)
def test_how_long_stripe_is_left_alone(given: str | None, attempt: int, expected: float) -> None:
    assert seconds_to_wait(retry_after=given, attempt=attempt) == expected


# ---- refusals ------------------------------------------------------------------------------
def paced_client(standin: StandIn, time: Time, sleep: Sleep | None = None) -> stripe.StripeClient:
    pace = Pace(Rates(per_endpoint=25, total=100), sleep=sleep or time.sleep, clock=time)
    http = PacedClient(pace=pace, timeout=20)
    return stripe.StripeClient(KEY, base_addresses={"api": standin.url}, http_client=http)


@pytest.mark.django_db
def test_a_refusal_is_waited_out_and_the_request_sent_again(standin: StandIn) -> None:
    standin.fail("GET", "^/v1/prices$", status=429, times=2, retry_after=3)
    time = Time()
    found = paced_client(standin, time).v1.prices.list()
    assert found.data == []
    assert time.now - NOW >= timedelta(seconds=6)
    assert standin.statuses() == [429, 429, 200]


@pytest.mark.django_db
def test_what_one_was_refused_others_do_not_ask_for_meanwhile(standin: StandIn) -> None:
    standin.fail("GET", "^/v1/prices$", status=429, retry_after=3)
    ours, others = Time(), Time()

    def sleep(seconds: float) -> None:
        if not standin.statuses().count(200):
            paced_client(standin, others).v1.prices.list()
        ours.sleep(seconds)

    paced_client(standin, ours, sleep=sleep).v1.prices.list()
    assert others.now - NOW >= timedelta(seconds=3)
    assert standin.statuses() == [429, 200, 200]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reason", "waits"),
    [("resource-specific", (0, 0)), ("endpoint-rate", (5, 0)), ("global-rate", (5, 5)), (None, (5, 0))],
)
def test_a_refusal_holds_up_those_whom_it_concerns(
    monkeypatch: pytest.MonkeyPatch, reason: str | None, waits: tuple[int, int]
) -> None:
    """The stand-in gives one reason only, so Stripe's answers are made up here."""
    refusal = {"Retry-After": "5"} | ({"Stripe-Rate-Limited-Reason": reason} if reason else {})
    answers = iter([(b"", 429, refusal), (b"{}", 200, {})])
    monkeypatch.setattr(stripe.RequestsClient, "request", lambda *given: next(answers))
    ours = Time()
    seen: list[tuple[float, float]] = []

    def sleep(seconds: float) -> None:
        elsewhere = pace_in(Time()).wait_for_turn(endpoint=CUSTOMERS, patience=PATIENCE)
        same = pace_in(Time()).wait_for_turn(endpoint=PRICES, patience=PATIENCE)
        seen.append((round(same), round(elsewhere)))
        ours.sleep(seconds)

    client = PacedClient(pace=Pace(Rates(per_endpoint=25, total=0), sleep=sleep, clock=ours), timeout=20)
    assert client.request("get", "https://api.stripe.com/v1/prices/price_1", {})[1] == 200
    assert ours.now == NOW + timedelta(seconds=5)
    assert seen == [waits]


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["resource-specific", "endpoint-rate", "global-rate", ""])
@pytest.mark.parametrize("retry_after", ["", "0", "10", "1000"])
def test_a_refusal_without_an_end_is_given_up_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch, reason: str, retry_after: str
) -> None:
    sent: list[datetime] = []
    time = Time()

    def refuse(*given: Any) -> tuple[bytes, int, dict[str, str]]:
        sent.append(time.now)
        return b"", 429, {"Retry-After": retry_after, "Stripe-Rate-Limited-Reason": reason}

    monkeypatch.setattr(stripe.RequestsClient, "request", refuse)
    client = PacedClient(pace=pace_in(time), timeout=20)
    with pytest.raises(stripe.RateLimitError):
        client.request("get", "https://api.stripe.com/v1/prices", {})
    assert time.now - NOW <= timedelta(seconds=PATIENCE)
    assert 1 <= len(sent) <= 6


@pytest.mark.django_db
def test_work_that_was_given_up_is_work_that_stripe_was_not_there_for(standin: StandIn, settings: Any) -> None:
    settings.STRIPE_REQUESTS_PER_SECOND = 25
    gateway.client.cache_clear()
    standin.fail("GET", "^/v1/prices$", status=429, times=100, retry_after=1000)
    with pytest.raises(StripeUnavailable, match="GET /v1/prices"):
        gateway.price_ids()
    assert Row.objects.get(name="GET /v1/prices").blocked_until


# ---- many at once ---------------------------------------------------------------------------
PER_SECOND = 40


def ask(count: int) -> None:
    """As many requests as fast as they go."""
    try:
        for _ in range(count):
            gateway.fetch_account()
    finally:
        connection.close()


@pytest.fixture
def limited(standin: StandIn) -> StandIn:
    """A Stripe that keeps its limit, with nothing asked yet."""
    standin.limit_rate(PER_SECOND)
    return standin


def test_threads_keep_within_the_limit_together(transactional_db: None, limited: StandIn, settings: Any) -> None:
    settings.STRIPE_REQUESTS_PER_SECOND = PER_SECOND
    gateway.client.cache_clear()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, [12] * 6))
    assert limited.statuses() == [200] * 72


def test_processes_keep_within_the_limit_together(transactional_db: None, limited: StandIn) -> None:
    program = (
        "import django; django.setup(); from apps.billing import gateway; print('ready'); input();"
        "[gateway.fetch_account() for _ in range(30)]"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": databases.url(),
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": limited.url,
        "STRIPE_REQUESTS_PER_SECOND": str(PER_SECOND),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-u", "-c", program],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [each.stdout.readline() for each in started if each.stdout] == ["ready\n"] * 2
    for each in started:
        each.stdin.write("go\n")  # type: ignore[union-attr]
        each.stdin.flush()  # type: ignore[union-attr]
    for each in started:
        each.communicate(timeout=60)
    assert [each.returncode for each in started] == [0, 0]
    assert limited.statuses() == [200] * 60


def test_without_a_pace_the_limit_is_passed(transactional_db: None, limited: StandIn) -> None:
    """The control: a limit that nobody passes anyway would tell nothing."""
    with pytest.raises(StripeUnavailable), ThreadPoolExecutor(3) as pool:
        list(pool.map(ask, [PER_SECOND * 2] * 3))
    assert 429 in limited.statuses()
