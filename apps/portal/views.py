"""A tenant's settings pages."""

from datetime import datetime
from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.models import User
from apps.core import clock
from apps.core.actors import Actor
from apps.credits.types import EntryKind
from apps.lifecycle import personal
from apps.portal.pages import credits_page, limits_page, plan_page, usage_page
from apps.portal.pages.credits import Asked as AskedOfCredits
from apps.portal.pages.usage import Asked as AskedOfUsage
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
@require_safe
def limits(request: HttpRequest) -> HttpResponse:
    """Everything that the plan allows, and how much of it is in use."""
    page = limits_page(tenant=cast("TenantRequest", request).tenant, now=clock.now())
    return render(request, "portal/limits.html", {"page": page})


@never_cache
@login_required
@require_safe
def credits(request: HttpRequest) -> HttpResponse:
    """The balance, what comes, what things cost, and the ledger."""
    asked = AskedOfCredits(
        wallet=request.GET.get("wallet", ""),
        kind=_one_of(EntryKind.values, request.GET.get("kind", "")),
        before=_number(request.GET.get("before", "")),
    )
    page = credits_page(tenant=cast("TenantRequest", request).tenant, asked=asked, now=clock.now())
    return render(request, "portal/credits.html", {"page": page})


@never_cache
@login_required
@require_safe
def usage(request: HttpRequest) -> HttpResponse:
    """What was used of what is metered."""
    asked = AskedOfUsage(*(request.GET.get(name, "") for name in ("feature", "period", "after")))
    page = usage_page(tenant=cast("TenantRequest", request).tenant, asked=asked, now=clock.now())
    return render(request, "portal/usage.html", {"page": page})


def _one_of(known: list[str], text: str) -> str:
    return text if text in known else ""


def _number(text: str) -> int | None:
    """A place in the ledger; None: its beginning, also of what is no number."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 18 else None


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
