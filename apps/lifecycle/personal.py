"""Export and erasure of one person's data, on their tenant's side and on the public one."""

import json
import re
from collections.abc import Iterable
from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Q

from apps.accounts import personal
from apps.accounts.models import User
from apps.accounts.personal import Section
from apps.audit import services as audit
from apps.audit.models import Alert, Entry
from apps.billing import selectors as billing
from apps.core.actors import Actor, ActorKind
from apps.lifecycle.difference import is_complete
from apps.lifecycle.errors import AdministratorStillNeeded
from apps.tenants import context
from apps.tenants.models import Tenant

FORMAT = "tenantry.personal-data"
VERSION = 1

FIRST_ADMINISTRATOR = "What your provider noted of you as the tenant’s first administrator; null when that is not you."
ALERTS = "What went wrong for your provider in a way that mentions an e-mail address or name of yours."
AUDIT = "What your provider’s audit tells of you: what you did, and what was done with your data. It is never edited."


def find_member(*, tenant: Tenant, word: str) -> User:
    """A tenant's user of this user name, e-mail address or id.

    Raises:
        TenantNotReady: when the tenant cannot be entered.
        UserNotFound, AmbiguousUser: see `accounts.personal.find_user`.
    """
    with context.enter(tenant):
        return personal.find_user(word=word, where=f"in tenant {tenant.tenant_id!r}")


def find_operator(*, word: str) -> User:
    """An operator of this user name, e-mail address or id.

    Raises:
        UserNotFound, AmbiguousUser: see `accounts.personal.find_user`.
    """
    return personal.find_user(word=word, where="among the operators")


def member_sections() -> dict[str, str]:
    """What a member's export holds: a sentence, to the person, for each section."""
    provider = {"first_administrator": FIRST_ADMINISTRATOR, "alerts": ALERTS, "audit": AUDIT}
    return personal.descriptions() | provider


@transaction.atomic
def export_member(*, tenant: Tenant, user: User, actor: Actor, now: datetime) -> str:
    """Everything that is held about one user of a tenant, as a JSON document without any secret.

    Raises:
        TenantNotReady: when the tenant cannot be entered.
        UserNotFound: when the user has gone since they were read.
    """
    with context.enter(tenant):
        sections = personal.sections_of(user=user)
    provider = {
        "first_administrator": Section(FIRST_ADMINISTRATOR, _noted_of(tenant, user)),
        "alerts": Section(ALERTS, _alerts(tenant, _words(tenant, user))),
        "audit": Section(AUDIT, _audit_of_member(tenant, user)),
    }
    document = _document(tenant_id=tenant.tenant_id, sections=sections, provider=provider, now=now)
    _record_member("user.exported", tenant, user, reason="", actor=actor, now=now)
    return document


@transaction.atomic
def export_operator(*, user: User, actor: Actor, now: datetime) -> str:
    """Everything that is held about one operator, as a JSON document without any secret.

    Raises:
        UserNotFound: when the operator has gone since they were read.
    """
    sections = personal.sections_of(user=user)
    provider = {"audit": Section(AUDIT, _audit_of_operator(user))}
    document = _document(tenant_id=None, sections=sections, provider=provider, now=now)
    _record_operator("user.exported", user, reason="", actor=actor, now=now)
    return document


@transaction.atomic
def erase_member(*, tenant: Tenant, user: User, reason: str, even_the_last: bool, actor: Actor, now: datetime) -> None:
    """Erase one user of a tenant, and what stands of them on the public side, or nothing at all.

    Raises:
        TenantNotReady: when the tenant cannot be entered.
        AdministratorStillNeeded: when provisioning still needs them.
        UserNotFound, LastAdministrator, StillReferredTo: see `accounts.personal.erase_member`.
    """
    # Locked, so that nothing that is read of the tenant here is changed before it is erased.
    locked = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    _blot_out(locked, _words(locked, user))
    if _is_first_administrator(locked, user):
        _forget_first_administrator(locked)
    with context.enter(locked):
        personal.erase_member(user=user, even_the_last=even_the_last)
    _record_member("user.erased", locked, user, reason=reason, actor=actor, now=now)


@transaction.atomic
def erase_operator(*, user: User, reason: str, actor: Actor, now: datetime) -> None:
    """Erase one operator. The audit, which is never edited, keeps their user name with what they did.

    Raises:
        UserNotFound, LastOperator, StillReferredTo: see `accounts.personal.erase_operator`.
    """
    personal.erase_operator(user=user)
    _record_operator("user.erased", user, reason=reason, actor=actor, now=now)


def _is_first_administrator(tenant: Tenant, user: User) -> bool:
    # Within a tenant, no two users have names that differ in case alone.
    return str(tenant.first_administrator.get("username", "")).lower() == user.username.lower()


