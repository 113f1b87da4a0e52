"""The same key gives the same answer. Contract: docs.stripe.com/api/idempotent_requests.

Requests that write take turns, so a second one with a key waits for the first and then finds its answer. An
answer is kept for 24 hours of the stand-in's time.
"""

import hashlib
import json
from typing import NamedTuple

from apps.sandbox import errors
from apps.sandbox.contract import DAY, Body
from apps.sandbox.form import Tree
from apps.sandbox.store import Transaction


class Answer(NamedTuple):
    """What was answered: the HTTP status, the body, and the request that it was answered to."""

    status: int
    body: Body
    request_id: str


def fingerprint(*, method: str, path: str, tree: Tree) -> str:
    return hashlib.sha256(json.dumps([method, path, tree], sort_keys=True).encode()).hexdigest()


def recall(tx: Transaction, *, key: str, fingerprint: str) -> Answer | None:
    """Return the stored answer, if any; raises ApiError when the key came with another request before."""
    query = "SELECT status, body, request_id, fingerprint FROM answer WHERE key = ? AND created > ?"
    row = next(iter(tx.rows(query, (key, tx.now - DAY))), None)
    if row is None:
        return None
    if row[3] != fingerprint:
        raise errors.idempotency_mismatch(key)
    return Answer(row[0], json.loads(row[1]), row[2])


def remember(tx: Transaction, answer: Answer, *, key: str, fingerprint: str) -> None:
    query = "INSERT OR REPLACE INTO answer (key, fingerprint, status, body, request_id, created) VALUES (?,?,?,?,?,?)"
    tx.rows(query, (key, fingerprint, answer.status, json.dumps(answer.body), answer.request_id, tx.now))
