"""Letting time pass in tenants' wallets: before and after what they are given changes, and every night."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

import structlog
from django.db import transaction

from apps.audit import services as audit
from apps.audit.models import Alert
from apps.audit.services import Cause
from apps.core.periods import BEGINNING, Unit
from apps.credits import selectors, services
from apps.credits.models import Account
from apps.credits.types import PlanCredits
from apps.entitlements.measuring import plan_credits
from apps.entitlements.snapshot import held
from apps.plans import selectors as plans
from apps.plans.models import Feature
from apps.plans.terms import Kind
from apps.tenants.models import Tenant

T = TypeVar("T")
log = structlog.get_logger(__name__)

WALLET_NOT_SETTLED = "wallet_not_settled"
# How many tenants are worked out at a time.
CHUNK = 500

# What the plans give, by tenant and feature; None: nothing, and there is an account.
Given = Mapping[tuple[UUID, str], PlanCredits | None]


def before_change(tenant_keys: Sequence[UUID] | None, now: datetime) -> None:
    """Let the plans that tenants still hold give what they were to give; None: to all that have an account.

    So what is given does not depend on who has looked when. The caller has locked the
    tenants' rows. What fails is told by an alert, and does not keep the change from being made.
    """
    for tenants, given in _changing(tenant_keys, now):
        for key, each in _by_tenant(given).items():
            _settled(tenants[key], each, now)


def after_change(tenant_keys: Sequence[UUID] | None, now: datetime) -> None:
    """As `before_change`, of what they hold from now on: it is given from now on where nothing was given before."""
    for tenants, given in _changing(tenant_keys, now):
        opened = _opened(tenants)
        begun = {key: plan if key in opened or plan is None else _from(now, plan) for key, plan in given.items()}
        for key, each in _by_tenant(begun).items():
            _settled(tenants[key], each, now)


def settle(*, tenants: Iterable[Tenant], now: datetime) -> None:
    """Book what time has brought to the wallets of these tenants.

    Nothing depends on it but what the ledger tells: whoever reads or spends takes the time
    into account. A tenant of whom it cannot be booked is told by an alert, and the others
    go on; a wallet with nothing to book is only read.
    """
    for chunk in _chunks(tenants):
        _settle(chunk, now)


def _settle(tenants: Sequence[Tenant], now: datetime) -> None:
    known = {each.pk: each for each in tenants}
    try:
        with transaction.atomic():
            due = selectors.due(plans=_given(known, now), now=now)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        _go_on_without_whoever_it_is(tenants, error, now)
        return
    failed = {tenant_key for tenant_key in due if not _settled(known[tenant_key], due[tenant_key], now)}
    _clear_alerts([each for each in tenants if each.pk not in failed], now)


def _go_on_without_whoever_it_is(tenants: Sequence[Tenant], error: Exception, now: datetime) -> None:
    if len(tenants) == 1:
        _tell(tenants[0], error, now)
        return
    for each in tenants:
        _settle([each], now)


def _by_tenant(given: Given) -> dict[UUID, dict[str, PlanCredits | None]]:
    found: dict[UUID, dict[str, PlanCredits | None]] = {}
    for (tenant_key, feature), plan in given.items():
        found.setdefault(tenant_key, {})[feature] = plan
    return found


def _settled(tenant: Tenant, given: Mapping[str, PlanCredits | None], now: datetime) -> bool:
    try:
        with transaction.atomic():
            for feature in sorted(given):
                services.settle(tenant=tenant, feature=feature, plan=given[feature], now=now)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        _tell(tenant, error, now)
        return False
    return True


def _tell(tenant: Tenant, error: Exception, now: datetime) -> None:
    log.error("wallet not settled", tenant_id=tenant.tenant_id, exc_info=error)
    told = f"What time has brought to the credits of tenant {tenant.tenant_id!r} could not be booked: {error!r}."
    cause = Cause(code=WALLET_NOT_SETTLED, message=told, details={"error": repr(error)})
    audit.set_alerts(subject=tenant.subject, codes=[WALLET_NOT_SETTLED], causes=[cause], now=now)


def _clear_alerts(tenants: Iterable[Tenant], now: datetime) -> None:
    subjects = [each.subject for each in tenants]
    for alert in Alert.objects.open().filter(code=WALLET_NOT_SETTLED, subject__in=subjects):
        audit.set_alerts(subject=alert.subject, codes=[WALLET_NOT_SETTLED], causes=[], now=now)


def _changing(keys: Sequence[UUID] | None, now: datetime) -> Iterator[tuple[dict[UUID, Tenant], Given]]:
    """The tenants in chunks, in key order, each with the wallets to settle; nothing where nothing is a wallet."""
    if not Feature.objects.filter(kind=Kind.CREDITS).exists():
        return
    for chunk in _chunks(_with_account() if keys is None else sorted(keys)):
        tenants = {each.pk: each for each in Tenant.objects.filter(pk__in=chunk).order_by("pk")}
        given = _given(tenants, now)
        opened = _opened(tenants)
        # One that has nothing to tell of before this moment is opened by whoever uses it first.
        wanted = opened if keys is None else opened | {key for key, plan in given.items() if _is_older(plan, now)}
        yield tenants, {key: plan for key, plan in given.items() if key in wanted}


def _chunks(everything: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(everything)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _with_account() -> list[UUID]:
    return list(Account.objects.order_by("tenant_uuid").values_list("tenant_uuid", flat=True).distinct())


def _opened(tenants: Mapping[UUID, Tenant]) -> set[tuple[UUID, str]]:
    return set(Account.objects.filter(tenant_uuid__in=tenants).values_list("tenant_uuid", "feature"))


def _given(tenants: Mapping[UUID, Tenant], now: datetime) -> Given:
    """The wallets of these tenants: what their plans give credits of, and what they have an account of besides."""
    opened = _opened(tenants)
    present = plans.holdings(tenants.values(), now=now)
    # At the beginning of time no override was over.
    former = plans.holdings(tenants.values(), now=BEGINNING)
    given = {
        (key, feature): plan_credits(held(tenant, each, former[key].entitlements[feature]))
        for key, tenant in tenants.items()
        for feature, each in sorted(present[key].entitlements.items())
        if each.kind == Kind.CREDITS
    }
    return {key: plan for key, plan in given.items() if plan or key in opened}


def _is_older(plan: PlanCredits | None, now: datetime) -> bool:
    if plan is None:
        return False
    # What an override gives without a plan is given once, and may be over before anybody uses it.
    return plan.since is None or plan.since < now or plan.recurrence.unit == Unit.NEVER


def _from(now: datetime, plan: PlanCredits) -> PlanCredits:
    return replace(plan, since=max(now, plan.since or now), former=())
