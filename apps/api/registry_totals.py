"""How many of each entity tenants have: The Things Stack's addresses, and one to tell totals."""

from typing import Any, cast

from django.http import HttpRequest
from ninja import Body, Router

from apps.api.messages import (
    ALL_FIELDS,
    BatchGetTenantRegistryTotalsRequest,
    masked_fields,
    read_totals,
    totals_message,
)
from apps.api.models import ApiKey
from apps.core import clock
from apps.core.actors import Actor
from apps.entitlements import selectors, services
from apps.tenants import ids
from apps.tenants import selectors as tenants
from apps.tenants.errors import TenantNotFound
from apps.tenants.models import Tenant

router = Router()


@router.get("/tenants/{tenant_id}/registry-totals")
def get_registry_totals(request: HttpRequest, tenant_id: str, field_mask: str = "") -> dict[str, str]:
    """The Things Stack's TenantRegistry.GetRegistryTotals."""
    totals = selectors.registry_totals(tenant=_tenant(tenant_id), now=clock.now())
    return totals_message(totals, masked_fields(field_mask, known=[each.entity for each in totals]))


@router.post("/tenants/registry-totals")
def batch_get_registry_totals(request: HttpRequest, body: BatchGetTenantRegistryTotalsRequest) -> dict[str, Any]:
    """The Things Stack's TenantRegistry.BatchGetRegistryTotals; an unknown tenant refuses the whole."""
    asked = _tenants([each.tenant_id for each in body.tenant_ids])
    found = selectors.registry_totals_of(tenants=asked, now=clock.now())
    fields = masked_fields(body.field_mask, known={each.entity for totals in found.values() for each in totals})
    return {
        "totals": [
            {"tenant_ids": {"tenant_id": each.tenant_id}, "totals": totals_message(found[each.pk], fields)}
            for each in asked
        ]
    }


@router.put("/tenants/{tenant_id}/registry-totals")
def set_registry_totals(request: HttpRequest, tenant_id: str, body: Body[dict[str, Any]]) -> dict[str, str]:
    """Tell some of a tenant's totals; those that are not named stay. Answers with all of them."""
    tenant, now = _tenant(tenant_id), clock.now()
    told = read_totals(body)
    selectors.refuse_unknown(tenant=tenant, entities=list(told))
    services.set_totals(tenant=tenant, totals=told, actor=_actor(request), now=now)
    return totals_message(selectors.registry_totals(tenant=tenant, now=now), ALL_FIELDS)


def _tenants(tenant_ids: list[str]) -> list[Tenant]:
    usable = [each for each in tenant_ids if _is_grammatical(each)]
    found = Tenant.objects.in_bulk(usable, field_name="tenant_id")
    return [found.get(each) or _tenant(each) for each in tenant_ids]


def _tenant(tenant_id: str) -> Tenant:
    if not _is_grammatical(tenant_id):
        raise TenantNotFound(f"There is no tenant {tenant_id!r}.")
    return tenants.by_id(tenant_id)


def _is_grammatical(tenant_id: str) -> bool:
    # The database refuses to be asked about some characters altogether.
    return len(tenant_id) <= ids.MAX_LENGTH and bool(ids.GRAMMAR.fullmatch(tenant_id))


def _actor(request: HttpRequest) -> Actor:
    key = cast("ApiKey", request.auth)  # type: ignore[attr-defined]
    return Actor.api_key(name=key.name)
