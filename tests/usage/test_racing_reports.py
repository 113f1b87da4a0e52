"""Reports of one total that arrive at the same time, out of order."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db import connection

from apps.tenants.models import Tenant
from apps.usage.models import ReportedTotal
from apps.usage.services import record_totals
from tests.factories import NOW, SOMEBODY, make_tenant

REPORTS = 40


def test_the_latest_by_time_stays_whatever_arrives_last(transactional_db: None) -> None:
    acme = make_tenant("acme", ready=False)
    moments = list(range(REPORTS))
    random.Random(7).shuffle(moments)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(report(acme), moments))

    told = dict(ReportedTotal.objects.values_list("entity", "total"))
    assert told == {"clients": REPORTS - 1, "gateways": REPORTS - 1}


def report(tenant: Tenant) -> Callable[[int], None]:
    def send(moment: int) -> None:
        # Named in either order: two of them must not wait for each other for ever.
        names = ["clients", "gateways"] if moment % 2 else ["gateways", "clients"]
        now = NOW + timedelta(seconds=moment)
        record_totals(tenant=tenant, totals=dict.fromkeys(names, moment), actor=SOMEBODY, now=now)
        connection.close()

    return send
