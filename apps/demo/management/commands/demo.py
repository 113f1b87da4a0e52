"""`demo`: everything, on a machine with nothing configured."""

import signal
import time
from typing import Any, Never

from django.conf import settings
from django.core.management.base import CommandParser

from apps.core import clock
from apps.core.commands import TenantryCommand
from apps.demo import parts, stage
from apps.demo.stage import Choices
from apps.lifecycle.reporting import print_tenants

# As a shell reports a program that Ctrl-C has ended.
INTERRUPTED = 130


class Command(TenantryCommand):
    help = (
        "Shows Tenantry at work with nothing configured: an embedded PostgreSQL, a stand-in for Stripe, and a "
        "vendor whose subscriptions become tenants. Serves until Ctrl-C; a second run keeps what is there."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="where to serve (default: 8000)")
        parser.add_argument("--host-suffix", default="localhost", help="tenants answer at <tenant>.<suffix>")
        parser.add_argument("--once", action="store_true", help="do all but serve, and exit")
        parser.add_argument("--reset", action="store_true", help="forget everything first")

    def run(self, *, port: int, host_suffix: str, once: bool, reset: bool, **options: Any) -> None:
        choices = Choices(port=port, host_suffix=host_suffix, once=once, reset=reset)
        stage.refuse_real_accounts()
        if not once:
            parts.refuse_used_port(port)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _as_interrupt)
        self._serving = False
        try:
            with stage.alone_in_this_home():
                self._show(choices)
        except KeyboardInterrupt:
            self.console.print("Stopped.")
            if not self._serving:
                raise SystemExit(INTERRUPTED) from None

    def _show(self, choices: Choices) -> None:
        with self.console.status("Preparing the database …") as status:

            def say(text: str) -> None:
                self.console.print(f"  [dim]•[/dim] {text}")
                status.update(f"{text} …")

            say("Preparing the embedded PostgreSQL")
            stage.prepare_database(reset=choices.reset)
            with stage.running(choices, say=say, clock=clock.now) as (running_parts, vendor):
                stage.play(vendor, say=say, clock=clock.now)
                outcome = stage.outcome(now=clock.now())
                status.stop()
                self._tell(outcome)
                if not choices.once:
                    self._serve(running_parts)

    def _tell(self, outcome: dict[str, Any]) -> None:
        if self.as_json:
            self.print_json(outcome)
        else:
            print_tenants(outcome["tenants"])
            self._tell_addresses(outcome)

    def _tell_addresses(self, outcome: dict[str, Any]) -> None:
        for tenant in outcome["tenants"]:
            why_not = "closed" if tenant["admin"] else "administrator erased"
            link = tenant["sign_in_link"]
            told = f"sign in once: {link}" if link else f"{why_not}: {tenant['url']}"
            self.say(f"  {tenant['tenant_id']:<12} {told}")
        operator = outcome["operator"]
        self.say(
            f"\n  {'operator':<12} sign in once: {operator['sign_in_link']}\n  {'':<12} then at:      {operator['url']}"
        )
        self.say(
            "\nOn a tenant's host: /app/ to create projects and tasks, and /settings/limits/, /settings/credits/ and "
            "/settings/usage/ for what it may and has used."
        )
        self.say(
            f"\nEmbedded: the PostgreSQL with its files in {outcome['database']['folder']} (DATABASE_URL uses another)."
            f"\nA stand-in: Stripe, at {outcome['stripe']['url']} (STRIPE_SECRET_KEY uses the real one). "
            "No card was charged."
            f"\nE-mails are written to {settings.TENANTRY_HOME / 'mail'}, logs to {settings.TENANTRY_HOME / 'log'}."
        )

    def _serve(self, running_parts: parts.Parts) -> None:
        self._serving = True
        self.say(f"\nServing at {settings.TENANTRY_PUBLIC_URL}/ until Ctrl-C.")
        while True:
            running_parts.check()
            time.sleep(0.5)


def _as_interrupt(*_: object) -> Never:
    raise KeyboardInterrupt
