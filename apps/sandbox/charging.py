"""Whether a charge succeeds, and how Stripe is set to treat one that does not.

A customer without any payment method pays always, so that a test that is about something else needs no card;
`require_method` in the settings makes that fail, as Stripe does.
"""

from dataclasses import dataclass
from typing import Final

from apps.sandbox import errors, methods
from apps.sandbox.cards import DECLINED, NEEDS_ACTION, SUCCEEDS
from apps.sandbox.contract import DAY, Body
from apps.sandbox.errors import ApiError
from apps.sandbox.store import Transaction

AFTER_RETRIES: Final = ("canceled", "unpaid", "past_due")


@dataclass(frozen=True)
class Settings:
    """What a Stripe account's billing settings say.

    `after_retries` is what becomes of a subscription once the last retry failed, `upcoming_days` how long before a
    renewal invoice.upcoming comes (0 for never), `require_method` whether a charge without a payment method fails.
    """

    after_retries: str = "canceled"
    upcoming_days: int = 3
    require_method: bool = False

    @property
    def upcoming(self) -> int:
        """Seconds from invoice.upcoming to the renewal."""
        return self.upcoming_days * DAY


def settings(tx: Transaction) -> Settings:
    return Settings(**(tx.setting("billing") or {}))


def expect(tx: Transaction, subscription: Body, *, method: Body | None = None) -> str:
    """Return the outcome that a charge for the subscription would have now, without making it.

    `method` pays in place of the default payment method.
    """
    customer = tx.find(subscription["customer"], deleted=True) or {}
    if customer.get("_failing", 0) > 0:
        return DECLINED
    method = method or methods.payer(tx, subscription=subscription, customer=customer)
    if method is None:
        return DECLINED if settings(tx).require_method else SUCCEEDS
    outcome: str = method["_outcome"]
    return outcome


def attempt(tx: Transaction, subscription: Body, *, method: Body | None = None) -> str:
    """Return the outcome of a charge that is made now; uses up one failure that was asked for, if any."""
    outcome = expect(tx, subscription, method=method)
    customer = tx.find(subscription["customer"])
    if customer and customer.get("_failing", 0) > 0:
        tx.save(customer | {"_failing": customer["_failing"] - 1})
    return outcome


def fail_next(tx: Transaction, customer: Body, *, times: int) -> None:
    """Make the next charges of the customer fail, whatever pays."""
    tx.save(customer | {"_failing": times})


def refusal(outcome: str) -> ApiError:
    """Return the card error for a charge that was asked for and had this outcome."""
    if outcome == NEEDS_ACTION:
        message = (
            "This payment requires additional user action before it can be completed successfully. Payment can be "
            "completed using the PaymentIntent associated with the invoice. For more details see: "
            "https://stripe.com/docs/billing/subscriptions/payment#handling-action-required"
        )
        return errors.card(message, code="invoice_payment_intent_requires_action")
    return errors.declined("generic_decline")
