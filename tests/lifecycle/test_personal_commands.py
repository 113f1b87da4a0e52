"""`user_export`, and whom both commands about a person mean, as an operator runs them."""

import json
import stat
from datetime import datetime
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from apps.accounts import personal as accounts_personal
from apps.accounts.models import User
from apps.audit import services as audit
from apps.core.actors import Actor
from apps.tenants.context import enter
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_member, make_tenant
from tests.support.people import ERASE, data_of, entries, export, fail, run
from tests.tenants.house import House
from tests.tenants.probes import dump_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(accounts_personal, "_parts", {})


class TestExport:
    def test_is_one_document_that_explains_itself(self, house: House) -> None:
        document = export("acme", "twin")
        assert (document["format"], document["version"]) == ("tenantry.personal-data", 1)
        assert document["tenant_id"] == "acme"
        assert datetime.fromisoformat(document["exported_at"])
        assert list(document["sections"]) == ["account", "email_addresses", "rights", "sessions", "projects"]
        assert list(document["provider_sections"]) == ["first_administrator", "alerts", "audit"]
        shown = [*document["sections"].values(), *document["provider_sections"].values()]
        assert all(each["description"].endswith(".") for each in shown)

    def test_is_of_the_tenants_own_user_of_that_name(self, house: House) -> None:
        make_member(house.beta, "max")
        account = data_of(export("beta", "max"), "account")
        with enter(house.beta):
            assert account["id"] == str(User.objects.get(username="max").pk)
        assert account["email"] == "max@beta.example"

    def test_tells_what_a_vendors_app_holds(self, house: House, parts: None) -> None:
        accounts_personal.register(
            name="notes", description="Your notes.", export=lambda user: [NOW, user.pk, "Zoë"], erase=str
        )
        text = run("user_export", "acme", "twin")
        section = json.loads(text)["sections"]["notes"]
        assert section == {
            "description": "Your notes.",
            "data": ["2026-03-01T12:00:00Z", str(house.twin.pk), "Zoë"],
        }
        assert "Zoë" in text

    def test_of_the_first_administrator_what_was_noted_but_no_hash(self, house: House) -> None:
        Tenant.objects.filter(pk=house.acme.pk).update(
            first_administrator={**house.acme.first_administrator, "username": "ANN", "password_hash": "md5$salt$hash"}
        )
        noted = data_of(export("acme", "ann"), "first_administrator")
        assert noted == {"username": "ANN", "email": "ann@acme.example", "full_name": "Ann Example"}
        assert data_of(export("acme", "twin"), "first_administrator") is None
        assert "md5$" not in run("user_export", "acme", "ann")

    def test_tells_the_persons_own_part_of_the_audit(self, house: House) -> None:
        """And not that of the operator who has the same name and the same id."""
        audit.record(actor=Actor.person(username="twin"), action="tenant.held", subject="tenant:acme", now=NOW)
        for tenant_id in ("acme", "beta"):
            member = Actor.member(tenant_id=tenant_id, user_key=house.twin.pk)
            audit.record(actor=member, action="key.made", subject=f"key:{tenant_id}", now=NOW, reason="Nightly run")
        run("user_export", "beta", "twin")
        run("user_export", "acme", "twin")
        told = data_of(export("acme", "twin"), "audit")
        assert [(each["action"], each["subject"], each["reason"]) for each in told] == [
            ("user.exported", "tenant:acme", ""),
            ("key.made", "key:acme", "Nightly run"),
        ]

    def test_changes_nothing_but_the_audit_which_has_neither_name_nor_address(self, house: House) -> None:
        before = dump_all()
        run("user_export", "acme", "twin")
        after = dump_all()
        (line,) = set(after["public"].pop("audit_entry")) - set(before["public"].pop("audit_entry"))
        assert after == before
        assert entries("user.exported") == [("user_export", "tenant:acme", {"user": str(house.twin.pk)}, "", {})]
        assert "twin" not in line

    def test_of_an_operator(self, house: House) -> None:
        audit.record(actor=Actor.person(username="olga"), action="tenant.held", subject="tenant:acme", now=NOW)
        audit.record(actor=SOMEBODY, action="tenant.held", subject="tenant:beta", now=NOW)
        document = export("--operator", "Olga")
        assert document["tenant_id"] is None
        assert data_of(document, "account")["username"] == "olga"
        assert [(each["action"], each["subject"]) for each in data_of(document, "audit")] == [
            ("tenant.held", "tenant:acme")
        ]
        assert entries("user.exported")[0][1] == "operator:olga"

    def test_a_part_that_fails_leaves_no_entry(self, house: House, parts: None) -> None:
        accounts_personal.register(name="notes", description="", export=fail, erase=str)
        with pytest.raises(RuntimeError):
            run("user_export", "acme", "twin")
        assert entries("user.exported") == []


