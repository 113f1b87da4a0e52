import threading
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Control

OPTIONS: Any = {"idempotency_key": "once"}


def test_at_once_from_many_threads(client: stripe.StripeClient) -> None:
    ids = []
    threads = [
        threading.Thread(target=lambda: ids.append(client.v1.customers.create({"name": "Ada"}, OPTIONS).id))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8 and len(set(ids)) == 1


def test_a_refusal_is_remembered_but_a_misspelt_request_is_not(client: stripe.StripeClient) -> None:
    params: Any = {"currency": "usd", "unit_amount": 1, "product": "prod_later"}
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        client.v1.prices.create({**params, "wrong": "x"}, OPTIONS)
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="No such product"):
            client.v1.prices.create(params, OPTIONS)
        if not client.v1.products.list().data:
            client.v1.products.create({"name": "x", "id": "prod_later"})


def test_faults_are_not_remembered(client: stripe.StripeClient, control: Control) -> None:
    control("POST", "faults", {"method": "POST", "path": "^/v1/customers$", "status": 500})
    with pytest.raises(stripe.APIError):
        client.v1.customers.create({"name": "Ada"}, OPTIONS)
    assert client.v1.customers.create({"name": "Ada"}, OPTIONS).name == "Ada"


def test_a_key_is_forgotten_after_a_day(client: stripe.StripeClient, control: Control) -> None:
    control("POST", "clock", {"now": 1_800_000_000})
    first = client.v1.customers.create({"name": "Ada"}, OPTIONS)
    control("POST", "clock", {"now": 1_800_000_000 + 86_400})
    assert client.v1.customers.create({"name": "Ada"}, OPTIONS).id != first.id
