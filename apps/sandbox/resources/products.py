"""Products. Contract: docs.stripe.com/api/products."""

from apps.sandbox import listing, metadata
from apps.sandbox.catalogue import PRODUCT_TEXTS, insert_price, insert_product
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route
from apps.sandbox.store import Transaction

_PLAIN = " ".join(PRODUCT_TEXTS)


def create(call: Call) -> Body:
    product = insert_product(call.tx, call.params)
    if "default_price_data" not in call.params:
        return product
    price = insert_price(call.tx, call.params["default_price_data"] | {"product": product["id"]})
    return _changed(call.tx, product, {"default_price": price["id"]})


def retrieve(call: Call) -> Body:
    return call.tx.load("product", call.id)


def update(call: Call) -> Body:
    product = call.tx.load("product", call.id)
    names = ["name", "active", *PRODUCT_TEXTS]
    changes = {name: call.params[name] for name in names if name in call.params}
    if "default_price" in call.params:
        changes["default_price"] = _own_price(call.tx, product=product["id"], price=call.params["default_price"])
    changes["metadata"] = metadata.merged(product["metadata"], call.params.get("metadata"))
    return _changed(call.tx, product, changes)


def delete(call: Call) -> Body:
    """Stripe deletes a product only while it has no price; all others are archived."""
    product = call.tx.load("product", call.id)
    if call.tx.all("price", product=product["id"]):
        raise ApiError("This product cannot be deleted because it has one or more user-created prices.")
    record(call.tx, "product.deleted", product)
    call.tx.delete(product)
    return {"id": product["id"], "object": "product", "deleted": True}


def list_all(call: Call) -> Body:
    filters = listing.created(call.params) + listing.given(call.params, shippable="shippable", url="url")
    if "active" in call.params:
        filters.append(listing.equals("active", call.params["active"]))
    if "ids" in call.params:
        filters.append(listing.among("id", call.params["ids"]))
    return listing.page(call.tx, kind="product", url="/v1/products", params=call.params, filters=filters)


def _changed(tx: Transaction, product: Body, changes: Body) -> Body:
    before = render(tx, product)
    after = product | {name: None if value == "" else value for name, value in changes.items()}
    if after == product:
        return product
    return save_and_record(tx, "product.updated", after | {"updated": tx.now}, before=before)


def _own_price(tx: Transaction, *, product: str, price: str) -> str | None:
    if price == "":
        return None
    if tx.load("price", price, param="default_price")["product"] != product:
        raise ApiError(f"The price specified does not belong to the product `{product}`.", param="default_price")
    return price


ROUTES = [
    route(
        "POST",
        "/v1/products",
        "ProductCreateParams",
        create,
        simulates=f"id name active type metadata default_price_data {_PLAIN}",
    ),
    route("GET", "/v1/products", "ProductListParams", list_all, simulates=f"{PAGE} active ids shippable url"),
    route("GET", "/v1/products/{id}", "ProductRetrieveParams", retrieve),
    route(
        "POST",
        "/v1/products/{id}",
        "ProductUpdateParams",
        update,
        simulates=f"name active metadata default_price {_PLAIN}",
    ),
    route("DELETE", "/v1/products/{id}", "ProductDeleteParams", delete),
]
