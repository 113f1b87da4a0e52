"""Which entities are counted from a model in the tenant's schema.

The vendor's app registers its own in its AppConfig:

    def ready(self) -> None:
        registry.register(entity="projects", model=Project, filter=Q(archived=False))
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from django.contrib.postgres.functions import RandomUUID, TransactionNow
from django.db.models import BooleanField, Model, Q, QuerySet, Subquery, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Now, Random
from django.db.models.lookups import In
from django.db.models.sql import Query

from apps.entitlements import entities
from apps.entitlements.errors import EntityRegisteredTwice, NotATenantModel, UnsteadyFilter
from apps.tenants.schema import tenant_app_labels

# What depends on the moment, on chance or on other rows: a row would begin to count without being written. `In` has
# forgotten whether its values had an order.
UNSTEADY = (Now, TransactionNow, Random, RandomUUID, RawSQL, Subquery, QuerySet, Query, In)


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
        return not self.counts_already(row)

    def counts_already(self, row: Model) -> bool:
        """Whether a row of the same key counts as it is in the database."""
        return cast("Any", row)._is_pk_set() and self.rows().filter(pk=row.pk).exists()

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

    `filter` names the rows that count, by the model's own columns and values that are
    always the same; absent, all do.

    Raises:
        InvalidEntity: when `entity` is malformed.
        EntityRegisteredTwice: when the entity is counted already.
        NotATenantModel: when the model's app is not among TENANT_APPS: outside of the
            tenant's schema its rows would be everybody's.
        UnsteadyFilter: when which rows count depends on more than the rows.
    """
    entities.refuse_malformed(entity)
    if entity in _counted:
        raise EntityRegisteredTwice(f"{entity!r} is counted from {_counted[entity].model._meta.label} already.")
    if model._meta.app_label not in tenant_app_labels():
        raise NotATenantModel(f"{model._meta.label} is of no app in TENANT_APPS, so no tenant has rows of it.")
    _counted[entity] = CountedEntity(entity, model, _steady(entity, filter or Q()))


def _steady(entity: str, filter: Q) -> Q:
    """The same, as it is written in every process: the order of a set is another in each."""
    for each in filter.flatten():
        if isinstance(each, UNSTEADY):
            raise UnsteadyFilter(
                f"Which rows count as {entity!r} depends on {type(each).__name__}: compare the model's own columns "
                "with values, with several as in role__in=[...]."
            )
    return _in_order(filter)


def _in_order(filter: Q) -> Q:
    children = [_in_order(each) if isinstance(each, Q) else _ordered(each) for each in filter.children]
    return Q.create(children=children, connector=filter.connector, negated=filter.negated)


def _ordered(child: Any) -> Any:
    if isinstance(child, tuple) and isinstance(child[1], set | frozenset):
        return child[0], sorted(child[1], key=repr)
    return child


def counted_entities() -> Mapping[str, CountedEntity]:
    """What is counted, by entity."""
    return MappingProxyType(_counted)
