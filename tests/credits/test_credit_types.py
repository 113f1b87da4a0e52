"""What actions cost: defined in code, changed by an operator."""

from dataclasses import replace

import pytest

from apps.audit.models import Entry
from apps.credits import registry, selectors, services
from apps.credits.errors import CreditTypeDefinedTwice, UnknownCreditType, UnusableCreditType
from apps.credits.types import CreditType
from tests.factories import NOW, SOMEBODY

PROJECT = CreditType("test-project-creation", "Project", 2, description="One for each project.")


@pytest.fixture(autouse=True)
def defined(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_defined", {})
    registry.define(PROJECT)


def set_to(credit_type: CreditType) -> None:
    services.set_credit_type(credit_type, actor=SOMEBODY, now=NOW)


def test_what_the_code_defines_is_there() -> None:
    assert selectors.credit_type("test-project-creation") == PROJECT
    assert selectors.credit_types() == (PROJECT,)


def test_an_operator_changes_what_it_costs_until_that_is_removed() -> None:
    dearer = replace(PROJECT, amount=5)
    set_to(dearer)
    assert selectors.credit_type(PROJECT.value) == dearer and selectors.credit_types() == (dearer,)
    services.remove_credit_type(value=PROJECT.value, actor=SOMEBODY, now=NOW)
    assert selectors.credit_type(PROJECT.value) == PROJECT
    with pytest.raises(UnknownCreditType):
        services.remove_credit_type(value=PROJECT.value, actor=SOMEBODY, now=NOW)


def test_an_operator_makes_one_that_the_code_does_not_know_and_the_audit_tells() -> None:
    task = CreditType("task", "Task", 1, feature="tokens", usage_feature="tasks")
    set_to(task)
    set_to(replace(task, amount=3))
    assert selectors.credit_types() == (replace(task, amount=3), PROJECT)
    last = Entry.objects.order_by("-id")[0]
    assert (last.subject, last.before["amount"], last.after["amount"]) == ("credit-type:task", 1, 3)


def test_an_unknown_one_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownCreditType, match="'nothing', but test-project-creation"):
        selectors.credit_type("nothing")


def test_the_same_definition_twice_is_one_and_another_is_an_error() -> None:
    registry.define(replace(PROJECT))
    with pytest.raises(CreditTypeDefinedTwice, match="test-project-creation"):
        registry.define(replace(PROJECT, amount=3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": ""},
        {"value": "A b"},
        {"value": "a" * 81},
        {"name": " "},
        {"amount": -1},
        {"amount": 1.5},
        {"amount": 10**16},
        {"feature": ""},
        {"usage_feature": "-"},
    ],
)
def test_what_cannot_be_is_refused_wherever_it_comes_from(wrong: dict[str, object]) -> None:
    for way in (registry.define, set_to):
        with pytest.raises(UnusableCreditType):
            way(replace(PROJECT, **wrong))  # type: ignore[arg-type]
