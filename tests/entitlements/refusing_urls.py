"""Addresses of a vendor's app that run into limits."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI

from apps.api import problems
from apps.entitlements.decisions import Decision, Reason
from apps.entitlements.errors import Refused
from apps.showcase.models import Project
from config.urls.tenant import urlpatterns as tenant_addresses

api = NinjaAPI(openapi_url=None, docs_url=None, urls_namespace="refusing")
problems.handle_with(api)


def make_project(request: HttpRequest) -> HttpResponse:
    Project.objects.create(name="From a page")
    return HttpResponse("made")


def sign_in_with_sso(request: HttpRequest) -> HttpResponse:
    raise Refused(Decision(has_access=False, reason=Reason.NOT_IN_PLAN, feature="sso", name="Single sign-on"))


@api.post("/projects")
def make_by_api(request: HttpRequest) -> dict[str, str]:
    return {"id": str(Project.objects.create(name="From the API").pk)}


@api.post("/sso")
def sso_by_api(request: HttpRequest) -> dict[str, str]:
    raise Refused(Decision(has_access=False, reason=Reason.NOT_IN_PLAN, feature="sso", name="Single sign-on"))


urlpatterns = [
    path("vendor/projects", make_project),
    path("vendor/sso", sign_in_with_sso),
    path("vendor/api/", api.urls),
    *tenant_addresses,
]
