"""The operator's pages about events whose work fails."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.audit.models import Entry
from apps.billing import replaying
from apps.billing.models import Event
from apps.core import clock
from apps.tenants.models import Tenant
from tests.factories import NOW
from tests.pages.reading import path_of, text
from tests.support.vendor import Vendor

pytestmark = pytest.mark.django_db
REFUSED = "Stripe refused: this key may not read customers."
LIST = "billing_event_changelist"


def make_event(number: int = 1, **values: Any) -> Event:
    defaults = {
        "event_id": f"evt_{number}",
        "type": "customer.updated",
        "object_id": f"cus_{number}",
        "customer_id": f"cus_{number}",
        "livemode": False,
        "happened_at": NOW,
        "received_at": NOW,
        "work": f"customer:cus_{number}",
    }
    return Event.objects.create(**(defaults | values))


def make_failing(number: int = 1, **values: Any) -> Event:
    soon = clock.now() + timedelta(minutes=30)
    return make_event(number, **({"attempts": 4, "error": REFUSED, "retry_at": soon} | values))


def make_ignored(number: int = 1) -> Event:
    return make_event(number, work="", state="ignored", error="It belongs to a connected account.", finished_at=NOW)


def waiting_jobs() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT lock FROM procrastinate_jobs WHERE status = 'todo' ORDER BY lock")
        return [row[0] for row in cursor.fetchall()]


class TestWhatIsShown:
    def test_the_list_says_what_is_wrong_and_when_it_is_tried_again(self, staff: Client) -> None:
        event = make_failing()

        page = text(staff.get(path_of(LIST)))

        assert REFUSED in page
        assert "Failing" in page
        assert f"Failed 4 times, next try {event.retry_at:%-d %b %Y, %H:%M} UTC" in page

    def test_the_page_of_one_says_the_same(self, staff: Client) -> None:
        event = make_failing(retry_at=clock.now() - timedelta(minutes=1), attempts=1)

        page = text(staff.get(path_of("billing_event_change", event.pk)))

        assert REFUSED in page
        assert "Failed once, is tried again now" in page

    def test_a_note_is_not_shown_as_a_failure(self, staff: Client) -> None:
        make_ignored()

        page = staff.get(path_of(LIST))

        assert "It belongs to a connected account." in text(page)
        assert "Failed" not in text(page)
        assert "op-error" not in page.content.decode()

    def test_what_an_error_says_is_no_markup(self, staff: Client) -> None:
        make_failing(error="<script>alert(1)</script>")

        assert "<script>alert(1)" not in staff.get(path_of(LIST)).content.decode()

    def test_the_failing_ones_are_filtered(self, staff: Client) -> None:
        make_failing(1)
        make_event(2)
        make_event(3, state="done", attempts=2, finished_at=NOW)

        page = text(staff.get(path_of(LIST) + "?work=failing"))

        assert set(re.findall(r"\bcus_\d\b", page)) == {"cus_1"}

    def test_they_cost_no_query_each(self, staff: Client) -> None:
        def queries(count: int) -> int:
            for number in range(count):
                make_failing(number)
            staff.get(path_of(LIST))
            with CaptureQueriesContext(connection) as captured:
                assert text(staff.get(path_of(LIST))).count("Failed 4 times") == count
            Event.objects.all().delete()
            return len(captured)

        assert queries(3) == queries(30)

    def test_the_overview_counts_them_and_leads_there(self, staff: Client) -> None:
        assert "whose work fails" not in text(staff.get("/operator/"))
        make_failing(1, received_at=clock.now() - timedelta(days=2))
        make_failing(2, received_at=clock.now() - timedelta(hours=1))
        make_event(3)

        page = staff.get("/operator/")

        assert "2 Events whose work fails, the oldest for 2 days" in text(page)
        assert "?work=failing" in page.content.decode()


class TestWorkingOffAgain:
    def test_one_event(self, staff: Client) -> None:
        event = make_event(state="done", finished_at=NOW)
        make_event(2, state="done", finished_at=NOW)

        answer = staff.post(path_of("event_replay", event.pk), follow=True)

        assert answer.redirect_chain[-1][0] == path_of("billing_event_change", event.pk)
        assert "A worker takes up 1 event again, and looks anew at customer:cus_1." in text(answer)
        assert waiting_jobs() == ["customer:cus_1"]
        entry = Entry.objects.get()
        assert (entry.action, entry.subject, entry.actor_label) == ("stripe.replayed", "event:evt_1", "olga")
        assert entry.after == {"events": 1, "looked_at_again": "customer:cus_1"}

    def test_the_selected_ones(self, staff: Client) -> None:
        events = [make_failing(1), make_event(2, state="done", finished_at=NOW), make_failing(3)]
        chosen = [str(event.pk) for event in events[:2]]

        answer = staff.post(path_of(LIST), {"action": "replay_selected", "_selected_action": chosen}, follow=True)

        assert "A worker takes up 2 events again" in text(answer)
        assert waiting_jobs() == ["customer:cus_1", "customer:cus_2"]
        assert Entry.objects.get().subject == "stripe"

    def test_all_that_fail(self, staff: Client) -> None:
        for number in range(1, 4):
            make_failing(number)
        make_event(9, state="done", finished_at=NOW)
        assert "The work of 3 events fails." in text(staff.get(path_of(LIST)))

        answer = staff.post(path_of("event_replay_failing"), follow=True)

        assert "A worker takes up 3 events again" in text(answer)
        assert waiting_jobs() == ["customer:cus_1", "customer:cus_2", "customer:cus_3"]

    def test_where_nothing_fails_it_is_not_offered(self, staff: Client) -> None:
        make_event()

        assert "Work off all that fail" not in text(staff.get(path_of(LIST)))
        assert "Nothing is to be worked off" in text(staff.post(path_of("event_replay_failing"), follow=True))
        assert not Entry.objects.exists()

    def test_what_asks_for_nothing_is_not_worked_off(self, staff: Client) -> None:
        event = make_ignored()
        assert "Work off again" not in text(staff.get(path_of("billing_event_change", event.pk)))

        answer = staff.post(path_of("event_replay", event.pk), follow=True)

        assert "none of these events asks for any work" in text(answer)
        event.refresh_from_db()
        assert event.state == "ignored"
        assert not Entry.objects.exists()

    def test_the_command_leaves_the_same_trace(self, db: None) -> None:
        make_failing(1)
        make_ignored(2)

        call_command("stripe_replay", failed=True, stdout=StringIO())

        entry = Entry.objects.get()
        assert (entry.action, entry.subject, entry.actor_label) == ("stripe.replayed", "event:evt_1", "stripe_replay")

    def test_of_very_many_the_first_few_are_named(self, staff: Client) -> None:
        for number in range(replaying.NAMED + 2):
            make_failing(number)

        staff.post(path_of("event_replay_failing"))

        assert Entry.objects.get().after["looked_at_again"].endswith(" and 2 more")
        assert len(waiting_jobs()) == replaying.NAMED + 2

    @pytest.mark.django_db(transaction=True)
    def test_once_its_cause_is_mended_the_tenant_is_there(
        self, staff: Client, vendor: Vendor, drain: Callable[[], None]
    ) -> None:
        vendor.subscribe(vendor.customer(), vendor.price(), metadata={"tenant-id": "acme"})
        vendor.standin.fail("GET", "^/v1/subscriptions$", status=403)
        vendor.standin.deliver()
        drain()
        assert "Failing" in text(staff.get(path_of(LIST) + "?work=failing"))
        assert not Tenant.objects.exists()

        staff.post(path_of("event_replay_failing"))
        drain()

        assert Tenant.objects.get().state == "approved"
        assert "Work off all that fail" not in text(staff.get(path_of(LIST)))


class TestWhoMay:
    def paths(self) -> list[tuple[str, dict[str, Any]]]:
        event = make_failing()
        return [
            (path_of("event_replay", event.pk), {}),
            (path_of("event_replay_failing"), {}),
            (path_of(LIST), {"action": "replay_selected", "_selected_action": [str(event.pk)]}),
        ]

    def test_looking_does_nothing(self, staff: Client) -> None:
        one, all_that_fail, _ = self.paths()
        assert staff.get(one[0]).status_code == 405
        assert staff.get(all_that_fail[0]).status_code == 405
        assert waiting_jobs() == []

    def test_without_a_token_nothing_is_done(self, operator: User) -> None:
        strict = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
        strict.force_login(operator)

        assert [strict.post(where, given).status_code for where, given in self.paths()] == [403, 403, 403]
        assert waiting_jobs() == []

    def test_staff_that_is_no_operator_may_not(self, visitor: Client) -> None:
        clerk = User(username="clerk", is_staff=True)
        clerk.save()
        visitor.force_login(clerk)

        answers = [visitor.post(where, given, follow=True) for where, given in self.paths()]

        assert {answer.status_code for answer in answers} == {403}
        assert waiting_jobs() == []
