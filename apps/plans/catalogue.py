"""Features, plans that need no price in Stripe, and which plan is the default."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from apps.audit import services as audit
from apps.billing import inbox
from apps.billing import selectors as billing
from apps.core.actors import Actor
from apps.core.locks import lock_until_commit
from apps.plans import renewing, selectors
from apps.plans.errors import FeatureIsOfAnotherKind, UnknownPlan, UnusableFeature, UnusableGrant, UnusablePlan
from apps.plans.gathering import features, grant_of
from apps.plans.grants import terms_in_words
from apps.plans.metadata import ENTITY_GRAMMAR, GRANT_PREFIX, STANDARD_ENTITIES, entity_name
from apps.plans.models import Allowance, DefaultPlan, Feature, Plan, PlanVersion
from apps.plans.offers import refuse_what_no_plan_grants
from apps.plans.resolution import Grant, Grantable
from apps.plans.terms import Aggregate, Kind, amount_in_words

# Each tells the keys of features whose number is counted by somebody above.
_counted: list[Callable[[], Collection[str]]] = []

PLAN_KEY = re.compile(r"[a-zA-Z0-9]+(?::[a-zA-Z0-9]+)*")


def count_only(keys: Callable[[], Collection[str]]) -> None:
    """Let features of these keys be of the kind count alone: told by an app above, which counts them."""
    if keys not in _counted:
        _counted.append(keys)


@transaction.atomic
def define_feature(
    *,
    key: str,
    kind: str,
    aggregate: str | None = None,
    name: str = "",
    unit: str = "",
    units: str = "",
    actor: Actor,
    now: datetime,
) -> Feature:
    """Let there be a feature that plans can grant; one that is there already gets the words that are not empty.

    `aggregate` None: the sum, or as it is. `unit` and `units` are one and several of it in words.
    Managed prices that grant a feature which was not there are judged again by a job.

    Raises:
        UnusableGrant: when the key is not lower-case words joined by dashes, or too long.
        UnusableFeature: when its kind has no such aggregate, a word is too long, or it is counted but no count.
        FeatureIsOfAnotherKind: when the feature is there, of another kind or aggregate.
    """
    if len(key) > 80 or not ENTITY_GRAMMAR.fullmatch(key):
        raise UnusableGrant(
            f"{key!r} cannot name a feature: use at most 80 lower-case letters and digits, with dashes."
        )
    words = {field: word for field, word in (("name", name), ("unit", unit), ("units", units)) if word}
    _refuse_unusable_words(words)
    _refuse_unusable_aggregate(key, kind, aggregate)
    _refuse_uncountable(key, kind)
    # Whoever is judging a price meanwhile either sees the feature, or is done before the prices are read here.
    lock_until_commit("plans.publish")
    feature, created = Feature.objects.select_for_update(no_key=True).get_or_create(
        key=key, defaults=_new_feature(key, kind, aggregate) | words
    )
    _refuse_another_kind(feature, kind, aggregate)
    if created:
        audit.record(actor=actor, action="feature.defined", subject=f"feature:{key}", now=now, after={"kind": kind})
        judge_prices_again([key], now=now)
    else:
        _reword(feature, words, actor=actor, now=now)
    return feature


def judge_prices_again(features: Iterable[str], *, now: datetime) -> None:
    """Have the managed prices looked at again that grant features which were not there when they were judged.

    To be called with the lock `plans.publish`.
    """
    keys = {f"{GRANT_PREFIX}{each}" for each in features}
    managed = billing.prices(selectors.price_groups())
    inbox.look_again([price.subject for price in managed.values() if keys & price.metadata.keys()], now=now)


def _new_feature(key: str, kind: str, aggregate: str | None) -> dict[str, Any]:
    standard = key in STANDARD_ENTITIES
    return {
        "name": entity_name(key),
        "kind": Kind.COUNT if standard else kind,
        "aggregate": aggregate or Aggregate.SUM,
        "unlimited_when_absent": standard,
    }


def _refuse_unusable_words(words: Mapping[str, str]) -> None:
    for field, word in words.items():
        most = getattr(Feature._meta.get_field(field), "max_length", None)
        if most is not None and len(word) > most:
            raise UnusableFeature(f"The {field} {word[:20]!r}… is too long: use at most {most} characters.")


def _refuse_unusable_aggregate(key: str, kind: str, aggregate: str | None) -> None:
    if aggregate not in {None, Aggregate.SUM.value} and kind != Kind.METERED:
        raise UnusableFeature(f"{key} is of the kind {kind}: only what is metered has the aggregate {aggregate}.")


def _refuse_uncountable(key: str, kind: str) -> None:
    if kind != Kind.COUNT and any(key in keys() for keys in _counted):
        raise UnusableFeature(f"{key} is counted from a model, so it is of the kind count, not {kind}.")


def _refuse_another_kind(feature: Feature, kind: str, aggregate: str | None) -> None:
    for what, present, wanted in (("kind", feature.kind, kind), ("aggregate", feature.aggregate, aggregate)):
        if wanted is not None and present != wanted:
            raise FeatureIsOfAnotherKind(f"{feature.key!r} is of the {what} {present}, which cannot become {wanted}.")


def _reword(feature: Feature, words: Mapping[str, str], *, actor: Actor, now: datetime) -> None:
    changed = {field: word for field, word in words.items() if getattr(feature, field) != word}
    if not changed:
        return
    before = {field: getattr(feature, field) for field in changed}
    Feature.objects.filter(pk=feature.pk).update(**changed)
    feature.refresh_from_db()
    subject = f"feature:{feature.key}"
    audit.record(actor=actor, action="feature.reworded", subject=subject, now=now, before=before, after=changed)


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
        refuse_what_no_plan_grants(selectors.feature(feature), grant)
    if add_on and DefaultPlan.objects.present().filter(plan=plan).exists():
        raise UnusablePlan(f"plan:{key} is the default plan, so it cannot be an add-on. Choose another default first.")
    version, is_new = publish_version(plan=plan, grants=grants, add_on=add_on, now=now)
    if is_new:
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


def grants_of(version: PlanVersion) -> dict[str, Grant]:
    """What a version grants, by feature."""
    return {each.feature_id: grant_of(each) for each in version.allowances.all()}


def _in_words(feature: str, grant: Grant) -> str:
    known = selectors.feature(feature)
    said = amount_in_words(known.kind, grant.limit, grant.value)
    return " · ".join(filter(None, [said, terms_in_words(known, grant.terms)]))


def publish_version(
    *, plan: Plan, grants: Mapping[str, Grant], add_on: bool, now: datetime
) -> tuple[PlanVersion, bool]:
    """The newest version of a plan, made to grant just this; and whether it is a new one.

    To be called with the lock `plans.publish`, and with grants that a plan can have.
    """
    newest = plan.versions.order_by("-number").first()
    if newest and newest.add_on == add_on and grants_of(newest) == dict(grants):
        return newest, False
    with renewing.change_of(plan, now=now):
        number = newest.number + 1 if newest else 1
        version = PlanVersion.objects.create(plan=plan, number=number, add_on=add_on, published_at=now)
        known = features()
        granted = [known[key] for key in grants]
        rows = [Feature(key=each.key, **_standing(each)) for each in granted]
        Feature.objects.bulk_create(rows, ignore_conflicts=True)
        Allowance.objects.bulk_create([_allowance(version, each, grants[each.key]) for each in granted])
    return version, True


def _allowance(version: PlanVersion, known: Grantable, grant: Grant) -> Allowance:
    amount = {"limit": grant.limit, "value": grant.value}
    return Allowance(version=version, feature_id=known.key, kind=known.kind, **amount, **asdict(grant.terms))


def ensure_feature(known: Grantable) -> Feature:
    """The row of a feature: an entity of The Things Stack is one before any price has named it."""
    return Feature.objects.get_or_create(key=known.key, defaults=_standing(known))[0]


def _standing(known: Grantable) -> dict[str, Any]:
    return {"name": known.name, "kind": known.kind, "unlimited_when_absent": known.unlimited_when_absent}


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
    with renewing.change(None, now=now):
        DefaultPlan.objects.present().update(valid_to=Greatest(now, F("valid_from")))
        if wanted:
            DefaultPlan.objects.create(plan=wanted.plan, chosen_by=actor.label[:200], valid_from=now)
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
