"""Which tenant a subscription belongs to.

A subscription with a `tenant-id` claims that tenant; one without joins its
customer's only tenant. The binding is recorded once. Whatever cannot be bound
is refused with an alert on the subscription, and nothing else is harmed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction

from apps.accounts.models import FULL_NAME_MAX_LENGTH
from apps.accounts.services import NewUser, random_password_hash, unusable_fields
from apps.audit import services as audit
from apps.audit.services import Cause
from apps.billing.types import Customer, Secret, Subscription
from apps.core.actors import Actor
from apps.core.errors import TenantryError
from apps.core.jobs import enqueue
from apps.core.text import shorten
from apps.lifecycle import prices
from apps.lifecycle.engine import ENDED, WITHOUT_EFFECT
from apps.lifecycle.prices import IN_WORDS, Prices, Problem
from apps.plans import services as plan_services
from apps.plans.metadata import CustomerTexts, TenantClaim, read_claim
from apps.plans.models import Subscription as Binding
from apps.tenants import ids
from apps.tenants import services as tenant_services
from apps.tenants.models import Provisioning, Tenant
from apps.tenants.services import Claim

MISSING = "tenant_id_missing"
AMBIGUOUS = "tenant_ambiguous"
REFUSED = "tenant_id_refused"
CHANGED = "tenant_id_changed"
ADMINISTRATOR = "administrator_unusable"
CODES = (MISSING, AMBIGUOUS, REFUSED, CHANGED, ADMINISTRATOR, *Problem)

Outcome = Binding.Outcome


@dataclass(frozen=True)
class Found:
    """What was made of one subscription."""

    outcome: str
    tenant: Tenant | None = None
    note: str = ""
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True)
class Situation:
    """One customer's subscriptions, with all that is needed to judge them."""

    customer: Customer
    subscriptions: tuple[Subscription, ...]
    passwords: Mapping[str, Secret]
    prices: Prices
    actor: Actor
    now: datetime

    def is_managed(self, subscription: Subscription) -> bool:
        """Whether any price of the subscription's items is."""
        problems = self.prices.problems
        return any(problems.get(item.price_id) != Problem.NOT_MANAGED for item in subscription.items)

    def claim(self, subscription: Subscription) -> TenantClaim:
        """What the subscription's metadata says, the customer's texts filling in."""
        customer = self.customer
        texts = CustomerTexts(name=customer.name, description=customer.description, email=customer.email)
        return read_claim(subscription.metadata, texts)


def situation(
    *,
    customer: Customer,
    subscriptions: tuple[Subscription, ...],
    passwords: Mapping[str, Secret],
    actor: Actor,
    now: datetime,
) -> Situation:
    """Gather what is needed to bind a customer's subscriptions."""
    used = {item.price_id for subscription in subscriptions for item in subscription.items}
    return Situation(
        customer=customer,
        subscriptions=subscriptions,
        passwords=passwords,
        prices=prices.judge(used),
        actor=actor,
        now=now,
    )


@transaction.atomic
def bind(case: Situation) -> list[Tenant]:
    """Bind every subscription of a customer that can be bound; returns the tenants concerned.

    Claims go first, in the order in which the subscriptions were made, so that one
    without a claim finds its customer's tenant whichever event came first.
    """
    # In one order everywhere, or two customers claiming each other's ids would deadlock.
    claimed = {case.claim(subscription).tenant_id for subscription in case.subscriptions} - {""}
    for tenant_id in sorted(claimed):
        tenant_services.lock_id(tenant_id)
    found: dict[str, Found] = {}
    for subscription in case.subscriptions:
        found[subscription.id] = _judge(case, subscription)
    for subscription in case.subscriptions:
        if found[subscription.id].outcome == Outcome.WAITING:
            found[subscription.id] = _join(case, subscription)
        _record(case, subscription, found[subscription.id])
    return list({each.tenant.pk: each.tenant for each in found.values() if each.tenant}.values())


def _judge(case: Situation, subscription: Subscription) -> Found:
    binding = Binding.objects.select_related("tenant").filter(stripe_id=subscription.id).exclude(tenant=None).first()
    if binding and binding.tenant:
        return _stay(case, subscription, binding.tenant)
    if subscription.status in WITHOUT_EFFECT:
        return Found(Outcome.INCOMPLETE, note=f"Its status is {subscription.status}.")
    if not case.is_managed(subscription):
        return Found(Outcome.UNMANAGED, note=_unmanaged_note(subscription))
    problems = case.prices.problems_of(subscription)
    problems.pop(Problem.NOT_MANAGED, None)
    if problems:
        causes = tuple(_unusable(problem, found) for problem, found in problems.items())
        return Found(Outcome.REFUSED, note=" ".join(each.message for each in causes), causes=causes)
    return _claim(case, subscription) if case.claim(subscription).tenant_id else Found(Outcome.WAITING)


