"""Features and active entitlements. Contract: docs.stripe.com/api/entitlements."""

from apps.sandbox import entitlements, listing, metadata
from apps.sandbox.contract import Body
from apps.sandbox.entitlements import ENTITLEMENT, FEATURE, GIVEN
from apps.sandbox.errors import ApiError
from apps.sandbox.render import render
from apps.sandbox.routing import CURSORS, Call, route

_FEATURES = "/v1/entitlements/features"
_ENTITLEMENTS = "/v1/entitlements/active_entitlements"
_GIVEN = "/v1/products/{id}/features"


def create(call: Call) -> Body:
    return render(call.tx, entitlements.insert_feature(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load(FEATURE, call.id))


def update(call: Call) -> Body:
    """Rename or archive it; who has the feature keeps it."""
    feature = call.tx.load(FEATURE, call.id)
    changes: Body = {name: call.params[name] for name in ("active", "name") if name in call.params}
    changes["metadata"] = metadata.merged(feature["metadata"], call.params.get("metadata"))
    return render(call.tx, call.tx.save(feature | changes))


def list_all(call: Call) -> Body:
    """List the active features, or with `archived` the others."""
    filters = listing.given(call.params, lookup_key="lookup_key")
    filters.append(listing.equals("active", not call.params.get("archived", False)))
    return listing.page(call.tx, kind=FEATURE, url=_FEATURES, params=call.params, filters=filters)


def list_entitlements(call: Call) -> Body:
    customer = call.tx.load("customer", call.params["customer"], param="customer")
    filters = [listing.equals("_customer", customer["id"])]
    return listing.page(call.tx, kind=ENTITLEMENT, url=_ENTITLEMENTS, params=call.params, filters=filters)


def retrieve_entitlement(call: Call) -> Body:
    return render(call.tx, call.tx.load(ENTITLEMENT, call.id))


def give(call: Call) -> Body:
    product = call.tx.load("product", call.id)
    feature = call.tx.load(FEATURE, call.params["entitlement_feature"], param="entitlement_feature")
    return entitlements.shown(call.tx, entitlements.give(call.tx, product, feature))


def list_given(call: Call) -> Body:
    product = call.tx.load("product", call.id)
    given = [entitlements.shown(call.tx, each) for each in reversed(call.tx.all(GIVEN, _product=product["id"]))]
    return listing.page_of(given, url=f"/v1/products/{product['id']}/features", params=call.params)


def retrieve_given(call: Call) -> Body:
    return entitlements.shown(call.tx, _given(call))


def take(call: Call) -> Body:
    given = _given(call)
    entitlements.take(call.tx, given)
    return {"id": given["id"], "object": GIVEN, "deleted": True}


def _given(call: Call) -> Body:
    given = call.tx.load(GIVEN, call.ids[1])
    if given["_product"] != call.id:
        raise ApiError(f"No such product feature: '{given['id']}'", status=404, code="resource_missing", param="id")
    return given


ROUTES = [
    route("POST", _FEATURES, "entitlements.FeatureCreateParams", create, simulates="lookup_key metadata name"),
    route("GET", _FEATURES, "entitlements.FeatureListParams", list_all, simulates=f"{CURSORS} archived lookup_key"),
    route("GET", f"{_FEATURES}/{{id}}", "entitlements.FeatureRetrieveParams", retrieve),
    route("POST", f"{_FEATURES}/{{id}}", "entitlements.FeatureUpdateParams", update, simulates="active metadata name"),
    route(
        "GET",
        _ENTITLEMENTS,
        "entitlements.ActiveEntitlementListParams",
        list_entitlements,
        simulates=f"{CURSORS} customer",
    ),
    route("GET", f"{_ENTITLEMENTS}/{{id}}", "entitlements.ActiveEntitlementRetrieveParams", retrieve_entitlement),
    route("POST", _GIVEN, "ProductFeatureCreateParams", give, simulates="entitlement_feature"),
    route("GET", _GIVEN, "ProductFeatureListParams", list_given, simulates=CURSORS),
    route("GET", f"{_GIVEN}/{{id}}", "ProductFeatureRetrieveParams", retrieve_given),
    route("DELETE", f"{_GIVEN}/{{id}}", "ProductFeatureDeleteParams", take),
]
