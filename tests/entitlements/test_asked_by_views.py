"""Entitlements where pages are made: the decorator, and the tags of templates."""

import json
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory

from apps.entitlements.facade import Refused, consume, require, requires_feature
from apps.entitlements.middleware import RefusalMiddleware
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY


@requires_feature("sso")
def page(request: HttpRequest) -> HttpResponse:
    """A page for those who have single sign-on."""
    return HttpResponse("welcome")


def asked(tenant: Tenant | None, **headers: str) -> Any:
    """A request on a tenant's host."""
    request: Any = RequestFactory().get("/sso/", **headers)
    request.tenant = tenant
    return request


def answer(request: Any) -> Any:
    """What the middleware makes of the page."""
    middleware = RefusalMiddleware(page)
    try:
        return middleware(request)
    except Refused as refused:
        return middleware.process_exception(request, refused)


@pytest.fixture
def plain(acme: Tenant) -> Tenant:
    """A tenant without single sign-on."""
    define("sso", Kind.SWITCH)
    define("api-calls")
    give_everybody(api_calls="10/month")
    return fresh(acme)


class TestDecorator:
    def test_lets_those_in_who_may(self, plain: Tenant) -> None:
        give_everybody(sso="on")
        assert answer(asked(fresh(plain))).content == b"welcome"

    def test_shows_a_page_with_why(self, plain: Tenant) -> None:
        response = answer(asked(plain, HTTP_ACCEPT="text/html"))
        assert response.status_code == 403
        assert "Sso is not part of the plan." in response.content.decode()
        assert 'href="/settings/"' in response.content.decode()

    def test_gives_clients_the_decision(self, plain: Tenant) -> None:
        response = answer(asked(plain, HTTP_ACCEPT="application/json"))
        problem = json.loads(response.content)
        assert (response.status_code, response["Content-Type"]) == (403, "application/problem+json")
        assert problem["decision"]["reason"] == "not_in_plan"
        assert problem["decision"]["has_access"] is False

    def test_on_no_tenants_host_nobody_may(self) -> None:
        with pytest.raises(Refused):
            require(asked(None), "sso")


class TestTags:
    def rendered(self, text: str, tenant: Tenant | None) -> str:
        template = Template("{% load entitlements %}" + text)
        return " ".join(template.render(Context({"request": asked(tenant), "key": "sso"})).split())

    def test_if_entitled(self, plain: Tenant) -> None:
        text = "{% if_entitled 'sso' %}yes{% else %}no: {{ decision.reason }}{% end_if_entitled %}"
        assert self.rendered(text, plain) == "no: not_in_plan"
        give_everybody(sso="on")
        assert self.rendered(text, fresh(plain)) == "yes"

    def test_if_entitled_without_else_and_by_a_variable(self, plain: Tenant) -> None:
        assert self.rendered("a{% if_entitled key %}yes{% end_if_entitled %}b", plain) == "ab"

    def test_if_entitled_outside_of_any_tenant(self) -> None:
        assert self.rendered("{% if_entitled 'sso' %}yes{% else %}no{% end_if_entitled %}", None) == "no"

    def test_if_entitled_needs_one_feature(self) -> None:
        with pytest.raises(TemplateSyntaxError, match="one feature"):
            Template("{% load entitlements %}{% if_entitled %}{% end_if_entitled %}")

    def test_meter(self, plain: Tenant) -> None:
        consume(tenant=plain, feature="api-calls", amount=9, actor=SOMEBODY, now=NOW)
        shown = self.rendered("{% meter 'api-calls' %}", plain)
        assert "<meter" in shown
        assert "10" in shown

    def test_meter_of_nothing_is_nothing(self, plain: Tenant) -> None:
        assert self.rendered("{% meter 'flying' %}", plain) == ""
        assert self.rendered("{% meter 'api-calls' %}", None) == ""
