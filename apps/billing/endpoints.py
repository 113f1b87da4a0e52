"""The webhook endpoint in the Stripe account: made with just the events that are needed, and verified."""

from dataclasses import dataclass

from django.conf import settings

from apps.billing import gateway
from apps.billing.gateway import EndpointInfo

NEEDED_EVENTS = (
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.voided",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "test_helpers.test_clock.ready",
)


@dataclass(frozen=True)
class Setup:
    """What was done about the endpoint. `secret` is told by Stripe once, when it is made."""

    url: str
    endpoint_id: str
    created: bool
    added_events: tuple[str, ...]
    secret: str | None
    problems: tuple[str, ...]


def set_up(url: str) -> Setup:
    """Make the account deliver what is needed to this address; what is there already is kept.

    Raises:
        StripeUnavailable, StripeRefused: when Stripe does not do it.
    """
    existing = next((each for each in gateway.webhook_endpoints() if each.url == url), None)
    if existing is None:
        made = gateway.create_webhook_endpoint(url=url, events=NEEDED_EVENTS)
        return Setup(url, made.id, created=True, added_events=(), secret=made.secret, problems=())
    missing = () if "*" in existing.events else tuple(sorted(set(NEEDED_EVENTS) - set(existing.events)))
    if missing:
        gateway.set_webhook_events(endpoint_id=existing.id, events=sorted({*existing.events, *missing}))
    return Setup(url, existing.id, created=False, added_events=missing, secret=None, problems=_problems(existing))


def _problems(endpoint: EndpointInfo) -> tuple[str, ...]:
    """What only a person can mend."""
    problems = []
    if endpoint.status != "enabled":
        problems.append("It is disabled: enable it in Stripe's dashboard.")
    if not settings.STRIPE_WEBHOOK_SECRETS:
        problems.append("STRIPE_WEBHOOK_SECRET is not set: reveal the endpoint's signing secret in the dashboard.")
    return tuple(problems)
