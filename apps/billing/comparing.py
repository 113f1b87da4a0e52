"""Two states of Stripe's objects, compared field by field. Pure: no database, no network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Raw = Mapping[str, Any]

# Links that Stripe signs anew each time it is asked, and the copy of the price in the shape it had once.
NOT_COMPARED = frozenset({"hosted_invoice_url", "invoice_pdf", "webhooks_delivered_at", "plan"})


@dataclass(frozen=True)
class FieldDrift:
    """A field, as in `metadata.tenant-id` or `items.si_1.quantity`, with its value here and in Stripe; None: unset."""

    field: str
    here: Any
    in_stripe: Any


@dataclass(frozen=True)
class ObjectDrift:
    """An object, as in `customer:cus_1`, that is not here what it is in Stripe.

    `lost`: Stripe has no trace of it, and a refresh leaves it here, since something rests on it.
    """

    object: str
    changes: tuple[FieldDrift, ...]
    lost: bool = False


def compared(here: Mapping[str, Raw], in_stripe: Mapping[str, Raw]) -> list[ObjectDrift]:
    """Those of these objects, by name, that differ."""
    names = dict.fromkeys([*here, *in_stripe])
    found = (ObjectDrift(name, tuple(_object(name, here.get(name), in_stripe.get(name)))) for name in names)
    return [each for each in found if each.changes]


def _object(name: str, here: Raw | None, in_stripe: Raw | None) -> Iterator[FieldDrift]:
    if here is None or in_stripe is None:
        # Of invoices only the open ones are kept.
        presence = "open" if name.startswith("invoice:") else "exists"
        yield FieldDrift(presence, here is not None, in_stripe is not None)
    elif in_stripe.get("deleted") and not here.get("deleted"):
        # Nothing but its id is left in Stripe.
        yield FieldDrift("deleted", here=False, in_stripe=True)
    else:
        yield from _fields("", here, in_stripe)


def _fields(path: str, here: Raw, in_stripe: Raw) -> Iterator[FieldDrift]:
    for key in dict.fromkeys([*here, *in_stripe]):
        if key == "metadata":
            yield from _metadata(f"{path}{key}", here.get(key), in_stripe.get(key))
        elif key not in NOT_COMPARED:
            yield from _field(f"{path}{key}", here.get(key), in_stripe.get(key))


def _metadata(path: str, here: Any, in_stripe: Any) -> Iterator[FieldDrift]:
    """Its keys are the vendor's own: one that reads like a field of Stripe's means nothing."""
    if isinstance(here, dict) and isinstance(in_stripe, dict):
        names = dict.fromkeys([*here, *in_stripe])
        pairs = [(f"{path}.{name}", here.get(name), in_stripe.get(name)) for name in names]
    else:
        pairs = [(path, here, in_stripe)]
    yield from (FieldDrift(field, before, after) for field, before, after in pairs if before != after)


def _field(path: str, here: Any, in_stripe: Any) -> Iterator[FieldDrift]:
    before, after = _as_value(here), _as_value(in_stripe)
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _fields(f"{path}.", before, after)
    elif _is_identified(before) and _is_identified(after):
        yield from _elements(path, before, after)
    elif before != after:
        yield FieldDrift(path, before, after)


def _elements(path: str, here: list[Raw], in_stripe: list[Raw]) -> Iterator[FieldDrift]:
    before, after = ({each["id"]: each for each in elements} for elements in (here, in_stripe))
    for key in dict.fromkeys([*before, *after]):
        if key in before and key in after:
            yield from _fields(f"{path}.{key}.", before[key], after[key])
        else:
            yield FieldDrift(f"{path}.{key}.exists", key in before, key in after)


def _as_value(value: Any) -> Any:
    """The list of a page; of an object inside another its id: it is compared by itself, and the copy may be older."""
    if not isinstance(value, dict):
        return value
    if value.get("object") == "list":
        return value["data"]
    return value["id"] if {"id", "object"} <= value.keys() else value


def _is_identified(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and "id" in each for each in value)
