"""Features of products, and who is entitled to them; Stripe works that out in the background."""

from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import Account, item_of


def entitled(account: Account, customer: str) -> set[str]:
    found = account.v1.entitlements.active_entitlements.list({"customer": customer})
    return {each.lookup_key for each in found.auto_paging_iter()}


def entitled_to(account: Account, customer: str, *features: stripe.entitlements.Feature) -> None:
    wanted = {each.lookup_key for each in features}
    account.until(lambda: entitled(account, customer) == wanted, f"{customer} is not entitled to {wanted}")


def test_a_feature_has_a_key_and_a_name(account: Account) -> None:
    made = account.feature(metadata={"a": "1"})
    features = account.v1.entitlements.features
    assert (made.active, made.name, made.metadata.to_dict()) == (True, "Contract test", {"a": "1"})
    assert features.update(made.id, {"name": "Better"}).name == "Better"
    assert [each.id for each in features.list({"lookup_key": made.lookup_key}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError):
        account.feature(lookup_key=made.lookup_key)
    features.update(made.id, {"active": False})
    assert features.list({"lookup_key": made.lookup_key}).data == []
    assert len(features.list({"lookup_key": made.lookup_key, "archived": True}).data) == 1


def test_a_product_gives_features(account: Account) -> None:
    product = account.product()
    feature = account.feature(product.id)
    (given,) = account.v1.products.features.list(product.id).data
    assert given.entitlement_feature.id == feature.id
    assert account.v1.products.features.retrieve(product.id, given.id).id == given.id
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.products.features.create(product.id, {"entitlement_feature": feature.id})
    account.v1.products.features.delete(product.id, given.id)
    assert account.v1.products.features.list(product.id).data == []


def test_who_subscribes_is_entitled(account: Account) -> None:
    price, customer = account.price(), account.customer().id
    feature = account.feature(str(price.product))
    assert entitled(account, customer) == set()
    made = account.subscribe(customer, price.id)
    entitled_to(account, customer, feature)
    (entitlement,) = account.v1.entitlements.active_entitlements.list({"customer": customer}).data
    assert entitlement.feature == feature.id
    assert account.v1.entitlements.active_entitlements.retrieve(entitlement.id).lookup_key == feature.lookup_key
    account.v1.subscriptions.cancel(made.id)
    entitled_to(account, customer)


def test_another_price_gives_other_features(account: Account) -> None:
    basic, better, customer = account.price(), account.price(), account.customer().id
    both = account.feature(str(basic.product))
    account.v1.products.features.create(str(better.product), {"entitlement_feature": both.id})
    extra = account.feature(str(better.product))
    made = account.subscribe(customer, basic.id)
    entitled_to(account, customer, both)
    changed: Any = {"items": [{"id": item_of(made).id, "price": better.id}]}
    account.v1.subscriptions.update(made.id, changed)
    entitled_to(account, customer, both, extra)


def test_a_change_of_entitlements_is_told(account: Account) -> None:
    price, customer = account.price(), account.customer().id
    feature = account.feature(str(price.product))
    account.subscribe(customer, price.id)
    type = "entitlements.active_entitlement_summary.updated"

    def told() -> list[str] | None:
        events = account.v1.events.list({"type": type, "limit": 100}).data
        own = [each.data.object for each in events if each.data.object["customer"] == customer]
        return [each["lookup_key"] for each in own[0]["entitlements"]["data"]] if own else None

    assert account.until(told, "the entitlements are not told") == [feature.lookup_key]
