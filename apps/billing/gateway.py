"""Every call to Stripe.

Nothing of the `stripe` library leaves this module: callers get plain scrubbed
dictionaries (for the mirror) or the values of `types`. No function here may be
called inside a transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

import stripe
import structlog
from django.conf import settings
from django.db import connection

from apps.billing.errors import BadEvent, StripeMissing, StripeRefused, StripeUnavailable
from apps.billing.heads import EventHead, event_head
from apps.billing.http import PacedClient
from apps.billing.offered import (
    Meter,
    OfferedPrice,
    Product,
    idempotency_key,
    meter_params,
    price_params,
    product_params,
    read_meter,
    read_price,
    read_product,
)
from apps.billing.pacing import Pace, Rates
from apps.billing.secrets import PASSWORD_KEY, scrubbed, take_password
from apps.billing.types import Secret

log = structlog.get_logger(__name__)

PAGE = 100
# The last version that tells how a price from before meters aggregates.
BEFORE_METERS = "2025-02-24.acacia"
# Kept with a mirrored customer; the name is ours, so that no field of Stripe's is hidden.
FROZEN_TIME = "tenantry_frozen_time"
Raw = dict[str, Any]


@dataclass(frozen=True)
class CustomerFetch:
    """Everything about one customer that the mirror keeps, as Stripe told it at one time."""

    customer: Raw
    subscriptions: tuple[Raw, ...]
    open_invoices: tuple[Raw, ...]
    passwords: dict[str, Secret] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class AccountInfo:
    """The account that the key belongs to."""

    id: str
    raw: Raw = field(repr=False)


@dataclass(frozen=True)
class EndpointInfo:
    """A webhook endpoint of the account. `secret` is told once, when it is made."""

    id: str
    url: str
    status: str
    events: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)


@cache
def client() -> stripe.StripeClient:
    """The one client, with its address, version and patience from the settings."""
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        stripe_version=settings.STRIPE_API_VERSION,
        base_addresses={"api": settings.STRIPE_API_BASE},
        max_network_retries=2,
        http_client=_http_client(),
    )


def _http_client() -> stripe.RequestsClient:
    """At the pace that Stripe allows; without one where both rates are 0, as with a stand-in."""
    rates = Rates(per_endpoint=settings.STRIPE_REQUESTS_PER_SECOND, total=settings.STRIPE_TOTAL_PER_SECOND)
    if rates.per_endpoint or rates.total:
        return PacedClient(pace=Pace(rates), timeout=settings.STRIPE_TIMEOUT_SECONDS)
    return stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS)


@contextmanager
def _calling(name: str = "") -> Iterator[None]:
    """Translate Stripe's errors, and refuse to hold a transaction open over the network.

    `name` is what is missing when Stripe says that something is, such as `customer:cus_1`.
    """
    if connection.in_atomic_block and not _inside_test_transaction():
        raise RuntimeError("Stripe must not be called inside a transaction.")
    try:
        yield
    except stripe.RateLimitError as error:
        raise StripeUnavailable(f"Stripe takes no more requests for now: {_reason(error)}") from error
    except stripe.APIConnectionError as error:
        raise StripeUnavailable(f"Stripe at {settings.STRIPE_API_BASE} is not reachable: {_reason(error)}") from error
    except stripe.AuthenticationError as error:
        raise StripeRefused(f"Stripe refused STRIPE_SECRET_KEY: {_reason(error)}") from error
    except stripe.APIError as error:
        raise StripeUnavailable(f"Stripe answered with an error of its own: {_reason(error)}") from error
    except stripe.InvalidRequestError as error:
        message = f"Stripe refused the request: {_reason(error)}"
        if error.code == "resource_missing":
            raise StripeMissing(message, name=name) from error
        raise StripeRefused(message) from error
    except stripe.StripeError as error:
        raise StripeRefused(f"Stripe refused the request: {_reason(error)}") from error


def _inside_test_transaction() -> bool:
    return any(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def _reason(error: stripe.StripeError) -> str:
    return error.user_message or type(error).__name__


def fetch_account() -> AccountInfo:
    """The account of the configured key."""
    with _calling():
        raw = _plain(client().v1.accounts.retrieve_current())
    return AccountInfo(id=raw["id"], raw=raw)


def fetch_customer(customer_id: str) -> CustomerFetch:
    """A customer with all subscriptions, and with the open invoices where one is overdue.

    One request in the usual case: the list of subscriptions carries the customer.
    """
    with _calling(f"customer:{customer_id}"):
        listed = [_plain_secretly(each) for each in _subscriptions_of(customer_id)]
        customer = _customer_among(listed) or _plain(client().v1.customers.retrieve(customer_id))
    with _calling():
        found = [_whole(each) for each in listed]
        frozen_time = _frozen_time(customer)
        overdue = any(each["status"] in {"past_due", "unpaid"} for each in found)
        invoices = _open_invoices_of(customer_id) if overdue else ()
    return CustomerFetch(
        customer={**customer, FROZEN_TIME: frozen_time},
        subscriptions=tuple(scrubbed(each) for each in found),
        open_invoices=invoices,
        passwords={each["id"]: secret for each in found if (secret := take_password(each))},
    )


def _subscriptions_of(customer_id: str) -> Iterator[Any]:
    page = client().v1.subscriptions.list(
        {"customer": customer_id, "status": "all", "limit": PAGE, "expand": ["data.customer"]}
    )
    return page.auto_paging_iter()


def _whole(subscription: Raw) -> Raw:
    """With every item: Stripe embeds the first ten only."""
    items = subscription["items"]
    if items["has_more"]:
        rest = client().v1.subscription_items.list({"subscription": subscription["id"], "limit": PAGE})
        items = {**items, "data": [_plain(item) for item in rest.auto_paging_iter()], "has_more": False}
    return {**subscription, "items": items}


def _customer_among(subscriptions: list[Raw]) -> Raw | None:
    """Take the expanded customer out of the subscriptions, which keep its id."""
    customer = None
    for subscription in subscriptions:
        if isinstance(subscription["customer"], dict):
            customer = scrubbed(subscription["customer"])
            subscription["customer"] = customer["id"]
    return customer


def _frozen_time(customer: Raw) -> int | None:
    """What time it is for a customer on a test clock; None for those who live in the real time."""
    clock_id = customer.get("test_clock")
    return client().v1.test_helpers.test_clocks.retrieve(clock_id).frozen_time if clock_id else None


def _open_invoices_of(customer_id: str) -> tuple[Raw, ...]:
    page = client().v1.invoices.list({"customer": customer_id, "status": "open", "limit": PAGE})
    return tuple(_plain(invoice) for invoice in page.auto_paging_iter())


def fetch_price(price_id: str) -> Raw:
    """A price with its product inside."""
    with _calling(f"price:{price_id}"):
        return _plain(client().v1.prices.retrieve(price_id, {"expand": ["product"]}))


def fetch_product(product_id: str) -> Raw:
    """A product."""
    with _calling(f"product:{product_id}"):
        return _plain(client().v1.products.retrieve(product_id))


def price_ids() -> list[str]:
    """The prices that the account lists, archived ones included: old subscriptions still use them."""
    with _calling():
        return list(dict.fromkeys(price.id for price in _listed_prices([])))


def prices() -> list[Raw]:
    """As `price_ids`, each with its product inside; a hundred in one request."""
    with _calling():
        return list({price.id: _plain(price) for price in _listed_prices(["data.product"])}.values())


def _listed_prices(expand: list[str]) -> Iterator[stripe.Price]:
    """The active ones, then the others, which Stripe lists by themselves; one archived meanwhile comes twice.

    Prices that a subscription described itself are in neither list.
    """
    for active in (True, False):
        yield from client().v1.prices.list({"active": active, "limit": PAGE, "expand": expand}).auto_paging_iter()


def products() -> list[Raw]:
    """Every product of the account, archived ones included; a hundred in one request."""
    with _calling():
        return [_plain(product) for product in client().v1.products.list({"limit": PAGE}).auto_paging_iter()]


def product_ids() -> list[str]:
    """Every product of the account, archived ones included."""
    return [product["id"] for product in products()]


def offered_products() -> list[Product]:
    """Every product of the account, archived ones included."""
    return [read_product(product) for product in products()]


def offered_prices() -> list[OfferedPrice]:
    """Every recurring price that the account lists, archived ones included, with its tiers."""
    with _calling():
        found = {price.id: _plain(price) for price in _listed_prices(["data.tiers"])}.values()
        offered = [read_price(price) for price in found if price.get("recurring")]
        former = _former_aggregates() if any(each.is_legacy for each in offered) else {}
    return [replace(each, aggregate_usage=former.get(each.id, "")) if each.is_legacy else each for each in offered]


def _former_aggregates() -> dict[str, str]:
    """What the usage records of metered prices add up to, which Stripe tells in its former versions only.

    Where those are not spoken any more, nothing is known.
    """
    found = {}
    for active in (True, False):
        wanted: Any = {"active": active, "recurring": {"usage_type": "metered"}, "limit": PAGE}
        try:
            page = client().v1.prices.list(wanted, {"stripe_version": BEFORE_METERS})
        except stripe.InvalidRequestError:
            return {}
        for price in page.auto_paging_iter():
            found[price.id] = (_plain(price).get("recurring") or {}).get("aggregate_usage") or ""
    return found


def meters() -> list[Meter]:
    """Every meter of the account; of several for one event name the active one comes first."""
    with _calling():
        page = client().v1.billing.meters.list({"limit": PAGE})
        found = [read_meter(_plain(each)) for each in page.auto_paging_iter()]
    return sorted(found, key=lambda meter: not meter.active)


def create_product(product: Product) -> Product:
    """Make a product under the id that it names."""
    wanted: Any = product_params(product)
    with _calling():
        made = client().v1.products.create(wanted, {"idempotency_key": idempotency_key("product", wanted)})
        return read_product(_plain(made))


def create_price(price: OfferedPrice) -> OfferedPrice:
    """Make a price under the lookup key that it names."""
    wanted: Any = {**price_params(price), "expand": ["tiers"]}
    with _calling():
        made = client().v1.prices.create(wanted, {"idempotency_key": idempotency_key("price", wanted)})
        return read_price(_plain(made))


def create_meter(meter: Meter) -> Meter:
    """Make a meter for the event name that it names."""
    wanted: Any = meter_params(meter)
    with _calling():
        made = client().v1.billing.meters.create(wanted, {"idempotency_key": idempotency_key("meter", wanted)})
        return read_meter(_plain(made))


def reactivate_meter(meter_id: str) -> Meter:
    """Have a meter take events again."""
    with _calling(f"meter:{meter_id}"):
        return read_meter(_plain(client().v1.billing.meters.reactivate(meter_id)))


def customer_ids() -> list[str]:
    """Every customer of the account that has, or had, a subscription; those on test clocks come last."""
    with _calling():
        lists = [{}, *({"test_clock": clock_id} for clock_id in _test_clock_ids())]
        return list(dict.fromkeys(customer for each in lists for customer in _subscribers(each)))


def _subscribers(which: dict[str, str]) -> Iterator[str]:
    wanted: Any = {"status": "all", "limit": PAGE, **which}
    for subscription in client().v1.subscriptions.list(wanted).auto_paging_iter():
        yield _customer_of(subscription)


def _test_clock_ids() -> list[str]:
    """Stripe's lists leave out whoever is on a test clock, unless they are asked for by it."""
    if settings.STRIPE_LIVE_MODE:
        return []
    return [clock.id for clock in client().v1.test_helpers.test_clocks.list({"limit": PAGE}).auto_paging_iter()]


