"""Making products and prices, which each route of the catalogue and of subscriptions can do in passing."""

from apps.sandbox import metadata
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id, random_text
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.tariffs import amount_pair, check_scheme, currency_code, options, recurring, tier_list
from apps.sandbox.usage import METER

PRODUCT_TEXTS = (
    "description",
    "images",
    "marketing_features",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)
"""Fields of a product that are kept just as they are sent."""


def insert_product(tx: Transaction, params: Body) -> Body:
    """Make a product of `params` and record product.created."""
    product = {
        "id": params.get("id") or "prod_" + random_text(14),
        "object": "product",
        "active": params.get("active", True),
        "created": tx.now,
        "updated": tx.now,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": metadata.of(params),
        "name": params["name"],
        "type": params.get("type", "service"),
    }
    product |= {name: params[name] for name in PRODUCT_TEXTS if name in params}
    inserted = tx.insert(complete(product))
    record(tx, "product.created", inserted)
    return inserted


def insert_price(tx: Transaction, params: Body, *, inline: bool = False) -> Body:
    """Make a price of `params`, which name an existing product, and record price.created.

    Lists leave out one that is `inline`: what uses it described it in passing.
    """
    check_scheme(params)
    check_meter(tx, params)
    claim_lookup_key(tx, params, owner=None)
    price = complete(price_of(params, now=tx.now)) | ({"_inline": True} if inline else {})
    tx.insert(price)
    record(tx, "price.created", price)
    return price


def check_meter(tx: Transaction, params: Body) -> None:
    """Raise ApiError where the price is to bill a meter that is not there, or takes no events."""
    id = (params.get("recurring") or {}).get("meter")
    if id and tx.load(METER, id, param="recurring[meter]")["status"] == "inactive":
        raise ApiError("A price cannot use an inactive meter.", param="recurring[meter]")


def price_of(params: Body, *, now: int) -> Body:
    """Return the price that checked `params` describe; nothing is kept."""
    tiers = tier_list(params.get("tiers"))
    currency = currency_code(params["currency"])
    price = {
        "id": new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": params.get("billing_scheme", "per_unit"),
        "created": now,
        "currency": currency,
        "custom_unit_amount": _custom(params.get("custom_unit_amount")),
        "livemode": False,
        "lookup_key": params.get("lookup_key") or None,
        "metadata": metadata.of(params),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": recurring(params.get("recurring")),
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": params.get("transform_quantity"),
        "type": "recurring" if "recurring" in params else "one_time",
        **amount_pair(params, "unit_amount"),
    }
    own = {name: price[name] for name in ("custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal")}
    return price | {"tiers": tiers, "currency_options": {currency: own | {"tiers": tiers}, **options(params)}}


def _custom(sent: Body | None) -> Body | None:
    if not sent or not sent["enabled"]:
        return None
    return {name: sent.get(name) for name in ("maximum", "minimum", "preset")}


def claim_lookup_key(tx: Transaction, params: Body, *, owner: str | None) -> None:
    """Make sure that no other price has the key; `transfer_lookup_key` takes it from the one that has."""
    key = params.get("lookup_key")
    if not key:
        return
    if len(key) > 200:
        raise ApiError("A lookup key can have up to 200 characters.", param="lookup_key")
    for other in tx.all("price", lookup_key=key):
        if other["id"] == owner:
            continue
        if not params.get("transfer_lookup_key"):
            message = f"A price (`{other['id']}`) already uses that lookup key."
            raise ApiError(message, code="resource_already_exists", param="lookup_key")
        save_and_record(tx, "price.updated", other | {"lookup_key": None}, before=render(tx, other))
