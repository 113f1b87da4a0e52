"""Some weeks of history for the tenants of the demonstration, made by the calls that a vendor's app makes.

Chance is seeded with the tenant's id, and every call has a key: the same tenant gets the
same history, and gets it once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from uuid import UUID, uuid5

from django.db import transaction

from apps.accounts.models import User
from apps.core.actors import Actor
from apps.credits.types import ORDINARY_PRIORITY
from apps.demo.stories import ENDPOINTS, STORIES, TASKS, Gift, Story, Work
from apps.entitlements import facade, metering, settling, wallets
from apps.entitlements.ingesting import Report
from apps.lifecycle.provisioning import add_administrator
from apps.showcase import services as showcase
from apps.showcase.models import Project
from apps.tenants import context
from apps.tenants.models import Tenant

OPERATOR = Actor.person(username="operator")
VENDORS_APP = Actor.api_key(name="the vendor's app")
# The oldest that the books still take is a day older.
DAYS = 34
REPORTS_A_DAY = 6
REPORTED_EVERY = timedelta(days=1) / REPORTS_A_DAY
SHARE_DONE = 0.6

# What is done at a moment of the past.
Deed = Callable[[datetime], None]


@dataclass(frozen=True)
class Telling:
    """A story being told: whose, seen from which moment, and its own chance."""

    story: Story
    tenant: Tenant
    chance: Random

    @property
    def present(self) -> datetime:
        """The moment that the story's days are counted back from; the same one whenever it is told."""
        return self.tenant.created_at

    def key(self, name: str) -> UUID:
        """The key of one thing in the story."""
        return uuid5(self.tenant.pk, name)

    def ago(self, days: float) -> datetime:
        """A moment of the past."""
        return self.present - timedelta(days=days)

    def at_work(self, days: int) -> datetime:
        """Some moment between eight and six, so many days ago, at least one."""
        hour, minute = self.chance.randrange(8, 18), self.chance.randrange(60)
        return self.ago(days).replace(hour=hour, minute=minute)


def make(*, now: datetime) -> None:
    """Let the tenants have worked for some weeks."""
    for story in STORIES:
        tenant = Tenant.objects.get(tenant_id=story.tenant_id)
        # What the tenant may is compiled here, before the transaction in which nothing can be kept.
        metering.meters(tenant=tenant, now=now)
        with transaction.atomic():
            _tell(Telling(story, tenant, Random(story.tenant_id)), now)  # noqa: S311 - it must be repeatable


def _tell(telling: Telling, now: datetime) -> None:
    _add_colleague(telling, now)
    _call_the_api(telling, now)
    _store_files(telling, now)
    with context.enter(telling.tenant):
        # A wallet's book is written forwards.
        for at, deed in sorted(_deeds(telling), key=lambda each: each[0]):
            deed(at)
    settling.settle(tenants=[telling.tenant], now=now)


def _add_colleague(telling: Telling, now: datetime) -> None:
    new = telling.story.colleague
    with context.enter(telling.tenant):
        is_there = new is None or User.objects.filter(username=new.username).exists()
    if new and not is_there:
        add_administrator(tenant=telling.tenant, new=new, actor=OPERATOR, now=now)


def _call_the_api(telling: Telling, now: datetime) -> None:
    """Told day by day: what a limit's threshold is told of is the last of those that came together."""
    reports = list(_reports(telling))
    for first in range(0, len(reports), REPORTS_A_DAY):
        daily = reports[first : first + REPORTS_A_DAY]
        facade.ingest(tenant=telling.tenant, reports=daily, actor=VENDORS_APP, now=now)


def _reports(telling: Telling) -> Iterator[Report]:
    """API calls every few hours, so that the present period has just the story's share of what is allowed."""
    meter = metering.meter(tenant=telling.tenant, feature="api-calls", now=telling.present)
    if meter is None or meter.limit is None:
        return
    wanted = round(meter.limit * telling.story.calls)
    moments = [telling.present - REPORTED_EVERY * number for number in range(DAYS * REPORTS_A_DAY, 0, -1)]
    weights = [_bustle(at) * telling.chance.uniform(0.6, 1.4) for at in moments]
    in_period = sum(weight for at, weight in zip(moments, weights, strict=True) if at in meter.period)
    amounts = [max(1, int(wanted * weight / in_period)) for weight in weights]
    # What rounding has left over.
    amounts[-1] += wanted - sum(amount for at, amount in zip(moments, amounts, strict=True) if at in meter.period)
    for number, (at, amount) in enumerate(zip(moments, amounts, strict=True)):
        properties = {"endpoint": telling.chance.choice(ENDPOINTS)}
        yield Report("api-calls", amount, idempotency_key=f"demo/calls/{number}", at=at, properties=properties)


def _bustle(at: datetime) -> float:
    """How busy an hour is beside others: days more than nights, and weekends less."""
    by_day = 1.0 if 8 <= at.hour < 18 else 0.25
    return by_day * (0.4 if at.weekday() >= 5 else 1.0)


def _store_files(telling: Telling, now: datetime) -> None:
    """What is stored grows day by day."""
    first, last = telling.story.storage
    for days in range(DAYS, 0, -1):
        facade.usage_set(
            tenant=telling.tenant,
            feature="storage",
            value=first + (last - first) * (DAYS - days) // (DAYS - 1),
            idempotency_key=f"demo/storage/{days}",
            actor=VENDORS_APP,
            now=now,
            at=telling.ago(days),
        )


def _deeds(telling: Telling) -> Iterator[tuple[datetime, Deed]]:
    """Everything that moves credits, each with its moment."""
    people = list(User.objects.order_by("username"))
    for gift in telling.story.gifts:
        yield telling.ago(gift.ago), partial(_give, telling, gift)
    for work in telling.story.work:
        begun = telling.at_work(work.ago)
        yield begun, partial(_begin, telling, work, telling.chance.choice(people))
        for title in telling.chance.sample(TASKS, work.tasks):
            at = telling.at_work(work.ago - telling.chance.randrange(1, work.within + 1))
            is_done = telling.chance.random() < SHARE_DONE
            yield at, partial(_add_task, telling, work, title, telling.chance.choice(people), is_done=is_done)


def _give(telling: Telling, gift: Gift, at: datetime) -> None:
    wallets.grant(
        tenant=telling.tenant,
        feature="credits",
        amount=gift.amount,
        category=gift.category,
        priority=ORDINARY_PRIORITY,
        effective_at=None,
        expires_at=None if gift.lasts is None else at + timedelta(days=gift.lasts),
        reason=gift.reason,
        key=f"demo/{gift.reason}",
        actor=OPERATOR,
        now=at,
    )


def _begin(telling: Telling, work: Work, by: User, at: datetime) -> None:
    showcase.create_project(
        tenant=telling.tenant,
        name=work.name,
        actor=_member(telling, by),
        by=by.username,
        now=at,
        key=telling.key(work.name),
    )


def _add_task(telling: Telling, work: Work, title: str, by: User, at: datetime, *, is_done: bool) -> None:
    task = showcase.create_task(
        tenant=telling.tenant,
        project=Project.objects.get(pk=telling.key(work.name)),
        title=title,
        actor=_member(telling, by),
        by=by.username,
        now=at,
        key=telling.key(f"{work.name}/{title}"),
    )
    if is_done:
        showcase.set_done(task=task, done=True)


def _member(telling: Telling, user: User) -> Actor:
    return Actor.member(tenant_id=telling.tenant.tenant_id, user_key=user.pk)