class TestExportToAFile:
    def test_that_its_owner_alone_reads(self, house: House, tmp_path: Path) -> None:
        path = tmp_path / "twin.json"
        told = run("user_export", "acme", "twin", "--to", str(path))
        assert told == f"What is held about twin is in {path}.\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert data_of(json.loads(path.read_text()), "account")["username"] == "twin"

    def test_told_as_json(self, house: House, tmp_path: Path) -> None:
        path = tmp_path / "twin.json"
        told = json.loads(run("user_export", "acme", "twin", "--to", str(path), "--json"))
        assert told == {"tenant_id": "acme", "user": str(house.twin.pk), "file": str(path)}

    @pytest.mark.parametrize("what", ["file", "link", "folder"])
    def test_never_over_what_is_there(self, house: House, tmp_path: Path, what: str) -> None:
        path, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
        makers = {
            "file": lambda: path.write_text("kept"),
            "link": lambda: path.symlink_to(elsewhere),
            "folder": path.mkdir,
        }
        makers[what]()
        with pytest.raises(CommandError, match=r"there cannot be made: File exists\. Choose another file."):
            run("user_export", "acme", "twin", "--to", str(path))
        assert what != "file" or path.read_text() == "kept"
        assert not elsewhere.exists()
        assert entries("user.exported") == []

    def test_nowhere(self, house: House, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be made: No such file or directory"):
            run("user_export", "acme", "twin", "--to", str(tmp_path / "missing" / "twin.json"))

    def test_no_half_file_when_it_fails(self, house: House, parts: None, tmp_path: Path) -> None:
        accounts_personal.register(name="notes", description="", export=fail, erase=str)
        with pytest.raises(RuntimeError):
            run("user_export", "acme", "twin", "--to", str(tmp_path / "twin.json"))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("user_export",), ERASE])
class TestWhoIsMeant:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "Name either a tenant and one of its users, or --operator USER"),
            (("acme",), "Name either"),
            (("acme", "twin", "--operator", "olga"), "Name either"),
            (("nobody", "twin"), "There is no tenant 'nobody'"),
            (("acme", "olga"), "There is no user 'olga' in tenant 'acme'"),
            (("acme", ""), "There is no user '' in tenant 'acme'"),
            (("--operator", "ann"), "There is no user 'ann' among the operators"),
        ],
    )
    def test_nobody_is_one_sentence(
        self, house: House, command: tuple[str, ...], words: tuple[str, ...], message: str
    ) -> None:
        before = dump_all()
        with pytest.raises(CommandError, match=message):
            run(*command, *words)
        assert dump_all() == before

    def test_a_tenant_without_a_schema_has_no_users(self, house: House, command: tuple[str, ...]) -> None:
        """Not even those of the public schema, into which PostgreSQL would fall through."""
        make_tenant("later", ready=False)
        with pytest.raises(CommandError, match="Tenant 'later' is not ready"):
            run(*command, "later", "olga")
