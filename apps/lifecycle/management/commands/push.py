"""`push`: plans as code, into Stripe and the catalogue."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.lifecycle.publishing import services
from apps.lifecycle.publishing.account import dashboard_url
from apps.lifecycle.publishing.reporting import difference_json, result_json, show_difference
from apps.lifecycle.publishing.sources import fetch
from apps.lifecycle.publishing.types import PLAN_EXISTS, Difference, Result
from apps.plans.pricing.reading import read
from apps.plans.pricing.types import Document


class Command(TenantryCommand):
    help = (
        "Pushes the plans of a pricing.json into the Stripe account and the catalogue. A plan that is there "
        "already never changes. Interrupted, it is finished by running it again."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", nargs="?", default="-", metavar="FILE|URL|-", help="standard input by default")
        parser.add_argument("--dry-run", action="store_true", help="show what would be made, and make nothing")

    def run(self, *, source: str, **options: Any) -> None:
        document = read(fetch(source))
        if options["dry_run"]:
            self._preview(document)
            return
        results = services.push(document, actor=self.actor, now=clock.now(), tell=self._tell)
        self._finish(results, applied=all(each.ok for each in results))

    def _preview(self, document: Document) -> None:
        made, results = services.preview(document, actor=self.actor, now=clock.now())
        if not self.as_json:
            show_difference(self.console, made)
        for each in results:
            self._tell(each)
        self._finish(results, applied=False, made=made)

    def _tell(self, result: Result) -> None:
        """One line as Tier prints it."""
        style = self.style.SUCCESS if result.ok else self.style.ERROR
        link = dashboard_url("prices", result.price_id) if result.price_id else "-"
        period = f" {result.place.period}" if result.place.position else ""
        words = [str(result.place.ref), f"{result.place.feature}{period}", link, f"[{result.reason}]"]
        self.say("\t".join([style("ok" if result.ok else "failed"), *words]))

    def _finish(self, results: tuple[Result, ...], *, applied: bool, made: Difference | None = None) -> None:
        if self.as_json:
            told = {"applied": applied, "results": [result_json(each) for each in results]}
            self.print_json(told | ({"difference": difference_json(made)} if made else {}))
        if any(each.reason == PLAN_EXISTS for each in results):
            raise CommandError("illegal attempt to push features to existing plan(s); aborting.")
        if not all(each.ok for each in results):
            raise CommandError("not everything could be pushed: mend what failed, and push again.")
