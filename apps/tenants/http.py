"""A request once the middleware knows whose host it came to."""

from django.http import HttpRequest

from apps.tenants.models import Tenant


class TenantRequest(HttpRequest):
    """A request to a tenant's host, or to the operator's, where `tenant` is None."""

    tenant: Tenant | None
