"""Reads of the mirror."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from djstripe import models as djstripe

from apps.billing.gateway import FROZEN_TIME
from apps.billing.models import Event, Installation
from apps.billing.types import Customer, Item, OpenInvoice, Price, Subscription
from apps.core.clock import from_timestamp


def installation() -> Installation | None:
    """The account this database belongs to; None before the first contact with Stripe."""
    return Installation.objects.first()


def customer(customer_id: str) -> Customer | None:
    """A mirrored customer."""
    row = djstripe.Customer.objects.filter(id=customer_id).first()
    if row is None:
        return None
    data = row.stripe_data
    return Customer(
        id=row.id,
        name=data.get("name") or "",
        email=data.get("email") or "",
        description=data.get("description") or "",
        frozen_at=_moment(data.get(FROZEN_TIME)),
    )


def customers_on_clock(clock_id: str) -> list[str]:
    """The mirrored customers that live by a test clock."""
    return list(djstripe.Customer.objects.filter(stripe_data__test_clock=clock_id).values_list("id", flat=True))


def subscriptions_of(customer_id: str) -> tuple[Subscription, ...]:
    """Every mirrored subscription of a customer, ended ones included, oldest first."""
    rows = djstripe.Subscription.objects.filter(customer_id=customer_id)
    return tuple(sorted((_subscription(row.stripe_data) for row in rows), key=lambda each: (each.created, each.id)))


def subscriptions(subscription_ids: Iterable[str]) -> tuple[Subscription, ...]:
    """These mirrored subscriptions, oldest first."""
    rows = djstripe.Subscription.objects.filter(id__in=list(subscription_ids))
    return tuple(sorted((_subscription(row.stripe_data) for row in rows), key=lambda each: (each.created, each.id)))


def customer_of_subscription(subscription_id: str) -> str:
    """Whose a mirrored subscription is; empty when it is not mirrored."""
    return _customer_of(djstripe.Subscription.objects.filter(id=subscription_id))


def customer_of_invoice(invoice_id: str) -> str:
    """Whose a mirrored invoice is; empty when it is not mirrored, as those are not that are paid."""
    return _customer_of(djstripe.Invoice.objects.filter(id=invoice_id))


def _customer_of(rows: QuerySet[Any]) -> str:
    return rows.values_list("customer_id", flat=True).first() or ""


def _subscription(data: dict[str, Any]) -> Subscription:
    return Subscription(
        id=data["id"],
        customer_id=data["customer"],
        status=data["status"],
        created=from_timestamp(data["created"]),
        metadata=data.get("metadata") or {},
        items=tuple(_item(item) for item in data["items"]["data"]),
        cancel_at=_moment(data.get("cancel_at")),
        ended_at=_moment(data.get("ended_at")),
        billing_cycle_anchor=_moment(data.get("billing_cycle_anchor")),
    )


def _item(data: dict[str, Any]) -> Item:
    quantity = data.get("quantity")
    return Item(id=data["id"], price_id=data["price"]["id"], quantity=1 if quantity is None else quantity)


def _moment(seconds: int | None) -> datetime | None:
    return from_timestamp(seconds) if seconds else None


def open_invoices(subscription_ids: Iterable[str]) -> tuple[OpenInvoice, ...]:
    """The unpaid finalized invoices of these subscriptions."""
    wanted = set(subscription_ids)
    rows = djstripe.Invoice.objects.filter(
        stripe_data__parent__subscription_details__subscription__in=list(wanted), stripe_data__status="open"
    )
    return tuple(invoice for row in rows if (invoice := _open_invoice(row.stripe_data)))


def _open_invoice(data: dict[str, Any]) -> OpenInvoice | None:
    finalized_at = _moment((data.get("status_transitions") or {}).get("finalized_at"))
    subscription_id = data["parent"]["subscription_details"]["subscription"]
    due_date = _moment(data.get("due_date"))
    return OpenInvoice(data["id"], subscription_id, finalized_at, due_date) if finalized_at else None


def prices(price_ids: Iterable[str]) -> dict[str, Price]:
    """The mirrored ones of these prices, by id."""
    rows = djstripe.Price.objects.filter(id__in=list(price_ids)).select_related("product")
    return {row.id: _price(row) for row in rows}


def mirrored_prices() -> tuple[Price, ...]:
    """Every mirrored recurring price, active ones first, then by product and amount."""
    rows = djstripe.Price.objects.select_related("product").filter(stripe_data__type="recurring")
    found = (_price(row) for row in rows)
    return tuple(sorted(found, key=lambda price: (not price.active, price.product_name, price.amount or 0, price.id)))


def _price(row: djstripe.Price) -> Price:
    data = row.stripe_data
    recurring = data.get("recurring") or {}
    return Price(
        id=row.id,
        product_id=row.product_id or "",
        product_name=row.product.stripe_data.get("name", "") if row.product else "",
        nickname=data.get("nickname") or "",
        lookup_key=data.get("lookup_key") or "",
        metadata=data.get("metadata") or {},
        active=bool(data.get("active")),
        amount=_amount(data),
        tiered=data.get("billing_scheme") == "tiered",
        currency=data.get("currency") or "",
        interval=recurring.get("interval") or "",
        interval_count=recurring.get("interval_count") or 1,
        usage_type=recurring.get("usage_type") or "licensed",
        meter=recurring.get("meter") or "",
    )


def _amount(data: dict[str, Any]) -> Decimal | None:
    """What one unit costs, in minor units. Stripe leaves `unit_amount` out where it is no whole number."""
    amount = data.get("unit_amount")
    exact = data.get("unit_amount_decimal") if amount is None else amount
    return None if exact is None else Decimal(str(exact))


def mirrored_ids(kind: str) -> list[str]:
    """Every mirrored `product`, `price` or `customer`."""
    model = {"product": djstripe.Product, "price": djstripe.Price, "customer": djstripe.Customer}[kind]
    return list(model.objects.order_by("id").values_list("id", flat=True))


def kept_catalogue(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the mirror keeps of these prices and products, by name as in `price:price_1`."""
    ids = [name.partition(":")[2] for name in names]
    prices, products = (model.objects.filter(id__in=ids) for model in (djstripe.Price, djstripe.Product))
    return _kept("product", products) | _kept("price", prices)


