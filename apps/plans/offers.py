"""What a plan can grant, and what a price's metadata says that its plan grants. Pure: the features are handed in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from apps.plans.errors import UnusableGrant
from apps.plans.grants import read_grant, refuse_unusable
from apps.plans.metadata import GRANT_PREFIX, LIMIT_PREFIX, LimitProblem, PriceLimits, read_price_limits
from apps.plans.resolution import Grant, Grantable
from apps.plans.terms import Kind


@dataclass(frozen=True)
class Offer:
    """What the plan of a price grants, by feature. With `problems` it is not usable."""

    grants: Mapping[str, Grant]
    problems: tuple[LimitProblem, ...] = ()
    add_on: bool = False


def read_offer(metadata: Mapping[str, str], features: Mapping[str, Grantable]) -> Offer:
    """What a price's metadata grants of the features that there are, and everything that is wrong with it.

    `max-<entity>` limits an entity, which need not be there yet; `tenantry-grant-<feature>`
    grants what `read_grant` reads of a feature that is.
    """
    reading = read_price_limits(metadata)
    problems = [*reading.problems, *_not_counted(reading, metadata, features)]
    grants = {entity: Grant(limit=limit) for entity, limit in reading.limits.items()}
    for feature, text in reading.grants.items():
        try:
            grants[feature] = _granted(features, feature, text)
        except UnusableGrant as error:
            reason = f"it cannot be granted: {str(error).removesuffix('.')}"
            problems.append(LimitProblem(f"{GRANT_PREFIX}{feature}", text, reason))
    return Offer(grants, tuple(problems), reading.add_on)


def _not_counted(
    reading: PriceLimits, metadata: Mapping[str, str], features: Mapping[str, Grantable]
) -> Iterator[LimitProblem]:
    """Entities whose key is that of a feature which is not counted, so that `max-…` cannot limit it."""
    for entity in sorted(reading.limits.keys() & features.keys()):
        kind, key = features[entity].kind, f"{LIMIT_PREFIX}{entity}"
        if kind != Kind.COUNT:
            reason = f"the feature {entity} is of the kind {kind}, which is not limited like that"
            yield LimitProblem(key, metadata[key], reason)


def _granted(features: Mapping[str, Grantable], key: str, text: str) -> Grant:
    if key not in features:
        raise UnusableGrant(f"there is no feature {key!r}, but {', '.join(sorted(features))}.")
    grant = read_grant(features[key], text)
    refuse_what_no_plan_grants(features[key], grant)
    return grant


def refuse_what_no_plan_grants(feature: Grantable, grant: Grant) -> None:
    """Refuse what a plan cannot grant of a feature.

    Raises:
        UnusableGrant: telling what is wrong.
    """
    refuse_unusable(feature, grant)
    if feature.kind == Kind.SWITCH and grant.value is not True:
        raise UnusableGrant(f"A plan that does not switch {feature.key} on leaves it out.")
