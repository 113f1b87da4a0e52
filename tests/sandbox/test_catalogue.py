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


def test_a_product_with_its_default_price(client: stripe.StripeClient) -> None:
    data: Any = {"currency": "eur", "unit_amount_decimal": "0.5", "recurring": {"interval": "year"}}
    made = client.v1.products.create({"name": "Pro", "default_price_data": data, "expand": ["default_price"]})
    assert made.default_price.unit_amount is None
    assert str(made.default_price.unit_amount_decimal) == "0.5"
    with pytest.raises(stripe.InvalidRequestError, match="user-created prices"):
        client.v1.products.delete(made.id)


def test_tiers_are_shown_only_when_expanded(client: stripe.StripeClient) -> None:
    params: Any = {
        "currency": "usd",
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": [{"up_to": 10, "unit_amount": 5}, {"up_to": "inf", "unit_amount_decimal": "2.5", "flat_amount": 100}],
        "recurring": {"interval": "month"},
        "product_data": {"name": "Tiered"},
        "currency_options": {"eur": {"unit_amount": 3}},
    }
    made = client.v1.prices.create(params)
    assert "tiers" not in made and "currency_options" not in made
    tiers = client.v1.prices.retrieve(made.id, {"expand": ["tiers"]}).tiers
    assert [(tier.up_to, tier.unit_amount, str(tier.unit_amount_decimal)) for tier in tiers] == [
        (10, 5, "5"),
        (None, None, "2.5"),
    ]
    options = client.v1.prices.retrieve(made.id, {"expand": ["currency_options"]}).currency_options
    assert options.to_dict().keys() == {"usd", "eur"}


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"tiers": [{"up_to": "inf", "unit_amount": 1}]},
        {"unit_amount": 1, "unit_amount_decimal": "1"},
        {"unit_amount": -1},
        {"unit_amount": 1, "transform_quantity": {"divide_by": 0, "round": "up"}},
        {"unit_amount_decimal": "0.0000000000001"},
        {"unit_amount": 1, "recurring": {"interval": "month", "interval_count": 37}},
        {"unit_amount": 1, "recurring": {"interval": "month", "usage_type": "metered"}},
        {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": [{"up_to": 5, "unit_amount": 1}]},
        {"billing_scheme": "tiered", "tiers_mode": "volume"},
    ],
)
def test_prices_that_cannot_be(client: stripe.StripeClient, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.prices.create({"currency": "usd", "product_data": {"name": "x"}, **wrong})
    assert client.v1.products.list().data == [] and event_types(client) == []


def test_lists_are_paged_newest_first(client: stripe.StripeClient) -> None:
    ids = [client.v1.products.create({"name": str(number)}).id for number in range(7)][::-1]
    page = client.v1.products.list({"limit": 3})
    assert [each.id for each in page.data] == ids[:3] and page.has_more
    page = client.v1.products.list({"limit": 3, "starting_after": ids[3]})
    assert [each.id for each in page.data] == ids[4:] and not page.has_more
    page = client.v1.products.list({"limit": 2, "ending_before": ids[5]})
    assert [each.id for each in page.data] == ids[3:5] and page.has_more
    assert [each.id for each in client.v1.products.list({"limit": 2}).auto_paging_iter()] == ids
    assert [each.id for each in client.v1.products.list({"ids": ids[:2]}).data] == ids[:2]
    for wrong in ({"limit": 101}, {"limit": 0}, {"starting_after": "prod_x"}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.products.list(wrong)


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
