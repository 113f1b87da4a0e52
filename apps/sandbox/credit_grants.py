"""Credit grants: kept and told, not spent. Contract: docs.stripe.com/api/billing/credit-grant."""

from typing import Final

from apps.sandbox import errors, metadata
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.tariffs import currency_code

KIND: Final = "billing.credit_grant"


def insert_grant(tx: Transaction, params: Body) -> Body:
    """Give the customer a credit; records billing.credit_grant.created."""
    for name in ("amount", "applicability_config", "customer"):
        if name not in params:
            raise errors.missing(name)
    customer = tx.load("customer", params["customer"], param="customer")
    _check(tx, params)
    money = params["amount"]["monetary"]
    grant = {
        "id": new_id("credgr_test", length=32),
        "object": KIND,
        "amount": {"type": "monetary", "monetary": money | {"currency": currency_code(money["currency"])}},
        "applicability_config": {"scope": _scope(params["applicability_config"]["scope"])},
        "category": params.get("category", "paid"),
        "created": tx.now,
        "customer": customer["id"],
        "effective_at": params.get("effective_at", tx.now),
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "metadata": metadata.of(params),
        "name": params.get("name"),
        "priority": params.get("priority", 50),
        "test_clock": customer["test_clock"],
        "updated": tx.now,
    }
    made = tx.insert(complete(grant))
    record(tx, f"{KIND}.created", made)
    return made


def _check(tx: Transaction, params: Body) -> None:
    money = params["amount"].get("monetary")
    if not money:
        raise errors.missing("amount[monetary]")
    if money["value"] < 1:
        raise errors.invalid_integer(value=str(money["value"]), param="amount[monetary][value]")
    scope = params["applicability_config"]["scope"]
    if ("prices" in scope) == ("price_type" in scope):
        raise ApiError("Name either `price_type` or `prices`.", param="applicability_config[scope]")
    for index, price in enumerate(scope.get("prices", [])):
        tx.load("price", price["id"], param=f"applicability_config[scope][prices][{index}][id]")
    if params.get("expires_at", tx.now + 1) <= max(tx.now, params.get("effective_at", 0)):
        raise ApiError("A credit grant must expire after it takes effect.", param="expires_at")
    if not 0 <= params.get("priority", 50) <= 100:
        raise ApiError("The priority lies between 0 and 100.", param="priority")


def _scope(sent: Body) -> Body:
    prices = [{"object": "billing.credit_grant_applicable_price", **each} for each in sent.get("prices", [])]
    return {"prices": prices} if prices else {"price_type": sent["price_type"]}


def change(tx: Transaction, grant: Body, changes: Body) -> Body:
    """Change what is named; records billing.credit_grant.updated."""
    after = grant | changes | {"updated": tx.now}
    return save_and_record(tx, f"{KIND}.updated", after, before=render(tx, grant))


def expire(tx: Transaction, grant: Body) -> Body:
    """Let the credit end now."""
    _check_open(tx, grant)
    return change(tx, grant, {"expires_at": tx.now})


def void(tx: Transaction, grant: Body) -> Body:
    """Take the credit back, as if it had never been given."""
    _check_open(tx, grant)
    return change(tx, grant, {"voided_at": tx.now})


def _check_open(tx: Transaction, grant: Body) -> None:
    if grant["voided_at"] is not None:
        raise ApiError("This credit grant was voided.")
    if grant["expires_at"] is not None and grant["expires_at"] <= tx.now:
        raise ApiError("This credit grant has expired.")
