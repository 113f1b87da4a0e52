"""Stripe's wire format for parameters: form encoding with brackets.

Contract: `items[0][price]=x`, `metadata[a]=b`, `expand[]=x` (docs.stripe.com/api). A tree holds text, or a
mapping of names to trees; an array is a mapping whose names are its indexes. Which mapping is meant as an
array is known only to the parameter's type, so `validation` decides that.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from apps.sandbox.errors import ApiError

Tree = dict[str, "Tree | str"]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 12


def decode(text: str) -> Tree:
    """Return the tree of a query string or form body.

    Raises ApiError when a name is both a value and an object, or is nested beyond anything Stripe takes.
    """
    tree: Tree = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _place(tree, steps=_steps(name), value=value, name=name)
    return tree


def of_json(text: str) -> Tree:
    """Return the tree of a JSON object, as if it had been sent as a form; raises ApiError for anything else."""
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError):
        sent = None
    tree = _tree_of(sent)
    if not isinstance(sent, dict) or isinstance(tree, str):
        raise ApiError("Invalid request: the body is not a JSON object.")
    return tree


def _tree_of(value: Any) -> "Tree | str":
    if isinstance(value, dict):
        return {name: _tree_of(each) for name, each in value.items()}
    if isinstance(value, list):
        return {str(index): _tree_of(each) for index, each in enumerate(value)}
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _steps(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        return [name]
    steps = [match[1], *_PART.findall(match[2])]
    if len(steps) > _DEEPEST:
        raise ApiError("The parameters are nested too deeply.", param=match[1])
    return steps


def _place(tree: Tree, *, steps: list[str], value: str, name: str) -> None:
    for position, step in enumerate(steps[:-1]):
        key = _open_index(tree, inner=steps[position + 1]) if step == "" else step
        child = tree.setdefault(key, {})
        if isinstance(child, str):
            raise ApiError("Invalid object", param=name)
        tree = child
    last = steps[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise ApiError("Invalid string", param=name)
    tree[last] = value


def _open_index(tree: Tree, *, inner: str) -> str:
    """Return the element that `a[][inner]` goes into: the last one, or a new one once that has `inner`."""
    newest = str(len(tree) - 1)
    last = tree.get(newest)
    return newest if isinstance(last, dict) and inner not in last else str(len(tree))
