"""The pages at `/`, for a person who wonders what happens here: objects, events, deliveries, and time."""

import json
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from apps.sandbox import charging, clocks, deliveries, renewal
from apps.sandbox.contract import DAY, Body
from apps.sandbox.delivery import Deliverer
from apps.sandbox.errors import ApiError
from apps.sandbox.pages.layout import (
    Html,
    Page,
    Visit,
    badge,
    button,
    document,
    hidden,
    link,
    minute,
    notice,
    redirect,
    status_badge,
    table,
    tag,
    void_tag,
)
from apps.sandbox.render import render
from apps.sandbox.store import Store, Transaction

_SHOWN: Final = 25
_LONGEST: Final = 3650


def show(store: Store, *, problem: str | None = None) -> Page:
    """Show everything at a glance."""
    with store.reading() as tx:
        content = [
            tag("h1", "Stripe stand-in"),
            tag("p", "Account ", tag("code", tx.setting("account")), class_="quiet"),
            notice(problem),
            _time(tx),
            _customers(tx),
            _counts(tx),
            _events(tx),
        ]
    title = "Stripe stand-in"
    return Page(document(title, *content, _deliveries(store)), status=400 if problem else 200)


def _time(tx: Transaction) -> Html:
    real = tx.setting("now") is None
    pace = "the real time" if real else Html("stands still " + button("Real time again", action="/actions/let_go"))
    rows: list[tuple[object, ...]] = [("The stand-in", minute(tx.now), pace, _steps(""))]
    rows += [
        (each["name"] or each["id"], minute(each["frozen_time"]), status_badge(each["status"]), _steps(each["id"]))
        for each in tx.all(clocks.KIND)
    ]
    return table("Clocks (UTC)", ("Clock", "Now", "", "Advance, through all that falls due"), rows)


def _steps(clock: str) -> Html:
    steps = [
        button(label, action="/actions/advance", clock=clock, days=days)
        for label, days in (("1 day", 1), ("7 days", 7), ("31 days", 31))
    ]
    field = void_tag("input", type="number", name="days", min=1, max=_LONGEST, value=14, aria_label="Days")
    own = tag("form", hidden(clock=clock), field, tag("button", "days"), method="post", action="/actions/advance")
    return Html("".join([*steps, own]))


def _customers(tx: Transaction) -> Html:
    rows = [_customer_row(tx, each) for each in reversed(tx.all("customer")[-_SHOWN:])]
    return table("Latest customers", ("Customer", "Name", "Subscriptions", "Next payment"), rows)


def _customer_row(tx: Transaction, customer: Body) -> tuple[object, ...]:
    subscriptions = tx.all("subscription", customer=customer["id"])
    shown = [Html(link(status_badge(each["status"]), f"/objects/{each['id']}") + " ") for each in subscriptions]
    fails = customer.get("_failing", 0) > 0
    let_fail = button("Let it fail", action="/actions/fail", customer=customer["id"])
    failing = badge("will fail", "bad") if fails else let_fail
    return _id(customer["id"]), customer["name"] or customer["email"], Html("".join(shown)), failing


def _id(id: str) -> Html:
    return link(tag("code", id), f"/objects/{quote(id, safe='')}")


def _counts(tx: Transaction) -> Html:
    query = "SELECT kind, count(*) FROM object WHERE deleted = 0 GROUP BY kind ORDER BY kind"
    kinds = [link(f"{kind} ({count})", f"/objects?kind={kind}") for kind, count in tx.rows(query)]
    return tag("section", tag("h2", "Objects"), tag("nav", *kinds) if kinds else tag("p", "None yet.", class_="quiet"))


def _events(tx: Transaction) -> Html:
    query = f"SELECT body FROM object WHERE kind = 'event' ORDER BY seq DESC LIMIT {_SHOWN}"
    rows = []
    for (body,) in tx.rows(query):
        event = json.loads(body)
        about = event["data"]["object"].get("id")
        again = button("Resend", action="/actions/resend", event=event["id"])
        rows.append((_id(event["id"]), event["type"], _id(about) if about else "", minute(event["created"]), again))
    return table("Last events", ("Event", "Type", "About", "Created (UTC)", ""), rows)


