import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from apps.sandbox import cli


class Command(BaseCommand):
    help = "Run a stateful local stand-in for Stripe. It needs no database."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, port: int, store: Path | None, reset: bool, **options: Any) -> None:
        sys.exit(cli.run(port=port, store=store, reset=reset))
