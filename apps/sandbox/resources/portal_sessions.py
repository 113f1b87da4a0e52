"""Billing portal sessions. Contract: docs.stripe.com/api/customer_portal/sessions."""

from apps.sandbox import portal
from apps.sandbox.contract import Body
from apps.sandbox.render import render
from apps.sandbox.routing import Call, route


def create(call: Call) -> Body:
    return render(call.tx, portal.make(call.tx, call.params))


ROUTES = [
    route(
        "POST",
        "/v1/billing_portal/sessions",
        "billing_portal.SessionCreateParams",
        create,
        simulates="customer return_url",
        accepts="configuration flow_data locale",
    ),
]
