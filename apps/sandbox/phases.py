"""The phases of a subscription schedule: as they are sent, checked, and in the shape they are kept in.

Contract: docs.stripe.com/api/subscription_schedules. Phases follow each other without a gap; one that names no end
lasts for one period of its first price.
"""

from typing import Any

from apps.sandbox import errors
from apps.sandbox.contract import LATEST, Body
from apps.sandbox.discounts import is_usable
from apps.sandbox.errors import ApiError
from apps.sandbox.items import interval_of, is_metered, of_subscription, resolve_price
from apps.sandbox.periods import boundary
from apps.sandbox.store import Transaction

SIMULATED = frozenset(
    {
        "billing_cycle_anchor",
        "collection_method",
        "currency",
        "default_payment_method",
        "description",
        "discounts",
        "duration",
        "end_date",
        "items",
        "metadata",
        "proration_behavior",
        "start_date",
        "trial",
        "trial_end",
    }
)
ACCEPTED = frozenset({"automatic_tax", "default_tax_rates", "invoice_settings"})


def build(tx: Transaction, sent: list[Body], *, begin: int) -> list[Body]:
    """Return the phases, of which the first begins at `begin` (Unix seconds), with their prices made.

    Raises ApiError for phases that leave a gap, end before they begin, or ask for what is not simulated.
    """
    phases: list[Body] = []
    for index, phase in enumerate(sent):
        path, start = f"phases[{index}]", phases[-1]["end_date"] if phases else begin
        _check(phase, path=path, start=start, now=tx.now)
        phases.append(_phase(tx, phase, start=start, path=path))
    return phases


def _check(phase: Body, *, path: str, start: int, now: int) -> None:
    for name in phase:
        if name not in SIMULATED | ACCEPTED:
            raise errors.not_simulated(f"{path}[{name}]")
    if not phase["items"]:
        raise errors.missing(f"{path}[items]")
    if _moment(phase.get("start_date", start), now=now) != start:
        raise ApiError("Each phase must begin where the one before it ends.", param=f"{path}[start_date]")
    if "end_date" in phase and "duration" in phase:
        raise errors.exclusive(first=f"{path}[end_date]", second=f"{path}[duration]")
    if phase.get("trial") and "trial_end" in phase:
        raise errors.exclusive(first=f"{path}[trial]", second=f"{path}[trial_end]")


def _moment(sent: int | str, *, now: int) -> int:
    return now if isinstance(sent, str) else sent


def _phase(tx: Transaction, sent: Body, *, start: int, path: str) -> Body:
    items = [_item(tx, item, path=f"{path}[items][{index}]") for index, item in enumerate(sent["items"])]
    price = tx.load("price", items[0]["price"])
    end = _end(sent, price, start=start, now=tx.now)
    if not start < end <= LATEST:
        raise ApiError("A phase must end after it begins.", param=f"{path}[end_date]")
    trial_end = end if sent.get("trial") else _moment(sent.get("trial_end") or 0, now=tx.now) or None
    if trial_end is not None and trial_end > end:
        raise ApiError("A trial must end before its phase does.", param=f"{path}[trial_end]")
    return BLANK | {
        **{name: sent[name] or None for name in _PLAIN if name in sent},
        "currency": sent.get("currency", price["currency"]),
        "discounts": [discount(**each) for each in sent.get("discounts") or []],
        "end_date": end,
        "items": items,
        "metadata": sent.get("metadata") or {},
        "proration_behavior": sent.get("proration_behavior", "create_prorations"),
        "start_date": start,
        "trial_end": trial_end,
    }


_PLAIN = ("billing_cycle_anchor", "collection_method", "default_payment_method", "description")

BLANK: Body = {
    "add_invoice_items": [],
    "application_fee_percent": None,
    "billing_cycle_anchor": None,
    "billing_thresholds": None,
    "collection_method": None,
    "default_payment_method": None,
    "default_tax_rates": [],
    "description": None,
    "invoice_settings": None,
    "on_behalf_of": None,
    "transfer_data": None,
}


def _end(sent: Body, price: Body, *, start: int, now: int) -> int:
    if "end_date" in sent:
        return _moment(sent["end_date"], now=now)
    interval, count = interval_of(price)
    duration = sent.get("duration", {"interval": interval, "interval_count": count})
    return boundary(start, interval=duration["interval"], count=duration.get("interval_count", 1))


def discount(*, coupon: str | None = None, discount: str | None = None, promotion_code: str | None = None) -> Body:
    """Return a discount as phases name it: by one of three."""
    return {"coupon": coupon, "discount": discount, "promotion_code": promotion_code}


def _item(tx: Transaction, sent: Body, *, path: str) -> Body:
    named: Body = {name: sent[name] for name in ("price", "price_data", "plan") if name in sent}
    price = resolve_price(tx, named, path=path)
    quantity: Any = None if is_metered(price) else sent.get("quantity", 1)
    return kept_item(price["id"], quantity, discounts=sent.get("discounts") or [], metadata=sent.get("metadata") or {})


def kept_item(price: str, quantity: int | None, *, discounts: list[Body], metadata: Body) -> Body:
    item = {
        "billing_thresholds": None,
        "discounts": [discount(**each) for each in discounts],
        "metadata": metadata,
        "plan": price,
        "price": price,
        "tax_rates": [],
    }
    return item if quantity is None else item | {"quantity": quantity}


def of_running(tx: Transaction, subscription: Body) -> Body:
    """Return the phase that a running subscription is in: its current period, or its trial."""
    items = of_subscription(tx, subscription)
    trial = subscription["trial_end"] if subscription["status"] == "trialing" else None
    return BLANK | {
        "currency": subscription["currency"],
        "collection_method": subscription["collection_method"],
        "discounts": [discount(discount=id) for id in subscription["discounts"]],
        "end_date": trial or max(item["current_period_end"] for item in items),
        "items": [_running_item(item) for item in items],
        "metadata": subscription["metadata"],
        "proration_behavior": "create_prorations",
        "start_date": min(item["current_period_start"] for item in items),
        "trial_end": trial,
    }


def _running_item(item: Body) -> Body:
    discounts = [{"discount": id} for id in item["discounts"]]
    return kept_item(item["price"], item["quantity"], discounts=discounts, metadata=item["metadata"])


def wanted_items(phase: Body) -> list[Body]:
    """Return the phase's items as parameters of a subscription; `_planned` says that they were agreed before."""
    return [_wanted(item) for item in phase["items"]]


def _wanted(item: Body) -> Body:
    wanted = {name: item[name] for name in ("price", "quantity", "metadata") if name in item} | {"_planned": True}
    return wanted | ({"discounts": wanted_discounts(item)} if item["discounts"] else {})


def wanted_discounts(owner: Body) -> list[Body]:
    """Return the discounts of a phase or its item as parameters."""
    return [{name: id for name, id in each.items() if id is not None} for each in owner["discounts"]]


def usable_discounts(tx: Transaction, subscription: Body, phase: Body) -> list[Body]:
    """Return the phase's discounts but for those that cannot be used any more: they must not keep it from beginning."""
    named = {"customer": subscription["customer"], "currency": phase["currency"]}
    return [each for each in wanted_discounts(phase) if is_usable(tx, subscription, each, **named)]


def current(schedule: Body, *, now: int) -> Body | None:
    """Return the phase that runs at the moment, if one does."""
    return next((each for each in schedule["phases"] if each["start_date"] <= now < each["end_date"]), None)
