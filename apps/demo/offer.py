"""What the vendor of the demonstration has and sells: features, prices with grants in their metadata, a free plan."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.actors import Actor
from apps.plans import catalogue, selectors
from apps.plans.grants import read_grant
from apps.plans.terms import Aggregate, Kind

FEATURES: tuple[dict[str, Any], ...] = (
    {"key": "projects", "kind": Kind.COUNT, "unit": "project", "units": "projects"},
    {"key": "credits", "kind": Kind.CREDITS, "unit": "credit", "units": "credits"},
    {"key": "api-calls", "kind": Kind.METERED, "name": "API calls", "unit": "call", "units": "calls"},
    {"key": "storage", "kind": Kind.METERED, "aggregate": Aggregate.MAX, "unit": "GB", "units": "GB"},
    {"key": "sso", "kind": Kind.SWITCH, "name": "Single sign-on"},
    {"key": "region", "kind": Kind.CONFIG, "name": "Regions"},
)
FREE = {
    "applications": "1",
    "gateways": "0",
    "users": "2",
    "projects": "1",
    "api-calls": "500/month",
    "region": '["eu"]',
}


@dataclass(frozen=True)
class PriceTag:
    """A price as it is made in Stripe; `amount` in cents, by the month."""

    name: str
    amount: int
    currency: str
    metadata: dict[str, str]


STARTER = {
    "max-applications": "5",
    "max-users": "3",
    "max-gateways": "0",
    "tenantry-grant-projects": "3",
    "tenantry-grant-credits": "25/month",
    "tenantry-grant-api-calls": "10000/month",
    "tenantry-grant-storage": "10/month",
    "tenantry-grant-region": '["eu"]',
}
BUSINESS = {
    "max-applications": "50",
    "max-users": "25",
    "max-gateways": "10",
    "tenantry-grant-projects": "25",
    "tenantry-grant-credits": "100/month",
    "tenantry-grant-api-calls": "100000/month;soft",
    "tenantry-grant-storage": "500/month",
    "tenantry-grant-sso": "on",
    "tenantry-grant-region": '["eu", "us"]',
}
ENTERPRISE = {
    "max-users": "500",
    "tenantry-grant-projects": "unlimited",
    "tenantry-grant-credits": "1000/month;rollover=0..500",
    "tenantry-grant-api-calls": "2000000/month;soft;warn=50+80+100",
    "tenantry-grant-storage": "5000/month;soft",
    "tenantry-grant-sso": "on",
    "tenantry-grant-region": '["eu", "us", "ap"]',
}
PRICES = {
    "starter": PriceTag("Starter", 900, "eur", STARTER),
    "business": PriceTag("Business", 4900, "eur", BUSINESS),
    "business-usd": PriceTag("Business US", 5500, "usd", BUSINESS),
    "enterprise": PriceTag("Enterprise", 49900, "eur", ENTERPRISE),
}


def define_features(*, actor: Actor, now: datetime) -> None:
    """Let there be what the prices grant, before Stripe tells of them."""
    for feature in FEATURES:
        catalogue.define_feature(**feature, actor=actor, now=now)


def publish_free_plan(*, actor: Actor, now: datetime) -> None:
    """Publish a plan without a price, which is that of whoever holds no other."""
    grants = {key: read_grant(selectors.feature(key), text) for key, text in FREE.items()}
    catalogue.publish_plan(key="free", name="Free", grants=grants, actor=actor, now=now)
    catalogue.set_default_plan(key="free", actor=actor, now=now)
