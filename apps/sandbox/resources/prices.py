"""Prices. Contract: docs.stripe.com/api/prices. A price's amount never changes; prices are archived, not deleted."""

from apps.sandbox import listing, metadata
from apps.sandbox.catalogue import claim_lookup_key, insert_price, insert_product
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.recording import save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route
from apps.sandbox.tariffs import options

_PLAIN = "active nickname tax_behavior lookup_key"


def create(call: Call) -> Body:
    params = call.params
    if ("product" in params) == ("product_data" in params):
        raise ApiError("You must specify either `product` or `product_data` when creating a price.", param="product")
    if "product" in params:
        call.tx.load("product", params["product"], param="product")
        return render(call.tx, insert_price(call.tx, params))
    product = insert_product(call.tx, params["product_data"])
    return render(call.tx, insert_price(call.tx, params | {"product": product["id"]}))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("price", call.id))


def update(call: Call) -> Body:
    price = call.tx.load("price", call.id)
    claim_lookup_key(call.tx, call.params, owner=price["id"])
    changes = {name: call.params[name] for name in _PLAIN.split() if name in call.params}
    after = price | {name: None if value == "" else value for name, value in changes.items()}
    after["metadata"] = metadata.merged(price["metadata"], call.params.get("metadata"))
    after["currency_options"] = _merged_options(price, call.params)
    before = render(call.tx, price)
    return render(call.tx, save_and_record(call.tx, "price.updated", after, before=before))


def _merged_options(price: Body, params: Body) -> Body:
    current: Body = price["currency_options"]
    if params.get("currency_options") == "":
        return {price["currency"]: current[price["currency"]]}
    return current | options(params)


def list_all(call: Call) -> Body:
    """Answer with the active ones, or on request with the inactive; with none that was described in passing."""
    params = call.params
    filters = listing.created(params) + listing.given(params, product="product", currency="currency", type="type")
    filters += [listing.equals("active", params.get("active", True)), listing.without("_inline")]
    filters += listing.given(
        params.get("recurring", {}),
        interval="recurring.interval",
        meter="recurring.meter",
        usage_type="recurring.usage_type",
    )
    if "lookup_keys" in params:
        filters.append(listing.among("lookup_key", params["lookup_keys"]))
    return listing.page(call.tx, kind="price", url="/v1/prices", params=params, filters=filters)


ROUTES = [
    route(
        "POST",
        "/v1/prices",
        "PriceCreateParams",
        create,
        simulates=f"{_PLAIN} billing_scheme currency currency_options custom_unit_amount metadata product product_data "
        "recurring tiers tiers_mode transfer_lookup_key transform_quantity unit_amount unit_amount_decimal",
    ),
    route(
        "GET",
        "/v1/prices",
        "PriceListParams",
        list_all,
        simulates=f"{PAGE} active product currency type recurring lookup_keys",
    ),
    route("GET", "/v1/prices/{id}", "PriceRetrieveParams", retrieve),
    route(
        "POST",
        "/v1/prices/{id}",
        "PriceUpdateParams",
        update,
        simulates=f"{_PLAIN} metadata currency_options transfer_lookup_key",
    ),
]
