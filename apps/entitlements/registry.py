"""Which entities are counted from a model in the tenant's schema.

The vendor's app registers its own in its AppConfig:

    def ready(self) -> None:
        registry.register(entity="projects", model=Project, filter=Q(archived=False))
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db.models import BooleanField, Model, Q, QuerySet, Value
from django.db.models.functions import Coalesce

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

    def depends_on(self, names: Iterable[str]) -> bool:
        """Whether a change of these fields may change which rows count."""
        mine = {name for field in self._fields().values() for name in (field.name, field.attname)}
        return not mine.isdisjoint(names)

    def may_begin_to_count(self, row: Model, changed: Collection[str] | None) -> bool:
        """Whether a row that is there may count once it is saved, and does not yet. `changed` None: any field."""
        if not self.filter or (changed is not None and not self.depends_on(changed)):
            return False
        return not self.rows().filter(pk=row.pk).exists()

    def counts(self, row: Model) -> bool:
        """Whether a row would count as it is in memory: the database is asked, which compares as it will then."""
        if not self.filter:
            return True
        values = {name: _value(row, field) for name, field in self._fields().items()}
        return Q(Coalesce(self.filter, Value(value=False), output_field=BooleanField())).check(values)

    def _fields(self) -> dict[str, Any]:
        """The fields that decide whether a row counts, by the names that the filter has for them."""
        return {name: self.model._meta.get_field(name) for name in self.filter.referenced_base_fields}


def _value(row: Model, field: Any) -> Any:
    value = getattr(row, field.attname)
    return value if hasattr(value, "resolve_expression") else Value(value, field)


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
