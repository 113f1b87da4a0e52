"""The billing portal: a customer's subscriptions, card and invoices, with what can be done about them."""

from collections.abc import Callable
from typing import Final

from apps.sandbox import clocks, portal
from apps.sandbox.billing import collect
from apps.sandbox.cancellation import cancel
from apps.sandbox.cards import SUCCEEDS
from apps.sandbox.changing import change
from apps.sandbox.contract import TERMINAL_STATUSES, Body
from apps.sandbox.errors import ApiError, no_such
from apps.sandbox.items import of_subscription
from apps.sandbox.methods import payer
from apps.sandbox.pages.cards import chosen, picker
from apps.sandbox.pages.layout import (
    Html,
    Page,
    Visit,
    button,
    day,
    document,
    hidden,
    link,
    money,
    notice,
    price_text,
    redirect,
    status_badge,
    table,
    tag,
    void_tag,
)
from apps.sandbox.prorating import drop_pending
from apps.sandbox.store import Store, Transaction


def show(store: Store, visit: Visit, *, problem: str | None = None) -> Page:
    with store.reading() as tx:
        clocks.enter(tx, [visit.id])
        session = tx.load(portal.KIND, visit.id)
        customer = tx.load("customer", session["customer"])
        done = _DONE.get(visit.query.get("done", ""))
        content = [
            tag("h1", "Billing of ", customer["name"] or customer["email"] or customer["id"]),
            tag("p", link("Return", session["return_url"])) if session["return_url"] else "",
            notice(problem) or notice(done, "good"),
            *(_subscription(tx, each) for each in _running(tx, customer)),
            _card(tx, customer),
            _invoices(tx, customer),
        ]
        return Page(document("Billing portal", *content), status=402 if problem else 200)


def submit(store: Store, visit: Visit) -> Page:
    """Do what the form says, and show the portal again."""
    name = visit.form.get("do", "")
    try:
        with store.writing() as tx:
            clocks.enter(tx, [visit.id])
            session = tx.load(portal.KIND, visit.id)
            if name not in _ACTIONS:
                raise ApiError("Choose what to do.")
            _ACTIONS[name](tx, tx.load("customer", session["customer"]), visit.form)
    except ApiError as refusal:
        return show(store, visit, problem=refusal.message)
    return redirect(f"/p/session/{visit.id}?done={name}")


def _running(tx: Transaction, customer: Body) -> list[Body]:
    return [each for each in tx.all("subscription", customer=customer["id"]) if each["status"] not in TERMINAL_STATUSES]


def _subscription(tx: Transaction, subscription: Body) -> Html:
    priced = [(item, tx.load("price", item["price"])) for item in of_subscription(tx, subscription)]
    lines = [
        tag("p", f"{item['quantity'] or ''} × {_product(tx, price)}, {price_text(price)}") for item, price in priced
    ]
    end = max(item["current_period_end"] for item, _price in priced)
    ending = subscription["cancel_at"] is not None
    words = f"Ends on {day(subscription['cancel_at'])}." if ending else f"Renews on {day(end)}."
    heading = tag("h2", "Plan ", status_badge(subscription["status"]))
    change_form = _change_form(tx, subscription, *priced[0]) if len(priced) == 1 else ""
    return tag(
        "section", heading, *lines, tag("p", words, class_="quiet"), tag("div", change_form), _endings(subscription)
    )


def _endings(subscription: Body) -> Html:
    id = subscription["id"]
    if subscription["cancel_at"] is not None:
        return button("Do not cancel", do="renew", subscription=id)
    later = button("Cancel at the end of the period", do="cancel", subscription=id)
    return Html(later + button("Cancel now", do="cancel_now", subscription=id))


