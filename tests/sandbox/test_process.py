import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.conftest import Control, Receiver, client_of

Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def run(*more: str) -> tuple["subprocess.Popen[str]", str]:
        command = [sys.executable, "-m", "apps.sandbox", "--store", str(tmp_path / "s.sqlite3"), *more]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout
        return process, process.stdout.readline()

    yield run
    for process in running:
        process.kill()
        process.communicate()


def test_it_says_where_it_listens_and_ends_on_a_signal(start: Start) -> None:
    process, line = start("--port", "0")
    assert line.startswith("Stripe stand-in listening on http://127.0.0.1:")
    process.terminate()
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_a_plain_sentence(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process, _line = start("--port", str(taken.getsockname()[1]), "--reset")
        _out, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert err.startswith("The Stripe stand-in cannot listen on 127.0.0.1:") and err.count("\n") == 1


def test_a_kill_loses_nothing_that_was_answered(start: Start, receiver: Receiver) -> None:
    process, line = start("--port", "0")
    client = client_of(line.split()[-1])
    account = client.v1.accounts.retrieve_current().id
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    Control(line.split()[-1])("POST", "delivery", {"mode": "manual"})
    options: Any = {"idempotency_key": "once"}
    made = client.v1.customers.create({"name": "Ada"}, options)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    _process, line = start("--port", "0")
    again = client_of(line.split()[-1])
    assert again.v1.accounts.retrieve_current().id == account
    assert again.v1.customers.retrieve(made.id).name == "Ada"
    assert again.v1.customers.create({"name": "Ada"}, options).id == made.id
    assert receiver.received == []
    Control(line.split()[-1])("POST", "delivery", {"mode": "auto"})
    assert [event["type"] for event in receiver.wait_for(1)] == ["customer.created"]


def test_reset_begins_anew(start: Start) -> None:
    process, line = start("--port", "0")
    client_of(line.split()[-1]).v1.customers.create({"name": "Ada"})
    process.terminate()
    process.wait(10)
    _process, line = start("--port", "0", "--reset")
    assert client_of(line.split()[-1]).v1.customers.list().data == []
