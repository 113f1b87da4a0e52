"""A tenant and its wallet of credits."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.core.periods import Recurrence, Unit
from apps.credits import selectors, services
from apps.credits.models import LedgerEntry
from apps.credits.types import Balance, Granted, PlanCredits, Spent
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY

HOUR = timedelta(hours=1)
PRO = PlanCredits(
    amount=10, recurrence=Recurrence(Unit.MONTH, 1, NOW), max_rollover=4, thresholds=(80, 100), ref="plan:pro@1"
)


@dataclass
class Purse:
    """Calls about one tenant's wallet, with what is the same in all of them left out."""

    # The books outlive the tenant's row, so they do not need one either.
    tenant: Tenant = field(default_factory=lambda: Tenant(tenant_id="acme"))
    feature: str = "credits"
    plan: PlanCredits | None = None

    def _own(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"tenant": self.tenant, "plan": self.plan, "actor": SOMEBODY, "now": NOW, **given}

    def grant(self, amount: int, **given: Any) -> Granted:
        return services.grant(feature=self.feature, amount=amount, **self._own({"reason": "bought", **given}))

    def spend(self, amount: int, **given: Any) -> Spent:
        return services.spend(feature=self.feature, amount=amount, **self._own(given))

    def reserve(self, amount: int, **given: Any) -> Spent:
        return services.reserve(feature=self.feature, amount=amount, **self._own({"expires_at": NOW + HOUR, **given}))

    def confirm(self, reservation: UUID | None, amount: int | None = None, **given: Any) -> Spent:
        return services.confirm(reservation_id=reservation, amount=amount, **self._own(given))

    def release(self, reservation: UUID | None, **given: Any) -> Spent:
        return services.release(reservation_id=reservation, **self._own(given))

    def adjust(self, amount: int, **given: Any) -> Granted:
        return services.adjust(feature=self.feature, amount=amount, **self._own({"reason": "wrong", **given}))

    def void(self, grant: UUID | None, **given: Any) -> Granted:
        return services.void(grant_id=grant, **self._own({"reason": "not paid", **given}))

    def expire(self, grant: UUID | None, **given: Any) -> Granted:
        return services.expire(grant_id=grant, **self._own({"reason": "over", **given}))

    def balance(self, **given: Any) -> Balance:
        own = self._own(given)
        return selectors.balance(tenant=own["tenant"], feature=self.feature, plan=own["plan"], now=own["now"])

    def entries(self) -> list[tuple[str, int, int]]:
        """The ledger: kind, amount, balance after."""
        rows = LedgerEntry.objects.filter(tenant_uuid=self.tenant.pk, feature=self.feature).order_by("seq")
        return list(rows.values_list("kind", "amount", "balance_after"))


@pytest.fixture
def purse(db: None) -> Purse:
    """The wallet of a tenant without a plan."""
    return Purse()
