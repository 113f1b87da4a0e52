"""The demonstration from beginning to end: sets the stage, lets the vendor act, tells what came of it."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import requests
import stripe
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from apps.accounts import services as accounts
from apps.accounts.tokens import welcome_path
from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.errors import WrongAccount
from apps.billing.models import Event
from apps.core.actors import Actor
from apps.core.clock import Clock
from apps.demo import offer, parts
from apps.demo.errors import CutOff, DemoRefused
from apps.demo.parts import LOOPBACK, Parts
from apps.demo.vendor import Vendor
from apps.entitlements import metering
from apps.entitlements.metering import Meter
from apps.entitlements.services import set_totals
from apps.lifecycle import services, sweeping
from apps.lifecycle.provisioning import welcome_link
from apps.lifecycle.selectors import summary
from apps.tenants import links
from apps.tenants.models import Provisioning, Tenant
from config import env as environment
from config import fresh_database

OPERATOR = "operator"
ACTOR = Actor.command(name="demo")
VENDORS_APP = Actor.api_key(name="the vendor's app")
# So far ahead the next billing period of the vendor's customers begins.
REST_OF_PERIOD = timedelta(days=12)
TOTALS = {
    "acme": {"applications": 3, "end-devices": 120},
    "globex": {"applications": 31, "gateways": 9, "end-devices": 4800},
    "hooli": {"applications": 212, "organizations": 6},
    "initech": {"applications": 52, "gateways": 4},
}


@contextmanager
def alone_in_this_home() -> Iterator[None]:
    """Let one demonstration at a time use a home.

    Raises:
        DemoRefused: when another one runs there.
    """
    settings.TENANTRY_HOME.mkdir(parents=True, exist_ok=True)
    with (settings.TENANTRY_HOME / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoRefused(
                f"Another demonstration is running in {settings.TENANTRY_HOME}. "
                "End it first, or set TENANTRY_HOME to another folder."
            ) from error
        yield


@dataclass(frozen=True)
class Choices:
    """What the person who runs the demonstration chose."""

    port: int
    host_suffix: str
    once: bool
    reset: bool


def refuse_real_accounts() -> None:
    """The demonstration invents customers: that is nothing for a real account or database.

    Raises:
        DemoRefused: when a Stripe key or a database of one's own is configured.
    """
    if not settings.TENANTRY_SANDBOX:
        raise DemoRefused("STRIPE_SECRET_KEY is set. The demonstration makes up customers; run it without a key.")
    if not settings.TENANTRY_EMBEDDED_POSTGRES:
        raise DemoRefused("DATABASE_URL is set. The demonstration uses its own database; run it without.")


def prepare_database(*, reset: bool) -> None:
    """Make or migrate the tables; with `reset`, forget all tenants and the stand-in's account first."""
    if reset:
        _forget_everything()
    if fresh_database.is_empty():
        fresh_database.install()
    else:
        call_command("migrate", verbosity=0, interactive=False)


def _forget_everything() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = 'public' OR nspname LIKE %s", [r"t\_%"])
        for (schema,) in cursor.fetchall():
            cursor.execute(f"DROP SCHEMA {connection.ops.quote_name(schema)} CASCADE")
        cursor.execute("CREATE SCHEMA public")
    connection.close()
    for leftover in ("sandbox", "mail"):
        shutil.rmtree(settings.TENANTRY_HOME / leftover, ignore_errors=True)


def point_settings_at(choices: Choices, *, standin_port: int) -> dict[str, str]:
    """Let this process, and with the returned environment its children, find each other."""
    values = {
        "TENANTRY_PUBLIC_URL": f"http://{choices.host_suffix}:{choices.port}",
        "TENANTRY_HOST_SUFFIX": choices.host_suffix,
        "STRIPE_API_BASE": f"http://{LOOPBACK}:{standin_port}",
    }
    for name, value in values.items():
        setattr(settings, name, value)
    gateway.client.cache_clear()
    return {
        **values,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "EMAIL_URL": f"filemail://{settings.TENANTRY_HOME / 'mail'}",
    }


@contextmanager
def running(choices: Choices, *, say: Callable[[str], None], clock: Clock) -> Iterator[tuple[Parts, Vendor]]:
    """Run the stand-in, the web server and the worker for as long as the block lasts."""
    web_port = parts.free_port() if choices.once else choices.port
    standin_port = parts.free_port(preferred=parts.STANDIN_PORT)
    with Parts(environment=point_settings_at(choices, standin_port=standin_port)) as running_parts:
        say("Starting the stand-in for Stripe")
        running_parts.start("stand-in", "-m", "apps.sandbox", "--port", str(standin_port))
        running_parts.wait_until(
            lambda: parts.answers(f"{settings.STRIPE_API_BASE}/_sandbox/health"), what="the stand-in for Stripe"
        )
        _refuse_another_account(clock())
        vendor = _vendor(running_parts, say)
        _register_endpoint(vendor, web_port, running_parts)
        say("Starting the web server and the worker")
        running_parts.start("worker", "manage.py", "worker")
        running_parts.start("web server", *_gunicorn(web_port))
        running_parts.wait_until(lambda: parts.answers(f"http://{LOOPBACK}:{web_port}/"), what="the web server")
        yield running_parts, vendor


