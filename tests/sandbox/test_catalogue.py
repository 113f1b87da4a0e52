from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import event_types


def test_a_product_lives_and_dies(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"id": "tier__pro", "name": "Pro", "marketing_features": [{"name": "fast"}]})
    assert (made.id, made.default_price, made.livemode) == ("tier__pro", None, False)
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.products.create({"id": "tier__pro", "name": "Pro"})
    client.v1.products.update(made.id, {"name": "Better", "active": False})
    client.v1.products.update(made.id, {"name": "Better"})
    assert client.v1.products.delete(made.id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such product"):
        client.v1.products.retrieve(made.id)
    assert event_types(client) == ["product.created", "product.updated", "product.deleted"]


def test_a_lookup_key_belongs_to_one_price(client: stripe.StripeClient) -> None:
    params: Any = {"currency": "usd", "unit_amount": 1, "product_data": {"name": "x"}, "lookup_key": "pro"}
    first = client.v1.prices.create(params)
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        client.v1.prices.create(params)
    second = client.v1.prices.create({**params, "transfer_lookup_key": True})
    assert [each.id for each in client.v1.prices.list({"lookup_keys": ["pro"]}).data] == [second.id]
    assert client.v1.prices.retrieve(first.id).lookup_key is None
    moved = client.v1.events.list({"type": "price.updated"}).data[0]
    assert moved.data.previous_attributes.to_dict() == {"lookup_key": "pro"}


def test_a_refused_price_leaves_no_product_behind(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.prices.create({"currency": "usd", "product_data": {"name": "x"}, "unit_amount": -1})
    assert client.v1.products.list().data == [] and event_types(client) == []


def test_a_price_that_a_subscription_described_is_in_no_list(
    client: stripe.StripeClient, customer: stripe.Customer, price: stripe.Price
) -> None:
    described: Any = {
        "currency": "usd",
        "product": str(price.product),
        "recurring": {"interval": "month"},
        "unit_amount": 1,
    }
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price_data": described}]})
    inline = made["items"].data[0].price
    listed = [client.v1.prices.list({"active": active}).data for active in (True, False)]
    assert [each.id for page in listed for each in page] == [price.id]
    assert client.v1.prices.retrieve(inline.id).unit_amount == 1


def test_products_are_found_by_their_ids(client: stripe.StripeClient) -> None:
    ids = [client.v1.products.create({"name": str(number)}).id for number in range(3)][::-1]
    assert [each.id for each in client.v1.products.list({"ids": ids[:2]}).data] == ids[:2]


def test_a_page_goes_on_after_an_object_that_was_deleted(client: stripe.StripeClient) -> None:
    ids = [client.v1.products.create({"name": str(number)}).id for number in range(3)][::-1]
    client.v1.products.delete(ids[1])
    assert [each.id for each in client.v1.products.list({"starting_after": ids[1]}).data] == [ids[2]]


def test_the_account_is_the_same_for_ever(client: stripe.StripeClient) -> None:
    account = client.v1.accounts.retrieve_current()
    assert account.object == "account" and account.charges_enabled and account.default_currency == "usd"
    assert client.v1.accounts.retrieve(account.id).id == account.id


def test_objects_have_every_field_of_their_class(client: stripe.StripeClient, price: stripe.Price) -> None:
    shown = client.v1.prices.retrieve(price.id).to_dict()
    optional = {"deleted", "tiers", "currency_options"}
    fields = {name for name in stripe.Price.__annotations__ if name.islower() and name[0] != "_"}
    assert fields - optional == shown.keys()
