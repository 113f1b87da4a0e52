"""The Things Stack's messages about registry totals, as JSON.

Names are in snake case. An unsigned 64-bit number is a string, as proto3's JSON has
it; read are strings and numbers.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ninja import Field, Schema
from pydantic import ConfigDict

from apps.api.errors import BadRequest
from apps.entitlements.entities import TOTALLED_ENTITIES
from apps.entitlements.types import EntityTotal

MAX_BATCH = 100
ALL_FIELDS = frozenset[str]()


class _Message(Schema):
    model_config = ConfigDict(extra="forbid")


class TenantIdentifiers(_Message):
    tenant_id: str


class FieldMask(_Message):
    paths: list[str] = Field(default_factory=list)


class BatchGetTenantRegistryTotalsRequest(_Message):
    tenant_ids: list[TenantIdentifiers] = Field(max_length=MAX_BATCH)
    field_mask: str | FieldMask = ""


def totals_message(totals: Iterable[EntityTotal], fields: frozenset[str]) -> dict[str, str]:
    """TenantRegistryTotals. A field is absent where nobody tells, and «0» where there are none."""
    told = {_field_of(each.entity): str(each.total) for each in totals if each.total is not None}
    return {field: total for field, total in told.items() if not fields or field in fields}


def masked_fields(mask: str | FieldMask, *, known: Iterable[str] = ()) -> frozenset[str]:
    """The fields that a field mask asks for; empty: all.

    Raises:
        BadRequest: when it names a field that there is not; `known` are entities besides the standard ones.
    """
    paths = mask.paths if isinstance(mask, FieldMask) else [path.strip() for path in mask.split(",") if path.strip()]
    there_are = {_field_of(entity) for entity in (*TOTALLED_ENTITIES, *known)}
    for path in paths:
        if path not in there_are:
            raise BadRequest(f"The field mask asks for {path!r}, but there are {', '.join(sorted(there_are))}.")
    return frozenset(paths)


def read_totals(message: Mapping[str, Any]) -> dict[str, Any]:
    """The totals that a TenantRegistryTotals tells, by entity; what is no whole number is left as it is."""
    return {_entity_of(field): _number(told) for field, told in message.items()}


def _number(told: object) -> object:
    # Twenty digits hold every unsigned 64-bit number; more of them only cost time.
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) <= 20:
        return int(told)
    return told


def _field_of(entity: str) -> str:
    return entity.replace("-", "_")


def _entity_of(field: str) -> str:
    if "-" in field:
        raise BadRequest(f"There is no field {field!r}; names are joined by underscores: {field.replace('-', '_')!r}?")
    return field.replace("_", "-")
