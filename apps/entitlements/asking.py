"""«May this tenant do this now?», without booking anything."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.entitlements import failing, measuring
from apps.entitlements.decisions import GRANTING, Decision, Reason
from apps.entitlements.errors import InvalidRequest
from apps.entitlements.snapshot import Held, Snapshot, renewed, snapshot_of
from apps.plans import gathering
from apps.plans.resolution import Entitlement, Origin
from apps.plans.terms import NUMBERED, Kind
from apps.tenants.models import Provisioning, Tenant


def check(*, tenant: Tenant | None, feature: str, requested: Any = 1, now: datetime) -> Decision:
    """Whether a tenant may use a feature, or so much more of it; books nothing.

    `requested` is a quantity for what is counted, metered or paid with credits; for a
    configuration it is the value that is asked for, or a list of values (each must be
    among what is allowed; 1, the default, only asks whether there is any). Switches
    and configurations are answered without a query.

    Raises:
        InvalidRequest: when `requested` is no quantity where one is needed.
    """
    try:
        return _check(tenant, feature, requested, now)
    except failing.UNANSWERED as error:
        return failing.answer(tenant=tenant, feature=feature, requested=requested, error=error)


def _check(tenant: Tenant | None, feature: str, requested: Any, now: datetime) -> Decision:
    if tenant is None:
        return refused(Reason.TENANT_NOT_FOUND, feature, None, requested=requested)
    snapshot = snapshot_of(tenant, now=now)
    held = snapshot.features.get(feature) or held_since(tenant, feature, now=now)
    reason = why_not(tenant, snapshot, held)
    if held is None or reason is not None:
        return refused(reason or Reason.FEATURE_NOT_FOUND, feature, held, requested=requested)
    if held.entitlement.kind in NUMBERED:
        return _numbered(tenant, held, quantity(feature, requested), now)
    return _valued(held, requested)


def held_since(tenant: Tenant, feature: str, *, now: datetime) -> Held | None:
    """A feature that was defined after the snapshot was compiled."""
    if feature not in gathering.features():
        return None
    return renewed(tenant, now=now).features.get(feature)


def why_not(tenant: Tenant, snapshot: Snapshot, held: Held | None) -> Reason | None:
    """Why nothing of a feature can be had at all; None: something can."""
    if tenant.provisioning == Provisioning.DELETING:
        return Reason.TENANT_NOT_FOUND
    if not tenant.is_open:
        return Reason.TENANT_SUSPENDED
    return _not_held(snapshot, held.entitlement) if held else Reason.FEATURE_NOT_FOUND


def _not_held(snapshot: Snapshot, entitlement: Entitlement) -> Reason | None:
    if entitlement.granted:
        return None
    if entitlement.origin == Origin.OVERRIDE:
        return Reason.REVOKED
    # Credits may have been bought or given: the balance decides, not the plan.
    if entitlement.kind == Kind.CREDITS:
        return None
    return Reason.NOT_IN_PLAN if snapshot.plans else Reason.NO_SUBSCRIPTION


def quantity(feature: str, requested: Any, *, least: int = 0) -> int:
    """The quantity that was asked for.

    Raises:
        InvalidRequest: when it is no whole number, or below `least`.
    """
    # A truth value is a whole number to Python alone.
    if isinstance(requested, bool) or not isinstance(requested, int) or requested < least:
        raise InvalidRequest(f"{requested!r} of {feature} was asked for, which must be a whole number from {least}.")
    return requested


def refused(
    reason: Reason, feature: str, held: Held | None, *, requested: Any = 1, used: int | None = None
) -> Decision:
    """A refusal with what is known of the feature."""
    if held is None:
        return Decision(
            has_access=False, reason=reason, feature=feature, requested=requested, upgrade_url=upgrade_url()
        )
    entitlement = held.entitlement
    limit = entitlement.most if entitlement.kind in NUMBERED else None
    return described(held, reason, requested=requested, used=used, limit=limit)


def described(held: Held, reason: Reason, **numbers: Any) -> Decision:
    """A decision about a feature that the tenant holds, or might."""
    entitlement = held.entitlement
    return Decision(
        has_access=reason in GRANTING,
        reason=reason,
        feature=entitlement.feature,
        name=entitlement.name,
        kind=entitlement.kind,
        value=entitlement.value,
        plan=_plan(entitlement),
        source=entitlement.source,
        upgrade_url=upgrade_url(),
        **numbers,
    )


def _plan(entitlement: Entitlement) -> str:
    return next((each.ref for each in entitlement.trace if each.origin in {Origin.PLAN, Origin.DEFAULT_PLAN}), "")


def upgrade_url() -> str:
    """Where a tenant goes for more."""
    return str(settings.TENANTRY_UPGRADE_URL)


def _valued(held: Held, requested: Any) -> Decision:
    allowed = held.entitlement.kind == Kind.SWITCH or requested == 1 or _allows(held.entitlement.value, requested)
    return described(held, Reason.INCLUDED if allowed else Reason.VALUE_MISMATCH, requested=requested)


def _allows(value: Any, requested: Any) -> bool:
    """Whether a configuration's value is, or as a list holds, everything that is asked for."""
    wanted: Sequence[Any] = requested if isinstance(requested, list | tuple) else [requested]
    return all(each == value or (isinstance(value, list) and each in value) for each in wanted)


def _numbered(tenant: Tenant, held: Held, requested: int, now: datetime) -> Decision:
    measured = measuring.measure(tenant, held, now=now)
    if held.entitlement.kind == Kind.CREDITS:
        return _affordable(held, measured, requested)
    return judged(held, measured, requested)


def judged(held: Held, measured: measuring.Measured, requested: int) -> Decision:
    """Whether so much more is within the limit, from what is in use."""
    entitlement = held.entitlement
    limit, soft = entitlement.most, entitlement.soft
    after = ((measured.used if measured.level is None else measured.level) or 0) + requested
    numbers = {"requested": requested, "limit": limit, "soft": soft, "resets_at": measured.period.ends}
    if limit is None:
        return described(held, Reason.UNLIMITED, used=measured.used, **numbers)
    if after <= limit:
        return described(held, Reason.WITHIN_LIMIT, used=measured.used, **numbers)
    reason = Reason.OVER_SOFT_LIMIT if soft else Reason.LIMIT_EXCEEDED
    return described(held, reason, used=measured.used, **numbers)


def _affordable(held: Held, measured: measuring.Measured, requested: int) -> Decision:
    left = measured.left or 0
    soft = held.entitlement.granted and held.entitlement.soft
    numbers = {"requested": requested, "used": measured.used, "limit": measured.limit, "soft": soft}
    if requested <= left:
        return described(held, Reason.WITHIN_LIMIT, resets_at=measured.period.ends, **numbers)
    reason = Reason.OVER_SOFT_LIMIT if soft else Reason.INSUFFICIENT_CREDITS
    return described(held, reason, resets_at=measured.period.ends, **numbers)
