"""Coupons. Contract: docs.stripe.com/api/coupons."""

from apps.sandbox import coupons, listing, metadata
from apps.sandbox.contract import Body
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route

_PATH = "/v1/coupons"


def create(call: Call) -> Body:
    return render(call.tx, coupons.insert_coupon(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("coupon", call.id))


def update(call: Call) -> Body:
    coupon = call.tx.load("coupon", call.id)
    before = render(call.tx, coupon)
    after = coupon | {"metadata": metadata.merged(coupon["metadata"], call.params.get("metadata"))}
    if "name" in call.params:
        after["name"] = call.params["name"] or None
    return render(call.tx, save_and_record(call.tx, "coupon.updated", after, before=before))


def delete(call: Call) -> Body:
    """Delete the coupon; the discounts that it gave go on."""
    coupon = call.tx.load("coupon", call.id)
    record(call.tx, "coupon.deleted", coupon)
    call.tx.delete(coupon)
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


def list_all(call: Call) -> Body:
    return listing.page(call.tx, kind="coupon", url=_PATH, params=call.params, filters=listing.created(call.params))


ROUTES = [
    route(
        "POST",
        _PATH,
        "CouponCreateParams",
        create,
        simulates="amount_off applies_to currency currency_options duration duration_in_months id max_redemptions "
        "metadata name percent_off redeem_by",
    ),
    route("GET", _PATH, "CouponListParams", list_all, simulates=PAGE),
    route("GET", f"{_PATH}/{{id}}", "CouponRetrieveParams", retrieve),
    route("POST", f"{_PATH}/{{id}}", "CouponUpdateParams", update, simulates="metadata name"),
    route("DELETE", f"{_PATH}/{{id}}", "CouponDeleteParams", delete),
]
