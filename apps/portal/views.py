"""A tenant's settings pages."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from apps.portal.pages import plan_page
from apps.tenants.http import TenantRequest


@never_cache
@login_required
def settings(request: HttpRequest) -> HttpResponse:
    """The plan with its limits. Every member may see them."""
    page = plan_page(tenant=cast("TenantRequest", request).tenant, host=request.get_host())
    return render(request, "portal/settings.html", {"page": page, "tenant": page.tenant})
