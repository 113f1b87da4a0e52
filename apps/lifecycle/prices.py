"""Which prices entitle to a plan, and why others do not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from apps.billing import selectors as billing
from apps.billing.types import Price, Subscription
from apps.plans import selectors as plans
from apps.plans.models import PlanVersion


class Problem(StrEnum):
    """Why a price entitles to nothing; the code of the alert that says so."""

    NOT_MANAGED = "price_not_managed"
    NO_LIMITS = "subscription_without_limits"
    LEGACY = "price_legacy"


# What is wrong, and how it is mended.
IN_WORDS = {
    Problem.NOT_MANAGED: (
        "is not managed",
        "Manage it with `manage.py price_manage`; if it is to grant nothing, let it be an add-on by its metadata.",
    ),
    Problem.NO_LIMITS: ("has no valid limits yet", "Mend the price's metadata."),
    Problem.LEGACY: (
        "counts by usage records, which Stripe no longer takes",
        "Move the subscription to a price with a meter.",
    ),
}


@dataclass(frozen=True)
class Prices:
    """What is known of some prices, by price id. `versions`: what those entitle to that have no problem."""

    known: Mapping[str, Price]
    versions: Mapping[str, PlanVersion]
    problems: Mapping[str, Problem]

    def problems_of(self, subscription: Subscription) -> dict[Problem, list[str]]:
        """What is wrong with the prices of a subscription, and with which.

        A metered price that nobody manages only bills what was used of a plan beside it.
        """
        used = {item.price_id for item in subscription.items}
        beside_a_plan = bool(used & self.versions.keys())
        found: dict[Problem, list[str]] = {}
        for price_id in sorted(used & self.problems.keys()):
            if not (beside_a_plan and self._bills_usage(price_id)):
                found.setdefault(self.problems[price_id], []).append(price_id)
        return found

    def _bills_usage(self, price_id: str) -> bool:
        price = self.known.get(price_id)
        return self.problems[price_id] == Problem.NOT_MANAGED and price is not None and bool(price.meter)


def judge(price_ids: Iterable[str]) -> Prices:
    """Tell apart which of these prices entitle to something."""
    wanted = set(price_ids)
    known, newest, managed = billing.prices(wanted), plans.newest_versions(wanted), plans.price_groups()
    problems = {
        each: problem
        for each in wanted
        if (problem := _problem(known.get(each), is_managed=each in managed, is_published=each in newest))
    }
    versions = {each: version for each, version in newest.items() if each not in problems}
    return Prices(known, versions, problems)


def _problem(price: Price | None, *, is_managed: bool, is_published: bool) -> Problem | None:
    if not is_managed:
        return Problem.NOT_MANAGED
    if price is not None and price.is_legacy:
        return Problem.LEGACY
    return None if is_published else Problem.NO_LIMITS
