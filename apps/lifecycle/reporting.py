"""How commands tell what a flow did."""

import json
import re
from textwrap import indent
from typing import Any

from django.core.management.base import CommandError
from rich import box
from rich.console import Console
from rich.table import Table

from apps.core.clock import from_timestamp
from apps.core.commands import TenantryCommand
from apps.lifecycle.attempts import Attempts
from apps.lifecycle.difference import Difference
from apps.lifecycle.drift import Drift
from apps.lifecycle.selectors import difference_shown, drift_shown
from apps.lifecycle.sweeping import Sweep
from apps.plans.types import limits_in_words

# Fields in which Stripe has a moment as seconds since 1970.
MOMENT = re.compile(r"(_at|_start|_end|_anchor|_date|_time|^created|^updated)$")


def report_sweep(command: TenantryCommand, sweep: Sweep) -> None:
    """Tell what a sweep found.

    Raises:
        CommandError: when something could not be looked at, so that the exit code says so.
    """
    if command.as_json:
        command.print_json(
            {
                "events": sweep.events,
                "prices": sweep.prices,
                "customers": sweep.customers,
                "changed": [difference_shown(found) for found in sweep.differences],
                "errors": sweep.errors,
                "unanswered": len(sweep.unanswered),
            }
        )
    command.say(
        f"{sweep.events} missed events, {sweep.prices} prices, {sweep.customers} customers, "
        f"{len(sweep.differences)} tenants changed."
    )
    report_differences(command, sweep.differences)
    if sweep.errors:
        raise CommandError(_not_looked_at(sweep))


def _not_looked_at(attempts: Attempts) -> str:
    return f"These could not be looked at:\n{indent(attempts.told(), '  ')}"


def report_drift(command: TenantryCommand, drift: Drift) -> None:
    """Tell where this installation is not what Stripe says.

    Raises:
        CommandError: when anything is different or could not be looked at, so that the exit code says so.
    """
    if command.as_json:
        command.print_json(drift_shown(drift))
    for each in drift.objects.values():
        command.say(f"{each.object}:")
        for change in each.changes:
            command.say(
                f"  {change.field}: {_shown(change.field, change.here)} → {_shown(change.field, change.in_stripe)}"
            )
    report_differences(command, drift.different)
    told = [_not_looked_at(drift)] if drift.errors else []
    if drift:
        told.insert(0, _how_much(drift))
    if told:
        raise CommandError("\n".join(told))
    command.say(f"No drift: {drift.customers} customers and {len(drift.tenants)} tenants are what Stripe says.")


def _how_much(drift: Drift) -> str:
    told = [
        f"{len(drift.objects)} objects and {len(drift.different)} tenants are different (here → in Stripe).",
        "Nothing was changed.",
    ]
    if drift.different or len(drift.objects) > len(drift.lost):
        told.append("`manage.py stripe_sync` takes over what Stripe says.")
    if drift.lost:
        told.append(_no_trace(drift))
    return " ".join(told)


def _no_trace(drift: Drift) -> str:
    told = f"Stripe has no trace of {', '.join(drift.lost)} any more, which no sync changes."
    if drift.living_by_the_lost:
        living = ", ".join(drift.living_by_the_lost)
        told += f" `manage.py tenant_hold` or `manage.py tenant_delete` ends what still lives by it: {living}"
    return told


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and MOMENT.search(field):
        return f"{from_timestamp(value):%Y-%m-%d %H:%M:%S} UTC"
    return value if value and isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def report_differences(command: TenantryCommand, differences: list[Difference]) -> None:
    """Tell a person what is, or was, different about tenants."""
    for found in differences:
        command.say(f"{found.tenant.tenant_id}:" if found else f"{found.tenant.tenant_id}: as it should be")
        for change in found.changes:
            command.say(f"  {change}")


def print_tenants(tenants: list[dict[str, Any]]) -> None:
    """Print the table of tenants on standard output."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("Tenant", "State", "Plan", "Limits", "Host"):
        table.add_column(heading, no_wrap=heading != "State", min_width=12 if heading == "State" else None)
    for each in tenants:
        told = [
            each["state"],
            each["state_description"],
            f"kept: {each['kept_because']}" if each["kept_because"] else "",
            f"deleted on {each['delete_at']:%-d %b %Y}" if each["delete_at"] else "",
            "" if each["provisioning"] == "ready" else each["provisioning"],
        ]
        table.add_row(
            each["tenant_id"],
            "\n".join(line for line in told if line),
            each["plan"] or "none",
            limits_in_words(each["limits"]).replace(", ", "\n"),
            each["host"],
        )
    console = Console(highlight=False)
    # Into a file or a pipe nothing needs to fit, and nothing may be cut.
    Console(highlight=False, width=console.width if console.is_terminal else 120).print(table)
