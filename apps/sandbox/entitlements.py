"""Features, the products that give them, and what a customer is entitled to by its subscriptions.

Contract: docs.stripe.com/billing/entitlements. A subscription gives its products' features while it is active, trialing
or past due; entitlements.active_entitlement_summary.updated tells what a customer has once that changes.
"""

from typing import Final

from apps.sandbox import metadata
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.items import of_subscription
from apps.sandbox.recording import follow, record
from apps.sandbox.render import embedded, render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

FEATURE: Final = "entitlements.feature"
GIVEN: Final = "product_feature"
ENTITLEMENT: Final = "entitlements.active_entitlement"
_ENTITLING: Final = ("active", "trialing", "past_due")


def insert_feature(tx: Transaction, params: Body) -> Body:
    """Make a feature; raises ApiError when its lookup key is another one's, or too long."""
    key = params["lookup_key"]
    if not 0 < len(key) <= 80:
        raise ApiError("A lookup key has 1 to 80 characters.", param="lookup_key")
    if tx.all(FEATURE, lookup_key=key):
        message = f"A feature with the lookup key '{key}' already exists."
        raise ApiError(message, code="resource_already_exists", param="lookup_key")
    feature = {
        "id": new_id("feat_test", length=32),
        "object": FEATURE,
        "active": True,
        "livemode": False,
        "lookup_key": key,
        "metadata": metadata.of(params),
        "name": params["name"],
    }
    return tx.insert(complete(feature))


def give(tx: Transaction, product: Body, feature: Body) -> Body:
    """Let the product give the feature; raises ApiError when it does already, or the feature is archived."""
    if not feature["active"]:
        raise ApiError("An archived feature cannot be attached to a product.", param="entitlement_feature")
    if tx.all(GIVEN, _product=product["id"], _feature=feature["id"]):
        message = f"This feature is already attached to the product `{product['id']}`."
        raise ApiError(message, code="resource_already_exists", param="entitlement_feature")
    given = {
        "id": new_id("prodft_test", length=32),
        "object": GIVEN,
        "livemode": False,
        "_product": product["id"],
        "_feature": feature["id"],
    }
    made = tx.insert(given)
    refresh_all(tx, product["id"])
    return made


def take(tx: Transaction, given: Body) -> None:
    """Let the product give the feature no more."""
    tx.delete(given)
    refresh_all(tx, given["_product"])


def shown(tx: Transaction, given: Body) -> Body:
    """Return what a product gives as Stripe shows it: with the feature in it."""
    return render(tx, given) | {"entitlement_feature": render(tx, tx.load(FEATURE, given["_feature"]))}


def refresh_all(tx: Transaction, product: str) -> None:
    """Look again at everybody who has subscribed to the product."""
    prices = {price["id"] for price in tx.all("price", product=product)}
    items = [item for item in tx.all("subscription_item") if item["price"] in prices]
    subscriptions = [tx.find(item["subscription"]) for item in items]
    for customer in dict.fromkeys(each["customer"] for each in subscriptions if each):
        refresh(tx, customer)


def refresh(tx: Transaction, customer: str) -> None:
    """Bring the customer's entitlements in line with its subscriptions, and tell if that changes them."""
    before = summary(tx, customer)
    current = {each["feature"]: each for each in tx.all(ENTITLEMENT, _customer=customer)}
    due = {feature["id"]: feature for feature in _due(tx, customer)}
    for id, entitlement in current.items():
        if id not in due:
            tx.delete(entitlement)
    for id, feature in due.items():
        if id not in current:
            _grant(tx, feature, customer)
    if current.keys() != due.keys():
        previous = {"entitlements": before["entitlements"]}
        type = "entitlements.active_entitlement_summary.updated"
        record(tx, type, summary(tx, customer), previous=previous)


def _grant(tx: Transaction, feature: Body, customer: str) -> None:
    entitlement = {
        "id": new_id("ent_test", length=32),
        "object": ENTITLEMENT,
        "feature": feature["id"],
        "livemode": False,
        "lookup_key": feature["lookup_key"],
    }
    tx.insert(complete(entitlement) | {"_customer": customer})


def _due(tx: Transaction, customer: str) -> list[Body]:
    """Return the features that the customer's subscriptions give now."""
    running = [each for each in tx.all("subscription", customer=customer) if each["status"] in _ENTITLING]
    prices = [tx.load("price", item["price"]) for each in running for item in of_subscription(tx, each)]
    given = [each for product in {price["product"] for price in prices} for each in tx.all(GIVEN, _product=product)]
    return [tx.load(FEATURE, each["_feature"]) for each in given]


def summary(tx: Transaction, customer: str) -> Body:
    """Return what the customer is entitled to, as the event tells it: a first page."""
    data = [render(tx, each) for each in tx.all(ENTITLEMENT, _customer=customer)]
    return {
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": embedded(data=data, url=f"/v1/customer/{customer}/entitlements"),
        "livemode": False,
    }


def _after_subscription(tx: Transaction, subscription: Body) -> None:
    refresh(tx, subscription["customer"])


for _type in ("created", "updated", "deleted"):
    follow(f"customer.subscription.{_type}", _after_subscription)
