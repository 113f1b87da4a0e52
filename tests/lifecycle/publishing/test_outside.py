"""Pushing without a transaction around it, as the command does."""

import pytest

from apps.lifecycle.publishing import services
from apps.plans import pushing
from apps.plans.models import PlanVersion
from apps.plans.pricing.reading import read
from apps.plans.pricing.writing import write
from tests.factories import NOW, SOMEBODY
from tests.support.standin import StandIn

TEXT = '{"plans": {"plan:a@1": {"features": {"feature:x": {"base": 1}, "feature:y": {"tiers": [{}]}}}}}'
BY = {"actor": SOMEBODY, "now": NOW}


@pytest.mark.django_db(transaction=True)
def test_stripe_is_never_called_inside_a_transaction(standin: StandIn) -> None:
    document = read(TEXT)
    services.preview(document, **BY)
    assert not PlanVersion.objects.exists()
    assert {each.reason for each in services.push(document, **BY)} == {"created"}
    assert write(services.pull()) == write(document)


@pytest.mark.django_db(transaction=True)
def test_killed_between_stripe_and_the_catalogue_a_second_push_finishes_it(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, publish = read(TEXT), pushing.publish
    calls = []

    def killed(**given: object) -> object:
        calls.append(given)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return publish(**given)  # type: ignore[arg-type]

    monkeypatch.setattr(pushing, "publish", killed)
    with pytest.raises(KeyboardInterrupt):
        services.push(document, **BY)
    monkeypatch.undo()
    assert not PlanVersion.objects.exists()
    assert {each.reason for each in services.push(document, **BY)} == {"feature already exists"}
    assert PlanVersion.objects.get().ref == "plan:a@1"
