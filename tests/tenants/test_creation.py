"""Making the row of a tenant: what is refused, and how it is described."""

from typing import Any

import pytest
from django.db import IntegrityError

from apps.accounts.errors import UnusableUser
from apps.accounts.services import NewUser
from apps.audit.models import Entry
from apps.core.errors import TenantryError
from apps.lifecycle import services as lifecycle
from apps.tenants import services
from apps.tenants.errors import HostTaken, TenantBuried, TenantIdTaken
from apps.tenants.ids import InvalidTenantId, ReservedTenantId
from apps.tenants.models import Domain, Tenant, Tombstone
from tests.factories import NOW, SOMEBODY, make_tenant
from tests.tenants.probes import at_once, wait_for_waiter

ANN = NewUser(username="ann", email="ann@acme.example")


def create(tenant_id: str = "acme", *, name: str = "Acme", description: str = "", who: NewUser = ANN) -> Tenant:
    return services.create_tenant(
        tenant_id=tenant_id,
        name=name,
        description=description,
        administrator=who,
        claim=None,
        actor=SOMEBODY,
        now=NOW,
    )


def bury(tenant: Tenant, *hosts: str) -> None:
    Tombstone.objects.create(
        tenant_id=tenant.tenant_id,
        tenant_uuid=tenant.pk,
        schema_name=tenant.schema_name,
        hosts=list(hosts),
        buried_at=NOW,
    )
    Tenant.objects.filter(pk=tenant.pk).delete()


@pytest.mark.django_db
class TestRefuses:
    @pytest.mark.parametrize(
        ("tenant_id", "error"), [("a--b", InvalidTenantId), ("operator", ReservedTenantId), ("acme", TenantIdTaken)]
    )
    def test_an_id_that_is_not_to_be_had(self, tenant_id: str, error: type[TenantryError]) -> None:
        create("acme")
        entries = Entry.objects.count()
        with pytest.raises(error, match=tenant_id):
            create(tenant_id)
        assert (Tenant.objects.count(), Entry.objects.count()) == (1, entries)

    def test_the_id_of_a_tenant_that_is_gone(self) -> None:
        bury(create("acme"))
        with pytest.raises(TenantBuried, match="acme"):
            create("acme")
        assert not Tenant.objects.exists()

    def test_a_schema_name_that_another_row_has(self) -> None:
        acme = create("acme")
        with pytest.raises(IntegrityError):
            Tenant.objects.bulk_create([Tenant(tenant_id="beta", schema_name=acme.schema_name, created_at=NOW)])

    def test_an_id_whose_host_is_another_tenants(self) -> None:
        services.add_domain(tenant=create("acme"), host="beta.localhost")
        with pytest.raises(HostTaken, match=r"beta\.localhost"):
            create("beta")
        assert not Tenant.objects.filter(tenant_id="beta").exists()

    def test_an_id_whose_host_is_the_operators(self, settings: Any) -> None:
        settings.TENANTRY_PUBLIC_HOSTS = ["console.localhost"]
        with pytest.raises(HostTaken, match=r"console\.localhost"):
            create("console")

    @pytest.mark.parametrize(
        "who",
        [
            NewUser(username="", email="ann@acme.example"),
            NewUser(username="ann smith", email="ann@acme.example"),
            NewUser(username="a" * 151, email="ann@acme.example"),
            NewUser(username="ann", email="ann at acme"),
            NewUser(username="ann", email="ann@acme.example\nBcc: all@acme.example"),
            NewUser(username="ann", email=f"{'a' * 250}@acme.example"),
            NewUser(username="ann", email="", full_name="a" * 201),
        ],
    )
    def test_an_administrator_who_could_never_be_made(self, who: NewUser) -> None:
        with pytest.raises(UnusableUser):
            create("acme", who=who)
        assert not Tenant.objects.exists()

    def test_an_administrator_without_an_address_is_no_trouble(self) -> None:
        assert create("acme", who=NewUser(username="ann", email="")).tenant_id == "acme"


@pytest.mark.django_db
class TestHosts:
    def test_another_tenants_host_is_not_taken_over(self) -> None:
        acme, beta = create("acme"), create("beta")
        services.add_domain(tenant=acme, host="www.acme.example")
        with pytest.raises(HostTaken):
            services.add_domain(tenant=beta, host="www.acme.example")
        assert Domain.objects.get(domain="www.acme.example").tenant == acme

    def test_a_host_given_twice_is_given_once(self) -> None:
        acme = create("acme")
        services.add_domain(tenant=acme, host="acme.localhost")
        services.add_domain(tenant=acme, host="acme.localhost")
        assert Domain.objects.filter(tenant=acme).count() == 1


