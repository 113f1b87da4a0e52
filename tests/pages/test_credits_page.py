"""What a member reads of their credits."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.actors import Actor
from apps.credits import services as credits
from apps.entitlements import facade, snapshot
from apps.plans.terms import Kind
from apps.tenants.models import Tenant
from tests.entitlements.granting import define, fresh, give_everybody
from tests.factories import NOW, SOMEBODY, make_member
from tests.pages.reading import text

pytestmark = pytest.mark.django_db
PATH = "/settings/credits/"


@pytest.fixture(autouse=True)
def in_march() -> Iterator[None]:
    """It is nine days after everything began."""
    snapshot.kept.clear()
    with time_machine.travel(NOW + timedelta(days=9, hours=3), tick=False):
        yield


@pytest.fixture
def rich(acme: Tenant) -> Tenant:
    """A tenant with a hundred credits a month, of which twenty are kept."""
    define("credits", Kind.CREDITS, unit="credit", units="credits")
    give_everybody(credits="100/month;rollover=0..20")
    return fresh(acme)


def spend(tenant: Tenant, times: int = 1, actor: Actor = SOMEBODY, ref: str = "") -> None:
    facade.spend(
        tenant=tenant,
        credit_type="credit-task-creation",
        times=times,
        actor=actor,
        object_ref=ref,
        now=clock.now(),
    )


def give(tenant: Tenant, amount: int, **details: Any) -> None:
    credits.grant(
        tenant=tenant, feature="credits", amount=amount, actor=SOMEBODY, plan=None, now=clock.now(), **details
    )


def ledger(page: str) -> list[str]:
    """The rows of the ledger, as they are read."""
    table = re.search(r'<table class="limits ledger".*?</table>', page, re.DOTALL)
    rows = re.findall(r"<tr id=.*?</tr>", table[0], re.DOTALL) if table else []
    return [
        " ".join(re.sub(r'<span class="note.*?</span>|<[^>]+>', " ", each, flags=re.DOTALL).split()) for each in rows
    ]


def test_balance_what_comes_and_what_things_cost(rich: Tenant, member_at: Callable[..., Client]) -> None:
    give(rich, 30, category="promotional", reason="Welcome", expires_at=clock.now() + timedelta(days=3, hours=1))
    give(rich, 5, category="paid", reason="A small pack")
    give(rich, 7, reason="For later", effective_at=clock.now() + timedelta(days=40, hours=1))
    spend(rich, 4)

    read = text(member_at(rich).get(PATH))

    assert "131 credits left 4 of 135 credits used" in read
    assert re.search(r"Expires first 26 on .*? \(in 3 days\)", read)
    assert "up to 20 are kept for the next period" in read
    assert re.search(r"Next grant 100 on .*? \(in \d+ (days?|hours?)\)", read)
    assert re.search(r"Create a project .*? 2 credits 65 Create a task .*? 1 credit 131", read)
    promotional, plan = r"Promotional Welcome 26 of 30 .*? ", r"Plan .*? 100 of 100 .*? "
    paid, scheduled = r"Paid A small pack 5 of 5 never ", r".*? For later .*? \(in 40 days\) 7 of 7"
    assert re.search(promotional + plan + paid + scheduled, read)


def test_the_ledger_tells_who_did_what_and_links_to_it(rich: Tenant, member_at: Callable[..., Client]) -> None:
    maya = make_member(rich, "maya")
    client = member_at(rich)
    member = Actor.member(tenant_id=rich.tenant_id, user_key=maya.pk)
    gone = Actor.member(tenant_id=rich.tenant_id, user_key=rich.pk)
    give(rich, 5, reason="A small pack")
    spend(rich, actor=member, ref="/app/projects/1/")
    spend(rich, actor=gone, ref="//evil.example/")
    spend(rich, actor=Actor.api_key(name="Import"), ref="javascript:alert(1)")

    page = client.get(PATH).content.decode()

    rows = [re.sub(r"^\d+ \w+ \d+ \d\d:\d\d ", "", each) for each in ledger(page)]
    assert rows == [
        "Spent Create a task Import −1 102",
        "Spent Create a task A former member −1 103",
        "Spent Create a task maya −1 104",
        "Granted Automatic +100 105",
        "Granted A small pack Your provider +5 5",
    ]
    assert '<a href="/app/projects/1/">Create a task</a>' in page
    assert "evil.example" not in page
    assert "javascript:" not in page


def test_the_ledger_is_filtered_and_paged_by_the_address(rich: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(rich)
    for _ in range(30):
        spend(rich)

    first = client.get(f"{PATH}?kind=burn").content.decode()
    older = re.search(r'href="\?(.*?)#ledger" rel="next"', first)
    assert older
    second = client.get(f"{PATH}?{older[1].replace('&amp;', '&')}").content.decode()

    assert [row.split()[-1] for row in ledger(first)] == [str(each) for each in range(70, 95)]
    assert [row.split()[-1] for row in ledger(second)] == [str(each) for each in range(95, 100)]
    assert "kind=burn" in older[1]
    assert 'rel="next"' not in second
    assert len(ledger(client.get(f"{PATH}?kind=grant").content.decode())) == 1
    assert "no entries of this kind" in text(client.get(f"{PATH}?kind=void"))


@pytest.mark.parametrize(
    "query", ["kind=nonsense", "before=x", "before=-1", "before=²", "wallet=%00", "before=" + "9" * 30]
)
def test_what_nobody_has_written_into_an_address_is_left_aside(
    rich: Tenant, member_at: Callable[..., Client], query: str
) -> None:
    spend(rich)
    assert len(ledger(member_at(rich).get(f"{PATH}?{query}").content.decode())) == 2


def test_what_time_has_brought_is_told_before_it_is_booked(rich: Tenant, member_at: Callable[..., Client]) -> None:
    read = text(member_at(rich).get(PATH))

    assert "What time has brought is written here with the next action Automatic +100 leaves 100 100" in read


def test_used_up_and_overdrawn_are_told(acme: Tenant, member_at: Callable[..., Client]) -> None:
    define("credits", Kind.CREDITS)
    give_everybody(credits="3/month;soft")
    spend(fresh(acme), 5)

    read = text(member_at(acme).get(PATH))

    assert "−2 overdrawn" in read
    assert "2 more than there were" in read
    assert "For more credits," in read
    assert "Nothing is left of any grant. The next one comes in" in read


def test_without_credits_the_page_says_so(acme: Tenant, member_at: Callable[..., Client]) -> None:
    assert "No credits here" in text(member_at(acme).get(PATH))


def test_of_several_wallets_one_is_chosen(rich: Tenant, member_at: Callable[..., Client]) -> None:
    define("tokens", Kind.CREDITS, name="AI tokens", unit="token", units="tokens")
    give_everybody(credits="100/month", tokens="900/month")

    client = member_at(rich)

    assert "100 credits left" in text(client.get(PATH))
    tokens = text(client.get(f"{PATH}?wallet=tokens"))
    assert "900 tokens left" in tokens
    assert "Nothing costs any of these so far." in tokens


def test_more_entries_and_grants_cost_no_more_queries(rich: Tenant, member_at: Callable[..., Client]) -> None:
    client = member_at(rich)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            client.get(PATH)
        return len(seen)

    def act(times: int) -> None:
        for number in range(times):
            actor = Actor.member(tenant_id="acme", user_key=make_member(rich, f"m{times}-{number}").pk)
            give(rich, 5, reason="A pack")
            spend(rich, actor=actor)

    act(1)
    few = queries()
    act(8)
    assert queries() == few


def test_it_brings_no_script(rich: Tenant, member_at: Callable[..., Client]) -> None:
    spend(rich)
    assert not re.search(r"<style|<script|\sstyle=|\son\w+=|https?://", member_at(rich).get(PATH).content.decode())
