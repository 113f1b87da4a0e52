"""Making in the account what a difference says it lacks.

Stopped anywhere, it is finished by the next push: what is there by then is not lacking any more.
"""

from collections.abc import Iterator
from dataclasses import replace

from apps.billing import gateway
from apps.billing.errors import StripeRefused
from apps.billing.offered import Meter
from apps.lifecycle.publishing.types import CREATED, FEATURE_EXISTS, Difference, Result, WantedPrice


def apply(difference: Difference, meters: tuple[Meter, ...]) -> Iterator[Result]:
    """Make what is lacking, and tell what became of each feature as soon as it is known.

    `meters`: those that the account has. A price that Stripe refuses is told, and the others are made.

    Raises:
        StripeRefused: when a product or a meter cannot be made.
        StripeUnavailable: when Stripe does not answer; a second push goes on.
    """
    for place, price_id in difference.present.items():
        yield Result(place, ok=True, reason=FEATURE_EXISTS, price_id=price_id)
    ids = {meter.event_name: meter.id for meter in meters if meter.active}
    for meter in difference.meters:
        made = gateway.reactivate_meter(meter.id) if meter.id else gateway.create_meter(meter)
        ids[made.event_name] = made.id
    for product in difference.products:
        gateway.create_product(product)
    for wanted in difference.prices:
        yield _made(wanted, ids.get(wanted.event_name, ""))


def _made(wanted: WantedPrice, meter_id: str) -> Result:
    try:
        made = gateway.create_price(replace(wanted.price, meter=meter_id))
    except StripeRefused as error:
        return Result(wanted.place, ok=False, reason=str(error))
    return Result(wanted.place, ok=True, reason=CREATED, price_id=made.id)
