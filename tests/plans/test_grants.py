"""Grants and their terms as people type them, and read back."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.plans import selectors
from apps.plans.catalogue import define_feature, grants_of, publish_plan
from apps.plans.errors import UnusableGrant
from apps.plans.grants import read_grant, refuse_unusable, terms_in_words, write_grant
from apps.plans.metadata import MAX_LIMIT
from apps.plans.models import PlanVersion
from apps.plans.offers import refuse_what_no_plan_grants
from apps.plans.resolution import Grant, Grantable, Terms
from apps.plans.terms import Kind
from tests.factories import NOW, SOMEBODY

SEATS = Grantable("seats", "Seats", Kind.COUNT)
CALLS = Grantable("calls", "Calls", Kind.METERED)
STORED = Grantable("stored", "Stored", Kind.METERED, aggregate="perpetual")
TOKENS = Grantable("tokens", "Tokens", Kind.CREDITS)
SSO = Grantable("sso", "Single sign-on", Kind.SWITCH)
THEME = Grantable("theme", "Theme", Kind.CONFIG)


def test_every_term_is_read() -> None:
    read = read_grant(CALLS, "1000/month; soft;calendar;warn=50+80+100;open;freeze")
    terms = Terms("month", "calendar", "soft", (50, 80, 100), "open", "freeze")
    assert read == Grant(limit=1000, terms=terms)
    assert write_grant(CALLS, read) == "1000/month;calendar;soft;open;freeze;warn=50+80+100"
    told = "every month · with the calendar · soft · warned at 50, 80, 100 % · allowed when in doubt"
    assert terms_in_words(CALLS, terms) == f"{told} · freeze on a downgrade"


def test_credits_roll_over() -> None:
    terms = read_grant(TOKENS, "50/month;rollover=10..500").terms
    assert (terms.min_rollover, terms.max_rollover) == (10, 500)
    assert terms_in_words(TOKENS, terms) == "every month · 10 to 500 roll over"


@pytest.mark.parametrize(
    ("feature", "text"),
    [(SEATS, "5"), (SEATS, "unlimited;grace"), (CALLS, "7/billing_period;warn="), (SSO, "on;open"), (SEATS, "5;soft")],
)
def test_what_is_written_is_what_was_typed(feature: Grantable, text: str) -> None:
    assert write_grant(feature, read_grant(feature, text)) == text


def test_the_usual_terms_may_be_named_and_are_left_out() -> None:
    assert read_grant(CALLS, "5/day;hard;subscription;closed;block;warn=80+100") == read_grant(CALLS, "5/day")


@pytest.mark.parametrize("value", ['"a;b"', '{"a": ";soft"}', "[1, 2]", "5"])
def test_a_semicolon_within_a_value_is_part_of_it(value: str) -> None:
    assert write_grant(THEME, read_grant(THEME, f"{value};open")) == f"{value};open"


@pytest.mark.parametrize(
    ("feature", "text", "why"),
    [
        (CALLS, "5/day;firm", "the term 'firm', but there are only"),
        (CALLS, "5/day;", "the term ''"),
        (CALLS, "5/day;soft;hard", "beside another"),
        (CALLS, "5/day;warn=0", "rising per cents"),
        (CALLS, "5/day;warn=100+80", "rising per cents"),
        (CALLS, "5/day;warn=1001", "rising per cents"),
        (CALLS, "5/day;rollover=0..5", "only credits"),
        (CALLS, "5;calendar", "never starts anew"),
        (SEATS, "5/day", "what exists"),
        (STORED, "5/day", "summed up since ever"),
        (TOKENS, "5/day;rollover=9..5", "9 cannot roll over at least"),
        (TOKENS, "5;rollover=0..5", "never starts anew"),
        (TOKENS, f"5/day;rollover=0..{MAX_LIMIT + 1}", "cannot roll over"),
        (SEATS, "unlimited/month", "what exists"),
        (SEATS, "unlimited;calendar", "never starts anew"),
        (SEATS, "unlimited;rollover=0..5", "only credits"),
        (SEATS, "unlimited;warn=101+1", "rising per cents"),
        (STORED, "unlimited/month", "summed up since ever"),
        (SSO, "on;soft", "has no limit"),
        (THEME, "5;warn=50", "has no limit"),
    ],
)
def test_a_term_that_does_not_fit_is_refused(feature: Grantable, text: str, why: str) -> None:
    with pytest.raises(UnusableGrant, match=why):
        read_grant(feature, text)


LIMITS = st.integers(0, MAX_LIMIT)
TERMS = st.builds(
    Terms,
    reset_period=st.sampled_from(["hour", "day", "week", "month", "year", "billing_period"]),
    anchor=st.sampled_from(["subscription", "calendar"]),
    enforcement=st.sampled_from(["hard", "soft"]),
    warning_thresholds=st.sets(st.integers(1, 1000), max_size=4).map(lambda found: tuple(sorted(found))),
    on_error=st.sampled_from(["open", "closed"]),
    on_downgrade=st.sampled_from(["block", "freeze", "grace"]),
)
JSON = st.recursive(
    st.integers()
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9),
    st.lists,
    max_leaves=5,
)


@given(LIMITS | st.none(), TERMS)
def test_whatever_is_written_of_a_number_is_read_as_the_same(limit: int | None, terms: Terms) -> None:
    grant = Grant(limit=limit, terms=terms)
    assert read_grant(CALLS, write_grant(CALLS, grant)) == grant


@given(LIMITS, TERMS, st.tuples(LIMITS, LIMITS).map(sorted))
def test_whatever_is_written_of_credits_is_read_as_the_same(limit: int, terms: Terms, rollover: list[int]) -> None:
    grant = Grant(limit=limit, terms=replace(terms, min_rollover=rollover[0], max_rollover=rollover[1]))
    assert read_grant(TOKENS, write_grant(TOKENS, grant)) == grant


@given(JSON)
def test_whatever_is_written_of_a_value_is_read_as_the_same(value: Any) -> None:
    grant = Grant(value=value)
    assert read_grant(THEME, write_grant(THEME, grant)) == grant


@st.composite
def typed(draw: st.DrawFn) -> tuple[Grantable, str]:
    """A feature, and what somebody could type for it, sense or nonsense."""
    feature = draw(st.sampled_from([SEATS, CALLS, STORED, TOKENS, SSO, THEME]))
    amounts = ["0", "5", "unlimited", str(MAX_LIMIT), str(MAX_LIMIT + 1), "on", "off", '"red"', "[1e999]", "null"]
    amounts += ['"\\u0000"', r'"\\u0000"', '"\ud800"', "[" * 9_000]
    periods = ["", "", "/month", "/billing_period", "/never"]
    terms = ["soft", "calendar", "warn=1+1000", "warn=", "warn=9+1", "rollover=0..5", "rollover=5..0", "open", "freeze"]
    said = draw(st.sampled_from(amounts)) + draw(st.sampled_from(periods))
    return feature, ";".join([said, *draw(st.lists(st.sampled_from(terms), max_size=2))])


@pytest.mark.django_db
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed())
def test_whatever_is_read_the_database_takes(told: tuple[Grantable, str]) -> None:
    feature, text = told
    try:
        grant = read_grant(feature, text)
        refuse_what_no_plan_grants(feature, grant)
    except UnusableGrant:
        return
    with transaction.atomic():
        define_feature(key=feature.key, kind=feature.kind, aggregate=feature.aggregate, actor=SOMEBODY, now=NOW)
        version = publish_plan(key="free", grants={feature.key: grant}, actor=SOMEBODY, now=NOW)
        assert grants_of(version) == {feature.key: grant}
        transaction.set_rollback(True)


def test_a_backslash_before_a_u_is_no_zero_byte() -> None:
    assert read_grant(THEME, r'"C:\\u0000"').value == r"C:\u0000"


@pytest.mark.parametrize("limit", ["5", 5.0, True, [5]])
def test_what_is_no_whole_number_is_refused(limit: Any) -> None:
    with pytest.raises(UnusableGrant, match="is not a whole number"):
        refuse_unusable(SEATS, Grant(limit=limit))


@pytest.mark.django_db
def test_the_command_refuses_a_second_grant_of_a_feature() -> None:
    with pytest.raises(CommandError, match="'gateways=2' is the second for gateways"):
        call_command("plan_publish", "free", "--grant", "gateways=1", "--grant", "gateways=2")
    assert not PlanVersion.objects.exists()


@pytest.mark.django_db
def test_the_command_publishes_every_term_and_tells_it_as_it_was_typed() -> None:
    define_feature(key="calls", kind="metered", actor=SOMEBODY, now=NOW)
    define_feature(key="tokens", kind="credits", actor=SOMEBODY, now=NOW)
    typed = ["calls=1000/month;calendar;soft;open;freeze;warn=50", "tokens=50/month;rollover=0..500"]
    out = StringIO()
    call_command("plan_publish", "free", *(part for each in typed for part in ("--grant", each)), stdout=out)
    assert [line.strip() for line in out.getvalue().splitlines()[1:]] == typed
    version = PlanVersion.objects.get()
    assert grants_of(version)["tokens"].terms.max_rollover == 500
    assert [f"{key}={write_grant(selectors.feature(key), each)}" for key, each in grants_of(version).items()] == typed
