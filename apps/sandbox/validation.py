"""Checks and converts parameters by the stripe package's own parameter types.

The package is generated from Stripe's OpenAPI specification, so its TypedDicts are the contract: what they do
not have is refused, what they require is demanded, and text becomes the type that they name. Types are read on
the first request to a route and kept.
"""

import importlib
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, NamedTuple, NotRequired, Required

from typing_extensions import get_type_hints, is_typeddict

from apps.sandbox import errors
from apps.sandbox.contract import Body
from apps.sandbox.errors import ApiError
from apps.sandbox.form import Tree

_CLIENT_OPTIONS = frozenset(
    {
        "api_key",
        "stripe_version",
        "stripe_account",
        "stripe_context",
        "idempotency_key",
        "content_type",
        "headers",
        "max_network_retries",
    }
)
_MOST_DIGITS = 18
_SCALARS = frozenset({bool, int, float, str, Decimal})


class _Field(NamedTuple):
    type: Any
    required: bool


def validate(tree: Tree, *, params: str) -> Body:
    """Return `tree` as the values that the TypedDict `params` in `stripe.params` describes (`checkout.XParams`).

    Raises ApiError with Stripe's code for an unknown, missing or wrong parameter.
    """
    package, _, name = f"stripe.params.{params}".rpartition(".")
    return _object(getattr(importlib.import_module(package), name), tree, path="")


@cache
def _fields(typed_dict: Any) -> Mapping[str, _Field]:
    # Names that the client options, which are never sent, use without their own module around them.
    names = {**vars(typing), **vars(importlib.import_module(typed_dict.__module__)), "StripeContext": object}
    hints = get_type_hints(typed_dict, globalns=names, include_extras=True)
    return {name: _field(hint) for name, hint in hints.items() if name not in _CLIENT_OPTIONS}


def _field(hint: Any) -> _Field:
    if typing.get_origin(hint) in (NotRequired, Required):
        return _Field(typing.get_args(hint)[0], typing.get_origin(hint) is Required)
    return _Field(hint, required=True)


def _object(typed_dict: Any, tree: Tree, *, path: str) -> Body:
    fields = _fields(typed_dict)
    for name in tree:
        if name not in fields:
            raise errors.unknown(_join(path, name))
    for name, field in fields.items():
        if field.required and name not in tree:
            raise errors.missing(_join(path, name))
    return {name: _value(fields[name].type, value, path=_join(path, name)) for name, value in tree.items()}


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _value(kind: Any, raw: Tree | str, *, path: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(kind), raw, path=path)
    if origin is Literal:
        return _literal(typing.get_args(kind), raw, path=path)
    if origin is list:
        return _array(typing.get_args(kind)[0], raw, path=path)
    if origin is dict:
        return _mapping(typing.get_args(kind)[1], raw, path=path)
    if is_typeddict(kind):
        return _object(kind, _tree(raw, path=path, wanted="object"), path=path)
    return _scalar(kind, raw, path=path)


def _union(choices: tuple[Any, ...], raw: Tree | str, *, path: str) -> Any:
    refusal: ApiError | None = None
    for choice in _candidates(choices, raw):
        try:
            return _value(choice, raw, path=path)
        except ApiError as error:
            refusal = refusal or error
    raise refusal or ApiError("Invalid object" if isinstance(raw, str) else "Invalid string", param=path)


def _candidates(choices: tuple[Any, ...], raw: Tree | str) -> list[Any]:
    """Return the choices that can be meant, literals first.

    Where a type says "one of these, or any text", the text is for values newer than the package: the published
    ones are enforced. `Literal['']` alone is no enumeration, it says that the parameter can be unset.
    """
    literals = [choice for choice in choices if typing.get_origin(choice) is Literal]
    if raw == "":
        return [choice for choice in literals if "" in typing.get_args(choice)] or [str]
    enumerated = [choice for choice in literals if typing.get_args(choice) != ("",)]
    fits = _is_nested if isinstance(raw, dict) else _SCALARS.__contains__
    others = [choice for choice in choices if fits(choice)]
    return [*enumerated, *(choice for choice in others if not (enumerated and choice is str))]


def _is_nested(kind: Any) -> bool:
    return typing.get_origin(kind) in (list, dict) or is_typeddict(kind)


def _literal(allowed: tuple[Any, ...], raw: Tree | str, *, path: str) -> str:
    if raw == "" and "" not in allowed:
        raise errors.invalid_empty(path)
    # Booleans travel as text, and a type may say `Literal[True]`.
    spelt = {str(value).lower() if isinstance(value, bool) else value: value for value in allowed}
    if not isinstance(raw, str) or raw not in spelt:
        name = path.rsplit("[", 1)[-1].rstrip("]")
        raise ApiError(f"Invalid {name}: must be one of {', '.join(filter(None, spelt))}", param=path)
    return typing.cast("str", spelt[raw])


def _array(kind: Any, raw: Tree | str, *, path: str) -> list[Any]:
    if raw == "":
        return []
    tree = _tree(raw, path=path, wanted="array")
    if not all(name.isdecimal() for name in tree):
        raise ApiError("Invalid array", param=path)
    return [_value(kind, tree[name], path=_join(path, name)) for name in sorted(tree, key=int)]


def _mapping(kind: Any, raw: Tree | str, *, path: str) -> Body:
    tree = _tree(raw, path=path, wanted="object")
    if kind is str:
        return {name: _text(value, path=_join(path, name)) for name, value in tree.items()}
    return {name: _value(kind, value, path=_join(path, name)) for name, value in tree.items()}


def _tree(raw: Tree | str, *, path: str, wanted: str) -> Tree:
    if isinstance(raw, str):
        raise ApiError(f"Invalid {wanted}", param=path)
    return raw


def _text(raw: Tree | str, *, path: str) -> str:
    if not isinstance(raw, str):
        raise ApiError("Invalid string", param=path)
    return raw


def _scalar(kind: Any, raw: Tree | str, *, path: str) -> Any:
    text = _text(raw, path=path)
    if text == "":
        raise errors.invalid_empty(path)
    if kind is bool:
        return _boolean(text, path=path)
    if kind is int:
        return _integer(text, path=path)
    if kind in (float, Decimal):
        return _decimal(text, path=path, kind=kind)
    return text


def _boolean(text: str, *, path: str) -> bool:
    if text not in ("true", "false"):
        raise ApiError(f"Invalid boolean: {text}", param=path)
    return text == "true"


def _integer(text: str, *, path: str) -> int:
    digits = text.removeprefix("-")
    # Stripe's integers fit in 64 bits; the length also keeps int() from working on a page of digits.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
        raise errors.invalid_integer(value=text[:40], param=path)
    return int(text)


def _decimal(text: str, *, path: str, kind: Any) -> Any:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    # An exponent can make few characters a number of a million digits.
    if not number.is_finite() or len(text) > 40 or number.adjusted() > _MOST_DIGITS:
        raise ApiError(f"Invalid decimal: {text[:40]}", param=path)
    return kind(number)
