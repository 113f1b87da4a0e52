"""Who does something: a parameter of every function that changes anything."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    PERSON = "person"
    COMMAND = "command"
    STRIPE = "stripe"
    CLOCK = "clock"
    API_KEY = "api key"


@dataclass(frozen=True)
class Actor:
    """The originator of a change, as the audit shows it."""

    kind: ActorKind
    label: str

    @classmethod
    def person(cls, *, username: str) -> "Actor":
        """Someone signed in."""
        return cls(ActorKind.PERSON, username)

    @classmethod
    def member(cls, *, tenant_id: str, user_key: UUID) -> "Actor":
        """Someone signed in on a tenant's host; the audit outlives them, so it has neither name nor address."""
        return cls(ActorKind.PERSON, f"member {user_key} of {tenant_id}")

    @classmethod
    def command(cls, *, name: str) -> "Actor":
        """A management command, run by whoever may log in to the machine."""
        return cls(ActorKind.COMMAND, name)

    @classmethod
    def api_key(cls, *, name: str) -> "Actor":
        """A program that uses the HTTP API, by the name of its key."""
        return cls(ActorKind.API_KEY, name)

    @classmethod
    def stripe(cls, *, customer_id: str) -> "Actor":
        """What was read from Stripe about a customer without an event having come."""
        return cls(ActorKind.STRIPE, customer_id)

    @classmethod
    def stripe_events(cls, *, newest: str, others: int) -> "Actor":
        """Events of Stripe, by the newest, such as `customer.updated evt_1`, and how many came with it."""
        return cls(ActorKind.STRIPE, f"{newest} and {others} more" if others else newest)


CLOCK = Actor(ActorKind.CLOCK, "time passed")
WORKER = Actor(ActorKind.COMMAND, "worker")
