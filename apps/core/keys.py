"""Idempotency keys: those that callers choose, and those that Tenantry makes for what follows from a call."""

import hashlib

# No key of a caller's begins like this, so that none is ever taken for one of Tenantry's.
RESERVED = "tenantry:"


class OwnKey(str):
    """A key that Tenantry has made; it is short, and no caller can use it."""

    __slots__ = ()


def own_key(*parts: object) -> OwnKey:
    """The key for these parts, however long they are."""
    told = "\0".join(str(each) for each in parts)
    return OwnKey(f"{RESERVED}{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()}")


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can keep a text: no zero byte, and no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def is_usable(key: str) -> bool:
    """Whether a caller's idempotency key, or one of Tenantry's own, can be one, however long."""
    return bool(key) and is_storable(key) and (isinstance(key, OwnKey) or not key.startswith(RESERVED))
