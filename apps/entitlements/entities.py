"""The names of entities: The Things Stack's, and any further one of the vendor's app."""

from apps.entitlements.errors import InvalidEntity
from apps.plans.metadata import ENTITY_GRAMMAR, STANDARD_ENTITIES
from apps.usage.models import ENTITY_MAX_LENGTH

# The Things Stack's seven: it also counts what metered plans may bill instead of all end devices, and never limits it.
TOTALLED_ENTITIES = (*STANDARD_ENTITIES, "activated-end-devices")


def refuse_malformed(entity: str) -> None:
    """Refuse what is no key of an entity.

    Raises:
        InvalidEntity: when it is not lower-case words joined by dashes, or too long.
    """
    if len(entity) > ENTITY_MAX_LENGTH or not ENTITY_GRAMMAR.fullmatch(entity):
        raise InvalidEntity(
            f"{entity!r} cannot name an entity: use at most {ENTITY_MAX_LENGTH} lower-case letters and digits, "
            "with single dashes between words, such as end-devices."
        )
