from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from apps.sandbox.errors import ApiError
from apps.sandbox.form import decode

NAMES = st.text(st.characters(exclude_characters="[]", exclude_categories=("Cs",)), min_size=1, max_size=8)
VALUES = st.recursive(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3) | st.lists(inner, min_size=1, max_size=3),
    max_leaves=8,
)


def indexed(value: Any) -> Any:
    """Lists as the decoder has them: mappings of their indexes."""
    if isinstance(value, list):
        return {str(index): indexed(each) for index, each in enumerate(value)}
    if isinstance(value, dict):
        return {name: indexed(each) for name, each in value.items()}
    return value


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_whatever_the_stripe_package_encodes_is_decoded(params: dict[str, Any]) -> None:
    assert decode(urlencode(list(_api_encode(params)))) == indexed(params)


def test_open_brackets_append() -> None:
    assert decode("expand[]=a&expand[]=b") == {"expand": {"0": "a", "1": "b"}}


def test_open_brackets_of_objects_begin_a_new_one_when_a_name_comes_again() -> None:
    text = "items[][price]=a&items[][quantity]=1&items[][price]=b"
    assert decode(text) == {"items": {"0": {"price": "a", "quantity": "1"}, "1": {"price": "b"}}}


@pytest.mark.parametrize("text", ["a=1&a[b]=2", "a[b]=1&a=2"])
def test_a_name_is_a_value_or_an_object(text: str) -> None:
    with pytest.raises(ApiError):
        decode(text)


def test_depth_is_bounded() -> None:
    with pytest.raises(ApiError):
        decode("a" + "[b]" * 5000 + "=1")
