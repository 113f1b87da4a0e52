"""Addresses of hosts."""

from urllib.parse import urlsplit

from django.conf import settings

from apps.tenants.models import Domain, Tenant


def default_host(tenant_id: str) -> str:
    """The host name that a new tenant answers on."""
    return f"{tenant_id}.{settings.TENANTRY_HOST_SUFFIX}"


def public_url(path: str = "/") -> str:
    """An absolute address on the operator's host."""
    return f"{settings.TENANTRY_PUBLIC_URL}{path}"


def tenant_url(tenant: Tenant, path: str = "/") -> str:
    """An absolute address on the tenant's primary host (on its default one while it has none)."""
    primary = Domain.objects.filter(tenant=tenant, is_primary=True).first()
    host = primary.domain if primary else default_host(tenant.tenant_id)
    public = urlsplit(settings.TENANTRY_PUBLIC_URL)
    port = f":{public.port}" if public.port else ""
    return f"{public.scheme}://{host}{port}{path}"
