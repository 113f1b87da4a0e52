"""Signatures of webhooks. Contract: docs.stripe.com/webhooks/signature (scheme v1)."""

import hashlib
import hmac


def signature_header(*, payload: str, secret: str, timestamp: int) -> str:
    """Return the value of `Stripe-Signature`.

    The key is the whole secret with its `whsec_`; `timestamp` is the real time of this attempt in Unix seconds,
    not the stand-in's: the receiver compares it with its own clock.
    """
    digest = hmac.new(secret.encode(), f"{timestamp}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
