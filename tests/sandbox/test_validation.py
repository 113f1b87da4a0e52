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
    ("params", "param"),
    [
        ({"currency": "usd", "recurring": {"interval": "moon"}}, "recurring[interval]"),
        ({"currency": "usd", "active": "yes"}, "active"),
        ({"currency": "usd", "metadata": "text", "product": "prod_x"}, "metadata"),
        ({"currency": "usd", "tiers": "text"}, "tiers"),
        ({"currency": "usd", "unit_amount_decimal": "1e999"}, "unit_amount_decimal"),
        ({"currency": "dollar", "unit_amount": 1, "product_data": {"name": "x"}}, "currency"),
        ({"currency": "usd", "product_data": {"name": "x"}}, "unit_amount"),
    ],
)
def test_prices_are_checked_by_stripes_own_types(client: stripe.StripeClient, params: Any, param: str) -> None:
    error = refusal(lambda: client.v1.prices.create(params))
    assert (error.http_status, error.code, error.param) == (400, None, param)


def test_what_is_not_simulated_is_refused_and_not_ignored(subscribe: Subscribe) -> None:
    error = refusal(lambda: subscribe(backdate_start_date=1))
    assert "does not simulate" in str(error)


def test_unknown_routes(client: stripe.StripeClient) -> None:
    assert refusal(client.v1.charges.list).http_status == 404


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
