"""What the vendor's models inherit from to be limited by the plan, such as `limited_by = "projects"`."""

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models, transaction
from django.db.models import Q

from apps.entitlements import registry
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting import guarding


class LimitedQuerySet(models.QuerySet[Any]):
    """Refuses rows beyond the limit before any of them is written."""

    def bulk_create(  # noqa: PLR0917
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Any]:
        """Django's own: all of the rows, or none.

        Raises:
            LimitReached: when they do not all fit. The caller's transaction stays usable.
        """
        rows = list(objs)
        told = (batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields)
        if ignore_conflicts or update_conflicts:
            with transaction.atomic(), guarding.counting(guarding.bound_to(self.model)):
                return super().bulk_create(rows, *told)
        with in_a_transaction():
            guarding.guard_new(self.model, rows)
            return super().bulk_create(rows, *told)

    def update(self, **changes: Any) -> int:
        """Django's own; where it could make rows count that did not, in a savepoint of its own.

        Raises:
            LimitReached: when more would count than may.
        """
        bound = [each for each in guarding.bound_to(self.model) if each.depends_on(changes)]
        if not bound:
            return super().update(**changes)
        with transaction.atomic(), guarding.counting(bound):
            return super().update(**changes)


class LimitedModel(models.Model):
    """A model of a tenant app, of which each tenant has at most as many rows as its plan says.

    `limited_by` names the feature, or several; of those that `counted_where` applies to
    alone are rows counted, absent all are. A model that is not ours is registered instead,
    see `registry`.
    """

    limited_by: ClassVar[str | tuple[str, ...]] = ()
    counted_where: ClassVar[Q] = Q()

    objects = LimitedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Django's own.

        Raises:
            LimitReached: when it would be one too many. The caller's transaction stays usable.
        """
        with in_a_transaction():
            super().save(*args, **kwargs)

    def clean(self) -> None:
        """Tell a form that it would be one too many."""
        super().clean()
        try:
            guarding.guard_saved(self)
        except LimitReached as refused:
            raise ValidationError(str(refused), code="limit_reached") from refused


def in_a_transaction() -> AbstractContextManager[Any]:
    """The caller's transaction, or one: a limit is held from before the row is written until it is committed."""
    return nullcontext() if transaction.get_connection().in_atomic_block else transaction.atomic()


def register_all() -> None:
    """Count every limited model that there is.

    Raises:
        ImproperlyConfigured: when one does not say what limits it.
        EntityRegisteredTwice, NotATenantModel, InvalidEntity: see `registry.register`.
    """
    for model in apps.get_models():
        if issubclass(model, LimitedModel) and not _counts_as_parent(model):
            for feature in _features_of(model):
                registry.register(entity=feature, model=_with_the_rows(model), filter=model.counted_where)


def _with_the_rows(model: type[models.Model]) -> type[models.Model]:
    """The model itself, or that of which it is a proxy: its rows count, whichever of the two made them."""
    return model._meta.concrete_model or model


def _counts_as_parent(model: type[LimitedModel]) -> bool:
    """Each of its rows is one of the other model's, where it is counted already."""
    others = {_with_the_rows(model), *model._meta.get_parent_list()} - {model}
    return any(issubclass(each, LimitedModel) and each.limited_by == model.limited_by for each in others)


def _features_of(model: type[LimitedModel]) -> tuple[str, ...]:
    features = (model.limited_by,) if isinstance(model.limited_by, str) else model.limited_by
    if not features:
        raise ImproperlyConfigured(f'{model._meta.label} does not say what limits it, such as limited_by = "projects".')
    return features
