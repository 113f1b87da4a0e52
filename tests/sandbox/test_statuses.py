import pytest
import stripe

from apps.sandbox.contract import STATUSES
from tests.sandbox.conftest import Control, Subscribe, event_types

PAID = ["invoice.paid", "invoice.payment_succeeded"]
OWED = ["invoice.created", "invoice.finalized", "invoice.payment_failed"]
UPDATED = ["customer.subscription.updated"]


@pytest.mark.parametrize(
    ("path", "events"),
    [
        (["past_due"], [*OWED, *UPDATED]),
        (["past_due", "active"], [*PAID, *UPDATED]),
        (["past_due", "past_due", "active"], [*PAID, *PAID, *UPDATED]),
        (["past_due", "unpaid"], ["invoice.updated", *UPDATED]),
        (["past_due", "unpaid", "active"], [*PAID, *UPDATED]),
        (["past_due", "canceled"], ["invoice.updated", "customer.subscription.deleted"]),
        (["unpaid"], [*OWED, "invoice.updated", *UPDATED]),
        (["paused"], [*UPDATED, "customer.subscription.paused"]),
        (
            ["paused", "active"],
            ["invoice.created", "invoice.finalized", *PAID, *UPDATED, "customer.subscription.resumed"],
        ),
        (["trialing"], UPDATED),
        (["trialing", "active"], ["invoice.created", "invoice.finalized", *PAID, *UPDATED]),
        (["incomplete"], ["invoice.created", "invoice.finalized", *UPDATED]),
        (["incomplete", "incomplete_expired"], ["invoice.voided", *UPDATED]),
        (["canceled"], ["customer.subscription.deleted"]),
        (["canceled", "active"], UPDATED),
        (["canceled", "canceled"], []),
        (["active"], []),
    ],
)
def test_the_last_move_has_stripes_events(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, path: list[str], events: list[str]
) -> None:
    made = subscribe()
    for status in path[:-1]:
        control.set_status(made.id, status)
    known = len(event_types(client))
    assert control.set_status(made.id, path[-1])["status"] == path[-1]
    assert event_types(client, after=known) == events


@pytest.mark.parametrize("origin", STATUSES)
def test_every_status_leads_to_every_other(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, origin: str
) -> None:
    for status in STATUSES:
        made = subscribe()
        control.set_status(made.id, origin)
        control.set_status(made.id, status)
        shown = client.v1.subscriptions.retrieve(made.id)
        assert shown.status == status
        assert bool(shown.ended_at) == (status in ("canceled", "incomplete_expired"))


def test_past_due_counts_from_the_moment_that_is_given(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    control.set_status(made.id, "past_due", at=1_900_000_000)
    owed = client.v1.invoices.list({"subscription": made.id, "status": "open"}).data
    assert [each.status_transitions.finalized_at for each in owed] == [1_900_000_000]
    assert owed[0].amount_remaining == 1000 and owed[0].attempted
    assert client.v1.customers.retrieve(made.customer).delinquent
    item = client.v1.subscriptions.retrieve(made.id)["items"].data[0]
    assert item.current_period_start <= 1_900_000_000 < item.current_period_end


@pytest.mark.parametrize("settle", ["pay", "void_invoice", "mark_uncollectible"])
def test_settling_what_is_owed_ends_past_due(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, settle: str
) -> None:
    made = subscribe()
    owed = control.set_status(made.id, "past_due")["latest_invoice"]
    getattr(client.v1.invoices, settle)(owed)
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_a_paused_one_is_resumed(client: stripe.StripeClient, control: Control, subscribe: Subscribe) -> None:
    made = subscribe()
    control.set_status(made.id, "paused")
    known = len(event_types(client))
    assert client.v1.subscriptions.resume(made.id).status == "active"
    assert event_types(client, after=known) == [
        *UPDATED,
        "invoice.created",
        "invoice.finalized",
        *PAID,
        *UPDATED,
        "customer.subscription.resumed",
    ]


def test_a_paused_one_that_cannot_be_paid_stays_paused(
    client: stripe.StripeClient, control: Control, subscribe: Subscribe, customer: stripe.Customer
) -> None:
    made = subscribe()
    control.set_status(made.id, "paused")
    control("POST", f"customers/{customer.id}/fail_next", {})
    owed = client.v1.subscriptions.resume(made.id).latest_invoice
    assert client.v1.subscriptions.retrieve(made.id).status == "paused"
    assert client.v1.invoices.retrieve(owed).next_payment_attempt is None
    client.v1.invoices.mark_uncollectible(owed)
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_orders_that_make_no_sense_are_refused(control: Control, subscribe: Subscribe) -> None:
    made = subscribe()
    assert control.status_of("POST", f"subscriptions/{made.id}/status", {"status": "happy"}) == 400
    assert control.status_of("POST", f"subscriptions/{made.id}/status", {"state": "active"}) == 400
    assert control.status_of("POST", "subscriptions/sub_x/status", {"status": "active"}) == 404
    assert control.status_of("POST", "delivery", {"drop": 2}) == 400
    assert control.status_of("POST", "clock", {"now": "soon"}) == 400
    assert control.status_of("POST", "clock", {"now": True}) == 400
    assert control.status_of("POST", "clock", {"now": -1}) == 400
    assert control.status_of("POST", "holds", {"path": "("}) == 400
    assert control.status_of("POST", "holds", {"times": 0}) == 400
    assert control.status_of("GET", "nothing") == 404
