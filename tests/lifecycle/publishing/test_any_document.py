"""Whatever a pricing.json says is pushed, pulled, and pushed again without effect."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, assume, given, settings

from apps.lifecycle.publishing import services
from apps.lifecycle.publishing.errors import UnpushablePricing
from apps.plans.errors import UnusableGrant
from apps.plans.pricing.errors import UnconvertiblePricing
from apps.plans.pricing.reading import read
from apps.plans.pricing.types import Document
from apps.plans.pricing.writing import write
from tests.factories import NOW, SOMEBODY
from tests.plans.pricing.strategies import documents
from tests.support.standin import StandIn

BY = {"actor": SOMEBODY, "now": NOW}


@pytest.mark.django_db
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
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
    except (UnpushablePricing, UnconvertiblePricing, UnusableGrant):
        assume(False)
    finally:
        transaction.savepoint_rollback(point)
