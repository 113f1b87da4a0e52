import base64
import urllib.request
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import KEY, Subscribe


def refusal(call: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"product": "prod_x", "unit_amount": 1}, "parameter_missing", "currency"),
        ({"currency": "usd", "recurring": {"interval_count": 1}}, "parameter_missing", "recurring[interval]"),
        ({"currency": "usd", "recurring": {"intervall": "month"}}, "parameter_unknown", "recurring[intervall]"),
        ({"currency": "usd", "unit_amount": "ten"}, "parameter_invalid_integer", "unit_amount"),
        ({"currency": "usd", "recurring": {"interval": "moon"}}, None, "recurring[interval]"),
        ({"currency": "usd", "active": "yes"}, None, "active"),
        ({"currency": ""}, "parameter_invalid_empty", "currency"),
        ({"currency": "usd", "unit_amount": 1, "product": "prod_x"}, "resource_missing", "product"),
        ({"currency": "usd", "metadata": "text", "product": "prod_x"}, None, "metadata"),
        ({"currency": "usd", "tiers": "text"}, None, "tiers"),
        ({"currency": "usd", "unit_amount_decimal": "1e999"}, None, "unit_amount_decimal"),
        ({"currency": "dollar", "unit_amount": 1, "product_data": {"name": "x"}}, None, "currency"),
        ({"currency": "usd", "product_data": {"name": "x"}}, None, "unit_amount"),
    ],
)
def test_prices_are_checked_by_stripes_own_types(
    client: stripe.StripeClient, params: Any, code: str | None, param: str
) -> None:
    error = refusal(lambda: client.v1.prices.create(params))
    assert (error.http_status, error.code, error.param) == (400, code, param)


def test_items_are_named_by_their_index(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    params: Any = {"customer": customer.id, "items": [{"price": "price_x"}, {"qty": 1}]}
    error = refusal(lambda: client.v1.subscriptions.create(params))
    assert (error.code, error.param) == ("parameter_unknown", "items[1][qty]")


def test_what_is_not_simulated_is_refused_and_not_ignored(subscribe: Subscribe) -> None:
    error = refusal(lambda: subscribe(backdate_start_date=1))
    assert "does not simulate" in str(error)


def test_unknown_objects(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    error = refusal(lambda: client.v1.customers.retrieve("cus_nobody"))
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "id")
    params: Any = {"customer": customer.id, "items": [{"price": "price_nothing"}]}
    error = refusal(lambda: client.v1.subscriptions.create(params))
    assert (error.http_status, error.code, error.param) == (400, "resource_missing", "items[0][price]")


def test_unknown_routes(client: stripe.StripeClient) -> None:
    assert refusal(client.v1.coupons.list).http_status == 404


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sk_live_" + "a" * 24, "stand-in"),
        ("sk_test_short", "Invalid API Key"),
        ("pk_test_" + "a" * 24, "Invalid API Key"),
    ],
)
def test_other_keys_are_refused(stand_in: Any, key: str, said: str) -> None:
    stranger = stripe.StripeClient(key, base_addresses={"api": stand_in.url}, max_network_retries=0)
    with pytest.raises(stripe.AuthenticationError, match=said) as caught:
        stranger.v1.products.list()
    assert key not in str(caught.value)


def test_basic_authentication(stand_in: Any) -> None:
    user = base64.b64encode(f"{KEY}:".encode()).decode()
    request = urllib.request.Request(f"{stand_in.url}/v1/account", headers={"Authorization": f"Basic {user}"})
    with urllib.request.urlopen(request) as response:
        assert response.headers["Request-Id"].startswith("req_")
        assert response.headers["Stripe-Version"] == stripe.api_version


def test_metadata_is_merged_and_bounded(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "x", "metadata": {"a": "1", "b": "2"}})
    assert client.v1.products.update(made.id, {"metadata": {"b": "", "c": "3"}}).metadata.to_dict() == {
        "a": "1",
        "c": "3",
    }
    for metadata in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{number}": "v" for number in range(51)}):
        refusal(lambda metadata=metadata: client.v1.products.update(made.id, {"metadata": metadata}))
    assert client.v1.products.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_expand_goes_four_levels_deep(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe(expand=["customer", "latest_invoice", "items.data.price.product"])
    assert made.customer.email == "ada@example.com"
    assert made.latest_invoice.status == "paid"
    assert made["items"].data[0].price.product.name == "Pro"
    listed = client.v1.subscriptions.list({"expand": ["data.customer"]}).data
    assert listed[0].customer.name == "Ada"
    expanded: Any = {"expand": ["data.parent.subscription_details.subscription"]}
    invoice = client.v1.invoices.list(expanded).data[0]
    assert invoice.parent.subscription_details.subscription.id == made.id
    refusal(lambda: client.v1.subscriptions.list({"expand": ["data.items.data.price.product"]}))
    refusal(lambda: client.v1.subscriptions.list({"expand": ["data.status"]}))
    refusal(lambda: client.v1.subscriptions.list({"expand": ["data.nothing"]}))


def test_included_fields_come_only_when_asked_for(client: stripe.StripeClient, subscribe: Subscribe) -> None:
    made = subscribe()
    assert "subscriptions" not in client.v1.customers.retrieve(made.customer)
    owner = client.v1.customers.retrieve(made.customer, {"expand": ["subscriptions"]})
    assert [each.id for each in owner.subscriptions.data] == [made.id]
