"""Invoices. Contract: docs.stripe.com/api/invoices. Only subscriptions make them here."""

from collections.abc import Callable

from apps.sandbox import charging, listing, methods, previewing
from apps.sandbox.billing import collect, settle
from apps.sandbox.cards import SUCCEEDS
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.invoicing import finalize, void, write_off
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route
from apps.sandbox.standing import invoice_settled
from apps.sandbox.store import Transaction

_SUBSCRIPTION = "parent.subscription_details.subscription"


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("invoice", call.id))


def pay_now(call: Call) -> Body:
    """Charge the invoice now, by `payment_method` or the default one; a charge that fails is a card error.

    `paid_out_of_band` takes it as paid without a charge.
    """
    invoice = _payable(call.tx, call.tx.load("invoice", call.id))
    if call.params.get("paid_out_of_band") or not invoice["amount_due"]:
        return render(call.tx, settle(call.tx, invoice, by_hand=True))
    outcome = collect(call.tx, invoice, method=_method(call, invoice), by_hand=True)
    if outcome != SUCCEEDS:
        refusal = charging.refusal(outcome)
        refusal.keeps_changes = True
        raise refusal
    return retrieve(call)


def _payable(tx: Transaction, invoice: Body) -> Body:
    if invoice["status"] == "paid":
        raise ApiError("Invoice is already paid", code="invoice_not_editable")
    if invoice["status"] == "void":
        raise ApiError("This invoice is voided and cannot be paid.", code="invoice_not_editable")
    return finalize(tx, invoice) if invoice["status"] == "draft" else invoice


def _method(call: Call, invoice: Body) -> Body | None:
    """Return the payment method that the request names, which must be the customer's; else None."""
    named = call.params.get("payment_method")
    id = methods.default(call.tx, named, customer=invoice["customer"], param="payment_method")
    return call.tx.load("payment_method", id) if id else None


def void_now(call: Call) -> Body:
    return _settled(call.tx, call.tx.load("invoice", call.id), void)


def mark_uncollectible(call: Call) -> Body:
    return _settled(call.tx, call.tx.load("invoice", call.id), write_off)


def _settled(tx: Transaction, invoice: Body, settle: Callable[[Transaction, Body], Body]) -> Body:
    settled = settle(tx, invoice)
    invoice_settled(tx, settled)
    return render(tx, settled)


def create_preview(call: Call) -> Body:
    """Answer with an invoice that is kept nowhere."""
    return previewing.preview(call.tx, call.params)


def list_all(call: Call) -> Body:
    filters = listing.created(call.params) + listing.given(
        call.params,
        customer="customer",
        status="status",
        subscription=_SUBSCRIPTION,
        collection_method="collection_method",
    )
    return listing.page(call.tx, kind="invoice", url="/v1/invoices", params=call.params, filters=filters)


def list_lines(call: Call) -> Body:
    """Return the lines in the order in which the invoice shows them."""
    invoice = call.tx.load("invoice", call.id)
    return listing.page(
        call.tx,
        kind="line_item",
        url=f"/v1/invoices/{invoice['id']}/lines",
        params=call.params,
        filters=[listing.equals("invoice", invoice["id"])],
        oldest_first=True,
    )


ROUTES = [
    route(
        "GET",
        "/v1/invoices",
        "InvoiceListParams",
        list_all,
        simulates=f"{PAGE} customer status subscription collection_method",
    ),
    route(
        "POST",
        "/v1/invoices/create_preview",
        "InvoiceCreatePreviewParams",
        create_preview,
        simulates="currency customer discounts preview_mode schedule schedule_details subscription "
        "subscription_details",
        accepts="issuer",
    ),
    route("GET", "/v1/invoices/{id}", "InvoiceRetrieveParams", retrieve),
    route("GET", "/v1/invoices/{id}/lines", "InvoiceLineItemListParams", list_lines, simulates=PAGE),
    route(
        "POST",
        "/v1/invoices/{id}/pay",
        "InvoicePayParams",
        pay_now,
        simulates="paid_out_of_band payment_method",
        accepts="forgive mandate off_session source",
    ),
    route("POST", "/v1/invoices/{id}/void", "InvoiceVoidInvoiceParams", void_now),
    route("POST", "/v1/invoices/{id}/mark_uncollectible", "InvoiceMarkUncollectibleParams", mark_uncollectible),
]