def _change_form(tx: Transaction, subscription: Body, item: Body, current: Body) -> Html:
    prices = [
        each
        for each in tx.all("price", currency=subscription["currency"])
        if each["recurring"] and each["recurring"]["usage_type"] == "licensed" and each["active"]
    ]
    options = [
        tag(
            "option",
            f"{_product(tx, each)}, {price_text(each)}",
            value=each["id"],
            selected=each["id"] == current["id"],
        )
        for each in prices
    ]
    count = item["quantity"] or 1
    quantity = void_tag("input", type="number", name="quantity", min=1, value=count, aria_label="Quantity")
    fields = hidden(do="change", subscription=subscription["id"], item=item["id"])
    select = tag("select", *options, name="price", aria_label="Plan")
    return tag("form", fields, select, quantity, tag("button", "Change the plan"), method="post")


def _card(tx: Transaction, customer: Body) -> Html:
    first = next(iter(_running(tx, customer)), {"default_payment_method": None})
    method = payer(tx, subscription=first, customer=customer)
    words = f"{method['card']['brand']} •••• {method['card']['last4']}" if method else "No card yet."
    form = tag(
        "form",
        hidden(do="card"),
        picker("pays", "declined", "asks"),
        tag("button", "Use this card"),
        method="post",
        class_="stack",
    )
    return tag("section", tag("h2", "Card"), tag("p", words), form)


def _invoices(tx: Transaction, customer: Body) -> Html:
    rows = [
        (
            each["number"] or "draft",
            day(each["created"]),
            money(each["total"], each["currency"]),
            status_badge(each["status"]),
            button("Pay now", do="pay", invoice=each["id"]) if each["status"] == "open" else "",
        )
        for each in reversed(tx.all("invoice", customer=customer["id"]))
    ]
    return table("Invoices", ("Number", "Date", "Total", "Status", ""), rows)


def _product(tx: Transaction, price: Body) -> str:
    return str((tx.find(price["product"], deleted=True) or {}).get("name"))


def _own(tx: Transaction, customer: Body, kind: str, id: str | None) -> Body:
    """Return the customer's own object; raises ApiError for anybody else's."""
    found = tx.load(kind, id or "")
    if found["customer"] != customer["id"]:
        raise no_such(kind=kind, id=id or "")
    return found


def _update(tx: Transaction, customer: Body, form: dict[str, str], params: Body) -> None:
    change(tx, _own(tx, customer, "subscription", form.get("subscription")), params)


def _cancel(tx: Transaction, customer: Body, form: dict[str, str]) -> None:
    _update(tx, customer, form, {"cancel_at_period_end": True})


def _renew(tx: Transaction, customer: Body, form: dict[str, str]) -> None:
    _update(tx, customer, form, {"cancel_at_period_end": False})


def _cancel_now(tx: Transaction, customer: Body, form: dict[str, str]) -> None:
    subscription = _own(tx, customer, "subscription", form.get("subscription"))
    drop_pending(tx, subscription)
    cancel(tx, subscription)


def _change(tx: Transaction, customer: Body, form: dict[str, str]) -> None:
    quantity = form.get("quantity", "1")
    if not (quantity.isascii() and quantity.isdecimal() and 1 <= len(quantity) <= 9):
        raise ApiError("The quantity is a whole number.")
    item = {"id": form.get("item", ""), "price": form.get("price", ""), "quantity": int(quantity)}
    _update(tx, customer, form, {"items": [item]})


def _use_card(tx: Transaction, customer: Body, form: dict[str, str]) -> None:
    portal.update_card(tx, customer, chosen(form.get("card")).card)


def _pay(tx: Transaction, customer: Body, form: dict[str, str]) -> None:
    invoice = _own(tx, customer, "invoice", form.get("invoice"))
    if invoice["status"] != "open" or collect(tx, invoice, by_hand=True) != SUCCEEDS:
        raise ApiError("The invoice could not be paid with this card.")


_ACTIONS: Final[dict[str, Callable[[Transaction, Body, dict[str, str]], None]]] = {
    "cancel": _cancel,
    "cancel_now": _cancel_now,
    "card": _use_card,
    "change": _change,
    "pay": _pay,
    "renew": _renew,
}
_DONE: Final = {
    "cancel": "The plan ends with the period.",
    "cancel_now": "The plan has ended.",
    "card": "The new card is used from now on.",
    "change": "The plan was changed.",
    "pay": "The invoice is paid.",
    "renew": "The plan goes on.",
}
