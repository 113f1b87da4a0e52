"""Subscription schedules. Contract: docs.stripe.com/api/subscription_schedules."""

from apps.sandbox import listing, schedules
from apps.sandbox.contract import Body
from apps.sandbox.listing import Filter
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route

_PATH = "/v1/subscription_schedules"


def create(call: Call) -> Body:
    return render(call.tx, schedules.make(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load(schedules.KIND, call.id))


def update(call: Call) -> Body:
    return render(call.tx, schedules.change(call.tx, call.tx.load(schedules.KIND, call.id), call.params))


def release(call: Call) -> Body:
    keep_end = call.params.get("preserve_cancel_date", False)
    return render(call.tx, schedules.release(call.tx, call.tx.load(schedules.KIND, call.id), keep_end=keep_end))


def cancel(call: Call) -> Body:
    how = {name: call.params.get(name, True) for name in ("invoice_now", "prorate")}
    return render(call.tx, schedules.cancel(call.tx, call.tx.load(schedules.KIND, call.id), **how))


def list_all(call: Call) -> Body:
    filters = listing.created(call.params) + listing.given(call.params, customer="customer")
    if "scheduled" in call.params:
        negation = "" if call.params["scheduled"] else "NOT "
        filters.append(Filter(f"{negation}json_extract(body, '$.status') = 'not_started'"))
    return listing.page(call.tx, kind=schedules.KIND, url=_PATH, params=call.params, filters=filters)


ROUTES = [
    route(
        "POST",
        _PATH,
        "SubscriptionScheduleCreateParams",
        create,
        simulates="customer default_settings end_behavior from_subscription metadata phases start_date",
        accepts="billing_mode",
    ),
    route("GET", _PATH, "SubscriptionScheduleListParams", list_all, simulates=f"{PAGE} customer scheduled"),
    route("GET", f"{_PATH}/{{id}}", "SubscriptionScheduleRetrieveParams", retrieve),
    route(
        "POST",
        f"{_PATH}/{{id}}",
        "SubscriptionScheduleUpdateParams",
        update,
        simulates="default_settings end_behavior metadata phases proration_behavior",
    ),
    route(
        "POST",
        f"{_PATH}/{{id}}/cancel",
        "SubscriptionScheduleCancelParams",
        cancel,
        simulates="invoice_now prorate",
    ),
    route(
        "POST",
        f"{_PATH}/{{id}}/release",
        "SubscriptionScheduleReleaseParams",
        release,
        simulates="preserve_cancel_date",
    ),
]
