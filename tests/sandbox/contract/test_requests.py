"""What is the same for every object: refusals, idempotency, pages of a list, what is expanded."""

from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import Account

ANY: Any = object()


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
        ({"currency": ""}, "parameter_invalid_empty", "currency"),
        ({"currency": "usd", "unit_amount": 1, "product": "prod_x"}, "resource_missing", "product"),
        ({"currency": "usd", "recurring": {"interval": "moon"}}, ANY, "recurring[interval]"),
        ({"currency": "usd", "active": "yes"}, ANY, "active"),
        ({"currency": "usd", "metadata": "text", "product": "prod_x"}, ANY, "metadata"),
        ({"currency": "dollar", "unit_amount": 1, "product_data": {"name": "x"}}, ANY, "currency"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_says_what_was_wrong_and_where(account: Account, params: Any, code: Any, param: str) -> None:
    error = refusal(lambda: account.v1.prices.create(params))
    assert (error.http_status, error.param) == (400, param)
    assert code is ANY or error.code == code
    assert error.error.type == "invalid_request_error"


def test_items_are_named_by_their_index(account: Account) -> None:
    params: Any = {"customer": account.customer(card=None).id, "items": [{"price": account.price().id}, {"qty": 1}]}
    error = refusal(lambda: account.v1.subscriptions.create(params))
    assert (error.code, error.param) == ("parameter_unknown", "items[1][qty]")


def test_unknown_objects(account: Account) -> None:
    error = refusal(lambda: account.v1.customers.retrieve("cus_nobody"))
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "id")
    error = refusal(lambda: account.subscribe(account.customer(card=None).id, "price_nothing"))
    assert (error.http_status, error.code, error.param) == (400, "resource_missing", "items[0][price]")


def test_the_same_key_gives_the_same_answer(account: Account) -> None:
    options: Any = {"idempotency_key": account.unique("once")}
    params: Any = {"email": f"{account.unique('ada')}@example.com"}
    first = account.v1.customers.create(params, options)
    again = account.v1.customers.create(params, options)
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.last_response.headers
    assert len(account.v1.customers.list(params).data) == 1
    account.v1.customers.delete(first.id)


def test_the_same_key_with_other_parameters_is_refused(account: Account) -> None:
    options: Any = {"idempotency_key": account.unique("once")}
    account.v1.products.delete(account.v1.products.create({"name": "one"}, options).id)
    for call in (account.v1.products.create, account.v1.customers.create):
        with pytest.raises(stripe.IdempotencyError) as caught:
            call({"name": "two"}, options)
        assert caught.value.http_status == 400


def test_a_misspelt_request_uses_no_key_up(account: Account) -> None:
    options: Any = {"idempotency_key": account.unique("once")}
    misspelt: Any = {"name": "x", "nmae": "x"}
    assert refusal(lambda: account.v1.products.create(misspelt, options)).code == "parameter_unknown"
    account.v1.products.delete(account.v1.products.create({"name": "x"}, options).id)


def test_lists_are_paged_newest_first(account: Account) -> None:
    email = f"{account.unique('many')}@example.com"
    made = {account.customer(email=email, card=None).id for _ in range(5)}
    everything = account.v1.customers.list({"email": email})
    ids = [each.id for each in everything.data]
    assert set(ids) == made and not everything.has_more
    moments = [each.created for each in everything.data]
    assert moments == sorted(moments, reverse=True)

    page = account.v1.customers.list({"email": email, "limit": 2})
    assert [each.id for each in page.data] == ids[:2] and page.has_more
    page = account.v1.customers.list({"email": email, "limit": 3, "starting_after": ids[1]})
    assert [each.id for each in page.data] == ids[2:] and not page.has_more
    page = account.v1.customers.list({"email": email, "limit": 2, "ending_before": ids[3]})
    assert [each.id for each in page.data] == ids[1:3] and page.has_more
    assert [each.id for each in account.v1.customers.list({"email": email, "limit": 2}).auto_paging_iter()] == ids


@pytest.mark.parametrize(
    ("wrong", "param"),
    [({"limit": 101}, "limit"), ({"limit": 0}, "limit"), ({"starting_after": "cus_nobody"}, "starting_after")],
    ids=str,
)
def test_pages_that_cannot_be(account: Account, wrong: Any, param: str) -> None:
    assert refusal(lambda: account.v1.customers.list(wrong)).param == param


def test_expand_goes_four_levels_deep(account: Account) -> None:
    customer = account.customer(name="Ada")
    made = account.subscribe(
        customer.id, account.price().id, expand=["customer", "latest_invoice", "items.data.price.product"]
    )
    assert (made.customer.name, made.latest_invoice.status) == ("Ada", "paid")
    assert made["items"].data[0].price.product.name == "Contract test"
    own: Any = {"customer": customer.id}
    assert account.v1.subscriptions.list({**own, "expand": ["data.customer"]}).data[0].customer.name == "Ada"
    for wrong in ("data.items.data.price.product", "data.status", "data.nothing"):
        refusal(lambda wrong=wrong: account.v1.subscriptions.list({**own, "expand": [wrong]}))


def test_included_fields_come_only_when_asked_for(account: Account) -> None:
    customer = account.customer()
    made = account.subscribe(customer.id, account.price().id)
    assert "subscriptions" not in account.v1.customers.retrieve(customer.id)
    owner = account.v1.customers.retrieve(customer.id, {"expand": ["subscriptions"]})
    assert [each.id for each in owner.subscriptions.data] == [made.id]
