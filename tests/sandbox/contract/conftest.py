"""Each test of this folder is tried on the stand-in, and on a test account of Stripe if there is a key for one.

Without a key one skipped test says so for all of them.
"""

import os
import time
from collections.abc import Iterator
from functools import partial

import pytest
import stripe

from apps.sandbox.server import StandIn
from tests.sandbox.conftest import KEY
from tests.sandbox.contract.account import KEY_VARIABLE, Account, PacedClient, UnusableKey, must_not_wait, target

BETWEEN_REQUESTS = 0.2
"""Seconds; pytest runs up to four processes, and Stripe takes 25 requests a second."""
BETWEEN_QUESTIONS = 2.0
"""Seconds until Stripe is asked again whether it is done."""


SPEAKS_FOR_ALL = "test_what_was_made_is_removed"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "make_account" in metafunc.fixturenames:
        both = os.environ.get(KEY_VARIABLE) or metafunc.function.__name__ == SPEAKS_FOR_ALL
        metafunc.parametrize("make_account", ["stand-in", "Stripe"] if both else ["stand-in"], indirect=True)


@pytest.fixture(scope="session")
def stand_in_of_the_contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in that is never emptied: the tests must do with their own objects."""
    process = StandIn(store=tmp_path_factory.mktemp("contract") / "stripe.sqlite3")
    yield process
    process.close()


@pytest.fixture(scope="session")
def make_account(request: pytest.FixtureRequest) -> partial[Account]:
    if request.param == "stand-in":
        base = request.getfixturevalue("stand_in_of_the_contract").url
        client = stripe.StripeClient(KEY, base_addresses={"api": base}, max_network_retries=0)
        return partial(Account, client, wait=must_not_wait)
    return partial(Account, _real_client(), wait=partial(time.sleep, BETWEEN_QUESTIONS))


def _real_client() -> stripe.StripeClient:
    try:
        found = target(os.environ)
    except UnusableKey as error:
        pytest.fail(str(error), pytrace=False)
    if found is None:
        pytest.skip(f"{KEY_VARIABLE} is not set: the contract is tried on the stand-in alone, not on Stripe itself.")
    http = PacedClient(pause=BETWEEN_REQUESTS)
    return stripe.StripeClient(found.key, base_addresses={"api": found.base}, max_network_retries=2, http_client=http)


@pytest.fixture
def account(make_account: partial[Account]) -> Iterator[Account]:
    made = make_account()
    yield made
    made.clean()