def _unusable(problem: Problem, price_ids: list[str], *, so: str = "") -> Cause:
    """The alert about prices that entitle to nothing."""
    what, mend = IN_WORDS[problem]
    return Cause(problem, f"Price {', '.join(price_ids)} {what}{so}. {mend}", {"prices": price_ids})


def _unmanaged_note(subscription: Subscription) -> str:
    prices = ", ".join(sorted({item.price_id for item in subscription.items})) or "no price"
    return f"None of its prices is managed: {prices}."


def _stay(case: Situation, subscription: Subscription, tenant: Tenant) -> Found:
    """A bound subscription stays where it is, whatever its metadata says now."""
    wanted = case.claim(subscription).tenant_id
    if wanted and wanted != tenant.tenant_id:
        message = (
            f"Its tenant-id was changed to {wanted!r}, but it is bound to {tenant.tenant_id!r} and stays there. "
            f"Set tenant-id back to {tenant.tenant_id!r}."
        )
        changed = Cause(CHANGED, message, {"tenant_id": wanted})
        return _bound(case, subscription, tenant, changed)
    return _bound(case, subscription, tenant)


def _bound(case: Situation, subscription: Subscription, tenant: Tenant, *known: Cause) -> Found:
    """Bound; with alerts while a price entitles to nothing, or the metadata names an impossible administrator."""
    causes = (*known, *_price_causes(case, subscription, tenant), *_administrator_causes(case, subscription, tenant))
    return Found(Outcome.BOUND, tenant, " ".join(each.message for each in causes), causes)


def _price_causes(case: Situation, subscription: Subscription, tenant: Tenant) -> list[Cause]:
    if subscription.status in WITHOUT_EFFECT:
        return []
    so = f", so tenant {tenant.tenant_id!r} gets nothing new through {subscription.id} and keeps its last good limits"
    problems = case.prices.problems_of(subscription)
    return [_unusable(problem, price_ids, so=so) for problem, price_ids in problems.items()]


def _administrator_causes(case: Situation, subscription: Subscription, tenant: Tenant) -> list[Cause]:
    problems = _named_administrator(case, subscription)[1] if tenant.claimed_by == subscription.id else ()
    if not problems:
        return []
    message = (
        f"{' '.join(problems)} Mend the metadata, and make the administrator of {tenant.tenant_id!r} a link "
        f"with `manage.py tenant_link {tenant.tenant_id}`."
    )
    return [Cause(ADMINISTRATOR, message)]


def _claim(case: Situation, subscription: Subscription) -> Found:
    tenant_id = case.claim(subscription).tenant_id
    try:
        tenant_services.refuse_buried(tenant_id)
        ids.validate(tenant_id)
        # A claim that is refused halfway must leave nothing behind.
        with transaction.atomic():
            return _take(case, subscription, tenant_id)
    except TenantryError as error:
        return Found(Outcome.REFUSED, note=str(error), causes=(Cause(REFUSED, str(error), {"tenant_id": tenant_id}),))


def _take(case: Situation, subscription: Subscription, tenant_id: str) -> Found:
    tenant = Tenant.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id).first()
    if tenant is None:
        return _bound(case, subscription, _create(case, subscription))
    if tenant.stripe_customer_id == case.customer.id:
        return _bound(case, subscription, tenant)
    if not tenant.stripe_customer_id and subscription.status not in ENDED:
        return _bound(case, subscription, _adopt(case, subscription, tenant))
    if _comes_first(tenant, subscription):
        return _bound(case, subscription, _take_over(case, subscription, tenant))
    message = f"The tenant id {tenant_id!r} belongs to somebody else. Choose another tenant-id."
    return Found(Outcome.REFUSED, note=message, causes=(Cause(REFUSED, message, {"tenant_id": tenant_id}),))


def _comes_first(tenant: Tenant, subscription: Subscription) -> bool:
    """Two claims on a tenant of which there is but a row: the one that is alive has it, else the older one.

    Without this the winner would be whichever event happened to be worked off first.
    """
    if tenant.claimed_at is None or tenant.provisioning != Provisioning.PENDING:
        return False
    alive = subscription.status not in ENDED
    owner_alive = Binding.objects.filter(tenant=tenant).exclude(status__in=ENDED).exists()
    if alive != owner_alive:
        return alive
    return (subscription.created, subscription.id) < (tenant.claimed_at, tenant.claimed_by)


