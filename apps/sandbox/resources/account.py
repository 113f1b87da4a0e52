"""The account whose keys these are. Contract: docs.stripe.com/api/accounts. There is one, kept as long as the file."""

from apps.sandbox import errors
from apps.sandbox.contract import Body
from apps.sandbox.ids import random_text
from apps.sandbox.routing import Call, route
from apps.sandbox.shapes import complete
from apps.sandbox.store import Transaction

_NO_REQUIREMENTS: Body = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
_ADDRESS: Body = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_PROFILE: Body = {
    "annual_revenue": None,
    "estimated_worker_count": None,
    "mcc": None,
    "minority_owned_business_designation": None,
    "name": "Stripe stand-in",
    "product_description": None,
    "support_address": _ADDRESS,
    "support_email": None,
    "support_phone": None,
    "support_url": None,
    "url": None,
}
_PAYMENTS: Body = dict.fromkeys(
    (
        "statement_descriptor",
        "statement_descriptor_kana",
        "statement_descriptor_kanji",
        "statement_descriptor_prefix_kana",
        "statement_descriptor_prefix_kanji",
    )
)
_SETTINGS: Body = {
    "bacs_debit_payments": {"display_name": None, "service_user_number": None},
    "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
    "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
    "card_payments": {
        "decline_on": {"avs_failure": True, "cvc_failure": True},
        "statement_descriptor_prefix": None,
        "statement_descriptor_prefix_kana": None,
        "statement_descriptor_prefix_kanji": None,
    },
    "dashboard": {"display_name": "Stripe stand-in", "timezone": "Etc/UTC"},
    "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": "offer"},
    "payments": _PAYMENTS,
    "payouts": {
        "debit_negative_balances": True,
        "schedule": {"delay_days": 2, "interval": "daily"},
        "statement_descriptor": None,
    },
    "sepa_debit_payments": {},
}


def ensure_account(tx: Transaction) -> str:
    """Return the account's id, made up once for each store."""
    id: str | None = tx.setting("account")
    if id is None:
        id = "acct_" + random_text(16)
        tx.set("account", id)
    return id


def retrieve(call: Call) -> Body:
    return _account(call.tx.setting("account"))


def retrieve_by_id(call: Call) -> Body:
    account = _account(call.tx.setting("account"))
    if account["id"] != call.id:
        raise errors.no_such(kind="account", id=call.id)
    return account


def _account(id: str) -> Body:
    return complete(
        {
            "id": id,
            "object": "account",
            "business_profile": _PROFILE,
            "capabilities": {"card_payments": "active", "transfers": "active"},
            "charges_enabled": True,
            "controller": {"type": "account"},
            "country": "US",
            "default_currency": "usd",
            "details_submitted": True,
            "email": "stand-in@localhost.example",
            "external_accounts": {
                "object": "list",
                "data": [],
                "has_more": False,
                "url": f"/v1/accounts/{id}/external_accounts",
            },
            "future_requirements": _NO_REQUIREMENTS,
            "metadata": {},
            "payouts_enabled": True,
            "requirements": _NO_REQUIREMENTS,
            "settings": _SETTINGS,
            "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
            "type": "standard",
        }
    )


ROUTES = [
    route("GET", "/v1/account", "AccountRetrieveCurrentParams", retrieve),
    route("GET", "/v1/accounts/{id}", "AccountRetrieveParams", retrieve_by_id),
]
