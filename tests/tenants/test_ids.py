"""Tenant ids and the names of their schemas."""

import re

import pytest
from django_tenants.postgresql_backend.base import is_valid_schema_name
from hypothesis import example, given
from hypothesis import strategies as st

from apps.core.errors import TenantryError
from apps.tenants import ids
from apps.tenants.ids import RESERVED, InvalidTenantId, ReservedTenantId

# As The Things Stack writes it. In its Go, `$` is the end of the text and not of the line.
THE_THINGS_STACK = re.compile(r"[a-z0-9](?:[-]?[a-z0-9]){2,}")
NEARLY = st.text(alphabet="abz059-", max_size=40)
GRAMMATICAL = st.from_regex(THE_THINGS_STACK, fullmatch=True).filter(lambda text: len(text) <= 36)


def is_accepted(text: str) -> bool:
    try:
        ids.validate(text)
    except TenantryError:
        return False
    return True


@given(st.one_of(NEARLY, GRAMMATICAL, st.text(max_size=40)))
@example("a" * 36)
@example("a" * 37)
@example("acme\n")
@example("٣٣٣")
def test_accepts_exactly_what_the_things_stack_accepts_and_nobody_has_reserved(text: str) -> None:
    grammatical = THE_THINGS_STACK.fullmatch(text) is not None and len(text) <= 36
    assert is_accepted(text) == (grammatical and text not in RESERVED and not text.startswith("pg-"))


@pytest.mark.parametrize(
    "text", ["", "ab", "a-b", "Acme", "a--b", "-acme", "acme-", "ac_me", "ac.me", "acmé", "acme ", "acme\n", "a" * 37]
)
def test_says_what_a_valid_id_looks_like(text: str) -> None:
    with pytest.raises(InvalidTenantId, match="3 to 36 lower-case letters and digits"):
        ids.validate(text)


@pytest.mark.parametrize("text", ["abc", "a-b-c", "0-12", "acme", "a" * 36, "a" + "-b" * 17])
def test_accepts_the_borders_of_the_grammar(text: str) -> None:
    assert text not in RESERVED
    ids.validate(text)


@pytest.mark.parametrize("text", ["public", "www", "operator", "stripe", "pg-catalog", "pg-anything"])
def test_keeps_reserved_words_back(text: str) -> None:
    with pytest.raises(ReservedTenantId, match=text):
        ids.validate(text)


def test_every_reserved_word_could_be_an_id_otherwise() -> None:
    assert [word for word in RESERVED if not THE_THINGS_STACK.fullmatch(word)] == []


class TestSchemaNames:
    @given(GRAMMATICAL)
    def test_is_a_plain_name_for_postgresql(self, tenant_id: str) -> None:
        name = ids.new_schema_name(tenant_id)
        assert re.fullmatch(r"t_[a-z0-9_]+", name)
        assert is_valid_schema_name(name)
        assert len(name) <= 63

    def test_is_another_one_each_time(self) -> None:
        assert len({ids.new_schema_name("acme") for _ in range(500)}) == 500

    def test_tells_a_person_whose_it_is(self) -> None:
        assert ids.new_schema_name("acme-2").startswith("t_acme_2_")
