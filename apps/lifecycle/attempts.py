"""Looking at many things one after another, whatever becomes of each."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from apps.billing.errors import StripeUnavailable
from apps.core.errors import TenantryError

log = structlog.get_logger(__name__)

# So many times in a row Stripe does not answer before it is asked no more: each may take minutes.
ENOUGH = 3


@dataclass
class Attempts:
    """What could not be looked at: `errors` by name, and of what Stripe was `unanswered`, or not asked any more."""

    errors: dict[str, str] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    _in_a_row: int = field(default=0, repr=False)

    def attempt(self, name: str, work: Callable[[], None]) -> None:
        """Look at one of many; what fails is noted, and nothing more is tried once Stripe is away."""
        if self._in_a_row >= ENOUGH:
            self.unanswered.append(name)
            return
        try:
            work()
        except StripeUnavailable as error:
            self._in_a_row += 1
            self.unanswered.append(name)
            self.errors[name] = str(error)
            return
        except TenantryError as error:
            self.errors[name] = str(error)
        except Exception as error:
            # One customer nobody anticipated must not keep all the others from being looked at.
            log.exception("look at Stripe failed", subject=name)
            self.errors[name] = f"{type(error).__name__}: {error}"
        self._in_a_row = 0

    def told(self, *, at_most: int | None = None) -> str:
        """What failed, each or so many by name, and how much was not looked at; empty when all went well."""
        lines = [f"{name}: {error}" for name, error in self.errors.items()][:at_most]
        if len(lines) < len(self.errors):
            lines.append(f"and {len(self.errors) - len(lines):,} more")
        unasked = len(set(self.unanswered) - self.errors.keys())
        if unasked:
            lines.append(f"Stripe being away, {unasked:,} more were not looked at.")
        return "\n".join(lines)
