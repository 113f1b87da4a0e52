"""What the tests of the flows share."""

from collections.abc import Callable

import pytest

from tests.support.vendor import Vendor
from tests.support.working import failed_jobs
from tests.tenants.house import house

__all__ = ["house", "settle"]


@pytest.fixture
def settle(vendor: Vendor, drain: Callable[[], None]) -> Callable[[], None]:
    """Deliver every pending event and do every job, until nothing is left."""

    def run() -> None:
        answers = vendor.standin.deliver()
        assert {answer["status"] for answer in answers} <= {200}
        drain()
        if vendor.standin.pending_events():
            run()
        assert failed_jobs() == []

    return run
