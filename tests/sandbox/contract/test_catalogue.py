from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import Account


def test_a_product_lives_and_dies(account: Account) -> None:
    id = account.unique("pro")
    made = account.product(id=id, marketing_features=[{"name": "fast"}])
    assert (made.id, made.default_price, made.livemode) == (id, None, False)
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        account.product(id=id)
    changed = account.v1.products.update(id, {"name": "Better", "active": False})
    assert (changed.name, changed.active, changed.marketing_features[0].name) == ("Better", False, "fast")
    assert account.v1.products.delete(id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such product") as caught:
        account.v1.products.retrieve(id)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_a_product_with_prices_stays(account: Account) -> None:
    price = account.price()
    with pytest.raises(stripe.InvalidRequestError, match="user-created prices"):
        account.v1.products.delete(str(price.product))


def test_a_product_with_its_default_price(account: Account) -> None:
    data: Any = {"currency": "eur", "unit_amount_decimal": "0.5", "recurring": {"interval": "year"}}
    made = account.product(default_price_data=data, expand=["default_price"])
    assert made.default_price.unit_amount is None
    assert str(made.default_price.unit_amount_decimal) == "0.5"


def test_what_a_price_costs_is_never_changed(account: Account) -> None:
    price = account.price()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.prices.update(price.id, {"unit_amount": 5})
    assert caught.value.param == "unit_amount"
    changed = account.v1.prices.update(price.id, {"nickname": "old", "active": False})
    assert (changed.unit_amount, changed.nickname, changed.active) == (1000, "old", False)


def test_a_list_of_prices_has_the_active_ones_unless_it_is_asked_for_the_others(account: Account) -> None:
    active = account.price()
    archived = account.v1.prices.create({"product": str(active.product), "currency": "usd", "unit_amount": 1})
    account.v1.prices.update(archived.id, {"active": False})

    def listed(**asked: Any) -> list[str]:
        return [each.id for each in account.v1.prices.list({"product": str(active.product), **asked}).data]

    assert listed() == listed(active=True) == [active.id]
    assert listed(active=False) == [archived.id]


def test_a_list_of_products_has_all_of_them(account: Account) -> None:
    made = [account.product().id, account.product(active=False).id]
    assert {each.id for each in account.v1.products.list({"ids": made}).data} == set(made)


def test_tiers_are_shown_only_when_expanded(account: Account) -> None:
    tiers = [{"up_to": 10, "unit_amount": 5}, {"up_to": "inf", "unit_amount_decimal": "2.5", "flat_amount": 100}]
    made = account.v1.prices.create(
        {
            "product": account.product().id,
            "currency": "usd",
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": tiers,
            "recurring": {"interval": "month"},
        }
    )
    assert "tiers" not in made
    shown = account.v1.prices.retrieve(made.id, {"expand": ["tiers"]}).tiers
    assert [(tier.up_to, tier.unit_amount, str(tier.unit_amount_decimal)) for tier in shown] == [
        (10, 5, "5"),
        (None, None, "2.5"),
    ]
    assert shown[1].flat_amount == 100


def test_other_currencies_are_shown_only_when_expanded(account: Account) -> None:
    made = account.price(currency_options={"eur": {"unit_amount": 3}})
    assert "currency_options" not in made
    options = account.v1.prices.retrieve(made.id, {"expand": ["currency_options"]}).currency_options
    assert {name: option.unit_amount for name, option in options.items()} == {"usd": 1000, "eur": 3}


def test_a_lookup_key_belongs_to_one_price(account: Account) -> None:
    key = account.unique("pro")
    first = account.price(lookup_key=key)
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        account.price(lookup_key=key)
    second = account.price(lookup_key=key, transfer_lookup_key=True)
    assert [each.id for each in account.v1.prices.list({"lookup_keys": [key]}).data] == [second.id]
    assert account.v1.prices.retrieve(first.id).lookup_key is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit_amount": 1, "tiers": [{"up_to": "inf", "unit_amount": 1}]},
        {"unit_amount": 1, "unit_amount_decimal": "1"},
        {"unit_amount": -1},
        {"unit_amount": 1, "transform_quantity": {"divide_by": 0, "round": "up"}},
        {"unit_amount_decimal": "0.0000000000001"},
        {"unit_amount": 1, "recurring": {"interval": "month", "interval_count": 37}},
        {"unit_amount": 1, "recurring": {"interval": "month", "usage_type": "metered"}},
        {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": [{"up_to": 5, "unit_amount": 1}]},
        {"billing_scheme": "tiered", "tiers_mode": "volume"},
    ],
    ids=" ".join,
)
def test_prices_that_cannot_be(account: Account, wrong: Any) -> None:
    product = account.product().id
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.prices.create({"product": product, "currency": "usd", **wrong})
    assert account.v1.prices.list({"product": product}).data == []


def test_metadata_is_merged_and_bounded(account: Account) -> None:
    made = account.product(metadata={"a": "1", "b": "2"})
    merged = account.v1.products.update(made.id, {"metadata": {"b": "", "c": "3"}}).metadata
    assert merged.to_dict() == {"a": "1", "c": "3"}
    for metadata in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{number}": "v" for number in range(51)}):
        with pytest.raises(stripe.InvalidRequestError):
            account.v1.products.update(made.id, {"metadata": metadata})
    assert account.v1.products.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_the_account_is_its_own(account: Account) -> None:
    own = account.v1.accounts.retrieve_current()
    assert own.object == "account"
    assert own.id.startswith("acct_")
