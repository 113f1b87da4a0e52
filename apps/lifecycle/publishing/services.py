"""Pushing a pricing.json into the account and the catalogue, and pulling it from both."""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import transaction

from apps.billing import gateway
from apps.billing import services as billing
from apps.core.actors import Actor
from apps.core.locks import advisory_lock
from apps.lifecycle.publishing import credit_types
from apps.lifecycle.publishing.applying import apply
from apps.lifecycle.publishing.difference import difference
from apps.lifecycle.publishing.layout import layout_of
from apps.lifecycle.publishing.reading import document_of
from apps.lifecycle.publishing.types import (
    CREATED,
    FEATURE_EXISTS,
    PLAN_EXISTS,
    Account,
    Difference,
    Layout,
    Place,
    Result,
)
from apps.plans import published, pushing
from apps.plans.pricing.refs import PlanRef
from apps.plans.pricing.types import Document, Extension


def account() -> Account:
    """What the account offers now."""
    return Account(
        products=tuple(gateway.offered_products()),
        prices=tuple(gateway.offered_prices()),
        meters=tuple(gateway.meters()),
    )


def preview(document: Document, *, actor: Actor, now: datetime) -> tuple[Difference, tuple[Result, ...]]:
    """What a push would do, and what it would tell; nothing is done.

    Raises:
        UnpushablePricing, UnconvertiblePricing, and what the catalogue and the books about credits refuse.
    """
    billing.check_account()
    found = account()
    made = difference(document, layout_of(document), found)
    results = refusals(document, made)
    if not results:
        _rehearse(document, actor=actor, now=now)
        present = [Result(place, ok=True, reason=FEATURE_EXISTS, price_id=id) for place, id in made.present.items()]
        lacking = [Result(each.place, ok=True, reason=CREATED) for each in made.prices]
        results = (*present, *lacking, *_free(made, published.contents(document.refs())))
    return made, _sorted(results)


def push(
    document: Document, *, actor: Actor, now: datetime, tell: Callable[[Result], None] = lambda result: None
) -> tuple[Result, ...]:
    """Let the account and the catalogue have what a document says. What is there already is left as it is.

    `tell` is called with each result as it comes. When a version is there with another content nothing is done,
    and every feature of it is refused. Interrupted anywhere, the next push of the document finishes it.

    Raises:
        UnpushablePricing, UnconvertiblePricing, and what the catalogue and the books about credits refuse:
            before anything is done.
        WrongAccount: when the key is of another account or mode than this database.
        StripeRefused, StripeUnavailable: when the account cannot be read or written.
    """
    layout = layout_of(document)
    billing.verify_account(now=now)
    # Two at once would be told that what the other has just made is taken.
    with advisory_lock("publishing.push"):
        return _push(document, layout, actor=actor, now=now, tell=tell)


def _push(
    document: Document, layout: Layout, *, actor: Actor, now: datetime, tell: Callable[[Result], None]
) -> tuple[Result, ...]:
    found = account()
    made = difference(document, layout, found)
    if refused := refusals(document, made):
        return _told(refused, tell)
    _rehearse(document, actor=actor, now=now)
    before = published.contents(document.refs())
    results = _told(apply(made, found.meters), tell)
    if all(each.ok for each in results):
        _publish(document, results, actor=actor, now=now)
        results += _told(_free(made, before), tell)
    return results


def _told(results: Iterable[Result], tell: Callable[[Result], None]) -> tuple[Result, ...]:
    found = []
    for each in results:
        tell(each)
        found.append(each)
    return tuple(found)


def refusals(document: Document, made: Difference) -> tuple[Result, ...]:
    """Why a document cannot be pushed: each feature of a version that is there with another content."""
    otherwise = set(pushing.already_otherwise(document))
    places = [Place(ref, name) for ref in sorted(otherwise) for name in document.allowances(ref)]
    in_catalogue = [Result(place, ok=False, reason=PLAN_EXISTS) for place in places]
    in_account = [
        Result(each.place, ok=False, reason=each.reason)
        for each in made.conflicts
        if not (each.reason == PLAN_EXISTS and (each.place.ref in otherwise or each.place.position))
    ]
    return _sorted([*in_catalogue, *in_account])


def _free(made: Difference, before: dict[PlanRef, str]) -> list[Result]:
    return [Result(each, ok=True, reason=FEATURE_EXISTS if each.ref in before else CREATED) for each in made.free]


def _sorted(results: Iterable[Result]) -> tuple[Result, ...]:
    return tuple(sorted(results, key=lambda each: (each.place.ref, each.place.feature, each.place.position)))


def _rehearse(document: Document, *, actor: Actor, now: datetime) -> None:
    """Refuse what the catalogue would refuse, before anything is made in Stripe."""
    with transaction.atomic():
        _publish(document, (), actor=actor, now=now)
        transaction.set_rollback(True)


@transaction.atomic
def _publish(document: Document, results: tuple[Result, ...], *, actor: Actor, now: datetime) -> None:
    keys = {each.place: each.key for each in layout_of(document).prices}
    ids = {(each.place.ref, keys[each.place], each.place.position): each.price_id for each in results}
    pushing.publish(
        document=document,
        price_ids=lambda ref, key, position: ids.get((ref, key, position), ""),
        actor=actor,
        now=now,
    )
    credit_types.store(document, actor=actor, now=now)


def pull() -> Document:
    """The whole account as a pricing.json, with what the catalogue knows beyond what Stripe and Tier can say.

    Plans that need nothing in Stripe are the catalogue's. Of those in Stripe the account is right.

    Raises:
        WrongAccount, StripeRefused, StripeUnavailable: when the account cannot be read, or is another.
    """
    billing.check_account()
    found = account()
    plans = document_of(found.prices, found.meters).plans
    known = published.catalogue_document(credit_types.told())
    terms = {ref: each for ref, each in known.extension.plans.items() if ref in plans or ref not in known.plans}
    return Document(plans, Extension(known.extension.features, known.extension.credit_types, terms))
