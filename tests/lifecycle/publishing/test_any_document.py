"""Whatever a pricing.json says is pushed, pulled, and pushed again without effect."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, assume, given, settings

from apps.core.errors import TenantryError
from apps.lifecycle.publishing import services
from apps.plans.pricing.reading import read
from apps.plans.pricing.types import Document
from apps.plans.pricing.writing import write
from tests.factories import NOW, SOMEBODY
from tests.plans.pricing.strategies import documents
from tests.support.standin import StandIn

# Without shrinking: a document that fails would take minutes to become a smaller one.
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
BY = {"actor": SOMEBODY, "now": NOW}


@pytest.mark.django_db
@settings(phases=QUICK, max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents())
def test_what_was_pulled_is_what_was_pushed(standin: StandIn, document: Document) -> None:
    standin.reset()
    point = transaction.savepoint()
    try:
        pushed = services.push(document, **BY)
        assert {each.ok for each in pushed} <= {True}
        pulled = services.pull()
        again = services.push(read(write(pulled)), **BY)
        assert {each.place for each in again} == {each.place for each in pushed}
        assert {(each.ok, each.reason) for each in again} <= {(True, "feature already exists")}
    except TenantryError:
        # Refused before anything was done.
        assume(False)
    finally:
        transaction.savepoint_rollback(point)
