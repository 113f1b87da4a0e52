"""Meter events and their adjustments. Contract: docs.stripe.com/api/billing/meter-event."""

from apps.sandbox import reporting
from apps.sandbox.contract import Body
from apps.sandbox.routing import Call, route


def create(call: Call) -> Body:
    return reporting.receive(call.tx, call.params)


def adjust(call: Call) -> Body:
    return reporting.adjust(call.tx, call.params)


ROUTES = [
    route(
        "POST",
        "/v1/billing/meter_events",
        "billing.MeterEventCreateParams",
        create,
        simulates="event_name identifier payload timestamp",
    ),
    route(
        "POST",
        "/v1/billing/meter_event_adjustments",
        "billing.MeterEventAdjustmentCreateParams",
        adjust,
        simulates="cancel event_name type",
    ),
]
