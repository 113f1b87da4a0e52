"""A tenant as a story tells of it: what its customer does in Stripe, and what is to be true of it then."""

import json
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
import requests
import stripe
from django.core.management import call_command

from apps.accounts.models import User
from apps.audit.models import Alert, Entry
from apps.billing import selectors as billing
from apps.core import clock
from apps.plans import selectors as plans
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.support.year import Year

UNCHANGED: Any = object()
HOST_ANSWERS = {"approved": 200, "flagged": 200, "suspended": 403}


class ToldTenant:
    """One customer of the vendor and their tenant.

    What `is_` is not told of plan, limits and payments is as it was at the turn before.
    """

    def __init__(self, year: Year, tenant_id: str = "acme") -> None:
        self._year = year
        self._stripe = year.vendor.client.v1
        self._tenant_id = tenant_id
        self.customer = year.customer()
        self.pays_with("pm_card_visa")
        self.subscription = ""
        self._last: dict[str, Any] = {"plan": [], "limits": {}, "paid": 0}

    @property
    def tenant(self) -> Tenant:
        """Its row, as it is now."""
        return Tenant.objects.get(tenant_id=self._tenant_id)

    # What the customer does.

    def subscribes(self, price: str, *, heard: bool = True, **options: Any) -> None:
        """Subscribe, and say which tenant it is for; every event about it is lost unless it is `heard`."""
        given = {"metadata": {"tenant-id": self._tenant_id}, **options}
        self.subscription = self._year.vendor.subscribe(self.customer, price, **given)
        if not heard:
            self._year.vendor.standin.drop()
        self._year.settle()

    def pays_with(self, card: str) -> None:
        """Give another test card, which is charged from now on."""
        attached = self._stripe.payment_methods.attach(card, {"customer": self.customer}).id
        self._stripe.customers.update(self.customer, {"invoice_settings": {"default_payment_method": attached}})

    def has_no_card(self) -> None:
        """Take every card away; Stripe is told to want one."""
        self._year.vendor.standin.configure_billing(require_method=True)
        for card in self._stripe.customers.payment_methods.list(self.customer).data:
            self._stripe.payment_methods.detach(card.id)

    def moves_to(self, price: str, **options: Any) -> None:
        """Change the plan now."""
        self._year.vendor.change_price(self.subscription, price, **options)
        self._year.settle()

    def buys(self, *, quantity: int) -> None:
        """Change how many of the plan it is."""
        items = self._stripe.subscriptions.retrieve(self.subscription)["items"].data
        self.updates(items=[{"id": items[0].id, "quantity": quantity}])

    def updates(self, **changes: Any) -> None:
        """Change the subscription as Stripe's API has it."""
        given: Any = changes
        self._stripe.subscriptions.update(self.subscription, given)
        self._year.settle()

    def cancels_now(self) -> None:
        """End the subscription."""
        self._stripe.subscriptions.cancel(self.subscription)
        self._year.settle()

    def resumes(self) -> None:
        """Go on with a subscription that was paused when its trial ended."""
        self._stripe.subscriptions.resume(self.subscription)
        self._year.settle()

    def pays(self, invoice: str) -> None:
        """Pay an invoice by hand."""
        self._stripe.invoices.pay(invoice)
        self._year.settle()

    def fails_to_pay(self, invoice: str) -> None:
        """Try to pay an invoice by hand with a card that does not."""
        with pytest.raises(stripe.CardError):
            self._stripe.invoices.pay(invoice)
        self._year.settle()

    def open_invoices(self) -> list[Any]:
        """What is owed, oldest first."""
        return self._stripe.invoices.list({"customer": self.customer, "status": "open"}).data[::-1]

    def paid_amounts(self) -> list[int]:
        """What was paid so far, oldest first, in minor units."""
        paid = self._stripe.invoices.list({"customer": self.customer, "status": "paid", "limit": 100}).data[::-1]
        return [invoice.amount_paid for invoice in paid if invoice.amount_paid]

    # What is true of the tenant.

    def is_(
        self,
        state: str,
        description: str = "",
        *,
        plan: str = UNCHANGED,
        limits: dict[str, int] = UNCHANGED,
        paid: int = UNCHANGED,
        alerts: Sequence[str] = (),
        by: str = "stripe",
        again: datetime | None = None,
    ) -> None:
        """Everything about the tenant at this turn.

        An empty `plan` is none at all; `limits` are those that are no «unlimited», `paid` counts invoices, `by` made
        the last change of the state, `again` is when time alone will change it.
        """
        told = {"plan": plan if plan is UNCHANGED else [plan] if plan else [], "limits": limits, "paid": paid}
        self._last |= {name: value for name, value in told.items() if value is not UNCHANGED}
        expected = {
            "state": (state, description),
            **self._last,
            "host answers": HOST_ANSWERS[state],
            "open alerts": list(alerts),
            "changed by": by,
            "looked at again": self._year.next_look(again),
            "mirrored": self._as_stripe_has_it(),
            "catching up": {"customers": 1, "changed": [], "errors": {}},
        }
        assert self._found() == expected

    def has_users(self, *names: str) -> None:
        """Who is in the tenant's schema."""
        with context.enter(self.tenant):
            assert sorted(User.objects.values_list("username", flat=True)) == sorted(names)

    def _found(self) -> dict[str, Any]:
        tenant = self.tenant
        changed = Entry.objects.filter(action="tenant.state_changed", subject=tenant.subject).first()
        return {
            "state": (tenant.state, tenant.state_description),
            "plan": [held.ref for held in plans.held_plans(tenant, now=clock.now())],
            "limits": {
                each.entity: each.limit for each in plans.limits(tenant, now=clock.now()) if each.limit is not None
            },
            "paid": len(self.paid_amounts()),
            "host answers": self._host_answers(),
            "open alerts": sorted(Alert.objects.open().values_list("code", flat=True)),
            "changed by": changed.actor_kind if changed else None,
            "looked at again": tenant.next_reconcile_at,
            "mirrored": self._mirrored(),
            "catching up": self._catch_up(),
        }

    def _host_answers(self) -> int:
        host = {"Host": f"{self._tenant_id}.localhost"}
        return requests.get(f"{self._year.url}/accounts/login/", headers=host, timeout=20).status_code

    def catches_up(self) -> None:
        """Have the whole account looked at, as every night."""
        self._catch_up()
        self._year.settle()

    def _catch_up(self) -> dict[str, Any]:
        """What the command that looks at the whole account finds different."""
        out = StringIO()
        with self._year.tenantrys_time():
            call_command("stripe_sync", "--json", stdout=out)
        told = json.loads(out.getvalue())
        return {name: told[name] for name in ("customers", "changed", "errors")}

    def _mirrored(self) -> dict[str, Any]:
        subscriptions = billing.subscriptions_of(self.customer)
        owed = billing.open_invoices(each.id for each in subscriptions)
        return {
            "owed": sorted((each.id, int(each.finalized_at.timestamp())) for each in owed),
            **{
                each.id: (
                    each.status,
                    [(item.price_id, item.quantity) for item in each.items],
                    each.cancel_at and int(each.cancel_at.timestamp()),
                    each.ended_at and int(each.ended_at.timestamp()),
                )
                for each in subscriptions
            },
        }

    def _as_stripe_has_it(self) -> dict[str, Any]:
        """Subscriptions, and open invoices as long as one of them is overdue."""
        subscriptions = self._stripe.subscriptions.list({"customer": self.customer, "status": "all"}).data
        overdue = any(each.status in ("past_due", "unpaid") for each in subscriptions)
        owed = self.open_invoices() if overdue else []
        return {
            "owed": sorted((each.id, each.status_transitions.finalized_at) for each in owed),
            **{
                each.id: (
                    each.status,
                    [(item.price.id, item.quantity) for item in each["items"].data],
                    each.cancel_at,
                    each.ended_at,
                )
                for each in subscriptions
            },
        }