def _deliveries(store: Store) -> Html:
    rows = [
        (
            _id(each["event"]),
            each["type"],
            _id(each["endpoint"]),
            status_badge(each["state"]),
            each["attempts"],
            each["last_status"],
            each["last_error"],
        )
        for each in deliveries.listed(store, limit=_SHOWN)
    ]
    names = ("Event", "Type", "Endpoint", "State", "Attempts", "Status", "Error")
    return table("Last deliveries", names, rows, empty="None yet: no webhook endpoint wanted an event.")


def list_kind(store: Store, visit: Visit) -> Page:
    """Show the latest objects of the kind that the query names."""
    kind = visit.query.get("kind", "")
    query = "SELECT id, created, body FROM object WHERE kind = ? AND deleted = 0 ORDER BY seq DESC LIMIT 200"
    with store.reading() as tx:
        rows = [_object_row(id, created, json.loads(body)) for id, created, body in tx.rows(query, (kind,))]
    content = [tag("p", link("← Overview", "/")), table(kind or "Objects", ("Id", "Created (UTC)", "", ""), rows)]
    return Page(document(kind or "Objects", *content))


def _object_row(id: str, created: int, body: Body) -> tuple[object, ...]:
    name = body.get("name") or body.get("nickname") or body.get("type") or body.get("description")
    return _id(id), minute(created), name, status_badge(body["status"]) if body.get("status") else ""


def show_object(store: Store, visit: Visit) -> Page:
    """Show one object as the API has it, without what would let somebody forge webhooks."""
    with store.reading() as tx:
        found = tx.find(visit.id, deleted=True)
        if found is None:
            raise ApiError(f"No such object: '{visit.id}'", status=404)
        shown = {name: value for name, value in render(tx, found).items() if name != "secret"}
    kind = shown["object"]
    content = tag("section", tag("h2", f"{kind} ", tag("code", visit.id)), tag("pre", json.dumps(shown, indent=2)))
    back = tag("nav", link("← Overview", "/"), link(f"All of kind {kind}", f"/objects?kind={kind}"))
    return Page(document(visit.id, back, content))


def act(store: Store, deliverer: Deliverer, visit: Visit) -> Page:
    """Do what a button says, and show the overview again."""
    try:
        if visit.id == "resend":
            deliverer.deliver_now([visit.form.get("event", "")])
        elif visit.id in _ACTIONS:
            with store.writing() as tx:
                _ACTIONS[visit.id](tx, visit.form)
        else:
            raise ApiError("There is no such button.", status=404)
    except ApiError as refusal:
        return show(store, problem=refusal.message)
    return redirect("/")


def _advance(tx: Transaction, form: dict[str, str]) -> None:
    """Let days pass on a test clock, or on the stand-in's own clock, which stands still from then on."""
    days = form.get("days", "")
    if not (days.isascii() and days.isdecimal() and len(days) <= 4 and 1 <= int(days) <= _LONGEST):
        raise ApiError(f"Choose 1 to {_LONGEST} days.")
    if form.get("clock"):
        clock = tx.load(clocks.KIND, form["clock"])
        tx.now = clock["frozen_time"]
        clocks.advance(tx, clock, until=clock["frozen_time"] + int(days) * DAY)
        return
    renewal.advance(tx, until=tx.now + int(days) * DAY)
    tx.set("now", tx.now)


def _let_go(tx: Transaction, form: dict[str, str]) -> None:
    tx.set("now", None)


def _fail(tx: Transaction, form: dict[str, str]) -> None:
    charging.fail_next(tx, tx.load("customer", form.get("customer", "")), times=1)


_ACTIONS: Final[dict[str, Callable[[Transaction, dict[str, str]], None]]] = {
    "advance": _advance,
    "fail": _fail,
    "let_go": _let_go,
}
