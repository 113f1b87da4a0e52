"""Looking again at Stripe: each function fetches, then writes the mirror.

None may be called inside a transaction. What is fetched and written is guarded by
a lock of its own, or the answer that was asked for first could be written last.
"""

from datetime import datetime, timedelta

from django.conf import settings

from apps.billing import gateway, inbox, mirror, selectors
from apps.billing.errors import StripeMissing, WrongAccount
from apps.billing.gateway import AccountInfo, CustomerFetch
from apps.billing.models import Installation
from apps.billing.types import Secret
from apps.core.locks import advisory_lock

# `created` of an event has a resolution of a second, and lists lag behind a little.
OVERLAP = timedelta(minutes=10)
# Stripe keeps events for 30 days.
FURTHEST_BACK = timedelta(days=30)


def verify_account(*, now: datetime) -> Installation:
    """Bind this database to the account of the key, once; refuse any other from then on.

    Raises:
        WrongAccount: when the key belongs to another account or mode.
        StripeUnavailable, StripeRefused: when Stripe does not tell.
    """
    account = gateway.fetch_account()
    installation, _ = Installation.objects.get_or_create(
        only=True,
        defaults={
            "account_id": account.id,
            "livemode": settings.STRIPE_LIVE_MODE,
            "api_base": settings.STRIPE_API_BASE,
            "bound_at": now,
        },
    )
    _refuse_another(installation, account)
    mirror.store_account(account)
    return installation


def check_account() -> None:
    """As `verify_account`, without writing anything: a database that belongs to no account yet is no error."""
    account = gateway.fetch_account()
    installation = selectors.installation()
    if installation:
        _refuse_another(installation, account)


def _refuse_another(installation: Installation, account: AccountInfo) -> None:
    if (installation.account_id, installation.livemode) != (account.id, settings.STRIPE_LIVE_MODE):
        raise WrongAccount(
            f"This database belongs to Stripe account {installation.account_id} in {_mode(installation.livemode)} "
            f"mode, but STRIPE_SECRET_KEY is of {account.id} in {_mode(settings.STRIPE_LIVE_MODE)} mode. "
            "Use one database per account and mode."
        )


def _mode(livemode: bool) -> str:
    return "live" if livemode else "test"


def refresh_customer(customer_id: str) -> dict[str, Secret]:
    """Mirror a customer with everything of theirs.

    The caller holds the customer's lock. Returns the administrators' passwords found
    on the way, by subscription, for use in this very moment.
    """
    fetched = gateway.fetch_customer(customer_id)
    for price_id in sorted(unknown_prices_of(fetched)):
        refresh_price(price_id)
    mirror.store_customer(fetched)
    return fetched.passwords


def unknown_prices_of(fetched: CustomerFetch) -> set[str]:
    """The prices of a customer's subscriptions that the mirror does not have."""
    used = prices_of(fetched)
    return used - selectors.prices(used).keys()


def prices_of(fetched: CustomerFetch) -> set[str]:
    """The prices of a customer's subscriptions."""
    return {item["price"]["id"] for each in fetched.subscriptions for item in each["items"]["data"]}


def refresh_price(price_id: str) -> None:
    """Mirror a price, and its product where the mirror does not have that yet.

    Raises:
        StripeMissing: when the account has no such price; the mirror then drops it unless it is in use.
    """
    with advisory_lock(f"price:{price_id}"):
        try:
            price = gateway.fetch_price(price_id)
        except StripeMissing:
            mirror.forget_price(price_id)
            raise
        # A product that is there is its own job's affair: what came with the price may be older.
        with advisory_lock(f"product:{price['product']['id']}"):
            mirror.store_price(price)


def refresh_product(product_id: str) -> None:
    """Mirror a product.

    Raises:
        StripeMissing: when the account has no such product; the mirror then drops it unless it has prices.
    """
    with advisory_lock(f"product:{product_id}"):
        try:
            product = gateway.fetch_product(product_id)
        except StripeMissing:
            mirror.forget_product(product_id)
            raise
        mirror.store_product(product)


def catch_up_events(*, now: datetime) -> int:
    """Accept the events that the account has and the inbox has not, but for those that ask for no work.

    Each page is accepted by itself; an outage between two of them loses nothing, since
    how far was read is noted at the end. Tells how many were new.
    """
    installation = verify_account(now=now)
    start = max((installation.events_seen_until or installation.bound_at) - OVERLAP, now - FURTHEST_BACK)
    new = 0
    for page in gateway.events_since(start):
        new += inbox.accept([head for head in page if head.work], now=now)
    Installation.objects.update(events_seen_until=now)
    return new
