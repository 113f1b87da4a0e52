"""What can be wrong with a pricing.json, or with a reference in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.errors import TenantryError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where in the document, what, and in which line and column, counted from 1.

    `message` is Tier's own wording where Tier has one. `path` is empty where the text is no HuJSON at all.
    """

    path: str
    message: str
    line: int
    column: int

    @property
    def text(self) -> str:
        """The path and the message, as Tier prints them."""
        return f"{self.path}: {self.message}" if self.path else self.message

    def __str__(self) -> str:
        return self.text


class UnreadablePricing(TenantryError):
    """The pricing.json is not valid."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_as_tier_prints(self.problems))


class MalformedRef(TenantryError):
    """The name is not one of a plan, a feature or an org.

    `message` is what Tier's HTTP API answers, without the name.
    """

    def __init__(self, message: str, ref: str) -> None:
        self.message, self.ref = message, ref
        super().__init__(f"{message}: {ref}")


def _as_tier_prints(problems: Sequence[Problem]) -> str:
    if len(problems) == 1:
        return problems[0].text
    return "multiple errors:" + "".join(f"\n\t{problem.text}" for problem in problems)


class UnconvertiblePricing(TenantryError):
    """The catalogue cannot express the pricing.json."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
