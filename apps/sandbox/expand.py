"""`expand[]`: objects in place of their ids. Contract: docs.stripe.com/expand."""

from typing import Any

from apps.sandbox import checkout
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.render import embedded, render
from apps.sandbox.shapes import INCLUDABLE, is_expandable
from apps.sandbox.store import Transaction

_DEEPEST = 4


def expand(tx: Transaction, body: Body, *, paths: list[str]) -> Body:
    """Put the objects that `paths` name into `body`; a list's own elements are reached through `data.`.

    Raises ApiError for a path of more than four levels, or to a field that holds no other object.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise ApiError(f"You cannot expand more than 4 levels of a property. Property: {path}", param="expand")
        _walk(tx, body, steps=steps, path=path)
    return body


def _walk(tx: Transaction, value: Any, *, steps: list[str], path: str) -> None:
    if isinstance(value, list):
        for element in value:
            _walk(tx, element, steps=steps, path=path)
    elif steps and isinstance(value, dict):
        value[steps[0]] = _opened(tx, value, field=steps[0], path=path)
        _walk(tx, value[steps[0]], steps=steps[1:], path=path)


def _opened(tx: Transaction, owner: Body, *, field: str, path: str) -> Any:
    """Return what `field` of `owner` holds once it is expanded."""
    kind = owner.get("object", "")
    value = owner.get(field)
    if field in INCLUDABLE.get(kind, ()):
        return _included(tx, owner, field=field)
    if isinstance(value, list) and is_expandable(kind=kind, field=field):
        return [_object(tx, each) if isinstance(each, str) else each for each in value]
    if isinstance(value, dict | list):
        return value
    if is_expandable(kind=kind, field=field) or (not kind and isinstance(value, str)):
        return _object(tx, value)
    raise ApiError(f"This property cannot be expanded ({path}).", param="expand")


def _object(tx: Transaction, id: str | None) -> Body | str | None:
    """Return the object, or the id itself where it names something that the stand-in does not keep."""
    if id is None:
        return None
    found = tx.find(id, deleted=True)
    if found is None:
        return id
    if tx.is_deleted(id):
        return {"id": id, "object": found["object"], "deleted": True}
    return render(tx, found)


def _included(tx: Transaction, owner: Body, *, field: str) -> Any:
    if owner["object"] in ("coupon", "price"):
        return tx.load(owner["object"], owner["id"]).get(field)
    if field in ("cash_balance", "invoice_credit_balance", "tax", "confirmation_secret"):
        return None
    id = owner["id"]
    if owner["object"] == checkout.KIND:
        data = checkout.line_items(tx, tx.load(checkout.KIND, id))
        return embedded(data=data, url=f"/v1/checkout/sessions/{id}/line_items")
    data = _current_subscriptions(tx, id) if field == "subscriptions" else []
    return embedded(data=data, url=f"/v1/{owner['object']}s/{id}/{field}")


def _current_subscriptions(tx: Transaction, customer: str) -> list[Body]:
    """Return those not canceled, newest first, as Stripe's default list has them."""
    subscriptions = tx.all("subscription", customer=customer)
    return [render(tx, each) for each in reversed(subscriptions) if each["status"] != "canceled"]
