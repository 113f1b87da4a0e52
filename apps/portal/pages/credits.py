"""A wallet of credits: what is left, where it comes from, what it was spent on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.http import url_has_allowed_host_and_scheme

from apps.credits import selectors as credits
from apps.credits.models import LedgerEntry
from apps.credits.types import Balance, Category, CreditType, EntryKind, LiveGrant
from apps.entitlements.measuring import plan_credits
from apps.entitlements.metering import Meter
from apps.entitlements.snapshot import Held, snapshot_of
from apps.plans.terms import Kind
from apps.portal.pages.people import names_of
from apps.tenants.models import Tenant

PAGE_SIZE = 25
USUAL = "credits"
# Their author is somebody of the vendor's staff, whose name the tenant need not know.
DECIDED = frozenset({EntryKind.GRANT, EntryKind.VOID, EntryKind.ADJUST, EntryKind.EXPIRE})
PROVIDER = "Your provider"


@dataclass(frozen=True)
class Asked:
    """What of the ledger is to be seen: one kind of entry (empty: all), those before a number."""

    wallet: str = ""
    kind: str = ""
    before: int | None = None


@dataclass(frozen=True)
class Action:
    """What can be paid with credits. `enough_for` None: it costs nothing."""

    name: str
    description: str
    cost: int
    enough_for: int | None


@dataclass(frozen=True)
class GrantLine:
    """A grant of which something is left."""

    grant: LiveGrant
    category: str

    @property
    def used(self) -> int:
        """How much of it was spent."""
        return self.grant.amount - self.grant.remaining - self.grant.held


@dataclass(frozen=True)
class LedgerLine:
    """One entry as it is read. `link` is where on this host the object is found that was paid for, or empty."""

    entry: LedgerEntry
    what: str
    who: str
    link: str


@dataclass(frozen=True)
class Wallet:
    """What is left and what comes. `expiring` expire together at `balance.next_expiry`."""

    meter: Meter
    balance: Balance
    expiring: int
    granted_next: int | None
    grants: tuple[GrantLine, ...]
    actions: tuple[Action, ...]

    @property
    def key(self) -> str:
        """The feature that holds these credits."""
        return self.meter.feature


@dataclass(frozen=True)
class CreditsPage:
    """`wallet` None: nobody has set up credits. `unbooked`: what time has changed since the newest entry.

    `before` continues with the next page of the ledger; None: there is none.
    """

    now: datetime
    asked: Asked
    wallets: tuple[tuple[str, str], ...] = ()
    wallet: Wallet | None = None
    lines: tuple[LedgerLine, ...] = ()
    unbooked: int = 0
    before: int | None = None
    kinds: tuple[tuple[str, str], ...] = tuple(EntryKind.choices)


def credits_page(*, tenant: Tenant, asked: Asked, now: datetime) -> CreditsPage:
    """A tenant's wallet with a page of its ledger; the tenant's schema must have been entered."""
    held = _wallets(tenant, now)
    if not held:
        return CreditsPage(now=now, asked=asked)
    chosen = held.get(asked.wallet) or held.get(USUAL) or next(iter(held.values()))
    key = chosen.entitlement.feature
    balance = credits.balance(tenant=tenant, feature=key, plan=plan_credits(chosen), now=now)
    known = credits.credit_types()
    wallet = _wallet(chosen, balance, known, now)
    kinds = [asked.kind] if asked.kind else []
    ledger = credits.ledger(tenant=tenant, feature=key, kinds=kinds, before=asked.before, size=PAGE_SIZE)
    is_newest = not asked.kind and asked.before is None
    return CreditsPage(
        now=now,
        asked=asked,
        wallets=tuple((each.entitlement.feature, each.entitlement.name) for each in held.values()),
        wallet=wallet,
        lines=_lines(ledger.entries, known),
        unbooked=_unbooked(balance, ledger.entries) if is_newest else 0,
        before=ledger.before,
    )


def _wallets(tenant: Tenant, now: datetime) -> Mapping[str, Held]:
    features = snapshot_of(tenant, now=now).features
    return {key: each for key, each in features.items() if each.entitlement.kind == Kind.CREDITS}


def _wallet(held: Held, balance: Balance, known: Sequence[CreditType], now: datetime) -> Wallet:
    entitlement, plan = held.entitlement, plan_credits(held)
    period = held.recurrence.period_at(now)
    live = [each for each in balance.grants if not each.is_scheduled]
    return Wallet(
        meter=Meter(entitlement, period, balance.used, balance.limit, balance.amount),
        balance=balance,
        expiring=sum(each.remaining for each in live if each.expires_at and each.expires_at == balance.next_expiry),
        granted_next=plan.amount if plan and balance.next_grant_at else None,
        grants=tuple(GrantLine(each, Category(each.category).label) for each in balance.grants),
        actions=tuple(_action(each, balance.amount) for each in known if each.feature == entitlement.feature),
    )


def _action(kind: CreditType, left: int) -> Action:
    enough_for = max(0, left) // kind.amount if kind.amount else None
    return Action(kind.name, kind.description, kind.amount, enough_for)


def _unbooked(balance: Balance, newest: Sequence[LedgerEntry]) -> int:
    return balance.amount - (newest[0].balance_after if newest else 0)


def _lines(entries: Sequence[LedgerEntry], known: Sequence[CreditType]) -> tuple[LedgerLine, ...]:
    names = names_of(entry.actor for entry in entries)
    actions = {each.value: each.name for each in known}
    return tuple(
        LedgerLine(each, _what(each, actions), _who(each, names[each.actor]), _link(each.object_ref))
        for each in entries
    )


def _what(entry: LedgerEntry, actions: Mapping[str, str]) -> str:
    if entry.credit_type:
        return actions.get(entry.credit_type, entry.credit_type)
    return entry.note or entry.object_ref


def _who(entry: LedgerEntry, name: str) -> str:
    # A member or the clock has another name than its label.
    return PROVIDER if entry.kind in DECIDED and name == entry.actor else name


def _link(object_ref: str) -> str:
    is_path = object_ref.startswith("/") and url_has_allowed_host_and_scheme(object_ref, allowed_hosts=None)
    return object_ref if is_path else ""
