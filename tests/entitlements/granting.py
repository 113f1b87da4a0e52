"""Plans for the tests of the facade, published through the services that publish them in earnest."""

from apps.plans import catalogue, selectors
from apps.plans.grants import read_grant
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY


def define(key: str, kind: str = Kind.METERED, **words: str) -> None:
    """Let there be a feature."""
    catalogue.define_feature(key=key, kind=kind, actor=SOMEBODY, now=NOW, **words)


def give_everybody(plan: str = "free", **grants: str) -> None:
    """Make a plan the default one, `api_calls="100/month"` standing for `api-calls`."""
    read = {
        name.replace("_", "-"): read_grant(selectors.feature(name.replace("_", "-")), text)
        for name, text in grants.items()
    }
    catalogue.publish_plan(key=plan, grants=read, actor=SOMEBODY, now=NOW)
    catalogue.set_default_plan(key=plan, actor=SOMEBODY, now=NOW)


def fresh(tenant: Tenant) -> Tenant:
    """The tenant's row, as the next request loads it."""
    return Tenant.objects.get(pk=tenant.pk)
