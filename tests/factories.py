"""Ready-made rows, made through the services that make them in earnest."""

from datetime import UTC, datetime

from apps.accounts.models import User
from apps.accounts.services import NewUser
from apps.core.actors import Actor
from apps.lifecycle import services
from apps.plans import renewing
from apps.plans.metadata import entity_name
from apps.plans.models import Allowance, Feature, Plan, PlanAssignment, PlanVersion
from apps.tenants import context
from apps.tenants.models import State, Tenant

PASSWORD = "correct horse battery"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SOMEBODY = Actor.person(username="somebody")


def make_tenant(tenant_id: str = "acme", *, ready: bool = True, state: str = State.APPROVED) -> Tenant:
    """A tenant made by hand, by default with its schema, host and administrator."""
    administrator = NewUser(username="ann", email=f"ann@{tenant_id}.example", full_name="Ann Example")
    tenant = services.create_tenant(
        tenant_id=tenant_id, name=tenant_id.capitalize(), administrator=administrator, actor=SOMEBODY, now=NOW
    )
    if ready:
        tenant = services.provision_tenant(tenant_key=tenant.pk, actor=SOMEBODY, now=NOW)
    if state != State.APPROVED:
        Tenant.objects.filter(pk=tenant.pk).update(state=state)
        tenant.refresh_from_db()
    return tenant


def make_operator(username: str = "olga") -> User:
    """Somebody of the vendor's staff."""
    return User.objects.create_superuser(username, f"{username}@vendor.example", PASSWORD)


def make_member(tenant: Tenant, username: str = "max", role: str = User.Role.MEMBER) -> User:
    """Somebody who can sign in on a tenant's host."""
    with context.enter(tenant):
        user = User(username=username, email=f"{username}@{tenant.tenant_id}.example", role=role)
        user.set_password(PASSWORD)
        user.save()
    return user


def give_plan_to(tenant: Tenant, key: str = "pro", **limits: int) -> PlanVersion:
    """Let a tenant hold a plan with these limits, `end_devices` standing for `end-devices`."""
    plan, _ = Plan.objects.get_or_create(key=key, defaults={"name": key.capitalize(), "price_id": f"price_{key}"})
    version, _ = PlanVersion.objects.get_or_create(plan=plan, number=3, defaults={"published_at": NOW})
    for name, limit in limits.items():
        entity = name.replace("_", "-")
        Feature.objects.get_or_create(key=entity, defaults={"name": entity_name(entity), "unlimited_when_absent": True})
        Allowance.objects.get_or_create(version=version, feature_id=entity, defaults={"limit": limit})
    PlanAssignment.objects.create(
        tenant=tenant, subscription_id="sub_1", item_id=f"si_{tenant.tenant_id}_{key}", version=version, valid_from=NOW
    )
    renewing.renew(tenant, now=NOW)
    return version
