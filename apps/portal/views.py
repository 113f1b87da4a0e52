"""A tenant's settings pages."""

from datetime import datetime
from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.models import User
from apps.core import clock
from apps.core.actors import Actor
from apps.lifecycle import personal
from apps.portal.pages import plan_page
from apps.tenants.http import TenantRequest


@never_cache
@login_required
def settings(request: HttpRequest) -> HttpResponse:
    """The plan with its limits. Every member may see them."""
    tenant = cast("TenantRequest", request).tenant
    page = plan_page(tenant=tenant, host=request.get_host(), now=clock.now())
    return render(request, "portal/settings.html", {"page": page, "tenant": page.tenant})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def my_data(request: HttpRequest) -> HttpResponse:
    """What is held about whoever is signed in: the page tells what that is, its button downloads it."""
    if request.method == "POST":
        return _download(cast("TenantRequest", request), now=clock.now())
    return render(request, "portal/my_data.html", {"sections": personal.member_sections()})


def _download(request: TenantRequest, *, now: datetime) -> HttpResponse:
    tenant, user = request.tenant, cast("User", request.user)
    member = Actor.member(tenant_id=tenant.tenant_id, user_key=user.pk)
    document = personal.export_member(tenant=tenant, user=user, actor=member, now=now)
    response = HttpResponse(document, content_type="application/json")
    filename = f"{tenant.tenant_id}-my-data-{now:%Y-%m-%d}.json"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=filename)
    return response
