"""Promotion codes. Contract: docs.stripe.com/api/promotion_codes."""

from apps.sandbox import coupons, listing, metadata
from apps.sandbox.contract import Body
from apps.sandbox.listing import Filter
from apps.sandbox.recording import save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route

_PATH = "/v1/promotion_codes"


def create(call: Call) -> Body:
    return render(call.tx, coupons.insert_code(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("promotion_code", call.id))


def update(call: Call) -> Body:
    code = call.tx.load("promotion_code", call.id)
    before = render(call.tx, code)
    after = code | {"active": call.params.get("active", code["active"])}
    after["metadata"] = metadata.merged(code["metadata"], call.params.get("metadata"))
    return render(call.tx, save_and_record(call.tx, "promotion_code.updated", after, before=before))


def list_all(call: Call) -> Body:
    """List codes; `code` is found in whatever letters it is written."""
    filters = listing.created(call.params) + listing.given(
        call.params, active="active", coupon="promotion.coupon", customer="customer"
    )
    if "code" in call.params:
        filters.append(Filter("lower(json_extract(body, '$.code')) = lower(?)", (call.params["code"],)))
    return listing.page(call.tx, kind="promotion_code", url=_PATH, params=call.params, filters=filters)


ROUTES = [
    route(
        "POST",
        _PATH,
        "PromotionCodeCreateParams",
        create,
        simulates="active code customer expires_at max_redemptions metadata promotion restrictions",
    ),
    route("GET", _PATH, "PromotionCodeListParams", list_all, simulates=f"{PAGE} active code coupon customer"),
    route("GET", f"{_PATH}/{{id}}", "PromotionCodeRetrieveParams", retrieve),
    route("POST", f"{_PATH}/{{id}}", "PromotionCodeUpdateParams", update, simulates="active metadata"),
]
