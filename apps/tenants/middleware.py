"""From the host to the schema, before anything that belongs to a person is read."""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django_tenants.utils import tenant_context

from apps.core import schemas
from apps.tenants import selectors
from apps.tenants.http import TenantRequest
from apps.tenants.models import Provisioning, Tenant


class TenantMiddleware:
    """Serves the operator's host from the public schema and a tenant's host from its own.

    A host whose tenant cannot be entered is answered here: no session, no user and
    no form of the public schema is ever within its reach.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        schemas.look_into_public()
        host = _host_of(request)
        if host is None:
            return _refusal("no_such_host", 404)
        if host in settings.TENANTRY_PUBLIC_HOSTS:
            cast("Any", request).tenant = None
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return self.get_response(request)
        return self._serve_tenant(request, host)

    def _serve_tenant(self, request: HttpRequest, host: str) -> HttpResponse:
        tenant = selectors.by_host(host)
        if tenant is None:
            return _absence(host)
        if tenant.provisioning == Provisioning.DELETING:
            return _refusal("gone", 410)
        if tenant.is_closed:
            return _refusal("closed", 403, tenant)
        if tenant.provisioning != Provisioning.READY or not tenant.schema_present:
            return _not_ready(tenant)
        if not tenant.is_open:
            return _refusal("closed", 403, tenant)
        cast("TenantRequest", request).tenant = tenant
        with tenant_context(tenant):
            return self.get_response(request)


def _host_of(request: HttpRequest) -> str | None:
    try:
        return split_domain_port(request.get_host())[0]
    except DisallowedHost:
        return None


def _absence(host: str) -> HttpResponse:
    """No tenant answers on this host: none ever did, one did once, or one will soon."""
    if selectors.was_buried(host):
        return _refusal("gone", 410)
    coming = selectors.unprovisioned_by_host(host=host, suffix=settings.TENANTRY_HOST_SUFFIX)
    if coming is None:
        return _refusal("no_such_host", 404)
    return _refusal("closed", 403, coming) if coming.is_closed else _not_ready(coming)


def _not_ready(tenant: Tenant) -> HttpResponse:
    response = _refusal("not_ready", 503, tenant)
    if tenant.is_open:
        response["Retry-After"] = "10"
    return response


def _refusal(page: str, status: int, tenant: Tenant | None = None) -> HttpResponse:
    context = {"tenant": tenant, "support_contact": settings.TENANTRY_SUPPORT_CONTACT}
    response = render(None, f"tenants/{page}.html", context, status=status)
    add_never_cache_headers(response)
    return response
