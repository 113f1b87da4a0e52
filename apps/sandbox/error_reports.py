"""Telling of meter events that could not be counted. Contract: docs.stripe.com/api/v2/core/events/event-types."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from apps.sandbox.contract import Body
from apps.sandbox.store import Transaction
from apps.sandbox.thin import moment, record_thin
from apps.sandbox.usage import METER

_WINDOW: Final = 10
"""Seconds that one report is about."""
_SAMPLES: Final = 5


class Refused(NamedTuple):
    """A meter event that was not counted: Stripe's code, what to tell, and for which meter, if there is one."""

    code: str
    message: str
    identifier: str
    meter: str | None


def report(tx: Transaction, refused: Sequence[Refused]) -> None:
    """Write one thin event for each meter among them, and one for those that name no meter."""
    for meter, group in groupby(sorted(refused, key=_order), key=lambda each: each.meter):
        data = _data(list(group), now=tx.now)
        if meter is None:
            record_thin(tx, "v1.billing.meter.no_meter_found", data)
        else:
            subject = {"id": meter, "type": METER, "url": f"/v1/billing/meters/{meter}"}
            record_thin(tx, "v1.billing.meter.error_report_triggered", data, subject=subject)


def _order(refused: Refused) -> tuple[str, str]:
    return refused.meter or "", refused.code


def _data(refused: list[Refused], *, now: int) -> Body:
    count = len(refused)
    begin = now // _WINDOW * _WINDOW
    types = [_error_type(code, list(group)) for code, group in groupby(refused, key=lambda each: each.code)]
    return {
        "developer_message_summary": f"There {'is' if count == 1 else 'are'} {count} invalid event{'s'[: count > 1]}",
        "reason": {"error_count": count, "error_types": types},
        "validation_start": moment(begin),
        "validation_end": moment(begin + _WINDOW),
    }


def _error_type(code: str, refused: list[Refused]) -> Body:
    samples = [{"error_message": each.message, "request": {"identifier": each.identifier}} for each in refused]
    return {"code": code, "error_count": len(refused), "sample_errors": samples[:_SAMPLES]}
