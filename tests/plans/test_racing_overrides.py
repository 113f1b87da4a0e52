"""Operators who override the same thing at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.plans import selectors
from apps.plans.models import Override
from apps.plans.overriding import set_override
from apps.plans.resolution import Grant
from apps.tenants.models import Tenant
from tests.factories import NOW, SOMEBODY, make_tenant

OPERATORS = 8


@pytest.mark.django_db(transaction=True)
def test_each_replaces_another_and_one_is_left() -> None:
    acme = make_tenant("acme", ready=False)
    together = threading.Barrier(OPERATORS)

    def override(limit: int) -> None:
        try:
            together.wait()
            tenant, grant = Tenant.objects.get(pk=acme.pk), Grant(limit=limit)
            set_override(
                tenant=tenant, feature="gateways", grant=grant, reason="why", until=None, actor=SOMEBODY, now=NOW
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(OPERATORS) as pool:
        list(pool.map(override, range(OPERATORS)))

    assert Override.objects.count() == OPERATORS
    left = Override.objects.present().get()
    assert selectors.entitlements(acme, now=NOW)["gateways"].limit == left.limit
    acme.refresh_from_db()
    assert acme.entitlements_version >= OPERATORS
