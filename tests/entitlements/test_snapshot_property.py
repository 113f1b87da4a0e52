"""A snapshot is true for all the time that it says it is."""

from datetime import timedelta

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.entitlements import snapshot
from apps.plans import selectors as plans
from apps.plans.overriding import set_override
from apps.plans.resolution import Grant
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY

HOURS = st.integers(1, 40)
FEATURES = ("calls", "exports", "sso")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.dictionaries(st.sampled_from(FEATURES), st.none() | HOURS), compiled_at=HOURS, moments=st.sets(HOURS))
def test_it_says_what_the_sources_say(
    acme: Tenant, ends: dict[str, int | None], compiled_at: int, moments: set[int]
) -> None:
    with transaction.atomic():
        _override(acme, ends)
        tenant = fresh(acme)
        made = snapshot.compiled(tenant, now=NOW + timedelta(hours=compiled_at))
        assert made.since <= NOW + timedelta(hours=compiled_at) < made.until
        for hours in sorted(moments):
            moment = NOW + timedelta(hours=hours)
            if made.since <= moment < made.until:
                said = {key: held.entitlement for key, held in made.features.items()}
                assert said == plans.entitlements(tenant, now=moment)
        transaction.set_rollback(True)


def _override(tenant: Tenant, ends: dict[str, int | None]) -> None:
    define("calls")
    define("exports")
    define("sso", Kind.SWITCH)
    give_everybody(calls="10/month", sso="on")
    for feature, hours in ends.items():
        grant = Grant(value=False) if feature == "sso" else Grant(limit=99)
        until = None if hours is None else NOW + timedelta(hours=hours)
        set_override(tenant=tenant, feature=feature, grant=grant, reason="x", until=until, actor=SOMEBODY, now=NOW)


def test_nothing_of_it_is_kept_that_may_be_rolled_back(acme: Tenant) -> None:
    snapshot.snapshot_of(acme, now=NOW)
    assert snapshot.kept.get(acme.pk) is None
