"""What actions cost, as an operator decides."""

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.credits import models
from apps.credits.errors import UnknownCreditType
from apps.credits.registry import refuse_unusable
from apps.credits.types import CreditType


@transaction.atomic
def set_credit_type(credit_type: CreditType, *, actor: Actor, now: datetime) -> None:
    """Let an action cost this from now on, whatever the vendor's code says.

    Raises:
        UnusableCreditType: when it cannot be what it is asked to be.
    """
    refuse_unusable(credit_type)
    before = models.CreditType.objects.select_for_update().filter(pk=credit_type.value).first()
    fields = _fields(credit_type)
    models.CreditType.objects.update_or_create(value=credit_type.value, defaults=fields)
    shown = {name: getattr(before, name) for name in fields} if before else {}
    subject = f"credit-type:{credit_type.value}"
    audit.record(actor=actor, action="credit_type.set", subject=subject, now=now, before=shown, after=fields)


@transaction.atomic
def remove_credit_type(*, value: str, actor: Actor, now: datetime) -> None:
    """Let the vendor's code decide again about an action; without it the type is no more.

    Raises:
        UnknownCreditType: when no operator has set one of that value.
    """
    row = models.CreditType.objects.select_for_update().filter(pk=value).first()
    if row is None:
        raise UnknownCreditType(f"No credit type {value!r} has been set by an operator.")
    row.delete()
    subject, before = f"credit-type:{value}", {"amount": row.amount}
    audit.record(actor=actor, action="credit_type.removed", subject=subject, now=now, before=before)


def _fields(credit_type: CreditType) -> dict[str, Any]:
    return {name: each for name, each in vars(credit_type).items() if name != "value"}
