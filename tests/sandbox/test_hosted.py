import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
import stripe

from apps.sandbox.server import StandIn
from tests.sandbox.conftest import Control, Subscribe, event_types

NOW = 1_769_853_600  # 2026-01-31T10:00:00Z
DAY = 86_400
SUCCESS = "http://shop.localhost/done?session={CHECKOUT_SESSION_ID}"
WHO = {"email": "eve@example.com", "name": "Eve"}


@pytest.fixture(autouse=True)
def clock(control: Control) -> None:
    control("POST", "clock", {"now": NOW})


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        return None


def visit(url: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str, str | None]:
    """What a browser gets: status, page, and where it is sent."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=20) as response:
            return response.status, response.read().decode(), None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers.get("Location")


def check_out(client: stripe.StripeClient, price: stripe.Price, **more: Any) -> stripe.checkout.Session:
    params: Any = {
        "mode": "subscription",
        "line_items": [{"price": price.id, "quantity": 2}],
        "success_url": SUCCESS,
        "cancel_url": "http://shop.localhost/back",
        "client_reference_id": "acme",
        **more,
    }
    return client.v1.checkout.sessions.create(params)


def test_a_checkout_makes_customer_card_and_subscription(client: stripe.StripeClient, price: stripe.Price) -> None:
    session = check_out(client, price, subscription_data={"metadata": {"tenant-id": "acme"}})
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 2000)
    _status, page, _to = visit(session.url)
    assert "2 × Pro" in page and "20.00 USD" in page and "http://shop.localhost/back" in page
    known = len(event_types(client))
    status, _page, to = visit(session.url, {"card": "pays", **WHO})
    assert (status, to) == (303, SUCCESS.replace("{CHECKOUT_SESSION_ID}", session.id))
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items", "subscription"]})
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert (done.client_reference_id, done.customer_details.email) == ("acme", "eve@example.com")
    assert done.subscription.metadata.to_dict() == {"tenant-id": "acme"}
    assert done.subscription.status == "active" and done.subscription.default_payment_method
    assert [item.quantity for item in done.line_items.data] == [2]
    assert [item.id for item in client.v1.checkout.sessions.line_items.list(session.id).data]
    assert event_types(client, after=known) == [
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "checkout.session.completed",
    ]
    assert "is complete" in visit(session.url)[1]


def test_a_card_that_is_declined_leaves_it_open(client: stripe.StripeClient, price: stripe.Price) -> None:
    session = check_out(client, price, customer_email="eve@example.com")
    known = len(event_types(client))
    status, page, _to = visit(session.url, {"card": "declined", **WHO})
    assert status == 402 and "Your card was declined." in page
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert len(event_types(client)) == known
    assert visit(session.url, {"card": "gold", **WHO})[0] == 400


def test_a_card_that_asks_is_confirmed_or_not(
    client: stripe.StripeClient, price: stripe.Price, customer: stripe.Customer
) -> None:
    session = check_out(client, price, customer=customer.id)
    assert "Your bank asks" in visit(session.url, {"card": "asks", **WHO})[1]
    assert visit(session.url, {"card": "asks", "confirmed": "no", **WHO})[0] == 402
    assert visit(session.url, {"card": "asks", "confirmed": "yes", **WHO})[0] == 303
    made = client.v1.subscriptions.list({"customer": customer.id}).data[0]
    with pytest.raises(stripe.CardError, match="user action"):
        client.v1.subscriptions.update(
            made.id,
            {
                "items": [{"id": made["items"].data[0].id, "quantity": 9}],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
            },
        )


def test_a_card_can_pay_just_once(client: stripe.StripeClient, control: Control, price: stripe.Price) -> None:
    session = check_out(client, price)
    visit(session.url, {"card": "pays-once", **WHO})
    made = client.v1.subscriptions.list().data[0]
    assert made.status == "active"
    control("POST", "clock", {"now": made["items"].data[0].current_period_end, "renew": True})
    assert client.v1.subscriptions.retrieve(made.id).status == "past_due"


def test_a_trial_costs_nothing_today(client: stripe.StripeClient, price: stripe.Price) -> None:
    session = check_out(client, price, subscription_data={"trial_period_days": 7})
    assert session.amount_total == 0
    visit(session.url, {"card": "pays", **WHO})
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert done.payment_status == "no_payment_required"


def test_a_session_expires_on_demand_and_by_time(
    client: stripe.StripeClient, control: Control, price: stripe.Price
) -> None:
    first, second = check_out(client, price), check_out(client, price)
    assert client.v1.checkout.sessions.expire(first.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        client.v1.checkout.sessions.expire(first.id)
    control("POST", "clock", {"now": NOW + DAY, "renew": True})
    assert event_types(client)[-2:] == ["checkout.session.expired"] * 2
    status, page, _to = visit(second.url, {"card": "pays", **WHO})
    assert status == 200 and "has expired" in page
    assert client.v1.subscriptions.list().data == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "payment"},
        {"success_url": "javascript:alert(1)"},
        {"line_items": []},
        {"customer": "cus_x"},
        {"expires_at": NOW + 60},
    ],
)
def test_checkouts_that_cannot_be(client: stripe.StripeClient, price: stripe.Price, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        check_out(client, price, **wrong)


def open_portal(client: stripe.StripeClient, customer: str) -> str:
    params: Any = {"customer": customer, "return_url": "http://shop.localhost/account"}
    return client.v1.billing_portal.sessions.create(params).url


def test_the_portal_cancels_and_goes_on(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe()
    url = open_portal(client, made.customer)
    assert "http://shop.localhost/account" in visit(url)[1]
    for action, ending in (("cancel", True), ("renew", False)):
        status, _page, to = visit(url, {"do": action, "subscription": made.id})
        assert status == 303 and to and "done=" in to
        assert client.v1.subscriptions.retrieve(made.id).cancel_at_period_end is ending
    visit(url, {"do": "cancel_now", "subscription": made.id})
    assert event_types(client)[-3:] == [
        "customer.subscription.updated",
        "customer.subscription.updated",
        "customer.subscription.deleted",
    ]


def test_the_portal_changes_the_plan_and_the_card(
    client: stripe.StripeClient, subscribe: Subscribe, price: stripe.Price
) -> None:
    data: Any = {"currency": "usd", "unit_amount": 5, "recurring": {"interval": "month"}, "product_data": {"name": "S"}}
    other = client.v1.prices.create(data)
    made = subscribe()
    url = open_portal(client, made.customer)
    assert "S, 0.05 USD / month" in visit(url)[1]
    item = made["items"].data[0].id
    visit(url, {"do": "change", "subscription": made.id, "item": item, "price": other.id, "quantity": "3"})
    changed = client.v1.subscriptions.retrieve(made.id)["items"].data[0]
    assert (changed.price.id, changed.quantity) == (other.id, 3)
    visit(url, {"do": "card", "card": "declined"})
    owner = client.v1.customers.retrieve(made.customer, {"expand": ["invoice_settings.default_payment_method"]})
    assert owner.invoice_settings.default_payment_method.card.last4 == "0341"


def test_the_portal_pays_what_is_owed(client: stripe.StripeClient, control: Control, subscribe: Subscribe) -> None:
    made = subscribe()
    owed = control.set_status(made.id, "past_due")["latest_invoice"]
    url = open_portal(client, made.customer)
    visit(url, {"do": "card", "card": "declined"})
    assert visit(url, {"do": "pay", "invoice": owed})[0] == 402
    visit(url, {"do": "card", "card": "pays"})
    assert visit(url, {"do": "pay", "invoice": owed})[0] == 303
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_the_portal_is_about_its_customer_only(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe()
    stranger = client.v1.customers.create({"name": "Bob"}).id
    status, _page, _to = visit(open_portal(client, stranger), {"do": "cancel_now", "subscription": made.id})
    assert status == 402
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_the_overview_shows_and_does(
    client: stripe.StripeClient, stand_in: StandIn, control: Control, subscribe: Subscribe
) -> None:
    made = subscribe()
    frozen = client.v1.test_helpers.test_clocks.create({"frozen_time": NOW, "name": "a life"})
    page = visit(f"{stand_in.url}/")[1]
    assert made.customer in page and "a life" in page
    for address in set(re.findall(r'href="(/objects[^"]*)"', page)):
        assert visit(f"{stand_in.url}{address}")[0] == 200
    assert visit(f"{stand_in.url}/actions/fail", {"customer": made.customer})[0] == 303
    assert "will fail" in visit(f"{stand_in.url}/")[1]
    visit(f"{stand_in.url}/actions/advance", {"days": "31", "clock": ""})
    assert control("GET", "health")["now"] == NOW + 31 * DAY
    assert client.v1.subscriptions.retrieve(made.id).status == "active"  # tried again after three days
    assert visit(f"{stand_in.url}/actions/advance", {"days": "7", "clock": frozen.id})[0] == 303
    assert client.v1.test_helpers.test_clocks.retrieve(frozen.id).frozen_time == NOW + 7 * DAY
    assert "stands still" in visit(f"{stand_in.url}/")[1]
    assert visit(f"{stand_in.url}/actions/let_go", {})[0] == 303
    assert control("GET", "health")["now"] > NOW + 100 * DAY and "the real time" in visit(f"{stand_in.url}/")[1]
    for wrong in ({"days": "0"}, {"days": "x"}, {"days": "9", "clock": "clock_x"}):
        assert visit(f"{stand_in.url}/actions/advance", wrong)[0] == 400
    assert visit(f"{stand_in.url}/objects/sub_x")[0] == 404


def test_a_page_of_somewhere_else_cannot_press_a_button(stand_in: StandIn) -> None:
    assert visit(f"{stand_in.url}/actions/advance", {"days": "1"}, Origin="https://example.com")[0] == 403


def test_an_endpoints_secret_is_on_no_page(client: stripe.StripeClient, stand_in: StandIn) -> None:
    made = client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    assert made.secret not in visit(f"{stand_in.url}/objects/{made.id}")[1]


def test_a_coupon_lowers_what_is_due_today_and_later(client: stripe.StripeClient, price: stripe.Price) -> None:
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "forever"})
    session = check_out(client, price, discounts=[{"coupon": "HALF"}])
    assert (session.amount_subtotal, session.amount_total, session.total_details.amount_discount) == (2000, 1000, 1000)
    assert "10.00 USD" in visit(session.url)[1]
    visit(session.url, {"card": "pays", **WHO})
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription.discounts"]})
    assert [each.source.coupon for each in done.subscription.discounts] == ["HALF"]
    assert client.v1.invoices.retrieve(str(done.invoice)).total == 1000


def test_what_is_metered_costs_nothing_today(client: stripe.StripeClient, price: stripe.Price) -> None:
    meter = client.v1.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )
    recurring: Any = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    terms: Any = {"currency": "usd", "unit_amount_decimal": "0.5", "recurring": recurring}
    calls = client.v1.prices.create({**terms, "product_data": {"name": "Calls"}})
    session = check_out(client, price, line_items=[{"price": price.id, "quantity": 1}, {"price": calls.id}])
    assert session.amount_total == 1000
    assert "Calls, as used" in visit(session.url)[1]
    visit(session.url, {"card": "pays", **WHO})
    made = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]}).subscription
    assert [item.price.id for item in made["items"].data] == [price.id, calls.id]
    portal = client.v1.billing_portal.sessions.create(
        {"customer": str(made.customer), "return_url": "http://a.localhost"}
    )
    assert "0.5 hundredths of USD / month" in visit(portal.url)[1]