def _create(case: Situation, subscription: Subscription) -> Tenant:
    claim = case.claim(subscription)
    return tenant_services.create_tenant(
        tenant_id=claim.tenant_id,
        name=claim.name,
        description=claim.description,
        administrator=_administrator(case, subscription),
        claim=_as_claim(subscription),
        actor=case.actor,
        now=case.now,
    )


def _adopt(case: Situation, subscription: Subscription, tenant: Tenant) -> Tenant:
    """A tenant that an operator made has no customer yet: the first claim brings one."""
    tenant_services.transfer_claim(
        tenant=tenant, claim=_as_claim(subscription), administrator=None, actor=case.actor, now=case.now
    )
    return tenant


def _take_over(case: Situation, subscription: Subscription, tenant: Tenant) -> Tenant:
    former_customer = tenant.stripe_customer_id
    plan_services.release_subscriptions(tenant=tenant, now=case.now)
    tenant_services.transfer_claim(
        tenant=tenant,
        claim=_as_claim(subscription),
        administrator=_administrator(case, subscription),
        actor=case.actor,
        now=case.now,
    )
    enqueue("lifecycle.rebind_customer", lock=f"customer:{former_customer}", customer_id=former_customer)
    return tenant


def _as_claim(subscription: Subscription) -> Claim:
    return Claim(subscription_id=subscription.id, customer_id=subscription.customer_id, created=subscription.created)


def _administrator(case: Situation, subscription: Subscription) -> NewUser:
    """The first administrator; a password from the metadata is kept as a hash only."""
    password = case.passwords.get(subscription.id)
    hashed = make_password(password.value) if password else random_password_hash()
    return replace(_named_administrator(case, subscription)[0], password_hash=hashed)


def _named_administrator(case: Situation, subscription: Subscription) -> tuple[NewUser, tuple[str, ...]]:
    """Whom the metadata names as administrator, and what of it could not be used.

    A paying customer gets their tenant whatever is written there: an impossible user
    name becomes the tenant id, an impossible address none.
    """
    claim = case.claim(subscription)
    full_name = shorten(claim.admin_full_name, limit=FULL_NAME_MAX_LENGTH)
    wanted = NewUser(username=claim.admin_user, email=claim.admin_email, full_name=full_name)
    problems = unusable_fields(wanted)
    username = claim.tenant_id if "username" in problems else wanted.username
    email = "" if "email" in problems else wanted.email
    return replace(wanted, username=username, email=email), tuple(problems.values())


def _join(case: Situation, subscription: Subscription) -> Found:
    """A subscription without a claim belongs to its customer's tenant, if there is just one."""
    if Binding.objects.filter(stripe_id=subscription.id).exclude(former_tenant=None).exists():
        message = "The tenant that it belonged to was deleted. Restore that, or cancel the subscription in Stripe."
        return Found(Outcome.REFUSED, note=message, causes=(Cause(REFUSED, message),))
    tenants = list(Tenant.objects.filter(stripe_customer_id=case.customer.id)[:2])
    if len(tenants) == 1:
        return _bound(case, subscription, tenants[0])
    if not tenants:
        message = "It has no tenant-id in its metadata, so no tenant is made for it. Add one to its metadata in Stripe."
        return Found(Outcome.WAITING, note=message, causes=(Cause(MISSING, message),))
    message = "Its customer has several tenants. Add the tenant-id it is for to its metadata in Stripe."
    return Found(Outcome.WAITING, note=message, causes=(Cause(AMBIGUOUS, message),))


def _record(case: Situation, subscription: Subscription, found: Found) -> None:
    plan_services.record_subscription(
        subscription_id=subscription.id,
        customer_id=subscription.customer_id,
        status=subscription.status,
        created=subscription.created,
        outcome=found.outcome,
        note=found.note,
        tenant=found.tenant,
        now=case.now,
    )
    audit.set_alerts(subject=subscription.subject, codes=CODES, causes=_causes(subscription, found), now=case.now)


def _causes(subscription: Subscription, found: Found) -> list[Cause]:
    """What is wrong with a subscription that is over needs nobody's attention any more."""
    if subscription.status in ENDED:
        return []
    customer = {"customer": subscription.customer_id}
    return [replace(each, details={**each.details, **customer}) for each in found.causes]
