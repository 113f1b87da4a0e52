"""Calls that book something, each at most once per idempotency key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError

from apps.core.actors import Actor
from apps.core.errors import IdempotencyKeyReused
from apps.core.keys import RESERVED, is_storable, is_usable, own_key
from apps.credits.errors import UnusableKey, UnusableText
from apps.credits.models import IDEMPOTENCY_KEY_MAX_LENGTH, LABEL_MAX_LENGTH, REF_MAX_LENGTH, Operation
from apps.tenants.models import Tenant


@dataclass(frozen=True)
class Act:
    """Who does what, and when. `terms` is what else was asked for: with another it is another call.

    `times`: how often what the credit type stands for. What that costs, and which wallet
    pays, an operator may change between a call and its repetition.

    Raises:
        UnusableKey: when the key is empty, cannot be kept, or begins as those that Tenantry makes.
        UnusableText: when another text cannot be kept.
    """

    tenant: Tenant
    feature: str
    kind: str
    amount: int
    key: str | None
    actor: Actor
    at: datetime
    credit_type: str = ""
    object_ref: str = ""
    reason: str = ""
    terms: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = None

    def __post_init__(self) -> None:
        if self.key is not None and not is_usable(self.key):
            raise UnusableKey(
                f"The idempotency key {self.key[:40]!r} must be text of at least one character "
                f"that does not begin with {RESERVED!r}."
            )
        for text in (self.object_ref, self.credit_type, self.reason, self.actor.label):
            if not is_storable(text):
                raise UnusableText(f"The text {text[:40]!r} contains a zero byte or half a character.")

    @property
    def digest(self) -> str:
        """What a repeated call must have in common with the first."""
        how_much: list[Any] = [self.feature, self.amount] if self.times is None else [self.times]
        asked = [self.kind, how_much, self.credit_type, self.object_ref, self.reason, self.terms]
        return hashlib.sha256(json.dumps(asked, sort_keys=True, cls=DjangoJSONEncoder).encode()).hexdigest()

    def signed(self) -> dict[str, str]:
        """How a row tells of whoever acts."""
        return {
            "actor": self.actor.label[:LABEL_MAX_LENGTH],
            "credit_type": self.credit_type,
            "object_ref": self.object_ref[:REF_MAX_LENGTH],
        }

    def earlier(self) -> Operation | None:
        """The operation that this call repeats. To be asked under the account's lock.

        Raises:
            IdempotencyKeyReused: when the key belongs to another call.
        """
        if self.key is None:
            return None
        found = Operation.objects.filter(tenant_uuid=self.tenant.pk, idempotency_key=self._stored_key()).first()
        if found and found.digest != self.digest:
            raise IdempotencyKeyReused(
                f"The idempotency key {self.key!r} belongs to another call: {found.kind} {found.amount:,} of "
                f"{found.feature} at {found.at:%Y-%m-%d %H:%M:%S} UTC. Use a key of its own for each call."
            )
        return found

    def book(self, answer: Mapping[str, Any]) -> UUID:
        """Record the call with its answer; returns its id."""
        operation = Operation(
            tenant_uuid=self.tenant.pk,
            feature=self.feature,
            kind=self.kind,
            amount=self.amount,
            idempotency_key=self._stored_key(),
            digest=self.digest,
            answer=dict(answer),
            reason=self.reason,
            at=self.at,
            **self.signed(),
        )
        try:
            operation.save(force_insert=True)
        except IntegrityError as error:
            # Of one wallet the lock keeps others away; a key is the tenant's.
            raise IdempotencyKeyReused(
                f"The idempotency key {self.key!r} belongs to a call for another wallet."
            ) from error
        return operation.id

    def _stored_key(self) -> str | None:
        """Too long a key is kept as what it hashes to."""
        if self.key is None or len(self.key) <= IDEMPOTENCY_KEY_MAX_LENGTH:
            return self.key
        return own_key("long", self.key)
