"""The customer's balance: below zero it is credit, which the next invoices use up.

Contract: docs.stripe.com/billing/customer/balance.
"""

from apps.sandbox.contract import Body
from apps.sandbox.recording import save_and_record
from apps.sandbox.render import render
from apps.sandbox.store import Transaction


def owed(*, total: int, balance: int) -> int:
    """Return what is to be paid of an invoice's total, once the balance is applied."""
    return max(0, total + balance)


def apply(tx: Transaction, invoice: Body) -> Body:
    """Return the amounts of an invoice that is finalised now, and let the customer's balance follow.

    A total below zero becomes credit. Records customer.updated where the balance changes.
    """
    customer = tx.find(invoice["customer"])
    balance = customer["balance"] if customer else 0
    due = owed(total=invoice["total"], balance=balance)
    ending = balance + invoice["total"] - due
    _set(tx, customer, ending)
    return {"amount_due": due, "amount_remaining": due, "starting_balance": balance, "ending_balance": ending}


def restore(tx: Transaction, invoice: Body) -> None:
    """Give back what the invoice, which was never owed, had taken from the balance."""
    customer = tx.find(invoice["customer"])
    if customer and invoice["ending_balance"] is not None:
        _set(tx, customer, customer["balance"] + invoice["starting_balance"] - invoice["ending_balance"])


def _set(tx: Transaction, customer: Body | None, balance: int) -> None:
    if customer and customer["balance"] != balance:
        before = render(tx, customer)
        save_and_record(tx, "customer.updated", customer | {"balance": balance}, before=before)
