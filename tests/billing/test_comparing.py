"""Comparing two states of Stripe's objects."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.comparing import compared

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner), max_leaves=8
)


def changes(here: Any, in_stripe: Any) -> dict[str, tuple[Any, Any]]:
    return {
        change.field: (change.here, change.in_stripe)
        for each in compared({"thing:1": here}, {"thing:1": in_stripe})
        for change in each.changes
    }


@pytest.mark.parametrize(
    ("here", "in_stripe", "found"),
    [
        ({"name": "A"}, {"name": "B"}, {"name": ("A", "B")}),
        ({}, {"name": "B"}, {"name": (None, "B")}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, {"a.b.c": (1, 2)}),
        ({"metadata": {"k": "v"}}, {"metadata": {}}, {"metadata.k": ("v", None)}),
        ({"pause": None}, {"pause": {"behavior": "void"}}, {"pause": (None, {"behavior": "void"})}),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}, {"tags": (["a", "b"], ["b", "a"])}),
        ({"plan": {"id": "price_1"}}, {"plan": {"id": "price_2"}}, {}),
    ],
)
def test_a_change_is_told_by_its_path(here: Any, in_stripe: Any, found: Any) -> None:
    assert changes(here, in_stripe) == found


def test_elements_are_known_by_their_id_and_not_by_their_place() -> None:
    first, second = {"id": "si_1", "quantity": 1}, {"id": "si_2", "quantity": 1}
    here = {"items": {"object": "list", "data": [first, second]}}
    assert changes(here, {"items": {"object": "list", "data": [second, first]}}) == {}
    assert changes(here, {"items": {"object": "list", "data": [second | {"quantity": 4}]}}) == {
        "items.si_1.exists": (True, False),
        "items.si_2.quantity": (1, 4),
    }


def test_an_object_inside_another_is_its_id() -> None:
    old, new = ({"id": "price_1", "object": "price", "nickname": name} for name in ("old", "new"))
    assert changes({"price": old}, {"price": new}) == {}
    assert changes({"price": old}, {"price": "price_1"}) == {}
    assert changes({"price": old}, {"price": new | {"id": "price_2"}}) == {"price": ("price_1", "price_2")}


def test_what_is_on_one_side_only() -> None:
    found = compared({"customer:1": {"id": "1"}, "invoice:2": {"id": "2"}}, {"price:3": {"id": "3"}})
    told = {each.object: [(change.field, change.here, change.in_stripe) for change in each.changes] for each in found}
    assert told == {
        "customer:1": [("exists", True, False)],
        "invoice:2": [("open", True, False)],
        "price:3": [("exists", False, True)],
    }


def test_a_deleted_object_is_told_in_one_line() -> None:
    assert changes({"id": "cus_1", "name": "A"}, {"id": "cus_1", "deleted": True}) == {"deleted": (False, True)}
    assert changes({"id": "cus_1", "deleted": True}, {"id": "cus_1", "deleted": True}) == {}


def test_links_that_are_signed_anew_each_time_are_no_change() -> None:
    assert changes({"hosted_invoice_url": "https://a"}, {"hosted_invoice_url": "https://b"}) == {}


METADATA = st.dictionaries(
    st.sampled_from(["plan", "id", "object", "data", "invoice_pdf", "metadata", "other"]),
    st.sampled_from(["list", "price", "1", "2"]),
)


@given(METADATA, METADATA)
def test_metadata_is_the_vendors_own_and_its_keys_mean_nothing(here: Any, in_stripe: Any) -> None:
    differing = {key for key in {*here, *in_stripe} if here.get(key) != in_stripe.get(key)}
    expected = {f"metadata.{key}": (here.get(key), in_stripe.get(key)) for key in differing}
    assert changes({"metadata": here}, {"metadata": in_stripe}) == expected
    inner = {f"parent.{field}": change for field, change in expected.items()}
    assert changes({"parent": {"metadata": here}}, {"parent": {"metadata": in_stripe}}) == inner


def test_metadata_that_is_missing_on_one_side() -> None:
    assert changes({"metadata": None}, {"metadata": {"plan": "gold"}}) == {"metadata": (None, {"plan": "gold"})}
    assert changes({"metadata": None}, {}) == {}


@given(st.dictionaries(st.text(max_size=3), VALUES), st.dictionaries(st.text(max_size=3), VALUES))
def test_nothing_is_told_of_equals_and_nothing_is_equal_that_is_told(here: Any, in_stripe: Any) -> None:
    assert changes(here, here) == {}
    assert all(before != after for before, after in changes(here, in_stripe).values())