def _forget_first_administrator(tenant: Tenant) -> None:
    if not is_complete(tenant):
        raise AdministratorStillNeeded(
            f"Provisioning of tenant {tenant.tenant_id!r} has steps left that need its first administrator. "
            f"Finish them with `manage.py tenant_provision {tenant.tenant_id} --resume`, then repeat."
        )
    tenant.first_administrator = {}
    tenant.save(update_fields=["first_administrator"])


def _noted_of(tenant: Tenant, user: User) -> dict[str, str] | None:
    if not _is_first_administrator(tenant, user):
        return None
    return {name: value for name, value in tenant.first_administrator.items() if name != "password_hash"}


def _words(tenant: Tenant, user: User) -> set[str]:
    """The addresses and names by which messages may speak of somebody."""
    noted = _noted_of(tenant, user)
    with context.enter(tenant):
        words = personal.addresses_of(user=user) | {user.full_name}
    if noted is not None:
        words |= {noted.get("email", ""), noted.get("full_name", ""), *_claimed_names(tenant)}
    # A shorter one would be found in what speaks of others.
    return {word for word in words if len(word) > 2}


def _claimed_names(tenant: Tenant) -> list[str]:
    """As whom the claiming subscription's metadata names the first administrator, usable or not."""
    claiming = billing.subscriptions([tenant.claimed_by] if tenant.claimed_by else [])
    return [each.metadata.get(key, "") for each in claiming for key in ("admin-user", "admin-full-name", "admin-email")]


def _alerts(tenant: Tenant, words: set[str]) -> list[dict[str, object]]:
    return [{"at": each.raised_at, "message": each.message} for each in _alerts_that_mention(tenant, words)]


def _blot_out(tenant: Tenant, words: set[str]) -> None:
    """An alert, or the note on a subscription, may quote the metadata or a mail server's answer."""
    for alert in _alerts_that_mention(tenant, words):
        alert.message = _without(alert.message, words)
        alert.save(update_fields=["message"])
    for subscription in tenant.subscriptions.exclude(note=""):
        subscription.note = _without(subscription.note, words)
        subscription.save(update_fields=["note"])


def _without(text: str, words: set[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = _mention(word).sub("(erased)", text)
    return text


def _alerts_that_mention(tenant: Tenant, words: set[str]) -> list[Alert]:
    subscriptions = tenant.subscriptions.values_list("stripe_id", flat=True)
    subjects = [tenant.subject, *(f"subscription:{each}" for each in subscriptions)]
    alerts = Alert.objects.filter(subject__in=subjects).order_by("raised_at")
    return [each for each in alerts if any(_mention(word).search(each.message) for word in words)]


def _mention(word: str) -> re.Pattern[str]:
    """The word itself, not one that begins or ends like it."""
    return re.compile(rf"(?<![\w.%+-]){re.escape(word)}(?![\w-]|\.\w)", re.IGNORECASE)


def _audit_of_member(tenant: Tenant, user: User) -> list[dict[str, object]]:
    member = Actor.member(tenant_id=tenant.tenant_id, user_key=user.pk)
    by_them = Q(actor_kind=member.kind, actor_label=member.label)
    about_them = Q(subject=tenant.subject, after__user=str(user.pk))
    return _told(Entry.objects.filter(by_them | about_them))


def _audit_of_operator(user: User) -> list[dict[str, object]]:
    by_them = Q(actor_kind=ActorKind.PERSON, actor_label=user.username)
    return _told(Entry.objects.filter(by_them | Q(subject=_subject(user))))


def _told(entries: Iterable[Entry]) -> list[dict[str, object]]:
    return [{"at": each.at, "action": each.action, "subject": each.subject, "reason": each.reason} for each in entries]


def _document(
    *, tenant_id: str | None, sections: dict[str, Section], provider: dict[str, Section], now: datetime
) -> str:
    document = {
        "format": FORMAT,
        "version": VERSION,
        "tenant_id": tenant_id,
        "exported_at": now,
        "sections": _shown(sections),
        "provider_sections": _shown(provider),
    }
    return json.dumps(document, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)


def _shown(sections: dict[str, Section]) -> dict[str, object]:
    return {name: {"description": each.description, "data": each.data} for name, each in sections.items()}


def _record_member(action: str, tenant: Tenant, user: User, *, reason: str, actor: Actor, now: datetime) -> None:
    """Neither name nor address: the audit outlives the user."""
    after = {"user": str(user.pk)}
    audit.record(actor=actor, action=action, subject=tenant.subject, now=now, after=after, reason=reason)


def _record_operator(action: str, user: User, *, reason: str, actor: Actor, now: datetime) -> None:
    """By user name as all of the operator's entries: the name's next holder must not be taken for this one."""
    after = {"user": str(user.pk)}
    audit.record(actor=actor, action=action, subject=_subject(user), now=now, after=after, reason=reason)


def _subject(operator: User) -> str:
    return f"operator:{operator.username}"
