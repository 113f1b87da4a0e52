"""The answer to «may this tenant do this now?»."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why something is allowed or not; the names are part of the contract."""

    INCLUDED = "included"
    UNLIMITED = "unlimited"
    WITHIN_LIMIT = "within_limit"
    OVER_SOFT_LIMIT = "over_soft_limit"

    FEATURE_NOT_FOUND = "feature_not_found"
    TENANT_NOT_FOUND = "tenant_not_found"
    TENANT_SUSPENDED = "tenant_suspended"
    NO_SUBSCRIPTION = "no_subscription"
    NOT_IN_PLAN = "not_in_plan"
    LIMIT_EXCEEDED = "limit_exceeded"
    VALUE_MISMATCH = "value_mismatch"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    REVOKED = "revoked"

    UNKNOWN = "unknown"


GRANTING = frozenset({Reason.INCLUDED, Reason.UNLIMITED, Reason.WITHIN_LIMIT, Reason.OVER_SOFT_LIMIT})


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a tenant may, with every number that a page or a client needs.

    `requested` is a quantity, or the values asked for of a configuration. `used` is what
    is in use once the request was granted, or as it is where it was refused; None where
    the kind has no number. `limit` None: unlimited, or the kind has none. `plan` and
    `source` name what the limit comes from, such as `plan:pro@3`. `is_fallback`: the
    question itself failed, and the feature's terms say what is answered then.
    """

    has_access: bool
    reason: Reason
    feature: str
    name: str = ""
    kind: str = ""
    requested: Any = 1
    used: int | None = None
    limit: int | None = None
    value: Any = None
    soft: bool = False
    resets_at: datetime | None = None
    plan: str = ""
    source: str = ""
    upgrade_url: str = ""
    is_fallback: bool = False

    @property
    def enabled(self) -> bool:
        """`has_access`, as SaasRock's `getPlanFeatureUsage` names it."""
        return self.has_access

    @property
    def remaining(self) -> int | None:
        """How much is left, never below 0; None: unlimited, or no number."""
        if self.limit is None or self.used is None:
            return None
        return max(0, self.limit - self.used)

    @property
    def message(self) -> str:
        """One sentence for a person."""
        return _SENTENCES[self.reason](self)


def _limit_reached(decision: Decision) -> str:
    name = _named(decision).lower()
    if decision.limit == 0:
        return f"The plan includes no {name}."
    if decision.used is None:
        return f"The limit for {name} is reached: at most {decision.limit or 0:,}."
    return f"The limit for {name} is reached: {decision.used:,} of {decision.limit or 0:,} in use."


def _credits_short(decision: Decision) -> str:
    return f"Not enough {_named(decision).lower()}: {decision.requested:,} needed, {decision.remaining or 0:,} left."


def _named(decision: Decision) -> str:
    return decision.name or decision.feature


_SENTENCES: Mapping[Reason, Callable[[Decision], str]] = {
    Reason.INCLUDED: lambda each: f"{_named(each)} is part of the plan.",
    Reason.UNLIMITED: lambda each: f"{_named(each)}: unlimited.",
    Reason.WITHIN_LIMIT: lambda each: f"{_named(each)}: {each.used or 0:,} of {each.limit or 0:,} in use.",
    Reason.OVER_SOFT_LIMIT: lambda each: (
        f"{_named(each)}: {each.used or 0:,} in use, more than the {each.limit or 0:,} of the plan."
    ),
    Reason.FEATURE_NOT_FOUND: lambda each: f"There is no feature {each.feature!r}.",
    Reason.TENANT_NOT_FOUND: lambda each: "There is no such account.",
    Reason.TENANT_SUSPENDED: lambda each: "The account is closed.",
    Reason.NO_SUBSCRIPTION: lambda each: "The account has no plan.",
    Reason.NOT_IN_PLAN: lambda each: f"{_named(each)} is not part of the plan.",
    Reason.LIMIT_EXCEEDED: _limit_reached,
    Reason.VALUE_MISMATCH: lambda each: f"{_named(each)} does not allow {each.requested!r}.",
    Reason.INSUFFICIENT_CREDITS: _credits_short,
    Reason.UNKNOWN: lambda each: f"Whether {_named(each).lower()} can be used cannot be told right now. Try again.",
    Reason.REVOKED: lambda each: f"{_named(each)} was taken away from this account.",
}


def as_document(decision: Decision) -> dict[str, Any]:
    """A decision with what follows from it, for JSON."""
    return {**asdict(decision), "remaining": decision.remaining, "message": decision.message}
