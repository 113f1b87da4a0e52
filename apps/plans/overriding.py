"""Exceptions for one tenant, which win over every plan. What was is kept; nothing is edited."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.plans import catalogue, renewing, selectors
from apps.plans.errors import NoOverride, UnusableGrant, UnusableOverride
from apps.plans.grants import refuse_unusable
from apps.plans.models import Override
from apps.plans.resolution import Grant, Terms
from apps.plans.terms import amount_in_words
from apps.tenants.models import Tenant


@transaction.atomic
def set_override(
    *, tenant: Tenant, feature: str, grant: Grant, reason: str, until: datetime | None, actor: Actor, now: datetime
) -> Override:
    """Give a tenant another limit or value than its plans do, from now on.

    `until` is the first moment at which it does not count any more; None: until it is
    ended. One that is there already is replaced. When a number starts anew is left as the
    plans have it.

    Raises:
        UnknownFeature: when there is no such feature.
        UnusableGrant: when a feature of that kind cannot be granted like that.
        UnusableOverride: when the reason is empty, or `until` is not after `now`.
    """
    known = selectors.feature(feature)
    refuse_unusable(known, grant)
    if grant.terms != Terms():
        raise UnusableGrant(f"An override says how much; when {feature} starts anew is left as the plans have it.")
    _refuse_unusable(reason, until, now)
    # The feature before the tenant, as publishing has it: so the two never wait for each other.
    row = catalogue.ensure_feature(known)
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    with renewing.change(tenant, now=now):
        before = _end(tenant, feature, because=f"Replaced: {reason}", actor=actor, now=now)
        override = Override.objects.create(
            tenant=tenant,
            feature=row,
            kind=known.kind,
            limit=grant.limit,
            value=grant.value,
            reason=reason.strip(),
            author=actor.label[:200],
            valid_from=now,
            until=until,
        )
    _record("override_set", tenant, feature, before, override, reason=reason, actor=actor, now=now)
    return override


@transaction.atomic
def end_override(*, tenant: Tenant, feature: str, reason: str, actor: Actor, now: datetime) -> None:
    """Let the plans decide again about a feature, from now on.

    Raises:
        UnknownFeature: when there is no such feature.
        NoOverride: when it is not overridden, or not any more.
        UnusableOverride: when the reason is empty.
    """
    selectors.feature(feature)
    _refuse_unusable(reason, None, now)
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if feature not in selectors.overrides_in_force(tenant, now=now):
        raise NoOverride(f"{feature} of tenant {tenant.tenant_id!r} is not overridden, or not any more.")
    with renewing.change(tenant, now=now):
        before = _end(tenant, feature, because=reason, actor=actor, now=now)
    _record("override_ended", tenant, feature, before, None, reason=reason, actor=actor, now=now)


def _refuse_unusable(reason: str, until: datetime | None, now: datetime) -> None:
    if not reason.strip():
        raise UnusableOverride("Say why: without a reason nobody can tell later whether it is still wanted.")
    if until is not None and until <= now:
        raise UnusableOverride(f"It would be over before it began: {until:%Y-%m-%d %H:%M:%S} UTC is not in the future.")


def _end(tenant: Tenant, feature: str, *, because: str, actor: Actor, now: datetime) -> Override | None:
    present = Override.objects.present().filter(tenant=tenant, feature=feature).first()
    if present is None:
        return None
    present.valid_to, present.ended_by, present.ended_because = now, actor.label[:200], because.strip()
    present.save(update_fields=["valid_to", "ended_by", "ended_because"])
    # One that was over by itself was not what counted before.
    return present if present.until is None or now < present.until else None


def _record(
    what: str,
    tenant: Tenant,
    feature: str,
    before: Override | None,
    after: Override | None,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=f"tenant.{what}",
        subject=tenant.subject,
        now=now,
        before=_shown(feature, before),
        after=_shown(feature, after),
        reason=reason,
    )


def _shown(feature: str, override: Override | None) -> Mapping[str, Any]:
    if override is None:
        return {feature: "as the plans have it"}
    until = {f"{feature}_until": override.until.isoformat()} if override.until else {}
    return {feature: amount_in_words(override.kind, override.limit, override.value), **until}
