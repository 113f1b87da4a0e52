"""How commands show what a push does."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from apps.billing.offered import Tariff
from apps.lifecycle.publishing.types import Difference, Result


def show_difference(console: Console, made: Difference) -> None:
    """What would be made, coloured where the terminal has colours."""
    for meter in made.meters:
        what = "activate meter" if meter.id else "meter"
        _line(console, "+", "green", f"{what} {meter.event_name} ({meter.formula})")
    for product in made.products:
        _line(console, "+", "green", f"product {product.id} {product.name}")
    for wanted in made.prices:
        price = wanted.price
        _line(console, "+", "green", f"price {price.lookup_key} {tariff_in_words(price.tariff)}")
    for each in made.conflicts:
        _line(console, "!", "red", f"{each.place.feature.of(each.place.ref)}: {each.reason}")
    for price_id in made.legacy:
        _line(
            console, "!", "yellow", f"{price_id} counts by usage records, which Stripe no longer has: move to a meter"
        )
    if made.is_empty:
        _line(console, "=", "dim", "the account has all of it")


def _line(console: Console, sign: str, style: str, text: str) -> None:
    console.print(f"{sign} {text}", style=style, markup=False, soft_wrap=True)


def tariff_in_words(tariff: Tariff) -> str:
    """A price for people, in minor units: `990.5 usd each month`."""
    bands = [f"{band.unit:f}+{band.flat:f} to {band.up_to or 'the end'}" for band in tariff.bands]
    amount = f"{tariff.mode} {', '.join(bands)}" if bands else f"{tariff.unit:f}"
    divide = f" per {tariff.divide_by} rounded {'up' if tariff.divide_up else 'down'}" if tariff.divide_by else ""
    every = tariff.interval if tariff.interval_count == 1 else f"{tariff.interval_count} {tariff.interval}s"
    return f"{amount}{divide} {tariff.currency} {'by use ' if tariff.metered else ''}each {every}"


def result_json(result: Result) -> dict[str, Any]:
    """What became of one feature, with the members of Tier's HTTP API first."""
    return {
        "feature": str(result.place.feature.of(result.place.ref)),
        "status": "ok" if result.ok else "failed",
        "reason": result.reason,
        "price": result.price_id or None,
        "period": result.place.period or None,
    }


def difference_json(made: Difference) -> dict[str, Any]:
    """A difference as plain values."""
    return {
        "meters": [{"event_name": each.event_name, "formula": each.formula} for each in made.meters],
        "products": [{"id": each.id, "name": each.name} for each in made.products],
        "prices": [
            {
                "lookup_key": each.price.lookup_key,
                "feature": str(each.place.feature.of(each.place.ref)),
                "meter": each.event_name or None,
                "costs": tariff_in_words(each.price.tariff),
            }
            for each in made.prices
        ],
        "conflicts": [
            {"feature": str(each.place.feature.of(each.place.ref)), "reason": each.reason} for each in made.conflicts
        ],
        "legacy": list(made.legacy),
    }


def columns(rows: Sequence[Sequence[str]]) -> str:
    """A table as Tier prints it: columns two spaces apart."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(row.rstrip() for row in padded)
