"""The operator's list of the audit: found by who, what and why, and readable."""

import re

import pytest
from django.test import Client

from apps.audit.models import Entry
from apps.lifecycle import offboarding
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY
from tests.pages.reading import path_of, text

pytestmark = pytest.mark.django_db


class TestAudit:
    LIST = "audit_entry_changelist"

    def test_moments_numbers_and_nothing_are_readable(self, staff: Client, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(delete_at=NOW)
        offboarding.keep_tenant(tenant=acme, reason="A lawsuit", actor=SOMEBODY, now=NOW)
        exported = {"rows": 12345, "exported_at": "2026-02-01T08:30:00+00:00", "held": True}
        Entry.objects.create(
            at=NOW,
            actor_kind="command",
            actor_label="x",
            action="tenant.restored",
            subject="tenant:acme",
            after=exported,
        )

        page = text(staff.get(path_of(self.LIST)))

        assert "delete at 1 Mar 2026, 12:00 → none" in page
        assert "kept because A lawsuit" in page
        for told in ("rows 12,345", "exported at 1 Feb 2026, 08:30", "held True"):
            assert told in page
        assert "T12:00:00" not in page

    @pytest.mark.parametrize("kind", ["person", "command", "stripe", "clock", "api key"])
    def test_it_is_filtered_by_who(self, staff: Client, kind: str) -> None:
        for each in ("person", "command", "stripe", "clock", "api key"):
            Entry.objects.create(
                at=NOW, actor_kind=each, actor_label="x", action="a.b", subject=f"thing:{each.replace(' ', '-')}"
            )

        page = text(staff.get(path_of(self.LIST), {"actor_kind": kind}))

        assert re.findall(r"thing:([\w-]+)", page) == [kind.replace(" ", "-")]

    @pytest.mark.parametrize("query", ["q=tenant:b", "q=because", "action=b.done"])
    def test_it_is_found_by_subject_reason_and_action(self, staff: Client, query: str) -> None:
        make = Entry.objects.create
        make(at=NOW, actor_kind="person", actor_label="x", action="a.done", subject="tenant:a")
        make(at=NOW, actor_kind="person", actor_label="x", action="b.done", subject="tenant:b", reason="just because")

        page = text(staff.get(f"{path_of(self.LIST)}?{query}"))

        assert set(re.findall(r"tenant:[ab]\b", page.replace("tenant:b ✕", ""))) == {"tenant:b"}
