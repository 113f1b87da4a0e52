"""Who does something: a parameter of every function that changes anything."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    PERSON = "person"
    COMMAND = "command"
    STRIPE = "stripe"
    CLOCK = "clock"


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
    def command(cls, *, name: str) -> "Actor":
        """A management command, run by whoever may log in to the machine."""
        return cls(ActorKind.COMMAND, name)

    @classmethod
    def stripe(cls, *, customer_id: str) -> "Actor":
        """What was read from Stripe about a customer."""
        return cls(ActorKind.STRIPE, customer_id)


CLOCK = Actor(ActorKind.CLOCK, "time passed")
WORKER = Actor(ActorKind.COMMAND, "worker")
