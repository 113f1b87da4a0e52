"""What the tests of the contract rest on: where they go, at which pace, how long they wait, what they leave behind."""

import pytest
import stripe

from tests.sandbox.conftest import KEY
from tests.sandbox.contract.account import STRIPE, TRIES, Account, PacedClient, UnusableKey, target


def test_without_a_key_there_is_no_real_account() -> None:
    assert target({}) is None
    assert target({"TENANTRY_TEST_STRIPE_KEY": ""}) is None


@pytest.mark.parametrize("key", ["sk_live_abc", "rk_live_abc", "pk_test_abc", "abc"])
def test_a_key_that_is_none_of_a_test_account_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(UnusableKey, match="sk_test_") as refusal:
        target({"TENANTRY_TEST_STRIPE_KEY": key})
    assert key not in str(refusal.value)


def test_the_address_is_stripes_unless_another_is_given() -> None:
    found = target({"TENANTRY_TEST_STRIPE_KEY": "sk_test_abc"})
    assert found and found.base == STRIPE and "sk_test_abc" not in repr(found)
    elsewhere = {"TENANTRY_TEST_STRIPE_KEY": "sk_test_abc", "TENANTRY_TEST_STRIPE_API_BASE": "http://localhost:9"}
    found = target(elsewhere)
    assert found and found.base == "http://localhost:9"


def test_requests_keep_their_distance() -> None:
    slept: list[float] = []
    moments = iter([10.0, 10.0, 10.05, 10.2, 11.0, 11.0])
    paced = PacedClient(pause=0.2, clock=lambda: next(moments), sleep=slept.append)
    for _ in range(3):
        paced.take_turn()
    assert slept == [0.0, pytest.approx(0.15), 0.0]


def test_waiting_ends() -> None:
    waited: list[None] = []
    account = Account(stripe.StripeClient(KEY), wait=lambda: waited.append(None))
    answers = iter([None, None, "done"])
    assert account.until(lambda: next(answers), "never") == "done"
    assert len(waited) == 2
    with pytest.raises(AssertionError, match="but it is not done"):
        account.until(lambda: None, "it is not done")
    assert len(waited) == 2 + TRIES


def test_what_was_made_is_removed(account: Account) -> None:
    email = f"{account.unique('gone')}@example.com"
    customer, price, clock = account.customer(email=email), account.price(), account.clock()
    account.subscribe(customer.id, price.id)
    on_clock = account.customer(test_clock=clock.id)
    account.v1.customers.delete(on_clock.id)
    account.clean()
    assert account.v1.customers.list({"email": email}).data == []
    assert not account.v1.products.retrieve(str(price.product)).active
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.test_helpers.test_clocks.retrieve(clock.id)
