"""An account to try a piece of Stripe's contract on: the stand-in's, or a test account of Stripe itself.

What is tried uses nothing but its own objects, since the account may hold others; they are removed afterwards.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import uuid4

import stripe

KEY_VARIABLE: Final = "TENANTRY_TEST_STRIPE_KEY"
BASE_VARIABLE: Final = "TENANTRY_TEST_STRIPE_API_BASE"
STRIPE: Final = "https://api.stripe.com"
NOW: Final = 1_769_853_600  # 2026-01-31T10:00:00Z
HOUR: Final = 3600
DAY: Final = 86_400
WEEK: Final = 7 * DAY
TRIES: Final = 60
"""How often something that Stripe does in the background is asked for before it counts as not done."""

Found = TypeVar("Found")


class UnusableKey(Exception):
    """The key must not be used for tests."""


@dataclass(frozen=True)
class Target:
    """Where the real account is spoken to, and as whom."""

    key: str = field(repr=False)
    base: str


def target(environ: Mapping[str, str]) -> Target | None:
    """The real account that the environment names, if it names one.

    Raises:
        UnusableKey: when the key is none of a test account; the message does not repeat it.
    """
    key = environ.get(KEY_VARIABLE, "")
    if not key:
        return None
    if not key.startswith("sk_test_"):
        raise UnusableKey(
            f"{KEY_VARIABLE} holds a key that does not begin with sk_test_. These tests make and delete customers: "
            "give them the secret key of a test account."
        )
    return Target(key, environ.get(BASE_VARIABLE) or STRIPE)


class PacedClient(stripe.RequestsClient):
    """Leaves `pause` seconds between two requests: Stripe takes 25 a second, from all test processes together."""

    def __init__(
        self,
        *,
        pause: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(timeout=80)
        self._pause, self._clock, self._sleep = pause, clock, sleep
        self._next = 0.0

    def request(self, *args: Any, **given: Any) -> Any:
        self.take_turn()
        return super().request(*args, **given)

    def take_turn(self) -> None:
        """Sleep until the next request may be sent."""
        self._sleep(max(0.0, self._next - self._clock()))
        self._next = self._clock() + self._pause


def must_not_wait() -> None:
    """The `wait` of the stand-in's account."""
    raise AssertionError("The stand-in has done everything when it answers; there is nothing to wait for.")


