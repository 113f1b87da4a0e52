"""A request on a tenant's host, as the middleware passes it on."""

from django.http import HttpRequest

from apps.tenants.models import Tenant


class TenantRequest(HttpRequest):
    """A request whose tenant has been entered."""

    tenant: Tenant
