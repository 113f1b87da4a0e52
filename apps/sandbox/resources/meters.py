"""Billing meters and their summaries. Contract: docs.stripe.com/api/billing/meter."""

from apps.sandbox import listing, meters
from apps.sandbox.contract import Body
from apps.sandbox.render import render
from apps.sandbox.routing import CURSORS, Call, route
from apps.sandbox.summaries import summaries
from apps.sandbox.usage import METER

_PATH = "/v1/billing/meters"


def create(call: Call) -> Body:
    return render(call.tx, meters.insert_meter(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load(METER, call.id))


def update(call: Call) -> Body:
    meter = call.tx.load(METER, call.id)
    name: str = call.params.get("display_name") or meter["display_name"]
    return render(call.tx, meters.rename(call.tx, meter, name))


def deactivate(call: Call) -> Body:
    return render(call.tx, meters.deactivate(call.tx, call.tx.load(METER, call.id)))


def reactivate(call: Call) -> Body:
    return render(call.tx, meters.reactivate(call.tx, call.tx.load(METER, call.id)))


def list_all(call: Call) -> Body:
    filters = listing.given(call.params, status="status")
    return listing.page(call.tx, kind=METER, url=_PATH, params=call.params, filters=filters)


def list_summaries(call: Call) -> Body:
    found = summaries(call.tx, call.tx.load(METER, call.id), call.params)
    return listing.page_of(found, url=f"{_PATH}/{call.id}/event_summaries", params=call.params)


ROUTES = [
    route(
        "POST",
        _PATH,
        "billing.MeterCreateParams",
        create,
        simulates="customer_mapping default_aggregation display_name event_name event_time_window value_settings",
    ),
    route("GET", _PATH, "billing.MeterListParams", list_all, simulates=f"{CURSORS} status"),
    route("GET", f"{_PATH}/{{id}}", "billing.MeterRetrieveParams", retrieve),
    route("POST", f"{_PATH}/{{id}}", "billing.MeterUpdateParams", update, simulates="display_name"),
    route("POST", f"{_PATH}/{{id}}/deactivate", "billing.MeterDeactivateParams", deactivate),
    route("POST", f"{_PATH}/{{id}}/reactivate", "billing.MeterReactivateParams", reactivate),
    route(
        "GET",
        f"{_PATH}/{{id}}/event_summaries",
        "billing.MeterListEventSummariesParams",
        list_summaries,
        simulates=f"{CURSORS} customer start_time end_time value_grouping_window",
    ),
]
