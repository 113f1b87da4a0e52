"""The life of a meter. Contract: docs.stripe.com/api/billing/meter. Meters are deactivated, never deleted."""

from apps.sandbox import errors
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.ids import new_id
from apps.sandbox.recording import record, save_and_record
from apps.sandbox.render import render
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction
from apps.sandbox.usage import METER, active_meter


def insert_meter(tx: Transaction, params: Body) -> Body:
    """Make an active meter; raises ApiError while another active one has its event name."""
    _claim(tx, params["event_name"])
    mapping = params.get("customer_mapping", {"type": "by_id", "event_payload_key": "stripe_customer_id"})
    meter = {
        "id": new_id("mtr_test", length=32),
        "object": METER,
        "created": tx.now,
        "customer_mapping": mapping,
        "default_aggregation": params["default_aggregation"],
        "display_name": params["display_name"],
        "event_name": params["event_name"],
        "event_time_window": params.get("event_time_window"),
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": tx.now,
        "value_settings": params.get("value_settings", {"event_payload_key": "value"}),
    }
    made = tx.insert(complete(meter))
    record(tx, "billing.meter.created", made)
    return made


def rename(tx: Transaction, meter: Body, display_name: str) -> Body:
    """Change the name that people see."""
    after = meter | {"display_name": display_name, "updated": tx.now}
    if display_name == meter["display_name"]:
        return meter
    return save_and_record(tx, "billing.meter.updated", after, before=render(tx, meter))


def deactivate(tx: Transaction, meter: Body) -> Body:
    """Take no more events for the meter; what it counted stays."""
    if meter["status"] == "inactive":
        raise ApiError("This meter is already inactive.")
    return _moved(tx, meter, status="inactive", at=tx.now)


def reactivate(tx: Transaction, meter: Body) -> Body:
    """Take events again; raises ApiError when another meter has taken over the event name meanwhile."""
    if meter["status"] == "active":
        raise ApiError("This meter is already active.")
    _claim(tx, meter["event_name"])
    return _moved(tx, meter, status="active", at=None)


def _moved(tx: Transaction, meter: Body, *, status: str, at: int | None) -> Body:
    moved = tx.save(
        meter | {"status": status, "status_transitions": {"deactivated_at": at}, "updated": tx.now},
    )
    record(tx, f"billing.meter.{'deactivated' if status == 'inactive' else 'reactivated'}", moved)
    return moved


def _claim(tx: Transaction, event_name: str) -> None:
    if not event_name:
        raise errors.invalid_empty("event_name")
    if active_meter(tx, event_name):
        message = (
            f"An active meter already exists for event name '{event_name}'. "
            "To create a new meter with the same event name, first deactivate the currently active meter."
        )
        raise ApiError(message, param="event_name")
