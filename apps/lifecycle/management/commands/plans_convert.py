"""`plans_convert`: plans between The Things Stack's metadata and pricing.json."""

from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import TenantryCommand
from apps.lifecycle.publishing.converting import things_stack_document
from apps.lifecycle.publishing.sources import fetch
from apps.plans.pricing.reading import read
from apps.plans.pricing.things_stack import PricedPlan, to_prices
from apps.plans.pricing.writing import write


class Command(TenantryCommand):
    help = (
        "With a pricing.json: prints the metadata that a price of The Things Stack's kind needs for each of its "
        "plans. Without: prints the prices of that kind as a pricing.json. Writes nothing anywhere; what gets lost "
        "is told on standard error."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", nargs="?", metavar="FILE|URL|-")

    def run(self, *, source: str | None, **options: Any) -> None:
        if source:
            self._prices(to_prices(read(fetch(source))))
        else:
            self._document()

    def _prices(self, plans: tuple[PricedPlan, ...]) -> None:
        if self.as_json:
            self.print_json({"plans": [_as_json(each) for each in plans]})
        for each in plans:
            cost = f"{each.amount:f} {each.currency} each {each.unit}" if each.amount is not None else "free"
            self.say(f"{each.ref}  {each.name}  {cost}")
            for key, value in each.metadata.items():
                self.say(f"  {key}={value}")
            self._lost(each.lost)

    def _document(self) -> None:
        document, lost = things_stack_document()
        self.stdout.write(write(document))
        self._lost(lost)

    def _lost(self, lost: tuple[str, ...]) -> None:
        for each in lost:
            self.console.print(f"lost: {each}", style="yellow", markup=False, soft_wrap=True)


def _as_json(plan: PricedPlan) -> dict[str, Any]:
    return {
        "plan": str(plan.ref),
        "name": plan.name,
        "amount": f"{plan.amount:f}" if plan.amount is not None else None,
        "currency": plan.currency or None,
        "interval": plan.unit or None,
        "metadata": dict(plan.metadata),
        "lost": list(plan.lost),
    }
