"""What is kept of an event: what it is about, never what it says.

Stripe sends two kinds to one address: snapshots, which carry the object, and thin
events, which name it. A thin event `v1.customer.updated` says the same as the snapshot
`customer.updated`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

from apps.billing.errors import BadEvent

EVENTS_THAT_MATTER = ("customer.", "invoice.", "price.", "product.", "test_helpers.test_clock.")
# What to look at again, by the kind of object that an event is about. A subscription or an
# invoice names a customer, and that is who is looked at; a thin event does not tell whom.
KINDS = {
    "customer": "customer",
    "price": "price",
    "product": "product",
    "test_helpers.test_clock": "clock",
    "subscription": "subscription",
    "invoice": "invoice",
}
END_OF_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z


@dataclass(frozen=True)
class EventHead:
    """`work` is what to look at again, such as `customer:cus_1`; where it is empty, `reason` tells why."""

    event_id: str
    type: str
    object_id: str
    customer_id: str
    account_id: str
    api_version: str
    livemode: bool
    created: int
    work: str = ""
    reason: str = ""


def event_head(event: Any) -> EventHead:
    """What is kept of an event.

    Raises:
        BadEvent: when it is not shaped like one; the message says where.
    """
    thin = isinstance(event, dict) and event.get("object") == "v2.core.event"
    return _of_thin(_read(_ThinShape, event)) if thin else _of_snapshot(_read(_EventShape, event))


def _of_snapshot(shape: "_EventShape") -> EventHead:
    # What nothing here depends on need not be understood.
    matters = shape.type.startswith(EVENTS_THAT_MATTER)
    about = _read(_Reference, shape.data.object) if matters else _Reference()
    customer_id = about.id if about.object == "customer" else _id_of(about.customer)
    work = _work_of(shape.type, about.id, customer_id) if matters else ""
    return EventHead(
        event_id=shape.id,
        type=shape.type,
        object_id=about.id,
        customer_id=customer_id,
        account_id=shape.account or "",
        api_version=shape.api_version or "",
        livemode=shape.livemode,
        created=shape.created,
        work=work,
        reason="" if work else "It names no customer." if matters else NOBODY_DEPENDS,
    )


NOBODY_DEPENDS = "Nothing here depends on events of this type."


def _work_of(event_type: str, object_id: str, customer_id: str) -> str:
    for prefix, kind in (("price.", "price"), ("product.", "product"), ("test_helpers.test_clock.", "clock")):
        if event_type.startswith(prefix) and object_id:
            return f"{kind}:{object_id}"
    return f"customer:{customer_id}" if customer_id else ""


def _of_thin(shape: "_ThinShape") -> EventHead:
    matters = shape.type.removeprefix("v1.").startswith(EVENTS_THAT_MATTER)
    about = _read(_Related, shape.related_object) if matters and shape.related_object is not None else _Related()
    kind = KINDS.get(about.type, "") if about.id else ""
    return EventHead(
        event_id=shape.id,
        type=shape.type,
        object_id=about.id,
        customer_id=about.id if kind == "customer" else "",
        # «org_…/acct_…» when the events of a whole organization come here.
        account_id=(shape.context or "").rpartition("/")[2],
        api_version="",
        livemode=shape.livemode,
        created=int(shape.created.timestamp()),
        work=f"{kind}:{about.id}" if kind else "",
        reason="" if kind else _why_a_thin_one_is_ignored(about, matters=matters),
    )


def _why_a_thin_one_is_ignored(about: "_Related", *, matters: bool) -> str:
    if not matters:
        return NOBODY_DEPENDS
    return f"Nothing here depends on an object of type {about.type}." if about.id else "It names no object."


Shape = TypeVar("Shape", bound=BaseModel)


def _read(kind: type[Shape], value: Any) -> Shape:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise BadEvent(f"That is not a Stripe event: {where}: {first['msg']}.") from error


Name = Annotated[str, StringConstraints(max_length=255, pattern=r"^[!-~]*$")]
NonEmptyName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]*$")]
# As in v2.core.account[identity].updated.
EventType = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[a-z0-9_.\[\]]+$")]


def _moment(value: Any) -> datetime:
    """A moment as RFC 3339 writes it, such as 2026-03-01T12:00:00.000Z."""
    if not isinstance(value, str):
        raise ValueError("a moment is a text")  # noqa: TRY004 - pydantic tells this one where it stands
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or not 0 <= moment.timestamp() <= END_OF_TIME:
        raise ValueError("a moment has a time zone and lies after 1970")
    return moment


class _Data(BaseModel):
    object: dict[str, Any]


class _EventShape(BaseModel, strict=True):
    """As far as it matters here. Source: Stripe's API reference, «The Event object»."""

    object: Literal["event"]
    id: NonEmptyName
    type: EventType
    created: Annotated[int, Field(ge=0, le=END_OF_TIME)]
    livemode: bool
    account: Name | None = None
    api_version: Annotated[str, StringConstraints(max_length=40, pattern=r"^[!-~]*$")] | None = None
    data: _Data


class _ThinShape(BaseModel, strict=True):
    """As far as it matters here. Source: Stripe's API reference v2, «The Event object»."""

    object: Literal["v2.core.event"]
    id: NonEmptyName
    type: EventType
    created: Annotated[datetime, BeforeValidator(_moment)]
    livemode: bool
    context: Name | None = None
    related_object: dict[str, Any] | None = None


class _Related(BaseModel, strict=True):
    """The object that a thin event names."""

    id: Name = ""
    type: Name = ""


class _Expanded(BaseModel):
    id: Name


class _Reference(BaseModel, strict=True):
    """What an event's object says about itself and its customer, given as an id or expanded."""

    id: Name = ""
    object: str = ""
    customer: Name | _Expanded | None = None


def _id_of(reference: str | _Expanded | None) -> str:
    return reference.id if isinstance(reference, _Expanded) else reference or ""
