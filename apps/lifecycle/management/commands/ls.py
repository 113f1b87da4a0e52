"""`ls`: the account's plans and features."""

from typing import Any

from apps.core.commands import TenantryCommand
from apps.lifecycle.publishing import services
from apps.lifecycle.publishing.reporting import columns
from apps.plans.pricing.types import Document, Feature


class Command(TenantryCommand):
    help = "Lists the features of the account's plans."

    def run(self, **options: Any) -> None:
        rows = _rows(services.pull())
        if self.as_json:
            self.print_json({"features": [dict(zip(NAMES, row, strict=True)) for row in rows]})
            return
        self.stdout.write(columns([tuple(name.upper() for name in NAMES), *rows]))


NAMES = ("plan", "feature", "mode", "agg", "base")


def _rows(document: Document) -> list[tuple[str, ...]]:
    return [
        (str(ref), str(name), *_words(plan.features[name]))
        for ref, plan in sorted(document.plans.items())
        for name in sorted(plan.features)
    ]


def _words(feature: Feature) -> tuple[str, str, str]:
    """What is not billed by use has neither mode nor aggregate."""
    mode, aggregate = (feature.mode.value, feature.aggregate.value) if feature.metered else ("-", "-")
    return mode, aggregate, f"{feature.base:f}"
