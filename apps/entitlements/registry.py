"""Which entities are counted from a model in the tenant's schema.

The vendor's app registers its own in its AppConfig:

    def ready(self) -> None:
        registry.register(entity="projects", model=Project, filter=Q(archived=False))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db.models import Model, Q, QuerySet

from apps.entitlements import entities
from apps.entitlements.errors import EntityRegisteredTwice, NotATenantModel
from apps.tenants.schema import tenant_app_labels


@dataclass(frozen=True)
class CountedEntity:
    """An entity whose total is the number of rows of a model in the tenant's schema."""

    entity: str
    model: type[Model]
    filter: Q

    def rows(self) -> QuerySet[Any]:
        """Those that count, in the schema that has been entered."""
        # Not the default manager: it may hide rows, and a limit counts what is there.
        return self.model._base_manager.filter(self.filter).order_by()


_counted: dict[str, CountedEntity] = {}


def register(*, entity: str, model: type[Model], filter: Q | None = None) -> None:
    """Count the rows of a tenant's model as an entity.

    `filter` names the rows that count, by the model's own columns; absent, all do.

    Raises:
        InvalidEntity: when `entity` is malformed.
        EntityRegisteredTwice: when the entity is counted already.
        NotATenantModel: when the model's app is not among TENANT_APPS: outside of the
            tenant's schema its rows would be everybody's.
    """
    entities.refuse_malformed(entity)
    if entity in _counted:
        raise EntityRegisteredTwice(f"{entity!r} is counted from {_counted[entity].model._meta.label} already.")
    if model._meta.app_label not in tenant_app_labels():
        raise NotATenantModel(f"{model._meta.label} is of no app in TENANT_APPS, so no tenant has rows of it.")
    _counted[entity] = CountedEntity(entity, model, filter or Q())


def counted_entities() -> Mapping[str, CountedEntity]:
    """What is counted, by entity."""
    return MappingProxyType(_counted)
