"""Taking the administrator's password out of what Stripe sends, before anything else sees it.

It stands in a subscription's metadata, and Stripe copies that into invoices and
their lines.
"""

from typing import Any

from apps.billing.types import Secret

PASSWORD_KEY = "admin-password"


def take_password(subscription: dict[str, Any]) -> Secret | None:
    """The password in a subscription's metadata, if there is one."""
    password = (subscription.get("metadata") or {}).get(PASSWORD_KEY)
    return Secret(password) if password else None


def scrubbed(value: Any) -> Any:
    """A copy of a Stripe object without any password, however deep it stands."""
    if isinstance(value, dict):
        return {key: scrubbed(inner) for key, inner in value.items() if key != PASSWORD_KEY}
    if isinstance(value, list):
        return [scrubbed(inner) for inner in value]
    return value
