"""Features, credit types and the terms of plans, as the operator sees and sets them."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Entry
from apps.credits import registry
from apps.credits.errors import UnknownCreditType
from apps.credits.models import CreditType as Row
from apps.credits.selectors import credit_type
from apps.credits.types import CreditType
from apps.plans.models import PlanVersion
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, give_everybody
from tests.pages.reading import path_of, text

pytestmark = pytest.mark.django_db


class TestFeatures:
    def test_each_tells_what_it_is_and_how_many_plans_grant_it(self, staff: Client) -> None:
        define("calls", name="API calls", unit="call", units="calls")
        define("storage", aggregate="max")
        define("sso", kind="switch")
        give_everybody("free", calls="100/month")
        give_everybody("free", calls="200/month", storage="5")

        page = text(staff.get(path_of("plans_feature_changelist")))
        assert "calls API calls Metered Sum of the period call, calls 2 plan versions" in page
        assert "storage Storage Metered Highest of the period – 1 plan version" in page
        assert "sso Sso Switch – – no plan" in page
        assert (
            "sso" not in text(staff.get(path_of("plans_feature_changelist"), {"kind": "metered"})).partition("Sso")[1]
        )

        feature = text(staff.get(path_of("plans_feature_change", "calls")))
        assert "plan:free@2 200" in feature
        assert "plan:free@1 100" in feature
        assert "does not grant it" in feature

    def test_an_empty_list_says_how_one_comes(self, staff: Client) -> None:
        assert "feature_define" in text(staff.get(path_of("plans_feature_changelist")))

    def test_nothing_can_be_changed_here(self, staff: Client) -> None:
        define("calls")
        assert staff.post(path_of("plans_feature_change", "calls"), {"name": "x"}).status_code == 403
        assert staff.get(path_of("plans_feature_add")).status_code == 403
        assert staff.get(path_of("plans_feature_change", "callz")).status_code == 302

    def test_more_features_cost_no_more_queries(self, staff: Client) -> None:
        def cost(features: int) -> int:
            for number in range(features):
                define(f"thing{number}")
            give_everybody(**{f"thing{number}": "5" for number in range(features)})
            with CaptureQueriesContext(connection) as queries:
                text(staff.get(path_of("plans_feature_changelist")))
            return len(queries)

        cost(1)
        assert cost(3) == cost(12)


class TestPlanVersion:
    def test_every_term_of_each_grant_is_told(self, staff: Client) -> None:
        define("calls", name="API calls")
        define("credits", kind="credits")
        define("sso", kind="switch")
        give_everybody(
            calls="1000/month;calendar;soft;warn=50+90;open;grace",
            credits="50/billing_period;rollover=5..500",
            sso="on",
        )
        version = PlanVersion.objects.get()

        page = text(staff.get(path_of("plans_planversion_change", version.pk)))
        assert (
            "API calls calls 1,000 Every month with the calendar soft: allowed and told 50, 90 % – "
            "allowed stays in use for a while"
        ) in page
        assert (
            "Credits credits 50 Every billing period with the subscription hard: refused 80, 100 % 5 to 500 "
            "refused stays; nothing new"
        ) in page
        assert "Sso sso on – – – – – refused stays; nothing new" in page
        assert "of every tenant without a plan of its own" in page

    def test_the_versions_of_a_plan_lead_to_each_other(self, staff: Client) -> None:
        define("calls")
        give_everybody(calls="1")
        give_everybody(calls="2")
        first, second = PlanVersion.objects.order_by("number")
        page = staff.get(path_of("plans_planversion_change", first.pk)).content.decode()
        assert path_of("plans_planversion_change", second.pk) in page
        assert "of every tenant without a plan" not in page

    def test_there_is_no_such_version(self, staff: Client, acme: Tenant) -> None:
        for wrong in (acme.pk, "x"):
            assert staff.get(path_of("plans_planversion_change", wrong)).status_code == 404


class TestCreditTypes:
    @pytest.fixture(autouse=True)
    def _defined(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "_defined", {})
        registry.define(CreditType("report", "Make a report", amount=2, description="Each."))
        define("credits", kind="credits")
        define("pages")

    def rows(self, staff: Client) -> str:
        return text(staff.get(path_of("credits_credittype_changelist")))

    def given(self, **given: str) -> dict[str, str]:
        usual = {"name": "Make a report", "amount": "5", "feature": "credits", "usage_feature": "", "description": ""}
        return usual | given

    def test_one_of_the_code_is_set_and_given_back(self, staff: Client) -> None:
        assert "Make a report report Each. 2 credits nothing the vendor’s code Set" in self.rows(staff)
        form = staff.get(path_of("credit_type_set", "report")).content.decode()
        assert 'value="Make a report"' in form
        assert "Make a report, for 2" in form

        answer = staff.post(path_of("credit_type_set", "report"), self.given(usage_feature="pages"), follow=True)
        assert "Make a report costs 5 now." in text(answer)
        assert credit_type("report") == CreditType("report", "Make a report", 5, usage_feature="pages")
        assert "5 credits pages an operator instead of 2 in the vendor’s code" in self.rows(staff)
        assert Entry.objects.get(action="credit_type.set").actor_label == "olga"

        assert "vendor’s code says counts again" in text(staff.get(path_of("credit_type_remove", "report")))
        staff.post(path_of("credit_type_remove", "report"))
        assert credit_type("report").amount == 2
        again = text(staff.post(path_of("credit_type_remove", "report"), follow=True))
        assert "No credit type &#x27;report&#x27; has been set by an operator" in again

    def test_the_value_of_one_that_is_there_cannot_be_changed(self, staff: Client) -> None:
        staff.post(path_of("credit_type_set", "report"), self.given(value="other"))
        assert [each.value for each in Row.objects.all()] == ["report"]

    def test_another_one_is_made_and_removed(self, staff: Client) -> None:
        staff.post(path_of("credit_type_add"), self.given(value="ask", name="Ask", amount="0"))
        assert credit_type("ask").amount == 0
        assert "Ask ask 0 credits nothing an operator Set Remove" in self.rows(staff)
        assert "refused when it spends" in text(staff.get(path_of("credit_type_remove", "ask")))
        staff.post(path_of("credit_type_remove", "ask"))
        with pytest.raises(UnknownCreditType):
            credit_type("ask")

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"value": "No Key"}, "is no key"),
            ({"value": ""}, "This field is required"),
            ({"amount": "-1"}, "greater than or equal to 0"),
            ({"feature": "pages"}, "Select a valid choice"),
            ({"usage_feature": "credits"}, "Select a valid choice"),
        ],
    )
    def test_what_is_wrong_is_told_on_the_form(self, staff: Client, given: dict[str, str], sentence: str) -> None:
        answer = staff.post(path_of("credit_type_add"), self.given(value="ask") | given)
        assert sentence in text(answer)
        assert not Row.objects.exists()

    def test_there_is_no_such_type(self, staff: Client) -> None:
        for action in ("set", "remove"):
            assert staff.get(path_of(f"credit_type_{action}", "gold")).status_code == 404

    def test_only_operators_may(self, visitor: Client, acme: Tenant, member_at: Callable[..., Client]) -> None:
        for path in (path_of("credit_type_add"), path_of("credit_type_set", "report")):
            assert visitor.post(path, self.given(value="x")).status_code == 302
            assert visitor.get(path).status_code == 302
        assert not Row.objects.exists()

    def test_where_there_is_none(self, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "_defined", {})
        assert "credits.registry.define" in self.rows(staff)
