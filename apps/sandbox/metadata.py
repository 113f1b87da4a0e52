"""Metadata. Contract: docs.stripe.com/api/metadata (50 keys, keys of 40 characters, values of 500)."""

from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError


def merged(current: dict[str, str], sent: dict[str, str] | str | None) -> dict[str, str]:
    """Return `current` with `sent` laid over it.

    An empty value removes its key, empty text in place of the whole (`metadata=`) removes all keys, and None,
    which is a parameter not sent, leaves all as it is. Raises ApiError beyond Stripe's limits.
    """
    if sent is None:
        return current
    if isinstance(sent, str):
        return {}
    result = {name: value for name, value in (current | sent).items() if value != ""}
    _check(result)
    return result


def of(params: Body) -> dict[str, str]:
    """Return the metadata of an object that is being made with `params`."""
    return merged({}, params.get("metadata"))


def _check(metadata: dict[str, str]) -> None:
    if len(metadata) > 50:
        raise ApiError(f"Metadata can have up to 50 keys, but you sent {len(metadata)}.", param="metadata")
    for name, value in metadata.items():
        if len(name) > 40:
            raise ApiError(
                f"Metadata keys can have up to 40 characters, but this one has {len(name)}: {name}",
                param=f"metadata[{name}]",
            )
        if len(value) > 500:
            raise ApiError(
                f"Metadata values can have up to 500 characters, but you passed in a value that is "
                f"{len(value)} characters.",
                param=f"metadata[{name}]",
            )
