"""Features, plans that need no price in Stripe, and which plan is the default."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from apps.audit import services as audit
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.plans import renewing, selectors
from apps.plans.errors import FeatureIsOfAnotherKind, UnknownPlan, UnusableGrant, UnusablePlan
from apps.plans.gathering import grant_of
from apps.plans.grants import refuse_unusable
from apps.plans.metadata import ENTITY_GRAMMAR, STANDARD_ENTITIES, entity_name
from apps.plans.models import Allowance, DefaultPlan, Feature, Plan, PlanVersion
from apps.plans.resolution import Grant, Grantable
from apps.plans.terms import Kind, amount_in_words

PLAN_KEY = re.compile(r"[a-zA-Z0-9]+(?::[a-zA-Z0-9]+)*")


@transaction.atomic
def define_feature(*, key: str, kind: str, name: str = "", actor: Actor, now: datetime) -> Feature:
    """Let there be a feature that plans can grant; one that is there already is left as it is.

    Raises:
        UnusableGrant: when the key is not lower-case words joined by dashes, or too long.
        FeatureIsOfAnotherKind: when the feature is there, of another kind.
    """
    if len(key) > 80 or not ENTITY_GRAMMAR.fullmatch(key):
        raise UnusableGrant(
            f"{key!r} cannot name a feature: use at most 80 lower-case letters and digits, with dashes."
        )
    feature, created = Feature.objects.get_or_create(
        key=key,
        defaults={
            "name": name or entity_name(key),
            "kind": Kind.COUNT if key in STANDARD_ENTITIES else kind,
            "unlimited_when_absent": key in STANDARD_ENTITIES,
        },
    )
    if feature.kind != kind:
        raise FeatureIsOfAnotherKind(f"{key!r} is of the kind {feature.kind}, which cannot become {kind}.")
    if created:
        audit.record(actor=actor, action="feature.defined", subject=f"feature:{key}", now=now, after={"kind": kind})
    return feature


@transaction.atomic
def publish_plan(
    *, key: str, name: str = "", grants: Mapping[str, Grant], add_on: bool = False, actor: Actor, now: datetime
) -> PlanVersion:
    """Publish a plan without a price in Stripe; returns its newest version, which is new only if anything is different.

    Raises:
        UnusablePlan: when the key is malformed, or the plan's limits are those of a price in Stripe.
        UnknownFeature, UnusableGrant: when something cannot be granted like that.
    """
    lock_until_commit("plans.publish")
    plan = _plan(key, name)
    for feature, grant in grants.items():
        _refuse_what_no_plan_grants(feature, grant)
    if add_on and DefaultPlan.objects.present().filter(plan=plan).exists():
        raise UnusablePlan(f"plan:{key} is the default plan, so it cannot be an add-on. Choose another default first.")
    newest = plan.versions.order_by("-number").first()
    if newest and newest.add_on == add_on and grants_of(newest) == dict(grants):
        return newest
    version = _publish(plan, (newest.number if newest else 0) + 1, grants, add_on=add_on, now=now)
    renewing.renew_if_default(plan)
    after = {"version": version.ref, **{each: _in_words(each, grant) for each, grant in grants.items()}}
    audit.record(actor=actor, action="plan.published", subject=f"plan:{key}", now=now, after=after)
    return version


def _plan(key: str, name: str) -> Plan:
    if len(key) > 120 or not PLAN_KEY.fullmatch(key):
        raise UnusablePlan(f"{key!r} cannot name a plan: use at most 120 letters and digits, such as free.")
    plan, _ = Plan.objects.get_or_create(key=key, defaults={"name": name or key.capitalize()})
    if plan.price_id:
        raise UnusablePlan(f"plan:{key} is what the price {plan.price_id} says. Change the price's metadata in Stripe.")
    if name and plan.name != name:
        plan.name = name
        plan.save(update_fields=["name"])
    return plan


def _refuse_what_no_plan_grants(feature: str, grant: Grant) -> None:
    known = selectors.feature(feature)
    refuse_unusable(known, grant)
    if known.kind == Kind.SWITCH and grant.value is not True:
        raise UnusableGrant(f"A plan that does not switch {feature} on leaves it out.")


def grants_of(version: PlanVersion) -> dict[str, Grant]:
    """What a version grants, by feature."""
    return {each.feature_id: grant_of(each) for each in version.allowances.all()}


def _in_words(feature: str, grant: Grant) -> str:
    return amount_in_words(selectors.feature(feature).kind, grant.limit, grant.value)


def _publish(plan: Plan, number: int, grants: Mapping[str, Grant], *, add_on: bool, now: datetime) -> PlanVersion:
    version = PlanVersion.objects.create(plan=plan, number=number, add_on=add_on, published_at=now)
    for key, grant in grants.items():
        feature = ensure_feature(selectors.feature(key))
        Allowance.objects.create(
            version=version,
            feature=feature,
            kind=feature.kind,
            limit=grant.limit,
            value=grant.value,
            **asdict(grant.terms),
        )
    return version


def ensure_feature(known: Grantable) -> Feature:
    """The row of a feature: an entity of The Things Stack is one before any price has named it."""
    defaults = {"name": known.name, "kind": known.kind, "unlimited_when_absent": known.unlimited_when_absent}
    return Feature.objects.get_or_create(key=known.key, defaults=defaults)[0]


@transaction.atomic
def set_default_plan(*, key: str | None, actor: Actor, now: datetime) -> None:
    """Give a plan to every tenant that holds none of its own, in its newest version; None: to give none any more.

    Raises:
        UnknownPlan: when no version of such a plan was ever published.
        UnusablePlan: when it is an add-on.
    """
    lock_until_commit("plans.publish")
    wanted = _published(key) if key is not None else None
    present = DefaultPlan.objects.present().select_related("plan").first()
    before = present.plan.key if present else None
    if before == key:
        return
    DefaultPlan.objects.present().update(valid_to=Greatest(now, F("valid_from")))
    if wanted:
        DefaultPlan.objects.create(plan=wanted.plan, chosen_by=actor.label[:200], valid_from=now)
    renewing.renew_all()
    audit.record(
        actor=actor,
        action="plan.default_chosen",
        subject=f"plan:{key or before}",
        now=now,
        before={"default_plan": before or "none"},
        after={"default_plan": key or "none"},
    )


def _published(key: str) -> PlanVersion:
    version = PlanVersion.objects.filter(plan__key=key).select_related("plan").order_by("-number").first()
    if version is None:
        there = ", ".join(Plan.objects.values_list("key", flat=True)) or "none yet"
        raise UnknownPlan(f"There is no plan {key!r}. There are: {there}.")
    if version.add_on:
        raise UnusablePlan(f"{version.ref} is an add-on: it adds to a plan and is none by itself.")
    return version
