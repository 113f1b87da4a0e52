"""The page of a checkout session: what is bought, the choice of a card, and where it leads."""

from apps.sandbox import checkout, clocks
from apps.sandbox.cards import NEEDS_ACTION
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.pages.cards import CHOICES, chosen, picker
from apps.sandbox.pages.layout import (
    Html,
    Page,
    Visit,
    document,
    hidden,
    link,
    money,
    notice,
    price_text,
    redirect,
    tag,
    void_tag,
)
from apps.sandbox.store import Store, Transaction


def show(store: Store, visit: Visit, *, problem: str | None = None) -> Page:
    """Show the session while it is open, else what became of it."""
    with store.reading() as tx:
        clocks.enter(tx, [visit.id])
        session = tx.load(checkout.KIND, visit.id)
        if session["status"] != "open" or session["expires_at"] <= tx.now:
            return _closed(session)
        content = [_summary(tx, session), notice(problem), _form(tx, session)]
        return Page(document("Checkout", *content, narrow=True), status=402 if problem else 200)


def submit(store: Store, visit: Visit) -> Page:
    """Pay with the card that was chosen and go to `success_url`; a card that is declined leaves the session open."""
    choice = chosen(visit.form.get("card"))
    if choice.card.outcome == NEEDS_ACTION and "confirmed" not in visit.form:
        return _confirmation(visit)
    if visit.form.get("confirmed") == "no":
        return show(store, visit, problem="The payment was not confirmed. Choose another card.")
    try:
        with store.writing() as tx:
            clocks.enter(tx, [visit.id])
            session = tx.load(checkout.KIND, visit.id)
            if session["status"] != "open" or session["expires_at"] <= tx.now:
                return _closed(session)
            who = {name: visit.form.get(name, "").strip() for name in ("email", "name")}
            checkout.pay(tx, session, choice.card, **who, later=choice.later)
    except ApiError as refusal:
        return show(store, visit, problem=refusal.message)
    return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


def _what(item: Body) -> str:
    return (
        f"{item['description']}, as used" if item["quantity"] is None else f"{item['quantity']} × {item['description']}"
    )


def _summary(tx: Transaction, session: Body) -> Html:
    sold = [(tx.load("price", each["price"]), each) for each in checkout.line_items(tx, session)]
    rows = [tag("tr", tag("td", _what(each)), tag("td", price_text(price))) for price, each in sold]
    due = tag("p", money(session["amount_total"], session["currency"]), class_="amount")
    trial = session["_subscription_data"].get("trial_period_days")
    words = f"due today, after which {trial} days are free" if trial else "due today"
    return tag("section", tag("h1", "Subscribe"), due, tag("p", words, class_="quiet"), tag("table", *rows))


def _form(tx: Transaction, session: Body) -> Html:
    customer = tx.find(session["customer"]) if session["customer"] else None
    email = customer["email"] if customer else session["customer_email"]
    name = customer["name"] if customer else None
    fields = [_field("Email", "email", email, fixed=bool(email)), _field("Name on card", "name", name, fixed=False)]
    submit = tag("button", "Subscribe", class_="main")
    form = tag("form", *fields, picker(*CHOICES), submit, method="post", class_="stack")
    back = link("Cancel and go back", session["cancel_url"]) if session["cancel_url"] else ""
    return tag("section", tag("h2", "Pay with a test card"), form, tag("p", back))


def _field(label: str, name: str, value: str | None, *, fixed: bool) -> Html:
    kind = "email" if name == "email" else "text"
    control = void_tag("input", type=kind, name=name, value=value or "", required=True, readonly=fixed)
    return tag("label", label, control, class_="field")


def _confirmation(visit: Visit) -> Page:
    kept = hidden(**{name: value for name, value in visit.form.items() if name != "confirmed"})
    answers = [
        tag("button", label, name="confirmed", value=value, class_="main" if value == "yes" else None)
        for value, label in (("yes", "Confirm the payment"), ("no", "Do not confirm it"))
    ]
    form = tag("form", kept, *answers, method="post")
    words = tag("p", "The bank asks the customer to confirm this payment (3D Secure).")
    return Page(document("Confirm the payment", tag("section", tag("h1", "Your bank asks"), words, form), narrow=True))


def _closed(session: Body) -> Page:
    done = session["status"] == "complete"
    words = "This checkout is complete." if done else "This checkout has expired."
    back = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]) if done else session["cancel_url"]
    onwards = tag("p", link("Go back to the shop", back)) if back else ""
    return Page(document("Checkout", tag("section", tag("h1", words), onwards), narrow=True))
