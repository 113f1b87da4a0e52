"""Any feature can be granted by a price's metadata: `tenantry-grant-<feature>`."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.audit.models import Alert
from apps.billing import selectors as billing
from apps.billing.models import Event
from apps.billing.types import Price
from apps.entitlements.models import Ceiling
from apps.plans import services as plan_services
from apps.plans.catalogue import define_feature, grants_of, publish_plan, set_default_plan
from apps.plans.errors import UnusableGrant
from apps.plans.grants import read_grant, write_grant
from apps.plans.metadata import GRANT_PREFIX, read_price_limits
from apps.plans.models import Feature, PlanVersion
from apps.plans.offers import Offer, read_offer
from apps.plans.resolution import Grant, Grantable, Terms
from apps.plans.services import Assigned, assign_plans, mark_price, publish_price
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_tenant

BY = {"actor": SOMEBODY, "now": NOW}
FEATURES = {
    each.key: each
    for each in (
        Grantable("users", "Users", Kind.COUNT, unlimited_when_absent=True),
        Grantable("projects", "Projects", Kind.COUNT),
        Grantable("calls", "Calls", Kind.METERED),
        Grantable("storage", "Storage", Kind.METERED, aggregate="max"),
        Grantable("credits", "Credits", Kind.CREDITS),
        Grantable("sso", "Single sign-on", Kind.SWITCH),
        Grantable("region", "Region", Kind.CONFIG),
    )
}
EVERYTHING = {
    "max-users": "3",
    "tenantry-grant-projects": "5;freeze",
    "tenantry-grant-calls": "1000/month;soft;warn=50+100",
    "tenantry-grant-storage": "unlimited",
    "tenantry-grant-credits": "100/month;rollover=0..50",
    "tenantry-grant-sso": "on",
    "tenantry-grant-region": '["eu", "us"]',
}


class TestReading:
    def test_a_grant_is_what_plan_publish_takes_behind_the_equals_sign(self) -> None:
        offer = read_offer(EVERYTHING, FEATURES)
        written = {key: write_grant(FEATURES[key], grant) for key, grant in offer.grants.items()}
        assert offer.problems == ()
        assert written == {
            "users": "3",
            "projects": "5;freeze",
            "calls": "1000/month;soft;warn=50+100",
            "storage": "unlimited",
            "credits": "100/month;rollover=0..50",
            "sso": "on",
            "region": '["eu", "us"]',
        }

    @pytest.mark.parametrize(
        ("feature", "value", "reason"),
        [
            ("calls", "many", "must be a whole number"),
            ("calls", "5/fortnight", "the period behind it"),
            ("calls", "5/month;often", "has the term 'often'"),
            ("calls", "5/month;rollover=0..5", "only credits roll over"),
            ("projects", "5/month", "does not start anew with every month"),
            ("credits", "unlimited", "never unlimited"),
            ("credits", "9223372036854775808", "is not a number from 0"),
            ("sso", "off", "leaves it out"),
            ("sso", "perhaps", "neither on nor off"),
            ("region", "eu", "must be JSON"),
            ("region", "null", "needs a value"),
            ("region", '"\\u0000"', "cannot be kept"),
            ("region", '{"a": "\\ud800"}', "cannot be kept"),
            ("region", "[1e999]", "cannot be kept"),
            ("credtis", "5", "there is no feature 'credtis', but calls, credits, projects"),
            ("", "5", "lower-case words joined by dashes"),
            ("Calls", "5", "lower-case words joined by dashes"),
        ],
    )
    def test_what_is_not_usable_is_a_problem_of_its_key(self, feature: str, value: str, reason: str) -> None:
        key = f"{GRANT_PREFIX}{feature}"
        offer = read_offer({key: value, "max-users": "3"}, FEATURES)
        assert [(each.key, each.value) for each in offer.problems] == [(key, value)]
        assert reason in offer.problems[0].reason
        assert offer.grants == {"users": Grant(limit=3)}

    def test_a_feature_that_max_names_too_is_a_problem(self) -> None:
        (problem,) = read_offer({"max-users": "3", "tenantry-grant-users": "3"}, FEATURES).problems
        assert (problem.key, problem.reason) == ("tenantry-grant-users", "max-users limits it too: leave one out")

    def test_what_is_not_counted_is_not_limited_by_max(self) -> None:
        (problem,) = read_offer({"max-calls": "007"}, FEATURES).problems
        assert (problem.key, problem.value) == ("max-calls", "007")
        assert "of the kind metered" in problem.reason

    def test_without_the_features_only_what_is_written_is_known(self) -> None:
        reading = read_price_limits({"max-users": "3", "tenantry-grant-credits": "100/month", "tenantry-granted": "x"})
        assert (reading.limits, reading.grants, reading.problems) == ({"users": 3}, {"credits": "100/month"}, ())

    @settings(max_examples=60)
    @given(st.dictionaries(st.sampled_from(sorted(FEATURES)), st.text(max_size=20)))
    def test_each_grant_is_either_read_or_a_problem_and_never_both(self, texts: dict[str, str]) -> None:
        offer = read_offer({f"{GRANT_PREFIX}{key}": text for key, text in texts.items()}, FEATURES)
        wrong = [each.key.removeprefix(GRANT_PREFIX) for each in offer.problems]
        assert sorted([*wrong, *offer.grants]) == sorted(texts)
        for key, grant in offer.grants.items():
            assert read_grant(FEATURES[key], write_grant(FEATURES[key], grant)) == grant


Publish = Callable[[Mapping[str, str]], bool]


@pytest.fixture
def publish(db: None, monkeypatch: Any) -> Publish:
    """Mirror a managed price with other metadata, and publish what it says."""
    mark_price(price_id="price_1", group="recurring", **BY)

    def run(metadata: Mapping[str, str]) -> bool:
        monkeypatch.setattr(billing, "prices", lambda ids: {"price_1": _price(metadata)} if "price_1" in ids else {})
        return publish_price(price_id="price_1", now=NOW)

    return run


def _price(metadata: Mapping[str, str]) -> Price:
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


def define(*keys: str) -> None:
    for key in keys:
        define_feature(key=key, kind=FEATURES[key].kind, aggregate=FEATURES[key].aggregate, **BY)


def newest() -> PlanVersion:
    return PlanVersion.objects.order_by("-number")[0]


def looked_at_again() -> list[str]:
    return list(Event.objects.filter(type="tenantry.look_again").values_list("work", flat=True))


class TestPublishing:
    def test_every_kind_of_feature_is_granted(self, publish: Publish) -> None:
        define("projects", "calls", "storage", "credits", "sso", "region")
        assert publish(EVERYTHING)
        assert grants_of(newest()) == read_offer(EVERYTHING, FEATURES).grants

    def test_only_other_grants_make_another_version(self, publish: Publish) -> None:
        define("calls")
        told = [
            publish({"tenantry-grant-calls": "5/month", "max-users": "3"}),
            publish({"tenantry-grant-calls": " 5/month;hard", "tenantry-grant-users": "3", "color": "blue"}),
            publish({"tenantry-grant-calls": "5/month;soft", "max-users": "3"}),
            publish({"max-users": "3"}),
        ]
        assert told == [True, False, True, True]
        assert newest().ref == "plan:starter@3"

    def test_an_add_on_can_grant_anything(self, publish: Publish) -> None:
        define("credits")
        assert publish({"tenantry-grant-credits": "50/month", "tenantry-add-on": "true"})
        assert (newest().add_on, grants_of(newest())["credits"].limit) == (True, 50)

    @pytest.mark.parametrize(
        ("metadata", "reason"),
        [
            ({"tenantry-grant-calls": "5/fortnight"}, "must be a whole number"),
            ({"tenantry-grant-nothing": "5"}, "there is no feature 'nothing'"),
            ({"tenantry-grant-users": "5", "max-users": "5"}, "max-users limits it too"),
        ],
    )
    def test_what_is_not_usable_publishes_nothing_and_is_told_until_it_is_mended(
        self, publish: Publish, metadata: dict[str, str], reason: str
    ) -> None:
        define("calls")
        publish({"tenantry-grant-calls": "5/month"})
        assert not publish(metadata)
        assert newest().ref == "plan:starter@1"
        alert = Alert.objects.open().get()
        key, value = next(iter(metadata.items()))
        assert (alert.code, alert.subject) == ("price_limit_malformed", "price:price_1")
        for told in ("price price_1", f"{key} is {value!r}, but ", reason, "last good"):
            assert told in alert.message
        assert alert.details["entries"][0]["key"] == key

        assert publish({"tenantry-grant-calls": "6/month"})
        assert not Alert.objects.open().exists()

    def test_what_the_database_refuses_is_told_like_that_too(self, publish: Publish, monkeypatch: Any) -> None:
        define("calls")
        publish({"tenantry-grant-calls": "5/month"})
        monkeypatch.setattr(
            plan_services, "read_offer", lambda *given: Offer({"calls": Grant(5, terms=Terms(max_rollover=1))})
        )
        assert not publish({"tenantry-grant-calls": "5;rollover=0..1"})
        assert newest().ref == "plan:starter@1"
        message = Alert.objects.open().get().message
        assert "tenantry-grant-calls=5;rollover=0..1" in message
        assert "plans_only_credits_roll_over" in message

    def test_the_default_plan_does_not_become_an_add_on(self, publish: Publish) -> None:
        publish({"max-users": "5"})
        set_default_plan(key="starter", **BY)
        assert not publish({"max-users": "5", "tenantry-add-on": "true"})
        assert "tenantry-add-on is 'true', but its plan is the default plan" in Alert.objects.open().get().message
        assert not newest().add_on

        assert publish({"max-users": "6"})
        assert not Alert.objects.open().exists()

    def test_a_plan_without_a_price_keeps_to_the_same_rule(self, db: None) -> None:
        define("region", "sso")
        for feature, value in (("region", "\0"), ("sso", False)):
            with pytest.raises(UnusableGrant):
                publish_plan(key="free", grants={feature: Grant(value=value)}, **BY)


class TestFeaturesThatComeLater:
    def test_defining_one_has_the_prices_judged_again_that_grant_it(self, publish: Publish) -> None:
        assert not publish({"tenantry-grant-credits": "5/month"})
        define("calls")
        assert looked_at_again() == []
        define("credits")
        assert looked_at_again() == ["price:price_1"]
        define("credits")
        assert len(looked_at_again()) == 1
        assert publish({"tenantry-grant-credits": "5/month"})

    def test_so_does_the_first_price_that_limits_an_entity(self, publish: Publish, monkeypatch: Any) -> None:
        assert not publish({"tenantry-grant-robots": "5;soft"})
        both = {"price_1": _price({"tenantry-grant-robots": "5;soft"}), "price_2": _price({"max-robots": "9"})}
        monkeypatch.setattr(billing, "prices", lambda ids: {each: both[each] for each in ids})
        publish_price(price_id="price_2", now=NOW)
        assert looked_at_again() == ["price:price_1"]
        assert Feature.objects.get(key="robots").unlimited_when_absent

    def test_a_new_entity_reaches_who_holds_add_ons_alone(self, publish: Publish, db: None) -> None:
        holder, bystander = make_tenant("acme", ready=False), make_tenant("beta", ready=False)
        version = publish_plan(key="more", grants={"gateways": Grant(limit=5)}, add_on=True, **BY)
        assign_plans(tenant=holder, assigned=[Assigned("sub_1", "si_1", version, 1)], now=NOW)
        before = Tenant.objects.get(pk=bystander.pk).entitlements_version

        publish({"max-projects": "9"})

        limits = Ceiling.objects.filter(feature="projects").values_list("tenant_uuid", "limit")
        assert (holder.pk, 0) in limits
        assert Tenant.objects.get(pk=bystander.pk).entitlements_version == before

    def test_a_price_that_nobody_manages_is_left_alone(self, db: None, monkeypatch: Any) -> None:
        monkeypatch.setattr(billing, "prices", lambda ids: {each: _price({"tenantry-grant-sso": "on"}) for each in ids})
        define("sso")
        assert looked_at_again() == []
