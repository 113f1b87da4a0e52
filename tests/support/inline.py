"""Everything on one connection, so that a test can go back to where it was by a rollback.

Events come from the stand-in's event list, are signed as Stripe signs them and
posted through Django; jobs are done here and now instead of by a worker.
"""

import json
import time
from functools import cache
from typing import Any

import requests
import stripe
from django.db import connection
from django.test import Client
from procrastinate.contrib.django import app

from tests.support.standin import StandIn
from tests.support.vendor import KEY

SECRET = "whsec_inline"


def events_of(standin: StandIn) -> list[dict[str, Any]]:
    """Every event of the account as Stripe sends it, oldest first."""
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"has_more": True}
    while page["has_more"]:
        after = {"starting_after": found[-1]["id"]} if found else {}
        answer = requests.get(f"{standin.url}/v1/events", params={"limit": 100, **after}, auth=(KEY, ""), timeout=20)
        page = answer.json()
        found += page["data"]
    return found[::-1]


def signed(body: bytes, *, secret: str = SECRET, at: int | None = None) -> str:
    """Stripe's signature header of a body."""
    moment = at if at is not None else int(time.time())
    signature = stripe.WebhookSignature._compute_signature(f"{moment}.{body.decode()}", secret)
    return f"t={moment},v1={signature}"


@cache
def _client() -> Client:
    """One for all: each loads the middleware anew."""
    return Client()


def post_event(event: dict[str, Any]) -> int:
    """Deliver an event; returns the status of the answer."""
    body = json.dumps(event).encode()
    answer = _client().post(
        "/stripe/webhook/",
        data=body,
        content_type="application/json",
        headers={"Stripe-Signature": signed(body), "Host": "localhost"},
    )
    return answer.status_code


def do_jobs() -> None:
    """Do every enqueued job, and those which they enqueue."""
    while job := _next_job():
        name, arguments = job
        app.tasks[name].func(**arguments)


def _next_job() -> tuple[str, dict[str, Any]] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs WHERE status = 'todo')"
            " RETURNING task_name, args"
        )
        row = cursor.fetchone()
    return (row[0], row[1] if isinstance(row[1], dict) else json.loads(row[1])) if row else None
