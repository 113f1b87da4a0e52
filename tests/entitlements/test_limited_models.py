"""A model of which a tenant may have so many rows."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.core import serializers
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import connection, transaction
from django.db.models import Q
from django.forms import modelform_factory
from django.test.utils import CaptureQueriesContext, isolate_apps

from apps.accounts.models import User
from apps.core import clock
from apps.entitlements import registry
from apps.entitlements.asking import check
from apps.entitlements.decisions import Reason
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting import LimitedModel, guard, models, triggers
from apps.entitlements.limiting.guarding import bound_to
from apps.entitlements.models import Ceiling
from apps.plans.catalogue import define_feature, publish_plan, set_default_plan
from apps.plans.models import Feature
from apps.plans.overriding import end_override
from apps.plans.resolution import Grant
from apps.showcase.models import Project, Task
from apps.tenants import context
from apps.tenants.models import Tenant
from tests.entitlements.limits import acme, allow, committed, fill, insert, inside, project, without_triggers
from tests.factories import NOW, SOMEBODY
from tests.support.counting import only_users

__all__ = ["acme", "committed", "inside", "only_users"]


class TestSaving:
    def test_up_to_the_limit_and_no_further(self, inside: Tenant) -> None:
        fill(3)
        with pytest.raises(LimitReached):
            project().save()
        assert Project.objects.count() == 3

    def test_the_refusal_carries_the_decision(self, inside: Tenant) -> None:
        fill(3)
        with pytest.raises(LimitReached, match="The limit for projects is reached") as refused:
            Project.objects.create(name="One more")
        decision = refused.value.decision
        assert (decision.has_access, decision.reason, decision.feature) == (False, Reason.LIMIT_EXCEEDED, "projects")
        assert (decision.requested, decision.used, decision.limit, decision.remaining) == (1, 3, 3, 0)
        assert decision.source == "override by somebody"
        assert decision.upgrade_url in str(refused.value)

    def test_a_refused_one_leaves_the_transaction_usable(self, inside: Tenant) -> None:
        fill(3)
        with transaction.atomic():
            for _ in range(2):
                with pytest.raises(LimitReached):
                    project().save()
            Project.objects.first().tasks.create(title="Still going on")  # type: ignore[union-attr]
        assert Task.objects.count() == 1

    def test_one_that_is_there_can_be_changed(self, inside: Tenant) -> None:
        fill(3)
        first = Project.objects.latest("name")
        first.name = "Renamed"
        first.save()
        assert Project.objects.filter(name="Renamed").exists()

    def test_deleting_makes_room(self, inside: Tenant) -> None:
        fill(3)
        Project.objects.latest("name").delete()
        project().save()
        assert Project.objects.count() == 3

    def test_the_wall_of_the_model_stands_where_there_are_no_triggers(self, inside: Tenant) -> None:
        without_triggers(inside)
        fill(3)
        with pytest.raises(LimitReached):
            project().save()
        insert(inside)
        assert Project.objects.count() == 4

    def test_get_or_create(self, inside: Tenant) -> None:
        fill(3)
        assert Project.objects.get_or_create(name="Project 1")[1] is False
        with pytest.raises(LimitReached):
            Project.objects.get_or_create(name="Another")
        assert Project.objects.count() == 3

    def test_what_is_above_the_limit_stays_and_can_be_changed(self, inside: Tenant) -> None:
        fill(3)
        allow(inside, 1)
        assert Project.objects.count() == 3
        Project.objects.update(description="Still here")
        Project.objects.latest("name").delete()
        with pytest.raises(LimitReached) as refused:
            project().save()
        assert (refused.value.decision.used, refused.value.decision.limit) == (2, 1)


class TestManyAtOnce:
    def test_all_of_them(self, inside: Tenant) -> None:
        Project.objects.bulk_create(project(number) for number in range(3))
        assert Project.objects.count() == 3

    def test_or_none(self, inside: Tenant) -> None:
        fill(1)
        with transaction.atomic():
            with pytest.raises(LimitReached) as refused:
                Project.objects.bulk_create([project(number) for number in range(3)], batch_size=1)
            assert Project.objects.count() == 1
        assert (refused.value.decision.requested, refused.value.decision.used) == (3, 1)

    def test_none_are_never_too_many(self, inside: Tenant) -> None:
        allow(inside, 0)
        assert Project.objects.bulk_create([]) == []

    def test_those_that_are_there_are_not_counted_again(self, inside: Tenant) -> None:
        fill(3)
        there = list(Project.objects.all())
        Project.objects.bulk_create(there, ignore_conflicts=True)
        Project.objects.bulk_create(there, update_conflicts=True, unique_fields=["id"], update_fields=["name"])
        with pytest.raises(LimitReached):
            Project.objects.bulk_create([*there, project()], ignore_conflicts=True)
        assert Project.objects.count() == 3

    def test_without_triggers_too(self, inside: Tenant) -> None:
        without_triggers(inside)
        fill(2)
        there = list(Project.objects.all())
        with transaction.atomic():
            with pytest.raises(LimitReached) as refused:
                Project.objects.bulk_create([*there, project(), project()], ignore_conflicts=True)
            assert Project.objects.count() == 2
        decision = refused.value.decision
        assert (decision.requested, decision.used, decision.limit) == (2, 2, 3)
        update = {"update_conflicts": True, "unique_fields": ["id"], "update_fields": ["name"]}
        with pytest.raises(LimitReached):
            Project.objects.bulk_create([*there, project(), project()], **update)  # type: ignore[arg-type]
        Project.objects.bulk_create([*there, project()], **update)  # type: ignore[arg-type]
        allow(inside, 1)
        Project.objects.bulk_create(there, ignore_conflicts=True)
        assert Project.objects.count() == 3

    def test_through_what_they_belong_to(self, inside: Tenant) -> None:
        """Tasks are not limited."""
        fill(1)
        Task.objects.bulk_create([Task(project=Project.objects.get(), title=str(number)) for number in range(9)])
        assert Task.objects.count() == 9


class TestUpdatingMany:
    """Rows that begin to count; the described ones do not."""

    @pytest.fixture
    def filtered(self, inside: Tenant, only_users: None) -> Tenant:
        registry.register(entity="projects", model=Project, filter=Q(description=""))
        triggers.install(inside)
        Project.objects.bulk_create(Project(name=str(number), description="Done") for number in range(5))
        return inside

    @pytest.mark.parametrize("walls", ["both", "the model alone"])
    def test_all_of_them_or_none(self, filtered: Tenant, walls: str) -> None:
        if walls == "the model alone":
            without_triggers(filtered)
        with transaction.atomic():
            with pytest.raises(LimitReached) as refused:
                Project.objects.update(description="")
            assert Project.objects.filter(description="").count() == 0
        assert (refused.value.decision.requested, refused.value.decision.used) == (5, 0)
        assert Project.objects.filter(name__in=["0", "1", "2"]).update(description="") == 3
        allow(filtered, 1)
        assert Project.objects.filter(name__in=["0", "1"]).update(description="") == 2

    def test_what_has_nothing_to_do_with_it_costs_no_more(self, filtered: Tenant) -> None:
        with CaptureQueriesContext(connection) as log:
            Project.objects.update(name="Renamed")
        assert len(log) == 1


class TestRowsThatAreThere:
    """Whoever saves one of the same key adds none, at the limit and above."""

    def test_loaded_from_a_fixture(self, inside: Tenant) -> None:
        fill(3)
        allow(inside, 1)
        for read in serializers.deserialize("json", serializers.serialize("json", Project.objects.all())):
            read.save()
        assert Project.objects.count() == 3

    def test_a_new_one_in_a_fixture_is_refused(self, inside: Tenant) -> None:
        fill(3)
        with pytest.raises(LimitReached):
            next(iter(serializers.deserialize("json", serializers.serialize("json", [project()])))).save()

    def test_known_by_their_key_alone(self, inside: Tenant) -> None:
        allow(inside, 1, "users")
        ann = User.objects.get()
        User(pk=ann.pk, username="ann", full_name="Ann Other").save(force_update=True)
        assert User.objects.get().full_name == "Ann Other"

    def test_one_that_begins_to_count_by_it_is_refused(self, inside: Tenant) -> None:
        allow(inside, 1, "users")
        eve = User.objects.create(username="eve", is_active=False)
        with pytest.raises(LimitReached):
            User(pk=eve.pk, username="eve").save(force_update=True)


class TestSayingTheSame:
    """`check` and both walls: why, of what, and through which plan."""

    @pytest.fixture(params=["no subscription", "not in plan", "full", "an override"])
    def asked(self, request: pytest.FixtureRequest, acme: Tenant) -> Iterator[Tenant]:
        define_feature(key="projects", kind="count", name="Workspaces", actor=SOMEBODY, now=NOW)
        end_override(tenant=acme, feature="projects", reason="Test", actor=SOMEBODY, now=clock.now())
        if request.param != "no subscription":
            limit = 0 if request.param == "full" else 7
            grants = {} if request.param == "not in plan" else {"projects": Grant(limit=limit)}
            publish_plan(key="free", grants=grants, actor=SOMEBODY, now=NOW)
            set_default_plan(key="free", actor=SOMEBODY, now=NOW)
        if request.param == "an override":
            allow(acme, 0)
        fresh = Tenant.objects.get(pk=acme.pk)
        with context.enter(fresh):
            yield fresh

    def test_save_and_the_last_wall(self, asked: Tenant) -> None:
        told = check(tenant=asked, feature="projects", now=clock.now())
        assert not told.has_access
        for refuse in (lambda: project().save(), lambda: insert(asked)):
            with pytest.raises(LimitReached) as refused, transaction.atomic():
                refuse()
            decision = refused.value.decision
            for name in ("reason", "name", "kind", "limit", "source", "plan", "message"):
                assert (name, getattr(decision, name)) == (name, getattr(told, name))


class TestLimits:
    def test_unlimited(self, inside: Tenant) -> None:
        allow(inside, None)
        Project.objects.bulk_create(project(number) for number in range(9))
        project().save()
        insert(inside, 9)

    def test_none_at_all(self, inside: Tenant) -> None:
        allow(inside, 0)
        with pytest.raises(LimitReached, match="The plan includes no projects"):
            project().save()

    def test_the_greatest_there_can_be(self, inside: Tenant) -> None:
        allow(inside, 2**63 - 1)
        project().save()
        insert(inside)
        assert Project.objects.count() == 2

    def test_what_is_no_feature_is_not_limited(self, inside: Tenant) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM plans_override; DELETE FROM entitlements_ceiling; DELETE FROM plans_feature")
        fill(4)

    def test_what_became_a_feature_is_not_granted_until_somebody_grants_it(self, inside: Tenant) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM plans_override; DELETE FROM entitlements_ceiling; DELETE FROM plans_feature")
        Feature.objects.create(key="projects", name="Projects")
        with pytest.raises(LimitReached) as refused:
            project().save()
        assert refused.value.decision.reason == Reason.NO_SUBSCRIPTION
        with pytest.raises(LimitReached), transaction.atomic():
            insert(inside)
        publish_plan(key="free", grants={}, actor=SOMEBODY, now=NOW)
        set_default_plan(key="free", actor=SOMEBODY, now=NOW)
        Ceiling.objects.all().delete()
        with pytest.raises(LimitReached) as refused:
            project().save()
        assert refused.value.decision.reason == Reason.NOT_IN_PLAN

    def test_nothing_is_limited_outside_of_a_tenant(self, acme: Tenant) -> None:
        allow(acme, 0, "users")
        User.objects.create(username="operator")


class TestForms:
    def test_a_form_says_so_before_anything_is_saved(self, inside: Tenant) -> None:
        fill(3)
        form = modelform_factory(Project, fields=["name"])({"name": "One more"})
        assert not form.is_valid()
        (told,) = form.non_field_errors()
        assert "The limit for projects is reached" in told and "/settings/" in told

    def test_a_form_that_changes_one_is_valid(self, inside: Tenant) -> None:
        fill(3)
        form = modelform_factory(Project, fields=["name"])({"name": "Other"}, instance=Project.objects.latest("name"))
        assert form.is_valid()
        form.save()

    def test_its_own_error(self, inside: Tenant) -> None:
        fill(3)
        with pytest.raises(ValidationError) as told:
            project().full_clean()
        assert told.value.error_dict["__all__"][0].code == "limit_reached"


class TestUsers:
    """A model that is not ours: the deactivated do not count. Ann is there from the start."""

    def test_so_many_active_ones(self, inside: Tenant) -> None:
        allow(inside, 2, "users")
        User.objects.create(username="max")
        with pytest.raises(LimitReached, match="The limit for users is reached"):
            User.objects.create(username="eve")
        assert User.objects.count() == 2

    def test_deactivated_ones_may_be_added(self, inside: Tenant) -> None:
        allow(inside, 1, "users")
        User.objects.create(username="max", is_active=False)
        User.objects.bulk_create([User(username="eve", is_active=False)])
        assert User.objects.count() == 3

    @pytest.mark.parametrize("fields", [None, ["is_active"], ["username", "is_active"]])
    def test_reactivating_one_is_refused(self, inside: Tenant, fields: list[str] | None) -> None:
        allow(inside, 1, "users")
        user = User.objects.create(username="max", is_active=False)
        user.is_active = True
        with transaction.atomic():
            with pytest.raises(LimitReached):
                user.save(update_fields=fields)
            assert User.objects.filter(is_active=True).count() == 1

    def test_reactivating_several_is_refused_by_the_last_wall(self, inside: Tenant) -> None:
        allow(inside, 2, "users")
        User.objects.bulk_create([User(username=name, is_active=False) for name in ("max", "eve")])
        with pytest.raises(LimitReached) as refused, transaction.atomic():
            User.objects.update(is_active=True)
        assert (refused.value.decision.requested, refused.value.decision.used) == (2, 1)
        assert User.objects.filter(username="max").update(is_active=True) == 1

    def test_one_for_another_in_one_statement(self, inside: Tenant) -> None:
        allow(inside, 1, "users")
        User.objects.create(username="max", is_active=False)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE accounts_user SET is_active = NOT is_active")
        assert User.objects.get(is_active=True).username == "max"

    def test_who_is_there_can_be_changed_at_the_limit_and_above(self, inside: Tenant) -> None:
        allow(inside, 0, "users")
        ann = User.objects.get(username="ann")
        ann.full_name = "Ann Other"
        ann.save()
        ann.save(update_fields=["full_name"])
        User.objects.update(full_name="Ann Third")

    def test_what_has_nothing_to_do_with_it_costs_no_query(self, inside: Tenant) -> None:
        ann = User.objects.get(username="ann")
        with CaptureQueriesContext(connection) as log:
            ann.save(update_fields=["last_login"])
        assert len(log) == 1


class TestCost:
    def test_two_more_queries_where_there_is_a_limit_and_one_where_there_is_none(self, inside: Tenant) -> None:
        project().save()
        with CaptureQueriesContext(connection) as limited:
            project().save()
        allow(inside, None)
        with CaptureQueriesContext(connection) as unlimited:
            project().save()
        assert (len(limited), len(unlimited)) == (3, 2)

    def test_counts_no_further_than_it_takes_to_know(self, inside: Tenant) -> None:
        allow(inside, 5)
        with CaptureQueriesContext(connection) as log:
            guard(Project, count=2)
        assert "LIMIT 4" in log.captured_queries[-1]["sql"]


def test_a_guard_of_ones_own(inside: Tenant) -> None:
    guard(Project, count=3)
    with pytest.raises(LimitReached):
        guard(Project, count=4)
    guard(Task, count=1000)


class TestDeclaring:
    @isolate_apps()
    def test_a_model_that_does_not_say_what_limits_it_is_refused(self) -> None:
        class Nameless(LimitedModel):
            class Meta:
                app_label = "showcase"

        with pytest.raises(ImproperlyConfigured, match=r"showcase\.Nameless does not say what limits it"):
            models._features_of(Nameless)

    @isolate_apps()
    def test_a_model_may_be_limited_by_several(self) -> None:
        class Seat(LimitedModel):
            limited_by = ("seats", "named-seats")

            class Meta:
                app_label = "showcase"

        assert models._features_of(Seat) == ("seats", "named-seats")

    @isolate_apps()
    def test_what_is_counted_as_its_parent_is_counted_once(self) -> None:
        class Shown(Project):
            class Meta:
                app_label = "showcase"
                proxy = True

        class Large(Project):
            class Meta:
                app_label = "showcase"

        class Other(Project):
            limited_by = "others"

            class Meta:
                app_label = "showcase"
                proxy = True

        assert models._counts_as_parent(Shown) and models._counts_as_parent(Large)
        assert not models._counts_as_parent(Other)
        assert not models._counts_as_parent(Project)
        assert [each.entity for each in bound_to(Shown)] == [each.entity for each in bound_to(Large)] == ["projects"]

    @isolate_apps()
    def test_a_proxy_of_a_model_that_is_not_ours_is_counted(
        self, inside: Tenant, only_users: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class LimitedGroup(LimitedModel, Group):
            limited_by = "groups"

            class Meta:
                app_label = "showcase"
                proxy = True

        monkeypatch.setattr(models.apps, "get_models", lambda: [Group, LimitedGroup])
        models.register_all()
        define_feature(key="groups", kind="count", actor=SOMEBODY, now=NOW)
        allow(inside, 1, "groups")
        LimitedGroup.objects.create(name="One")
        with pytest.raises(LimitReached):
            LimitedGroup.objects.create(name="Two")
        with pytest.raises(LimitReached):
            Group.objects.create(name="Two")
