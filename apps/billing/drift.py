"""Where the mirror is not what Stripe says.

Nothing is compared by rules of its own: what was fetched is written as every refresh
writes it, inside a transaction that is rolled back, and the mirror before that is
compared with the mirror after it. What writes is named so, and wants that transaction
from its caller, who may look at more in it than the mirror.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from apps.billing import gateway, mirror, selectors, services
from apps.billing.comparing import FieldDrift, ObjectDrift, compared
from apps.billing.errors import StripeMissing
from apps.billing.gateway import CustomerFetch, Raw
from apps.core.dry_run import rolled_back
from apps.core.locks import advisory_lock

log = structlog.get_logger(__name__)

# So many are written at once: their rows are locked until they are rolled back.
BATCH = 100

FETCH = {"price": gateway.fetch_price, "product": gateway.fetch_product}
STORE = {"price": mirror.store_price, "product": mirror.store_product}
FORGET = {"price": mirror.forget_price, "product": mirror.forget_product}


@dataclass(frozen=True)
class Suspect:
    """A price or product that is not mirrored as Stripe has it; None: there is none, here or there."""

    name: str
    here: Raw | None
    in_stripe: Raw | None


@dataclass(frozen=True)
class Look:
    """What Stripe told about a customer, with the prices that the mirror lacks. Nothing of it is written yet."""

    fetched: CustomerFetch
    prices: tuple[Raw, ...]

    @property
    def customer_id(self) -> str:
        """Whom it is about."""
        return str(self.fetched.customer["id"])


def catalogue_names() -> list[str]:
    """The products and prices of which mirror and account do not tell the same, as in `price:price_1`.

    They are read in pages, while the mirror goes on being written: `look_at` tells which of them are different.
    """
    listed = {f"product:{each['id']}": each for each in gateway.products()}
    listed |= {f"price:{each['id']}": each for each in gateway.prices()}
    known = [f"{kind}:{each}" for kind in ("product", "price") for each in selectors.mirrored_ids(kind)]
    pages = [list(listed)[start : start + BATCH] for start in range(0, len(listed), BATCH)]
    differing = [name for page in pages for name in _apart({name: listed[name] for name in page})]
    return [*differing, *(name for name in known if name not in listed)]


def _apart(raws: Mapping[str, Raw]) -> list[str]:
    try:
        return _differing(raws)
    except Exception:
        # One that nobody anticipated must not hide the others: each is looked at by itself.
        log.warning("a page of the catalogue could not be compared at once", exc_info=True)
        return list(raws)


def _differing(raws: Mapping[str, Raw]) -> list[str]:
    with rolled_back():
        here = selectors.kept_catalogue(raws)
        for name, raw in raws.items():
            _write(name, raw)
        return [each.object for each in compared(here, selectors.kept_catalogue(raws))]


def look_at(name: str) -> Suspect | None:
    """Look at a product or price in Stripe; None when it is mirrored as it is.

    Raises:
        StripeUnavailable, StripeRefused: when Stripe does not tell.
    """
    with advisory_lock(name):
        raw = _fetch(name)
        with rolled_back():
            here = selectors.kept_catalogue([name]).get(name)
            _write(name, raw)
            changed = compared({name: here} if here else {}, selectors.kept_catalogue([name]))
    gone = raw is None and here is not None
    return Suspect(name, here, raw) if changed or gone else None


def _fetch(name: str) -> Raw | None:
    kind, _, identifier = name.partition(":")
    try:
        return FETCH[kind](identifier)
    except StripeMissing:
        return None


def _write(name: str, raw: Raw | None) -> None:
    kind, _, identifier = name.partition(":")
    if raw is None:
        FORGET[kind](identifier)
    else:
        STORE[kind](raw)


def write_catalogue(suspects: Iterable[Suspect]) -> list[ObjectDrift]:
    """Write these products and prices; returns what is different by it.

    One that was mirrored anew since it was looked at is left alone: what was found then is older.
    """
    found = list(suspects)
    names = [each.name for each in found]
    here = selectors.kept_catalogue(names)
    for each in found:
        if here.get(each.name) == each.here:
            _write(each.name, each.in_stripe)
    there = selectors.kept_catalogue(names)
    gone = {each.name for each in found if each.in_stripe is None}
    differing = compared(here, {name: kept for name, kept in there.items() if name not in gone})
    lost = gone & there.keys()
    return [replace(each, lost=each.object in lost) for each in differing]


def look_at_customer(customer_id: str, *, suspects: Mapping[str, Suspect]) -> Look | None:
    """Ask Stripe about a customer, outside any transaction; None when it is mirrored, but not in Stripe any more.

    The caller holds the customer's lock. `suspects` are what `look_at` found of the catalogue.

    Raises:
        StripeMissing: when nobody knows this customer, or Stripe lacks something that it needs.
        StripeUnavailable, StripeRefused: when Stripe does not tell.
    """
    try:
        fetched = gateway.fetch_customer(customer_id)
    except StripeMissing as error:
        if error.name != f"customer:{customer_id}" or selectors.customer(customer_id) is None:
            raise
        return None
    unknown = [each for each in services.unknown_prices_of(fetched) if f"price:{each}" not in suspects]
    return Look(fetched, tuple(gateway.fetch_price(each) for each in sorted(unknown)))


def write_customer(look: Look, *, suspects: Mapping[str, Suspect]) -> list[ObjectDrift]:
    """Write a customer, with those of the suspects that the subscriptions use; returns what is different by it."""
    lacking = [Suspect(f"price:{price['id']}", None, price) for price in look.prices]
    catalogue = write_catalogue([*_used(look, suspects), *lacking])
    here = selectors.kept_of_customer(look.customer_id)
    mirror.store_customer(look.fetched)
    return [*catalogue, *compared(here, selectors.kept_of_customer(look.customer_id))]


def _used(look: Look, suspects: Mapping[str, Suspect]) -> list[Suspect]:
    kept = selectors.subscriptions_of(look.customer_id)
    prices = services.prices_of(look.fetched) | {item.price_id for each in kept for item in each.items}
    products = selectors.product_ids_of(prices) | _products_of(suspects, prices)
    names = [*(f"product:{each}" for each in sorted(products)), *(f"price:{each}" for each in sorted(prices))]
    return [suspects[name] for name in names if name in suspects]


def _products_of(suspects: Mapping[str, Suspect], price_ids: Iterable[str]) -> set[str]:
    """The products of prices that may not be mirrored yet."""
    found = (suspects[f"price:{each}"].in_stripe for each in price_ids if f"price:{each}" in suspects)
    return {price["product"]["id"] for price in found if price}


def without_a_trace(name: str) -> ObjectDrift:
    """What is here, and in Stripe without a trace."""
    return ObjectDrift(name, (FieldDrift("exists", here=True, in_stripe=False),), lost=True)
