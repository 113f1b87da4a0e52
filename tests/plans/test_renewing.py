"""Whoever has to be right at once is told whenever entitlements are renewed, in the same transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from apps.plans import renewing, selectors, services
from apps.plans.catalogue import publish_plan, set_default_plan
from apps.plans.overriding import end_override, set_override
from apps.plans.resolution import Grant
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_tenant

pytestmark = pytest.mark.django_db
Told = list[tuple[Sequence[UUID] | None, datetime]]
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What a registered hook was called with."""
    monkeypatch.setattr(renewing, "_hooks", [])
    calls: Told = []

    def hook(keys: Sequence[UUID] | None, now: datetime) -> None:
        calls.append((keys, now))

    renewing.on_renewal(hook)
    renewing.on_renewal(hook)
    return calls


@pytest.fixture
def acme() -> Tenant:
    return make_tenant(ready=False)


def test_it_is_told_of_one_tenant_or_of_all_and_when(told: Told, acme: Tenant) -> None:

    grant, by = Grant(limit=1), {"actor": SOMEBODY}
    set_override(tenant=acme, feature="users", grant=grant, reason="why", until=None, now=NOW, **by)
    end_override(tenant=acme, feature="users", reason="why", now=LATER, **by)
    publish_plan(key="free", grants={"users": grant}, now=LATER, **by)
    assert told == [([acme.pk], NOW), ([acme.pk], LATER)]
    set_default_plan(key="free", now=NOW, **by)
    publish_plan(key="free", grants={}, now=LATER, **by)
    services.assign_plans(tenant=acme, assigned=(), now=LATER)
    assert told[2:] == [(None, NOW), (None, LATER), ([acme.pk], LATER)]


def test_it_is_told_once_the_version_is_newer(monkeypatch: pytest.MonkeyPatch, acme: Tenant) -> None:
    monkeypatch.setattr(renewing, "_hooks", [])
    seen = []
    renewing.on_renewal(lambda keys, now: seen.append(Tenant.objects.get().entitlements_version))
    before = acme.entitlements_version
    renewing.renew(acme, now=NOW)
    renewing.renew_all(now=NOW)
    assert seen == [before + 1, before + 2]


def test_what_it_raises_leaves_the_version_as_it_was(monkeypatch: pytest.MonkeyPatch, acme: Tenant) -> None:
    monkeypatch.setattr(renewing, "_hooks", [])

    def refuse(keys: Sequence[UUID] | None, now: datetime) -> None:
        raise RuntimeError

    renewing.on_renewal(refuse)
    before = acme.entitlements_version
    with pytest.raises(RuntimeError):
        renewing.renew(acme, now=NOW)
    assert Tenant.objects.get().entitlements_version == before


def test_whoever_has_to_act_by_the_former_sources_is_told_before_they_change(
    monkeypatch: pytest.MonkeyPatch, acme: Tenant
) -> None:
    monkeypatch.setattr(renewing, "_hooks", [])
    monkeypatch.setattr(renewing, "_hooks_before", [])
    seen: list[tuple[object, int, int | None]] = []

    def hook(keys: Sequence[UUID] | None, now: datetime) -> None:
        tenant = Tenant.objects.get()
        seen.append((keys, tenant.entitlements_version, selectors.entitlements(tenant, now=now)["users"].limit))

    renewing.before_renewal(hook)
    renewing.before_renewal(hook)
    version, by = acme.entitlements_version, {"actor": SOMEBODY}
    set_override(tenant=acme, feature="users", grant=Grant(limit=1), reason="why", until=None, now=NOW, **by)
    end_override(tenant=acme, feature="users", reason="why", now=LATER, **by)
    publish_plan(key="free", grants={"users": Grant(limit=2)}, now=NOW, **by)
    set_default_plan(key="free", now=NOW, **by)
    publish_plan(key="free", grants={"users": Grant(limit=3)}, now=LATER, **by)
    publish_plan(key="free", grants={"users": Grant(limit=3)}, now=LATER, **by)
    services.assign_plans(tenant=acme, assigned=(), now=LATER)
    assert seen == [
        ([acme.pk], version, None),
        ([acme.pk], version + 1, 1),
        (None, version + 2, None),
        (None, version + 3, 2),
        ([acme.pk], version + 4, 3),
    ]


def test_what_is_raised_before_leaves_the_sources_as_they_were(monkeypatch: pytest.MonkeyPatch, acme: Tenant) -> None:
    monkeypatch.setattr(renewing, "_hooks_before", [lambda keys, now: 1 // 0])
    with pytest.raises(ZeroDivisionError):
        set_override(
            tenant=acme, feature="users", grant=Grant(limit=1), reason="w", until=None, actor=SOMEBODY, now=NOW
        )
    assert selectors.overrides_in_force(acme, now=NOW) == {}
    assert Tenant.objects.get().entitlements_version == acme.entitlements_version