class Account:
    """Makes objects for one test and removes them with `clean`. `wait` passes the time until Stripe is asked again."""

    def __init__(self, client: stripe.StripeClient, *, wait: Callable[[], None]) -> None:
        self.v1 = client.v1
        self._wait = wait
        self._removals: list[Callable[[], Any]] = []

    def clean(self) -> None:
        """Remove what was made, newest first; products with prices are archived, since Stripe keeps them."""
        while self._removals:
            removal = self._removals.pop()
            # A test may have removed it itself.
            try:
                removal()
            except stripe.InvalidRequestError as error:
                if error.code != "resource_missing":
                    raise

    def until(self, find: Callable[[], Found | None], what: str) -> Found:
        """What `find` finds, once it finds something."""
        for _ in range(TRIES):
            found = find()
            if found:
                return found
            self._wait()
        raise AssertionError(f"Stripe was asked {TRIES} times, but {what}.")

    def product(self, **given: Any) -> stripe.Product:
        """A product."""
        made = self.v1.products.create({"name": "Contract test", **given})
        self._removals.append(lambda: self._remove_product(made.id))
        return made

    def _remove_product(self, id: str) -> None:
        lists = (self.v1.prices.list({"product": id, "active": active, "limit": 1}) for active in (True, False))
        if any(each.data for each in lists):
            self.v1.products.update(id, {"active": False})
        else:
            self.v1.products.delete(id)

    def price(self, **given: Any) -> stripe.Price:
        """A price of a product of its own: 10 dollars a week."""
        terms: dict[str, Any] = {"currency": "usd", "unit_amount": 1000, "recurring": {"interval": "week"}}
        asked: Any = {"product": self.product().id, **terms, **given}
        return self.v1.prices.create({name: value for name, value in asked.items() if value is not None})

    def meter(self, formula: str = "sum", **given: Any) -> stripe.billing.Meter:
        """A meter with an event name of its own; Stripe keeps meters, so in the end it is deactivated."""
        terms: Any = {"display_name": "Contract test", "default_aggregation": {"formula": formula}}
        made = self.v1.billing.meters.create({"event_name": self.unique("contract"), **terms, **given})
        self._removals.append(lambda: self._deactivate(made.id))
        return made

    def _deactivate(self, meter: str) -> None:
        if self.v1.billing.meters.retrieve(meter).status == "active":
            self.v1.billing.meters.deactivate(meter)

    def metered(self, meter: stripe.billing.Meter, *, interval: str = "week", **given: Any) -> stripe.Price:
        """A price that bills what the meter counts: by default 10 cents for each unit, every week."""
        recurring = {"interval": interval, "usage_type": "metered", "meter": meter.id}
        return self.price(**{"unit_amount": 10, "recurring": recurring, **given})

    def report(
        self, meter: stripe.billing.Meter, customer: str, value: object, *, at: int | None = None, **given: Any
    ) -> stripe.billing.MeterEvent:
        """One event of the meter, now or at a moment (Unix seconds)."""
        payload = {"stripe_customer_id": customer, "value": str(value)}
        asked: Any = {"event_name": meter.event_name, "payload": payload, **given}
        return self.v1.billing.meter_events.create(asked | ({} if at is None else {"timestamp": at}))

    def usage_becomes(self, meter: stripe.billing.Meter, customer: str, value: float, *, start: int, end: int) -> None:
        """Return once the meter's summary of that time says so."""

        def says_so() -> bool:
            asked: Any = {"customer": customer, "start_time": start, "end_time": end}
            found = self.v1.billing.meters.event_summaries.list(meter.id, asked).data
            return sum(each.aggregated_value for each in found) == value

        self.until(says_so, f"the meter {meter.id} does not say {value}")

    def feature(self, product: str | None = None, **given: Any) -> stripe.entitlements.Feature:
        """A feature, given by `product` if one is named; Stripe keeps features, so in the end it is archived."""
        key = self.unique("feature")
        made = self.v1.entitlements.features.create({"lookup_key": key, "name": "Contract test", **given})
        self._removals.append(lambda: self.v1.entitlements.features.update(made.id, {"active": False}))
        if product:
            self.v1.products.features.create(product, {"entitlement_feature": made.id})
        return made

    def coupon(self, **given: Any) -> stripe.Coupon:
        """A coupon, by default of 25 percent for good."""
        terms: Any = {"percent_off": 25, "duration": "forever"} if "duration" not in given else {}
        made = self.v1.coupons.create({"name": "Contract test", **terms, **given})
        self._removals.append(lambda: self.v1.coupons.delete(made.id))
        return made

    def clock(self, at: int = NOW) -> stripe.test_helpers.TestClock:
        """A test clock, which takes its customers and their subscriptions along when it is removed."""
        made = self.v1.test_helpers.test_clocks.create({"frozen_time": at, "name": "contract test"})
        self._removals.append(lambda: self.v1.test_helpers.test_clocks.delete(made.id))
        return made

    def advance(self, clock: stripe.test_helpers.TestClock, until: int) -> None:
        """Advance a test clock, and return once it is ready."""
        self.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": until})

        def ready() -> bool:
            return self.v1.test_helpers.test_clocks.retrieve(clock.id).status == "ready"

        self.until(ready, f"test clock {clock.id} is not ready")

    def customer(self, *, card: str | None = "pm_card_visa", **given: Any) -> stripe.Customer:
        """A customer, by default with a test card that pays."""
        made = self.v1.customers.create({"name": "Contract test", **given})
        self._removals.append(lambda: self.v1.customers.delete(made.id))
        if card:
            self.give_card(made.id, card)
        return made

    def give_card(self, customer: str, card: str) -> str:
        """Attach a test card to the customer and let it pay from now on."""
        attached = self.v1.payment_methods.attach(card, {"customer": customer})
        self.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": attached.id}})
        return attached.id

    def subscribe(self, customer: str, price: str, **given: Any) -> stripe.Subscription:
        """A subscription; it ends with its customer."""
        return self.v1.subscriptions.create({"customer": customer, "items": [{"price": price}], **given})

    def status_becomes(self, subscription: str, status: str) -> stripe.Subscription:
        """The subscription, once it has that status."""

        def arrived() -> stripe.Subscription | None:
            found = self.v1.subscriptions.retrieve(subscription)
            return found if found.status == status else None

        return self.until(arrived, f"subscription {subscription} is not {status}")

    def invoices(self, subscription: str) -> list[stripe.Invoice]:
        """The subscription's invoices, newest first."""
        return self.v1.invoices.list({"subscription": subscription}).data

    @staticmethod
    def unique(name: str) -> str:
        """A text that nothing else in the account has."""
        return f"{name}-{uuid4().hex}"


def item_of(subscription: stripe.Subscription) -> Any:
    """A subscription's only item."""
    (item,) = subscription["items"].data
    return item
