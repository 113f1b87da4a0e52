"""Credit grants, as far as they are given and taken back."""

import time
from typing import Any

import pytest
import stripe

from tests.sandbox.contract.account import DAY, Account


def grant(account: Account, customer: str, **given: Any) -> stripe.billing.CreditGrant:
    asked: Any = {
        "customer": customer,
        "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 1000}},
        "applicability_config": {"scope": {"price_type": "metered"}},
        **given,
    }
    return account.v1.billing.credit_grants.create(asked)


def test_a_grant_is_kept(account: Account) -> None:
    customer = account.customer(card=None).id
    made = grant(account, customer, name="Gift", category="promotional", metadata={"a": "1"})
    assert (made.customer, made.category, made.priority, made.voided_at) == (customer, "promotional", 50, None)
    assert made.amount.monetary.value == 1000
    assert account.v1.billing.credit_grants.retrieve(made.id).name == "Gift"
    assert [each.id for each in account.v1.billing.credit_grants.list({"customer": customer}).data] == [made.id]
    end = int(time.time()) + 9 * DAY
    assert account.v1.billing.credit_grants.update(made.id, {"expires_at": end}).expires_at == end


def test_a_grant_can_be_taken_back(account: Account) -> None:
    customer = account.customer(card=None).id
    voided = account.v1.billing.credit_grants.void_grant(grant(account, customer).id)
    assert voided.voided_at
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.billing.credit_grants.expire(voided.id)
    assert account.v1.billing.credit_grants.expire(grant(account, customer).id).expires_at


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 0}}},
        {"applicability_config": {"scope": {"prices": [{"id": "price_none"}]}}},
        {"expires_at": 1},
        {"priority": 101},
    ],
    ids=" ".join,
)
def test_grants_that_cannot_be(account: Account, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        grant(account, account.customer(card=None).id, **wrong)
