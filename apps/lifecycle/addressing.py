"""Whose an event is that names a subscription or an invoice, but no customer.

Such an event is handed over to its customer: all events about one customer are worked
off together, under one lock.
"""

from collections.abc import Callable

from apps.billing import gateway, inbox
from apps.billing import selectors as billing
from apps.core.clock import Clock
from apps.plans.models import Subscription as Binding


def address_events_of_subscription(*, subscription_id: str, clock: Clock) -> None:
    """Hand the pending events about a subscription over to its customer."""
    _address(f"subscription:{subscription_id}", lambda: _customer_of_subscription(subscription_id), clock)


def _customer_of_subscription(subscription_id: str) -> str:
    bound = Binding.objects.filter(stripe_id=subscription_id).values_list("customer_id", flat=True)
    known = bound.first() or billing.customer_of_subscription(subscription_id)
    return known or gateway.customer_of_subscription(subscription_id)


def address_events_of_invoice(*, invoice_id: str, clock: Clock) -> None:
    """Hand the pending events about an invoice over to its customer."""
    _address(f"invoice:{invoice_id}", lambda: _customer_of_invoice(invoice_id), clock)


def _customer_of_invoice(invoice_id: str) -> str:
    return billing.customer_of_invoice(invoice_id) or gateway.customer_of_invoice(invoice_id)


def _address(work: str, find_customer: Callable[[], str], clock: Clock) -> None:
    events = inbox.take(work)
    if events:
        with inbox.working_off(events, work=work, clock=clock):
            customer_id = find_customer()
            inbox.readdress(events, customer_id=customer_id, now=clock())