def kept_of_customer(customer_id: str) -> dict[str, dict[str, Any]]:
    """What the mirror keeps of a customer, the subscriptions and the open invoices, by name as in `customer:cus_1`."""
    subscriptions = djstripe.Subscription.objects.filter(customer_id=customer_id)
    invoices = djstripe.Invoice.objects.filter(customer_id=customer_id)
    customers = djstripe.Customer.objects.filter(id=customer_id)
    return _kept("customer", customers) | _kept("subscription", subscriptions) | _kept("invoice", invoices)


def _kept(kind: str, rows: QuerySet[Any]) -> dict[str, dict[str, Any]]:
    return {f"{kind}:{each}": data for each, data in rows.order_by("id").values_list("id", "stripe_data")}


def product_ids_of(price_ids: Iterable[str]) -> set[str]:
    """The mirrored products of these prices."""
    rows = djstripe.Price.objects.filter(id__in=list(price_ids)).exclude(product=None)
    return set(rows.values_list("product_id", flat=True))


def price_ids_of_product(product_id: str) -> list[str]:
    """The mirrored prices of a product."""
    return list(djstripe.Price.objects.filter(product_id=product_id).values_list("id", flat=True))


def customers_with_price(price_id: str) -> list[str]:
    """The customers with a mirrored subscription that has an item of this price."""
    items = djstripe.SubscriptionItem.objects.filter(price__id=price_id)
    return sorted(set(items.values_list("subscription__customer_id", flat=True)))


def events(*, event_id: str = "", customer_id: str = "", failed: bool = False) -> QuerySet[Event]:
    """The events of the inbox that are meant: one, a customer's, or those whose work has failed so far."""
    if event_id:
        return Event.objects.filter(event_id=event_id)
    if customer_id:
        return Event.objects.filter(work=f"customer:{customer_id}")
    return failing_events() if failed else Event.objects.none()


def failing_events() -> QuerySet[Event]:
    """Pending events whose work has failed so far, with its error; what comes up next stands first."""
    return Event.objects.filter(state=Event.State.PENDING, attempts__gt=0).order_by("retry_at")


def pending_work(now: datetime) -> list[str]:
    """What pending events are about whose time to be taken up again has come."""
    due = Event.objects.filter(state=Event.State.PENDING, retry_at__lte=now)
    return list(due.order_by("work").values_list("work", flat=True).distinct())
