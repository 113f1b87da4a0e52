"""What the account offers, as pushing and pulling plans know it: frozen values, and how Stripe writes them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass(frozen=True)
class Product:
    """A product of the account."""

    id: str
    name: str
    active: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Meter:
    """What counts usage. `formula`: sum, last or count. `id` empty: it is not there yet."""

    event_name: str
    formula: str
    display_name: str = ""
    active: bool = True
    id: str = ""


@dataclass(frozen=True)
class Band:
    """Units up to a total, in minor units for each and once. `up_to` None: without end."""

    up_to: int | None
    unit: Decimal = ZERO
    flat: Decimal = ZERO


@dataclass(frozen=True)
class Tariff:
    """What a recurring price costs, in minor units: `unit` for each, or by `bands`."""

    currency: str
    interval: str
    interval_count: int = 1
    metered: bool = False
    unit: Decimal = ZERO
    bands: tuple[Band, ...] = ()
    mode: str = ""
    divide_by: int = 0
    divide_up: bool = False


@dataclass(frozen=True)
class OfferedPrice:
    """A recurring price. A metered one with no `meter` is of Stripe's former usage records."""

    product_id: str
    lookup_key: str
    tariff: Tariff
    metadata: Mapping[str, str]
    nickname: str = ""
    meter: str = ""
    # What Stripe's former usage records were made of.
    aggregate_usage: str = ""
    active: bool = True
    id: str = ""

    @property
    def is_legacy(self) -> bool:
        """Whether it counts by usage records, which Stripe no longer has."""
        return self.tariff.metered and not self.meter


def read_product(raw: Mapping[str, Any]) -> Product:
    """A product as Stripe writes it."""
    return Product(raw["id"], raw["name"], raw["active"], raw.get("metadata") or {})


def read_meter(raw: Mapping[str, Any]) -> Meter:
    """A meter as Stripe writes it."""
    formula = raw["default_aggregation"]["formula"]
    return Meter(raw["event_name"], formula, raw["display_name"], raw["status"] == "active", raw["id"])


def read_price(raw: Mapping[str, Any]) -> OfferedPrice:
    """A recurring price as Stripe writes it, its tiers told."""
    recurring, product = raw["recurring"], raw["product"]
    return OfferedPrice(
        id=raw["id"],
        product_id=product if isinstance(product, str) else product["id"],
        lookup_key=raw.get("lookup_key") or "",
        tariff=_tariff(raw),
        metadata=raw.get("metadata") or {},
        nickname=raw.get("nickname") or "",
        meter=recurring.get("meter") or "",
        aggregate_usage=recurring.get("aggregate_usage") or "",
        active=raw["active"],
    )


def _tariff(raw: Mapping[str, Any]) -> Tariff:
    recurring, divide = raw["recurring"], raw.get("transform_quantity") or {}
    return Tariff(
        currency=raw["currency"],
        interval=recurring["interval"],
        interval_count=recurring["interval_count"],
        metered=recurring["usage_type"] == "metered",
        unit=_amount(raw, "unit_amount"),
        bands=tuple(_band(each) for each in raw.get("tiers") or ()),
        mode=raw.get("tiers_mode") or "",
        divide_by=divide.get("divide_by") or 0,
        divide_up=divide.get("round") == "up",
    )


def _band(raw: Mapping[str, Any]) -> Band:
    return Band(raw.get("up_to"), _amount(raw, "unit_amount"), _amount(raw, "flat_amount"))


def _amount(raw: Mapping[str, Any], name: str) -> Decimal:
    exact, whole = raw.get(f"{name}_decimal"), raw.get(name)
    return Decimal(str(exact)) if exact is not None else Decimal(whole or 0)


def product_params(product: Product) -> dict[str, Any]:
    """A new product as Stripe reads it."""
    return {"id": product.id, "name": product.name, "active": product.active, "metadata": dict(product.metadata)}


def meter_params(meter: Meter) -> dict[str, Any]:
    """A new meter as Stripe reads it; its events name the customer and the value as Stripe's examples do."""
    return {
        "event_name": meter.event_name,
        "display_name": meter.display_name or meter.event_name,
        "default_aggregation": {"formula": meter.formula},
        "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
        "value_settings": {"event_payload_key": "value"},
    }


def price_params(price: OfferedPrice) -> dict[str, Any]:
    """A new price as Stripe reads it."""
    return {
        "product": price.product_id,
        "lookup_key": price.lookup_key,
        "nickname": price.nickname,
        "metadata": dict(price.metadata),
        **_tariff_params(price.tariff),
        "recurring": {
            "interval": price.tariff.interval,
            "interval_count": price.tariff.interval_count,
            "usage_type": "metered" if price.tariff.metered else "licensed",
            **({"meter": price.meter} if price.meter else {}),
        },
    }


def _tariff_params(tariff: Tariff) -> dict[str, Any]:
    params: dict[str, Any] = {"currency": tariff.currency}
    if tariff.divide_by:
        params["transform_quantity"] = {
            "divide_by": tariff.divide_by,
            "round": "up" if tariff.divide_up else "down",
        }
    if not tariff.bands:
        return params | {"billing_scheme": "per_unit", "unit_amount_decimal": f"{tariff.unit:f}"}
    return params | {
        "billing_scheme": "tiered",
        "tiers_mode": tariff.mode,
        "tiers": [_band_params(each) for each in tariff.bands],
    }


def _band_params(band: Band) -> dict[str, Any]:
    up_to: int | str = "inf" if band.up_to is None else band.up_to
    amounts = {"unit_amount_decimal": f"{band.unit:f}", "flat_amount_decimal": f"{band.flat:f}"}
    return {"up_to": up_to, **amounts}


def idempotency_key(kind: str, params: Mapping[str, Any]) -> str:
    """The key of a request to make something: the same for the same content, so that it is made once."""
    said = json.dumps(params, sort_keys=True)
    return f"tenantry-{kind}-{hashlib.sha256(said.encode()).hexdigest()}"
