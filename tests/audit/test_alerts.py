"""Alerts: open while their cause is there, one per cause; and entries, which stay."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.audit.models import Alert, Entry
from apps.audit.services import Cause, record, set_alerts
from apps.core.actors import CLOCK, Actor
from tests.factories import NOW, SOMEBODY
from tests.tenants.probes import at_once, wait_for_waiter

pytestmark = pytest.mark.django_db

FAMILY = ("price_malformed", "price_missing")
MALFORMED = Cause("price_malformed", "max-users is 'abc'", {"key": "max-users"})
MISSING = Cause("price_missing", "There is no price")
LATER = NOW + timedelta(hours=1)


def say(*causes: Cause, subject: str = "price:1", now: datetime = NOW, codes: tuple[str, ...] = FAMILY) -> None:
    set_alerts(subject=subject, codes=codes, causes=causes, now=now)


def open_codes(subject: str = "price:1") -> set[str]:
    return set(Alert.objects.open().filter(subject=subject).values_list("code", flat=True))


class TestAlerts:
    def test_is_raised_once_however_often_its_cause_is_seen(self) -> None:
        say(MALFORMED)
        say(MALFORMED, now=LATER)
        alert = Alert.objects.get()
        assert (alert.raised_at, alert.last_seen_at, alert.cleared_at) == (NOW, LATER, None)
        assert (alert.message, alert.details) == ("max-users is 'abc'", {"key": "max-users"})

    def test_tells_the_newest_message(self) -> None:
        say(MALFORMED)
        say(Cause("price_malformed", "max-users is '-1'", {"value": "-1"}), now=LATER)
        alert = Alert.objects.get()
        assert (alert.message, alert.details, alert.raised_at) == ("max-users is '-1'", {"value": "-1"}, NOW)

    def test_is_cleared_when_its_cause_is_gone(self) -> None:
        say(MALFORMED)
        say(now=LATER)
        assert Alert.objects.get().cleared_at == LATER
        assert open_codes() == set()

    def test_cleared_stays_as_it_was(self) -> None:
        say(MALFORMED)
        say(now=LATER)
        say(now=LATER + timedelta(hours=1))
        assert Alert.objects.get().cleared_at == LATER

    def test_coming_back_is_a_new_one(self) -> None:
        say(MALFORMED)
        say(now=LATER)
        say(MALFORMED, now=LATER + timedelta(hours=1))
        assert Alert.objects.count() == 2
        assert Alert.objects.open().get().raised_at == LATER + timedelta(hours=1)

    def test_one_of_a_family_goes_and_another_comes(self) -> None:
        say(MALFORMED)
        say(MISSING, now=LATER)
        assert open_codes() == {"price_missing"}
        say(MISSING, MALFORMED, now=LATER)
        assert open_codes() == {"price_missing", "price_malformed"}

    def test_another_family_of_the_same_subject_is_left_alone(self) -> None:
        say(MALFORMED)
        say(codes=("price_unmanaged",), now=LATER)
        assert open_codes() == {"price_malformed"}

    def test_another_subject_is_left_alone(self) -> None:
        say(MALFORMED)
        say(subject="price:2", now=LATER)
        assert open_codes() == {"price_malformed"}

    def test_goes_away_with_the_callers_transaction(self) -> None:
        with transaction.atomic():
            say(MALFORMED)
            transaction.set_rollback(True)
        assert not Alert.objects.exists()

    def test_the_database_itself_holds_no_two_open_ones(self) -> None:
        say(MALFORMED)
        with pytest.raises(IntegrityError):
            Alert.objects.create(
                code="price_malformed", subject="price:1", message="x", raised_at=NOW, last_seen_at=NOW
            )


@pytest.mark.django_db(transaction=True)
def test_two_who_see_one_cause_at_once_raise_one_alert() -> None:
    """The second comes while the first has not committed."""
    first_is_there: list[bool] = []

    def see_it() -> None:
        with transaction.atomic():
            say(MALFORMED)
            if not first_is_there:
                first_is_there.append(True)
                wait_for_waiter()

    assert at_once(see_it, see_it) == [None, None]
    assert Alert.objects.count() == 1


class TestEntries:
    def test_has_who_what_when_and_why(self) -> None:
        record(
            actor=SOMEBODY,
            action="tenant.held",
            subject="tenant:acme",
            now=NOW,
            before={"state": "approved"},
            after={"state": "suspended"},
            reason="Abuse",
        )
        entry = Entry.objects.get()
        assert (entry.actor_kind, entry.actor_label, entry.action, entry.at) == (
            "person",
            "somebody",
            "tenant.held",
            NOW,
        )
        assert (entry.before, entry.after, entry.reason) == ({"state": "approved"}, {"state": "suspended"}, "Abuse")

    def test_goes_away_with_the_change_it_tells_of(self) -> None:
        with transaction.atomic():
            record(actor=CLOCK, action="x", subject="y", now=NOW)
            transaction.set_rollback(True)
        assert not Entry.objects.exists()

    def test_a_label_that_is_too_long_spoils_no_change(self) -> None:
        record(actor=Actor.person(username="a" * 300), action="x", subject="y", now=NOW)
        assert Entry.objects.get().actor_label == "a" * 200