def _customer_of(subscription: stripe.Subscription) -> str:
    customer = subscription.customer
    return customer if isinstance(customer, str) else customer.id


def customer_of_subscription(subscription_id: str) -> str:
    """Whose a subscription is."""
    with _calling(f"subscription:{subscription_id}"):
        return _customer_of(client().v1.subscriptions.retrieve(subscription_id))


def customer_of_invoice(invoice_id: str) -> str:
    """Whose an invoice is."""
    name = f"invoice:{invoice_id}"
    with _calling(name):
        customer = client().v1.invoices.retrieve(invoice_id).customer
    if not customer:
        raise StripeMissing(f"Invoice {invoice_id} names no customer.", name=name)
    return customer if isinstance(customer, str) else customer.id


def events_since(moment: datetime) -> Iterator[list[EventHead]]:
    """The account's events from this moment on, page by page, the newest first. Stripe keeps them for 30 days."""
    wanted: Any = {"created": {"gte": int(moment.timestamp())}, "limit": PAGE}
    more = True
    while more:
        with _calling():
            page = client().v1.events.list(wanted)
        yield [head for event in page.data if (head := _understood(event))]
        more = page.has_more
        if more:
            wanted = {**wanted, "starting_after": page.data[-1].id}


def _understood(event: stripe.Event) -> EventHead | None:
    """An event of the account's list; one that is shaped unlike any known must not hide the others."""
    try:
        return event_head(_plain_secretly(event))
    except BadEvent as error:
        log.warning("event not understood", event_id=event.id, error=str(error))
        return None


