"""Every row of The Things Stack's metadata contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.plans.metadata import (
    MAX_LIMIT,
    STANDARD_ENTITIES,
    CustomerTexts,
    read_claim,
    read_price_limits,
)

CUSTOMER = CustomerTexts(name="Customer Ltd", description="From the customer", email="customer@example.com")


class TestLimitsOfAPrice:
    @pytest.mark.parametrize("entity", STANDARD_ENTITIES)
    def test_each_standard_key_limits_its_entity(self, entity: str) -> None:
        assert read_price_limits({f"max-{entity}": "7"}).limits == {entity: 7}

    def test_the_six_standard_keys(self) -> None:
        assert [f"max-{entity}" for entity in STANDARD_ENTITIES] == [
            "max-applications",
            "max-clients",
            "max-end-devices",
            "max-gateways",
            "max-organizations",
            "max-users",
        ]

    def test_absent_is_unlimited(self) -> None:
        assert read_price_limits({"color": "blue"}).limits == {}

    def test_zero_is_zero(self) -> None:
        assert read_price_limits({"max-gateways": "0"}).limits == {"gateways": 0}

    def test_any_further_entity(self) -> None:
        assert read_price_limits({"max-solar-panels": "12"}).limits == {"solar-panels": 12}

    @pytest.mark.parametrize(
        "value",
        ["abc", "", " ", "-1", "+1", "1.5", "1e3", "1_000", "1,000", " 5", "5 ", "0x10", "٣", "∞", str(MAX_LIMIT + 1)],
    )
    def test_a_malformed_value_is_a_problem_that_names_key_and_value(self, value: str) -> None:
        reading = read_price_limits({"max-users": value, "max-clients": "1"})
        assert [(problem.key, problem.value) for problem in reading.problems] == [("max-users", value)]
        assert "users" not in reading.limits

    @pytest.mark.parametrize("key", ["max-", "max--users", "max-Users", "max-a b", "max-users-"])
    def test_a_malformed_entity_is_a_problem(self, key: str) -> None:
        assert [problem.key for problem in read_price_limits({key: "1"}).problems] == [key]

    @given(st.integers(min_value=0, max_value=MAX_LIMIT))
    def test_every_whole_number_up_to_the_largest_is_read_as_it_is(self, number: int) -> None:
        assert read_price_limits({"max-users": str(number)}).limits == {"users": number}

    @given(st.dictionaries(st.text(max_size=12), st.text(max_size=12)))
    def test_whatever_is_in_the_metadata_each_limit_key_is_either_read_or_a_problem(
        self, metadata: dict[str, str]
    ) -> None:
        reading = read_price_limits(metadata)
        seen = {f"max-{entity}" for entity in reading.limits} | {problem.key for problem in reading.problems}
        assert seen == {key for key in metadata if key.startswith("max-")}


class TestClaimOfASubscription:
    @pytest.mark.parametrize(
        ("metadata", "expected"),
        [
            ({"tenant-name": "A", "name": "B", "company": "C"}, "A"),
            ({"name": "B", "company": "C"}, "B"),
            ({"company": "C"}, "C"),
            ({}, "Customer Ltd"),
            ({"tenant-name": "  ", "company": "C"}, "C"),
        ],
    )
    def test_tenant_name(self, metadata: dict[str, str], expected: str) -> None:
        assert read_claim(metadata, CUSTOMER).name == expected

    @pytest.mark.parametrize(
        ("metadata", "expected"),
        [({"tenant-description": "Own"}, "Own"), ({}, "From the customer")],
    )
    def test_tenant_description(self, metadata: dict[str, str], expected: str) -> None:
        assert read_claim(metadata, CUSTOMER).description == expected

    @pytest.mark.parametrize(
        ("metadata", "expected"),
        [({"tenant-id": "acme", "admin-user": "root1"}, "root1"), ({"tenant-id": "acme"}, "acme")],
    )
    def test_admin_user(self, metadata: dict[str, str], expected: str) -> None:
        assert read_claim(metadata, CUSTOMER).admin_user == expected

    @pytest.mark.parametrize(
        ("metadata", "expected"),
        [({"admin-email": "own@example.com"}, "own@example.com"), ({}, "customer@example.com")],
    )
    def test_admin_email(self, metadata: dict[str, str], expected: str) -> None:
        assert read_claim(metadata, CUSTOMER).admin_email == expected

    @pytest.mark.parametrize(("metadata", "expected"), [({"admin-full-name": "Ann"}, "Ann"), ({}, "")])
    def test_admin_full_name(self, metadata: dict[str, str], expected: str) -> None:
        assert read_claim(metadata, CUSTOMER).admin_full_name == expected

    def test_without_a_tenant_id_there_is_no_claim(self) -> None:
        assert read_claim({}, CUSTOMER).tenant_id == ""

    def test_a_customer_without_texts_leaves_them_empty(self) -> None:
        claim = read_claim({"tenant-id": "acme"}, CustomerTexts())
        assert (claim.name, claim.description, claim.admin_email) == ("", "", "")
