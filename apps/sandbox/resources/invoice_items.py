"""Invoice items. Contract: docs.stripe.com/api/invoiceitems. Only prorations make them here."""

from apps.sandbox import listing
from apps.sandbox.contract import Body
from apps.sandbox.listing import Filter
from apps.sandbox.render import render
from apps.sandbox.routing import PAGE, Call, route


def retrieve(call: Call) -> Body:
    return render(call.tx, call.tx.load("invoiceitem", call.id))


def list_all(call: Call) -> Body:
    filters = listing.created(call.params) + listing.given(call.params, customer="customer", invoice="invoice")
    if "pending" in call.params:
        negation = "" if call.params["pending"] else "NOT "
        filters.append(Filter(f"json_extract(body, '$.invoice') IS {negation}NULL"))
    return listing.page(call.tx, kind="invoiceitem", url="/v1/invoiceitems", params=call.params, filters=filters)


ROUTES = [
    route("GET", "/v1/invoiceitems", "InvoiceItemListParams", list_all, simulates=f"{PAGE} customer invoice pending"),
    route("GET", "/v1/invoiceitems/{id}", "InvoiceItemRetrieveParams", retrieve),
]