def remove_password(subscription_id: str) -> None:
    """Delete the administrator's password from the subscription's metadata in Stripe."""
    with _calling():
        client().v1.subscriptions.update(subscription_id, {"metadata": {PASSWORD_KEY: ""}})


def webhook_endpoints() -> list[EndpointInfo]:
    """Every webhook endpoint of the account."""
    with _calling():
        page = client().v1.webhook_endpoints.list({"limit": PAGE})
        return [_endpoint(each) for each in page.auto_paging_iter()]


def create_webhook_endpoint(*, url: str, events: Sequence[str]) -> EndpointInfo:
    """Have the account deliver these events to an address, in the version that is read here."""
    wanted: Any = {"url": url, "enabled_events": list(events), "api_version": settings.STRIPE_API_VERSION}
    with _calling():
        return _endpoint(client().v1.webhook_endpoints.create(wanted))


def set_webhook_events(*, endpoint_id: str, events: Sequence[str]) -> None:
    """Change which events an endpoint gets."""
    wanted: Any = {"enabled_events": list(events)}
    with _calling():
        client().v1.webhook_endpoints.update(endpoint_id, wanted)


def _endpoint(raw: stripe.WebhookEndpoint) -> EndpointInfo:
    return EndpointInfo(
        id=raw.id,
        url=raw.url,
        status=raw.status,
        events=tuple(raw.enabled_events),
        secret=getattr(raw, "secret", None),
    )


def verify_signature(*, body: bytes, header: str, secret: str) -> bool:
    """Whether Stripe signed this body with this secret within the last five minutes."""
    if not header.isascii():
        return False
    try:
        return bool(
            stripe.WebhookSignature.verify_header(
                body.decode(), header, secret, tolerance=stripe.Webhook.DEFAULT_TOLERANCE
            )
        )
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def _plain(value: Any) -> Raw:
    """A library object as a dictionary without any password."""
    plain: Raw = scrubbed(_plain_secretly(value))
    return plain


def _plain_secretly(value: Any) -> Raw:
    to_dict: Callable[..., Raw] = value.to_dict
    return to_dict()
