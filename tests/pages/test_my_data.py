"""A member downloads what is held about them."""

import json
import re
from collections.abc import Callable

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client

from apps.accounts import personal
from apps.audit.models import Entry
from apps.tenants.context import enter
from apps.tenants.models import Tenant
from tests.factories import NOW, make_member, make_tenant

pytestmark = pytest.mark.django_db

PATH = "/settings/my-data/"


@pytest.mark.parametrize("method", ["get", "post"])
def test_strangers_are_asked_to_sign_in(acme: Tenant, at: Callable[[Tenant], Client], method: str) -> None:
    answer = getattr(at(acme), method)(PATH)

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={PATH}")
    assert not Entry.objects.filter(action="user.exported").exists()


def test_the_page_tells_what_the_file_contains_and_makes_none(
    acme: Tenant, member_at: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal, "_parts", {})
    personal.register(name="notes", description="Your <b>notes</b>.", export=str, erase=str)

    page = member_at(acme).get(PATH).content.decode()

    told = dict(re.findall(r"<dt><code>(.*?)</code></dt><dd>(.*?)</dd>", page))
    assert list(told) == [*personal.OWN_SECTIONS, "notes", "first_administrator", "alerts", "audit"]
    assert told["notes"] == "Your &lt;b&gt;notes&lt;/b&gt;."
    assert not Entry.objects.filter(action="user.exported").exists()


def test_what_the_page_names_is_what_the_file_has(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)
    page = client.get(PATH).content.decode()

    document = client.post(PATH).json()

    sections = {**document["sections"], **document["provider_sections"]}
    assert re.findall(r"<dt><code>(.*?)</code></dt>", page) == list(sections)


def test_the_settings_page_leads_there(acme: Tenant, member_at: Callable[..., Client]) -> None:
    assert f'href="{PATH}"' in member_at(acme).get("/settings/").content.decode()


@pytest.mark.parametrize("role", ["administrator", "member"])
def test_every_member_downloads_their_own_data(acme: Tenant, member_at: Callable[..., Client], role: str) -> None:
    make_member(acme, "moritz")
    client = member_at(acme, role=role)

    with time_machine.travel(NOW, tick=False):
        answer = client.post(PATH)

    document = json.loads(answer.content)
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == 'attachment; filename="acme-my-data-2026-03-01.json"'
    assert "no-store" in answer["Cache-Control"]
    assert document["sections"]["account"]["data"]["username"] == "max"
    assert "moritz" not in answer.content.decode()


def test_the_audit_keeps_neither_name_nor_address(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)
    document = client.post(PATH).json()

    (entry,) = Entry.objects.filter(action="user.exported")
    key = document["sections"]["account"]["data"]["id"]
    assert (entry.actor_kind, entry.actor_label) == ("person", f"member {key} of acme")
    assert (entry.subject, entry.after) == ("tenant:acme", {"user": key})
    again = client.post(PATH).json()["provider_sections"]["audit"]["data"]
    assert [each["action"] for each in again] == ["user.exported"]


def test_the_file_opens_no_door(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)
    text = client.post(PATH).content.decode()

    with enter(acme):
        assert Session.objects.get().session_key not in text
    assert "md5$" not in text


def test_another_tenants_session_downloads_nothing(acme: Tenant, member_at: Callable[..., Client]) -> None:
    make_tenant("beta")

    answer = member_at(acme).post(PATH, HTTP_HOST="beta.localhost")

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={PATH}")


def test_no_other_site_makes_a_member_download(acme: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(acme)
    client.handler.enforce_csrf_checks = True

    assert client.post(PATH).status_code == 403
    assert not Entry.objects.filter(action="user.exported").exists()


def test_the_operators_host_has_no_such_page(visitor: Client) -> None:
    assert visitor.get(PATH).status_code == 404


def test_the_page_allows_no_script_and_no_style_of_its_own(acme: Tenant, member_at: Callable[..., Client]) -> None:
    answer = member_at(acme).get(PATH)

    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<style|<script|\sstyle=|\son\w+=|https?://", answer.content.decode())
