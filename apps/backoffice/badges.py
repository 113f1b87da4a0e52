"""Statuses as a word with an icon; the colour only repeats it."""

from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.audit.models import Alert
from apps.billing.models import Event
from apps.credits.types import Category
from apps.entitlements.decisions import Decision
from apps.plans.models import Subscription
from apps.tenants.models import Provisioning, State, Tombstone


@dataclass(frozen=True)
class Look:
    """A Material symbol and one of unfold's variants."""

    icon: str
    variant: str


QUIET = Look("circle", "default")
STATES = {
    State.REQUESTED: Look("schedule", "default"),
    State.APPROVED: Look("check_circle", "success"),
    State.FLAGGED: Look("flag", "warning"),
    State.SUSPENDED: Look("pause_circle", "danger"),
    State.REJECTED: Look("block", "danger"),
}
PROVISIONING = {
    Provisioning.PENDING: Look("schedule", "default"),
    Provisioning.RUNNING: Look("progress_activity", "info"),
    Provisioning.READY: Look("check_circle", "success"),
    Provisioning.FAILED: Look("error", "danger"),
    Provisioning.DELETING: Look("delete_forever", "danger"),
}
OUTCOMES = {
    Subscription.Outcome.BOUND: Look("link", "success"),
    Subscription.Outcome.WAITING: Look("schedule", "info"),
    Subscription.Outcome.UNMANAGED: Look("visibility_off", "default"),
    Subscription.Outcome.INCOMPLETE: Look("hourglass_empty", "default"),
    Subscription.Outcome.REFUSED: Look("block", "danger"),
}
CATEGORIES = {
    Category.PROMOTIONAL: Look("redeem", "info"),
    Category.ROLLOVER: Look("redo", "default"),
    Category.PLAN: Look("layers", "default"),
    Category.MANUAL: Look("edit", "default"),
    Category.PAID: Look("payments", "success"),
}
EVENTS = {
    Event.State.PENDING: Look("schedule", "info"),
    Event.State.DONE: Look("check_circle", "success"),
    Event.State.IGNORED: Look("visibility_off", "default"),
}


def badge(word: str, look: Look = QUIET) -> SafeString:
    """One status, to be put into a cell or a page."""
    context = {"text": word, "icon": look.icon, "variant": look.variant, "class": "op-badge"}
    return render_to_string("unfold/helpers/label.html", context)


def state(value: str) -> SafeString:
    """A tenant's state."""
    return badge(State(value).label, STATES[State(value)])


def provisioning(value: str) -> SafeString:
    """How far a tenant's provisioning is."""
    return badge(Provisioning(value).label, PROVISIONING[Provisioning(value)])


def outcome(value: str) -> SafeString:
    """What came of a subscription."""
    return badge(Subscription.Outcome(value).label, OUTCOMES[Subscription.Outcome(value)])


def category(value: str) -> SafeString:
    """Where credits come from."""
    return badge(Category(value).label, CATEGORIES[Category(value)])


def decision(value: Decision) -> SafeString:
    """Whether a tenant may."""
    if value.has_access:
        return badge("It may", Look("check_circle", "success"))
    return badge("It may not", Look("block", "danger"))


def event(value: Event) -> SafeString:
    """How far an event of the inbox is."""
    if value.state == Event.State.PENDING and value.attempts:
        return badge("Failing", Look("error", "danger"))
    state = Event.State(value.state)
    return badge(state.label, EVENTS[state])


def tombstone(value: Tombstone) -> SafeString:
    """Whether a deleted tenant is back."""
    if value.restored_at:
        return badge("Restored", Look("restore", "success"))
    return badge("Deleted", Look("delete", "default"))


def alert(value: Alert) -> SafeString:
    """Whether an alert's cause is still there."""
    if value.cleared_at:
        return badge("Cleared", Look("check_circle", "success"))
    return badge("Open", Look("error", "danger"))
