"""What every test can use: a real PostgreSQL, the stand-in for Stripe, a worker, a clean house."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.test import TransactionTestCase

from apps.billing import gateway
from config import embedded_postgres
from tests.support import bytecode, databases, schemas, static_files
from tests.support.standin import StandIn, running_standin
from tests.support.vendor import Vendor
from tests.support.working import drain_jobs

bytecode.keep()
static_files.look_once()

# What takes longest. Begun last, it would keep one worker busy after all others have ended.
FIRST = (
    "tests/demo/",
    "tests/lifecycle/",
    "tests/tenants/test_provisioning.py",
    "tests/pages/test_in_browser.py",
    "tests/billing/",
)

# Django's own flush empties every table and makes permissions anew, which takes longer than most tests.
TransactionTestCase._fixture_teardown = lambda self: databases.clean()  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """A test database of this run's own, its tables made the fast way."""
    if settings.TENANTRY_EMBEDDED_POSTGRES:
        embedded_postgres.ensure_running(settings.TENANTRY_HOME)
    with django_db_blocker.unblock():
        databases.create()
    yield
    with django_db_blocker.unblock():
        databases.drop()


@pytest.fixture(autouse=True)
def schemas_made_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that is not about how a schema is made."""
    schemas.repeat_statements(monkeypatch)


@pytest.fixture(scope="session")
def standin_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One stand-in for Stripe for the whole run."""
    with running_standin(home=tmp_path_factory.mktemp("standin")) as standin:
        yield standin


@pytest.fixture
def standin(standin_process: StandIn, settings: Any) -> Iterator[StandIn]:
    """An empty stand-in that delivers only when told to, and the gateway pointed at it."""
    settings.STRIPE_API_BASE = standin_process.url
    gateway.client.cache_clear()
    standin_process.reset()
    yield standin_process
    gateway.client.cache_clear()


@pytest.fixture
def drain() -> Callable[[], None]:
    """Do every job that is enqueued, as a worker does, until none is left."""
    return drain_jobs


@pytest.fixture
def vendor(transactional_db: None, live_server: Any, standin: StandIn, settings: Any) -> Vendor:
    """A vendor at work in Stripe, with a webhook endpoint that points at a running Tenantry."""
    made = Vendor(standin)
    settings.STRIPE_WEBHOOK_SECRETS = [made.register_endpoint(f"{live_server.url}/stripe/webhook/")]
    return made


@pytest.fixture
def outbox() -> list[Any]:
    """The e-mails sent so far in this test."""
    return mail.outbox
