"""A model of which a tenant may have so many rows."""

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import connection, transaction
from django.forms import modelform_factory
from django.test.utils import CaptureQueriesContext, isolate_apps

from apps.accounts.models import User
from apps.entitlements.decisions import Reason
from apps.entitlements.errors import LimitReached
from apps.entitlements.limiting import LimitedModel, guard, models
from apps.entitlements.limiting.guarding import bound_to
from apps.plans.models import Feature
from apps.showcase.models import Project, Task
from apps.tenants.models import Tenant
from tests.entitlements.limits import acme, allow, committed, fill, insert, inside, project, without_triggers

__all__ = ["acme", "committed", "inside"]


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

    def test_through_what_they_belong_to(self, inside: Tenant) -> None:
        """Tasks are not limited."""
        fill(1)
        Task.objects.bulk_create([Task(project=Project.objects.get(), title=str(number)) for number in range(9)])
        assert Task.objects.count() == 9


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
        assert refused.value.decision.reason == Reason.NOT_IN_PLAN
        with pytest.raises(LimitReached), transaction.atomic():
            insert(inside)

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

        assert models._counts_as_parent(Shown) and models._counts_as_parent(Large)
        assert not models._counts_as_parent(Project)
        assert [each.entity for each in bound_to(Shown)] == [each.entity for each in bound_to(Large)] == ["projects"]
