"""What the operator sees of a tenant's credits, as data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import Http404

from apps.backoffice.tenant_view import TenantView
from apps.credits import selectors as credits
from apps.credits.models import Grant, LedgerEntry, LowBalance
from apps.credits.selectors import LedgerPage
from apps.credits.types import Balance, EntryKind, LiveGrant
from apps.entitlements import wallets
from apps.entitlements.measuring import plan_credits
from apps.plans.resolution import Entitlement
from apps.tenants import links
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class Wallet:
    """One wallet with its balance."""

    entitlement: Entitlement
    balance: Balance

    @property
    def feature(self) -> str:
        """The wallet's key."""
        return self.entitlement.feature


@dataclass(frozen=True)
class ShownGrant:
    """A grant of which something is left. `row` None: time has brought it, and nobody has booked that yet."""

    live: LiveGrant
    row: Grant | None


@dataclass(frozen=True)
class ShownEntry:
    """A line of the ledger with the grant that it is about and the address of the object, where there are any."""

    entry: LedgerEntry
    grant: Grant | None
    object_url: str


@dataclass(frozen=True)
class CreditsPage:
    """A tenant's wallets, and of the chosen one everything; `chosen` None: there is no wallet."""

    wallets: tuple[Wallet, ...]
    chosen: Wallet | None
    grants: tuple[ShownGrant, ...] = ()
    entries: tuple[ShownEntry, ...] = ()
    before: int | None = None
    after: int | None = None
    kind: str = ""
    kinds: tuple[tuple[str, str], ...] = tuple(EntryKind.choices)
    low_balances: Sequence[LowBalance] = ()


SHOWN_LOW_BALANCES = 10


def credits_page(*, tenant: Tenant, feature: str, kind: str, before: int | None, now: datetime) -> CreditsPage:
    """Gather the page; `feature` and `kind` empty: the first wallet, and every kind of entry.

    Raises:
        Http404: when the tenant has no such wallet, or there is no such kind.
    """
    several = wallets_of(tenant, now=now)
    chosen = _chosen(several, feature)
    if kind and kind not in EntryKind.values:
        raise Http404
    if chosen is None:
        return CreditsPage((), None)
    ledger = credits.ledger(tenant=tenant, feature=chosen.feature, before=before, size=30, kinds=[kind] if kind else ())
    rows = _grants(tenant, chosen, ledger)
    return CreditsPage(
        wallets=several,
        chosen=chosen,
        grants=tuple(ShownGrant(each, rows.get(each.id)) for each in chosen.balance.grants),
        entries=_entries(tenant, ledger.entries, rows),
        before=ledger.before,
        after=before,
        kind=kind,
        low_balances=_low_balances(tenant, chosen.feature),
    )


def wallets_of(tenant: Tenant, *, now: datetime) -> tuple[Wallet, ...]:
    """A tenant's wallets with their balances, which come in one query."""
    held = {each.entitlement.feature: each for each in wallets.wallets(tenant=tenant, now=now)}
    found = credits.balances(plans={(tenant.pk, key): plan_credits(each) for key, each in held.items()}, now=now)
    return tuple(Wallet(each.entitlement, found[tenant.pk, key]) for key, each in held.items())


def _chosen(several: Sequence[Wallet], feature: str) -> Wallet | None:
    if not feature:
        return several[0] if several else None
    for each in several:
        if each.feature == feature:
            return each
    raise Http404


def _grants(tenant: Tenant, chosen: Wallet, ledger: LedgerPage) -> Mapping[UUID, Grant]:
    """The rows of every grant that the page names."""
    named = {each.id for each in chosen.balance.grants} | {each.grant_id for each in ledger.entries if each.grant_id}
    return {each.id: each for each in Grant.objects.filter(tenant_uuid=tenant.pk, id__in=named)}


def _entries(tenant: Tenant, entries: Iterable[LedgerEntry], rows: Mapping[UUID, Grant]) -> tuple[ShownEntry, ...]:
    host = links.tenant_url(tenant, "")
    return tuple(
        ShownEntry(
            each,
            rows.get(each.grant_id) if each.grant_id else None,
            # Only what is certainly a path of the tenant's own host.
            f"{host}{each.object_ref}" if each.object_ref[:1] == "/" and each.object_ref[:2] != "//" else "",
        )
        for each in entries
    )


def _low_balances(tenant: Tenant, feature: str) -> Sequence[LowBalance]:
    return [each for each in credits.low_balances(tenant=tenant) if each.feature == feature][:SHOWN_LOW_BALANCES]


class CreditsView(TenantView):
    title = "Credits"
    tab = "credits"
    template_name = "backoffice/tenant_credits.html"

    def page(self) -> CreditsPage:
        given = self.request.GET
        return credits_page(
            tenant=self.tenant,
            feature=given.get("wallet", ""),
            kind=given.get("kind", ""),
            before=self.asked_number("before"),
            now=self.now,
        )
