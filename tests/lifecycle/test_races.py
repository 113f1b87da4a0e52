"""Two workers at once, and a worker that is killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from apps.billing.models import Event
from apps.lifecycle import services
from apps.tenants.models import Tenant
from tests.support import databases
from tests.support.standin import ROOT
from tests.support.vendor import KEY, Vendor
from tests.support.waiting import wait_until_somebody_waits_for_a_lock

LIST_OF_SUBSCRIPTIONS = "^/v1/subscriptions$"


@pytest.fixture
def acme(vendor: Vendor, drain: Callable[[], None]) -> tuple[str, str]:
    """A customer with an approved tenant, all events worked off: customer and subscription."""
    customer = vendor.customer()
    subscription = vendor.subscribe(customer, vendor.price(), metadata={"tenant-id": "acme"})
    vendor.standin.deliver()
    drain()
    assert Tenant.objects.get().state == "approved"
    return customer, subscription


def work_off(customer: str) -> threading.Thread:
    """A worker of its own that works off the customer's events."""

    def run() -> None:
        try:
            services.work_off_customer(customer_id=customer, clock=lambda: datetime.now(UTC))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def the_earlier_fetch_finishes_last(vendor: Vendor, customer: str, subscription: str, *, second_waits: bool) -> None:
    """Worker one reads «past due» and stalls; the payment comes; worker two reads «active»."""
    vendor.standin.move_subscription(subscription, "past_due")
    vendor.standin.deliver()
    hold = vendor.standin.hold("GET", LIST_OF_SUBSCRIPTIONS)
    first = work_off(customer)
    vendor.standin.wait_for_held(hold)

    vendor.standin.move_subscription(subscription, "active")
    vendor.standin.deliver()
    second = work_off(customer)
    if second_waits:
        wait_until_somebody_waits_for_a_lock()
    else:
        second.join(20)
    vendor.standin.release(hold)
    first.join(20)
    second.join(20)
    assert not (first.is_alive() or second.is_alive())


def test_without_the_lock_the_older_answer_wins(
    vendor: Vendor, acme: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "advisory_lock", lambda name: nullcontext())
    the_earlier_fetch_finishes_last(vendor, *acme, second_waits=False)
    assert Tenant.objects.get().state == "flagged"


def test_with_the_lock_the_newer_answer_wins(vendor: Vendor, acme: tuple[str, str]) -> None:
    the_earlier_fetch_finishes_last(vendor, *acme, second_waits=True)
    assert Tenant.objects.get().state == "approved"
    assert not Event.objects.filter(state=Event.State.PENDING).exists()


def test_a_worker_killed_inside_its_fetch_leaves_its_work_to_the_next(
    vendor: Vendor, acme: tuple[str, str], drain: Callable[[], None], tmp_path: Any
) -> None:
    _, subscription = acme
    vendor.standin.move_subscription(subscription, "past_due")
    vendor.standin.deliver()
    hold = vendor.standin.hold("GET", LIST_OF_SUBSCRIPTIONS)
    worker = start_worker(vendor, tmp_path)
    vendor.standin.wait_for_held(hold)
    worker.send_signal(signal.SIGKILL)
    worker.wait(20)
    vendor.standin.release(hold)
    assert Tenant.objects.get().state == "approved"

    its_heart_stopped_an_hour_ago()
    the_next_worker_looks_around()
    drain()
    assert Tenant.objects.get().state == "flagged"
    assert not Event.objects.filter(state=Event.State.PENDING).exists()


def start_worker(vendor: Vendor, home: Any) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": databases.url(),
        "STRIPE_API_BASE": vendor.standin.url,
        "TENANTRY_HOME": str(home),
        "STRIPE_SECRET_KEY": KEY,
    }
    return subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT, env=environment)


def its_heart_stopped_an_hour_ago() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")


def the_next_worker_looks_around() -> None:
    """What every worker does at its start and every minute."""
    from apps.core import jobs

    assert jobs.retry_stalled() >= 1
