"""Credit grants. Contract: docs.stripe.com/api/billing/credit-grant."""

from apps.sandbox import credit_grants, listing, metadata
from apps.sandbox.contract import Body
from apps.sandbox.credit_grants import KIND
from apps.sandbox.render import render
from apps.sandbox.routing import CURSORS, Call, route

_PATH = "/v1/billing/credit_grants"


def create(call: Call) -> Body:
    return render(call.tx, credit_grants.insert_grant(call.tx, call.params))


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load(KIND, call.id))


def update(call: Call) -> Body:
    grant = call.tx.load(KIND, call.id)
    changes: Body = {"metadata": metadata.merged(grant["metadata"], call.params.get("metadata"))}
    if "expires_at" in call.params:
        changes["expires_at"] = call.params["expires_at"] or None
    return render(call.tx, credit_grants.change(call.tx, grant, changes))


def expire(call: Call) -> Body:
    return render(call.tx, credit_grants.expire(call.tx, call.tx.load(KIND, call.id)))


def void(call: Call) -> Body:
    return render(call.tx, credit_grants.void(call.tx, call.tx.load(KIND, call.id)))


def list_all(call: Call) -> Body:
    filters = listing.given(call.params, customer="customer")
    return listing.page(call.tx, kind=KIND, url=_PATH, params=call.params, filters=filters)


ROUTES = [
    route(
        "POST",
        _PATH,
        "billing.CreditGrantCreateParams",
        create,
        simulates="amount applicability_config category customer effective_at expires_at metadata name priority",
    ),
    route("GET", _PATH, "billing.CreditGrantListParams", list_all, simulates=f"{CURSORS} customer"),
    route("GET", f"{_PATH}/{{id}}", "billing.CreditGrantRetrieveParams", retrieve),
    route("POST", f"{_PATH}/{{id}}", "billing.CreditGrantUpdateParams", update, simulates="expires_at metadata"),
    route("POST", f"{_PATH}/{{id}}/expire", "billing.CreditGrantExpireParams", expire),
    route("POST", f"{_PATH}/{{id}}/void", "billing.CreditGrantVoidGrantParams", void),
]