def _refuse_another_account(now: datetime) -> None:
    """The stand-in's files and the database's belong together; somebody may have removed the one."""
    try:
        billing.verify_account(now=now)
    except WrongAccount as error:
        raise DemoRefused(
            "The stand-in's account is not the one this database knows: its files were removed, or moved. "
            "Start over with --reset."
        ) from error


def _gunicorn(port: int) -> list[str]:
    return ["-m", "gunicorn", "config.wsgi", "--bind", f"{LOOPBACK}:{port}", "--threads", "8", "--no-control-socket"]


def _vendor(running_parts: Parts, say: Callable[[str], None]) -> Vendor:
    client = stripe.StripeClient(settings.STRIPE_SECRET_KEY, base_addresses={"api": settings.STRIPE_API_BASE})
    settle = partial(running_parts.wait_until, _is_settled, what="the worker")
    return Vendor(client=client, standin_url=settings.STRIPE_API_BASE, say=say, settle=settle)


def _register_endpoint(vendor: Vendor, web_port: int, running_parts: Parts) -> None:
    """What a vendor does by hand: make the endpoint, and keep its secret in the configuration."""
    url = f"http://{LOOPBACK}:{web_port}/stripe/webhook/"
    known = str(environment.env.str("STRIPE_WEBHOOK_SECRET", default=""))
    if known and vendor.redirect_endpoint(url):
        secret = known
    else:
        secret = vendor.make_endpoint(url)
        environment.remember("STRIPE_WEBHOOK_SECRET", secret)
    running_parts.environment["STRIPE_WEBHOOK_SECRET"] = secret


def _is_settled() -> bool:
    """Every event is delivered and worked off, and no job is left."""
    try:
        deliveries = requests.get(f"{settings.STRIPE_API_BASE}/_sandbox/deliveries", timeout=10).json()["data"]
    except requests.RequestException:
        return False
    undelivered = any(each["state"] == "pending" for each in deliveries)
    unfinished = ProcrastinateJob.objects.filter(status__in=["todo", "doing"]).exclude(
        task_name="lifecycle.every_night"
    )
    return not (undelivered or Event.objects.filter(state=Event.State.PENDING).exists() or unfinished.exists())


def play(vendor: Vendor, *, say: Callable[[str], None], clock: Clock) -> None:
    """Let the vendor and its customers act, on the first run; on a later one only look whether all is as Stripe says.

    Raises:
        CutOff: when an earlier run was ended before everything was done.
    """
    if vendor.has_finished():
        sweeping.catch_up(clock=clock)
        return
    if vendor.has_begun():
        raise CutOff("An earlier run was cut off before everything was there. Start over with --reset.")
    say("Vendor: defines the features that its prices grant")
    offer.define_features(actor=ACTOR, now=clock())
    prices = vendor.make_prices()
    for price_id in prices.values():
        services.manage_price(price_id=price_id, group="recurring", actor=ACTOR, now=clock())
    vendor.subscribe_customers(prices, billed_from=clock() + REST_OF_PERIOD)
    _let_customers_work(say, clock)
    vendor.let_time_pass(prices)
    say("Vendor: publishes a free plan, for whoever holds no other")
    offer.publish_free_plan(actor=ACTOR, now=clock())
    _report_totals(clock())
    vendor.finish()


def _let_customers_work(say: Callable[[str], None], clock: Clock) -> None:
    # The customers' work is the sample app's, which no installation of a vendor's own has.
    from apps.demo import history  # noqa: PLC0415

    say("Customers: some weeks of projects, tasks, API calls and stored files")
    history.make(now=clock())


def _report_totals(now: datetime) -> None:
    """The vendor's app tells how many of each there are; members are counted by themselves."""
    for tenant in Tenant.objects.filter(tenant_id__in=TOTALS):
        set_totals(tenant=tenant, totals=TOTALS[tenant.tenant_id], actor=VENDORS_APP, now=now)


def outcome(*, now: datetime) -> dict[str, Any]:
    """What came of it, as JSON: the tenants with one-time links, and how to sign in as the operator."""
    return {
        "operator": {"url": links.public_url("/operator/"), "username": OPERATOR, "sign_in_link": _operator_link()},
        "tenants": [_shown(tenant, now) for tenant in Tenant.objects.all()],
        "stripe": {"stand_in": True, "url": settings.STRIPE_API_BASE},
        "database": {"embedded": True, "folder": settings.DATABASES["default"]["HOST"]},
    }


def _shown(tenant: Tenant, now: datetime) -> dict[str, Any]:
    return {
        **summary(tenant, now=now),
        "url": links.tenant_url(tenant),
        "sign_in_link": _tenant_link(tenant),
        "usage": {each.feature: _used(each) for each in metering.meters(tenant=tenant, now=now) if each.is_numbered},
    }


def _used(meter: Meter) -> dict[str, Any]:
    return {"used": meter.used, "limit": meter.limit, "level": meter.level}


def _operator_link() -> str:
    operator = accounts.create_operator(username=OPERATOR, email="operator@localhost")
    return links.public_url(welcome_path(user=operator))


def _tenant_link(tenant: Tenant) -> str | None:
    is_open = tenant.provisioning == Provisioning.READY and not tenant.is_closed
    # Whoever tries the demonstration out may have erased its administrator.
    return welcome_link(tenant) if is_open and tenant.first_administrator else None