@pytest.mark.django_db
class TestDescription:
    def test_what_is_too_long_is_shortened_at_a_word_and_the_audit_says_so(self) -> None:
        tenant = create(name="Acme Industries and Daughters Incorporated of New York", description="word " * 500)
        assert tenant.name == "Acme Industries and Daughters Incorporated of New…"
        assert len(tenant.description) <= Tenant.DESCRIPTION_MAX_LENGTH
        entry = Entry.objects.get(action="tenant.described")
        assert entry.reason == "Too long, so shortened at a word: name, description."
        assert entry.after == {"name": tenant.name, "description": tenant.description}

    def test_what_fits_is_kept_and_the_audit_has_nothing_to_say(self) -> None:
        tenant = create(name="A" * 50, description="b" * 2000)
        tenant.refresh_from_db()
        assert (tenant.name, tenant.description) == ("A" * 50, "b" * 2000)
        assert Entry.objects.get(action="tenant.described").reason == ""

    def test_saying_the_same_again_is_no_change(self) -> None:
        tenant = create(name="x" * 60)
        before = Entry.objects.count()
        changed = services.describe(tenant=tenant, name="x" * 60, description="", actor=SOMEBODY, now=NOW)
        assert (changed, Entry.objects.count()) == (False, before)

    def test_only_what_was_cut_is_named(self) -> None:
        create(name="Acme", description="word " * 500)
        assert Entry.objects.get(action="tenant.described").reason.endswith(": description.")


@pytest.mark.django_db
class TestStateDescription:
    def move(self, tenant: Tenant, state: str, description: str = "") -> Tenant:
        services.move_state(tenant=tenant, state=state, description=description, actor=SOMEBODY, now=NOW)
        return Tenant.objects.get(pk=tenant.pk)

    def test_is_cleared_when_the_state_moves_without_one(self) -> None:
        flagged = self.move(create(), "flagged", "Stripe subscription past due")
        assert flagged.state_description == "Stripe subscription past due"
        assert self.move(flagged, "approved").state_description == ""

    def test_is_cut_to_what_its_column_holds(self) -> None:
        assert self.move(create(), "flagged", "x" * 200).state_description == "x" * 128

    def test_the_audit_has_both_sides(self) -> None:
        tenant = self.move(create(), "flagged", "late")
        self.move(tenant, "suspended", "later")
        entry = Entry.objects.filter(action="tenant.state_changed").latest("before__state")
        assert entry.before == {"state": "requested", "description": ""}
        assert entry.after == {"state": "flagged", "description": "late"}
        assert entry.actor_label == SOMEBODY.label


@pytest.mark.django_db(transaction=True)
class TestTwoWhoWantOneId:
    """The second comes while the first has made its row but not committed it."""

    def race(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        describe = services.describe

        def describe_once_the_other_waits(**given: Any) -> bool:
            wait_for_waiter()
            return describe(**given)

        monkeypatch.setattr(services, "describe", describe_once_the_other_waits)
        return at_once(lambda: create("acme"), lambda: create("acme"))

    def test_without_the_lock_the_second_breaks_on_the_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services, "lock_id", lambda tenant_id: None)
        assert IntegrityError in {type(outcome) for outcome in self.race(monkeypatch)}

    def test_with_it_the_second_is_told_in_a_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        outcomes = self.race(monkeypatch)
        assert {type(outcome) for outcome in outcomes} == {Tenant, TenantIdTaken}
        assert Tenant.objects.count() == 1


@pytest.mark.django_db
def test_a_tenant_made_by_hand_is_named_after_its_id_when_no_name_is_given() -> None:
    tenant = lifecycle.create_tenant(tenant_id="acme", name="", administrator=ANN, actor=SOMEBODY, now=NOW)
    assert (tenant.name, tenant.state) == ("acme", "approved")


@pytest.mark.django_db
def test_a_buried_tenant_leaves_its_neighbour_alone() -> None:
    acme, beta = make_tenant("acme", ready=False), make_tenant("beta", ready=False)
    bury(acme, "acme.localhost")
    assert list(Tenant.objects.all()) == [beta]
