"""Features, plans without a price, the default plan, and what the database itself refuses."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Entry
from apps.billing import selectors as billing
from apps.billing.types import Price
from apps.plans import selectors
from apps.plans.catalogue import define_feature, publish_plan, set_default_plan
from apps.plans.errors import (
    FeatureIsOfAnotherKind,
    UnknownFeature,
    UnknownPlan,
    UnusableFeature,
    UnusableGrant,
    UnusablePlan,
)
from apps.plans.grants import read_grant
from apps.plans.models import Allowance, DefaultPlan, Feature, Override, Plan, PlanVersion
from apps.plans.resolution import Grant
from apps.plans.services import publish_price
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, give_plan_to, make_tenant

pytestmark = pytest.mark.django_db
BY = {"actor": SOMEBODY, "now": NOW}
LATER = NOW + timedelta(days=1)


@pytest.fixture(autouse=True)
def defined(db: None) -> None:
    for key, kind in (("seats", "count"), ("calls", "metered"), ("sso", "switch"), ("theme", "config")):
        define_feature(key=key, kind=kind, **BY)
    define_feature(key="tokens", kind="credits", **BY)


def publish(key: str = "free", **given: Any) -> PlanVersion:
    options = {name: given.pop(name) for name in ("add_on", "name") if name in given}
    grants = {each: read_grant(selectors.feature(each), text) for each, text in given.items()}
    return publish_plan(key=key, grants=grants, **options, **BY)


def _price(metadata: dict[str, str]) -> Price:
    return Price(
        id="price_1",
        product_id="prod_1",
        product_name="Starter",
        nickname="",
        lookup_key="",
        metadata=metadata,
        active=True,
        amount=Decimal(900),
        tiered=False,
        currency="eur",
        interval="month",
        interval_count=1,
    )


def says(tenant: Tenant, feature: str) -> str:
    return selectors.entitlements(tenant, now=NOW)[feature].says


class TestPublishing:
    def test_every_kind_is_granted_and_read_back(self) -> None:
        publish(
            seats="5", calls="1000/month", sso="on", theme='{"color": "red"}', tokens="50/week", gateways="unlimited"
        )
        set_default_plan(key="free", **BY)
        acme = make_tenant(ready=False)

        found = {key: each.says for key, each in selectors.entitlements(acme, now=NOW).items()}

        assert found == {
            **dict.fromkeys(("applications", "clients", "end-devices", "gateways"), "unlimited"),
            **dict.fromkeys(("organizations", "users"), "unlimited"),
            "seats": "5",
            "calls": "1,000",
            "sso": "on",
            "theme": "{'color': 'red'}",
            "tokens": "50",
        }
        assert selectors.entitlements(acme, now=NOW)["calls"].terms.reset_period == "month"

    def test_only_what_is_different_makes_a_version(self) -> None:
        refs = [
            publish(seats="5").ref,
            publish(seats="5").ref,
            publish(seats="6").ref,
            publish(seats="6", add_on=True).ref,
        ]
        assert refs == ["plan:free@1", "plan:free@1", "plan:free@2", "plan:free@3"]
        assert Entry.objects.filter(action="plan.published").count() == 3

    def test_the_plan_of_a_price_is_published_by_stripe_alone(self) -> None:
        Plan.objects.create(key="pro", name="Pro", price_id="price_1")
        with pytest.raises(UnusablePlan, match="Change the price's metadata"):
            publish("pro", seats="5")

    @pytest.mark.parametrize("key", ["", "a b", "free!", "a::b"])
    def test_a_malformed_key_is_refused(self, key: str) -> None:
        with pytest.raises(UnusablePlan, match="cannot name a plan"):
            publish(key, seats="5")

    @pytest.mark.parametrize(
        ("feature", "text"),
        [
            ("seats", "five"),
            ("seats", "-1"),
            ("seats", "5/month"),
            ("seats", "9223372036854775808"),
            ("calls", "5/fortnight"),
            ("sso", "perhaps"),
            ("sso", "off"),
            ("theme", "{"),
            ("theme", "null"),
            ("theme", "NaN"),
            ("tokens", "unlimited"),
        ],
    )
    def test_what_a_kind_cannot_be_granted_is_refused(self, feature: str, text: str) -> None:
        with pytest.raises(UnusableGrant, match=feature):
            publish(**{feature: text})
        assert not PlanVersion.objects.exists()

    def test_an_unknown_feature_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(UnknownFeature, match="no feature 'seatz', but applications"):
            publish_plan(key="free", grants={"seatz": Grant(limit=1)}, **BY)

    def test_a_feature_keeps_its_kind(self) -> None:
        with pytest.raises(FeatureIsOfAnotherKind, match="metered, which cannot become switch"):
            define_feature(key="calls", kind="switch", **BY)
        with pytest.raises(FeatureIsOfAnotherKind, match="count"):
            define_feature(key="gateways", kind="switch", **BY)


class TestDefining:
    def test_what_is_metered_has_an_aggregate_and_words(self) -> None:
        define_feature(key="peak", kind="metered", aggregate="max", unit="user", units="users", **BY)
        entitlement = selectors.entitlements(make_tenant(ready=False), now=NOW)["peak"]
        assert (entitlement.aggregate, entitlement.unit, entitlement.units) == ("max", "user", "users")

    def test_words_can_be_others_and_the_rest_stays(self) -> None:
        define_feature(key="calls", kind="metered", name="API calls", unit="call", **BY)
        define_feature(key="calls", kind="metered", units="calls", **BY)
        calls = Feature.objects.get(key="calls")
        assert (calls.name, calls.unit, calls.units, calls.aggregate) == ("API calls", "call", "calls", "sum")
        assert Entry.objects.filter(action="feature.reworded").count() == 2
        define_feature(key="calls", kind="metered", **BY)
        assert Entry.objects.filter(action="feature.reworded").count() == 2

    def test_an_aggregate_is_for_ever_and_of_what_is_metered_alone(self) -> None:
        with pytest.raises(FeatureIsOfAnotherKind, match="aggregate sum, which cannot become max"):
            define_feature(key="calls", kind="metered", aggregate="max", **BY)
        with pytest.raises(UnusableFeature, match="only what is metered"):
            define_feature(key="rooms", kind="count", aggregate="max", **BY)
        with pytest.raises(IntegrityError), transaction.atomic():
            Feature.objects.filter(key="seats").update(aggregate="last")

    def test_words_that_are_too_long_are_refused(self) -> None:
        with pytest.raises(UnusableFeature, match="at most 60"):
            define_feature(key="rooms", kind="count", unit="x" * 61, **BY)


class TestDefaultPlan:
    def test_it_is_the_plan_of_whoever_holds_none(self) -> None:
        free, paying = make_tenant("free1", ready=False), make_tenant("paying", ready=False)
        give_plan_to(paying, "pro", seats=50)
        publish(seats="1", gateways="2")
        set_default_plan(key="free", **BY)

        assert (says(free, "seats"), says(free, "gateways"), says(paying, "seats")) == ("1", "2", "50")
        assert [each.ref for each in selectors.held_plans(free, now=NOW)] == ["plan:free@1"]
        assert [each.ref for each in selectors.held_plans(paying, now=NOW)] == ["plan:pro@3"]

    def test_its_newest_version_counts_at_once(self) -> None:
        acme = make_tenant(ready=False)
        publish(seats="1")
        set_default_plan(key="free", **BY)
        publish(seats="3")
        assert says(acme, "seats") == "3"

    def test_a_new_version_of_a_default_plan_that_has_a_price_reaches_everybody(self, monkeypatch: Any) -> None:
        acme = make_tenant(ready=False)
        for limit in ("1", "4"):
            monkeypatch.setattr(
                billing, "prices", lambda ids, limit=limit: {"price_1": _price({"max-gateways": limit})}
            )
            before = Tenant.objects.get().entitlements_version
            assert publish_price(price_id="price_1", now=NOW)
            set_default_plan(key="starter", **BY)
            assert says(acme, "gateways") == limit
            assert Tenant.objects.get().entitlements_version == before + 1

    def test_it_can_be_another_or_none_and_what_was_is_kept(self) -> None:
        acme = make_tenant(ready=False)
        publish(seats="1")
        set_default_plan(key="free", **BY)
        set_default_plan(key=None, actor=SOMEBODY, now=LATER)

        assert says(acme, "seats") == "not granted"
        at = {moment: selectors.entitlements_at(acme, moment=moment)["seats"].says for moment in (NOW, LATER)}
        assert at == {NOW: "1", LATER: "not granted"}
        assert DefaultPlan.objects.count() == 1

    def test_it_must_be_a_published_plan_and_no_add_on(self) -> None:
        with pytest.raises(UnknownPlan, match=r"no plan 'gold'\. There are: none yet"):
            set_default_plan(key="gold", **BY)
        publish("more", seats="1", add_on=True)
        with pytest.raises(UnusablePlan, match="is an add-on"):
            set_default_plan(key="more", **BY)
        publish("free", seats="1")
        set_default_plan(key="free", **BY)
        with pytest.raises(UnusablePlan, match="is the default plan"):
            publish("free", seats="1", add_on=True)


class TestTheDatabaseItself:
    """What no code path does, PostgreSQL refuses also from raw SQL."""

    @pytest.mark.parametrize(
        "row",
        [
            {"feature_id": "seats", "kind": "metered"},
            {"feature_id": "seats", "kind": "count", "limit": -1},
            {"feature_id": "seats", "kind": "count", "limit": 1, "value": True},
            {"feature_id": "seats", "kind": "count", "limit": 1, "reset_period": "month"},
            {"feature_id": "sso", "kind": "switch", "limit": 1, "value": True},
            {"feature_id": "sso", "kind": "switch", "value": False},
            {"feature_id": "sso", "kind": "switch"},
            {"feature_id": "theme", "kind": "config", "value": "red", "limit": 1},
            {"feature_id": "theme", "kind": "config"},
            {"feature_id": "tokens", "kind": "credits"},
            {"feature_id": "calls", "kind": "metered", "limit": 1, "reset_period": "fortnight"},
            {"feature_id": "calls", "kind": "metered", "limit": 1, "enforcement": "firm"},
            {"feature_id": "calls", "kind": "metered", "limit": 1, "on_error": "ajar"},
            {"feature_id": "calls", "kind": "metered", "limit": 1, "max_rollover": 1},
            {"feature_id": "tokens", "kind": "credits", "limit": 1, "min_rollover": 2, "max_rollover": 1},
            {"feature_id": "tokens", "kind": "credits", "limit": 1, "min_rollover": -1},
        ],
    )
    def test_an_allowance_that_does_not_fit_its_feature(self, row: dict[str, Any]) -> None:
        version = publish(seats="5")
        Allowance.objects.all().delete()
        with pytest.raises(IntegrityError), transaction.atomic():
            Allowance.objects.create(version=version, **row)

    @pytest.mark.parametrize(
        "row",
        [
            {"feature_id": "seats", "kind": "count", "limit": 1, "reason": ""},
            {"feature_id": "seats", "kind": "count", "limit": 1, "until": NOW},
            {"feature_id": "seats", "kind": "metered", "limit": 1},
            {"feature_id": "sso", "kind": "switch", "value": "on"},
            {"feature_id": "tokens", "kind": "credits"},
        ],
    )
    def test_an_override_that_does_not_fit(self, row: dict[str, Any]) -> None:
        tenant = make_tenant(ready=False)
        values = {"reason": "why", "author": "olga", "valid_from": NOW, **row}
        with pytest.raises(IntegrityError), transaction.atomic():
            Override.objects.create(tenant=tenant, **values)

    def test_the_kind_of_a_feature_that_is_granted(self) -> None:
        publish(seats="5")
        with pytest.raises(IntegrityError), transaction.atomic():
            Feature.objects.filter(key="seats").update(kind="metered")

    def test_two_default_plans(self) -> None:
        for key in ("free", "other"):
            publish(key, seats="1")
        set_default_plan(key="free", **BY)
        with pytest.raises(IntegrityError), transaction.atomic():
            DefaultPlan.objects.create(plan=Plan.objects.get(key="other"), chosen_by="x", valid_from=NOW)


def test_any_number_of_tenants_and_features_is_the_same_number_of_queries() -> None:
    publish(seats="5")
    set_default_plan(key="free", **BY)
    tenants = [make_tenant("first", ready=False)]
    give_plan_to(tenants[0], "pro", seats=1)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            selectors.holdings(tenants, now=NOW)
        return len(captured)

    few = queries()
    for number in range(8):
        tenants.append(make_tenant(f"more{number}", ready=False))
        give_plan_to(tenants[-1], f"plan{number}", **{f"thing{number}": number})
    assert queries() == few <= 6
