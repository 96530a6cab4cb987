"""What an OPTIMADE filter means, for every backend.

The grammar is the specification's (1.2), as optimade-python-tools ships it. `FilterTransformer` knows
its rules, the fields and what may be compared with what; a backend's subclass knows how its own
language says each of eight things, and nothing else.

A comparison with an unknown value is neither true nor false, nor is its negation: `NOT n = 7` does not
match a document without n, as in SQL and in optimade-python-tools.
"""

# ruff: noqa: D102 - the methods named after the grammar's rules are explained there, in the OPTIMADE specification

from __future__ import annotations

import difflib
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from lark import Token, Transformer

from ninefold.errors import InputError
from ninefold.store.arguments import NO_PROPERTIES, Properties
from ninefold.store.conditions import Field, queryable
from ninefold.store.filter_advice import EXAMPLE, hint
from ninefold.store.filter_fields import STANDARD_FIELDS, checked, key_of
from ninefold.store.values import Match, exact, part

MAX_TERMS = 500
"""Comparisons in a filter; SQLite's expressions may nest 1000 deep."""

_OF_COMPOUNDS = ("candidates", "references")
"""Collections in whose fields chemistry has one spelling."""
_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
Membership = Literal["ALL", "ANY", "ONLY"]
_MEMBERSHIPS: tuple[Membership, ...] = ("ALL", "ANY", "ONLY")
Value = str | int | float | bool
Result = TypeVar("Result")


class _Restriction(NamedTuple):
    """A finished comparison, told apart from the tokens around it."""

    result: Any


class FilterTransformer(Transformer, Generic[Result]):
    """From the parsed filter to a backend's query; subclasses fill in the eight methods at the end.

    Args:
        collection: Whose fields the filter may name.
        text: The filter, for messages.
        properties: What else it may name; see `Store.find`.
    """

    def __init__(self, collection: str, text: str, properties: Properties = NO_PROPERTIES) -> None:
        super().__init__()
        self._collection, self._text, self._terms = collection, text, 0
        self._fields = queryable(collection, properties)

    # what the backend says

    @abstractmethod
    def compare(self, field: Field, operator: str, value: Value) -> Result:
        """Field = != < <= > >= value."""

    @abstractmethod
    def match(self, field: Field, how: Match, value: str) -> Result:
        """Text that contains, starts or ends with a value, case as written."""

    @abstractmethod
    def has(self, field: Field, how: Membership, values: Sequence[str]) -> Result:
        """A list that has all, any, or nothing but the values."""

    @abstractmethod
    def length(self, field: Field, operator: str, number: int) -> Result:
        """A list's length compared with a number."""

    @abstractmethod
    def known(self, field: Field, is_known: bool) -> Result:
        """Whether there is a value."""

    @abstractmethod
    def negate(self, part: Result) -> Result:
        """NOT."""

    @abstractmethod
    def all_of(self, parts: Sequence[Result]) -> Result:
        """AND, of two or more."""

    @abstractmethod
    def any_of(self, parts: Sequence[Result]) -> Result:
        """OR, of two or more."""

    # the grammar's rules, by their names in the grammar

    def __default__(self, data: Any, children: list[Any], meta: Any) -> Any:
        raise self._unsupported(f"{str(data).replace('_', ' ')!r}")

    def filter(self, children: list[Any]) -> Result:
        if len(children) != 1:  # the grammar allows several; all but one would be dropped in silence
            raise InputError("filter", self._text, problem="is more than one filter", hint="join them by AND or OR")
        result: Result = children[0].result
        return result

    def expression(self, children: list[Any]) -> _Restriction:
        return _joined(children, self.any_of)

    def expression_clause(self, children: list[Any]) -> _Restriction:
        return _joined(children, self.all_of)

    def expression_phrase(self, children: list[Any]) -> _Restriction:
        [part] = [child for child in children if isinstance(child, _Restriction)]
        is_negated = any(isinstance(child, Token) and child.type == "NOT" for child in children)
        return _Restriction(self.negate(part.result)) if is_negated else part

    def comparison(self, children: list[Any]) -> _Restriction:
        self._terms += 1
        if self._terms > MAX_TERMS:
            shown = f"{self._text[:40]}..."
            raise InputError("filter", shown, problem="is too long", allowed=f"{MAX_TERMS} comparisons")
        return _Restriction(children[0])

    def property_first_comparison(self, children: list[Any]) -> Result:
        field, finish = children
        result: Result = finish(field)
        return result

    def constant_first_comparison(self, children: list[Any]) -> Result:
        value, operator, field = children
        if not isinstance(field, Field):
            problem = f"compares {value!r} with {field!r}"
            raise InputError("filter", self._text, problem=problem, allowed="a field and a value")
        return self._compared(field, _FLIPPED[str(operator)], value)

    def value_op_rhs(self, children: list[Any]) -> Callable[[Field], Result]:
        operator, value = children
        return lambda field: self._compared(field, str(operator), value)

    def known_op_rhs(self, children: list[Any]) -> Callable[[Field], Result]:
        is_known = children[-1].type == "KNOWN"
        return lambda field: self.known(field, is_known)

    def fuzzy_string_op_rhs(self, children: list[Any]) -> Callable[[Field], Result]:
        how, value = children[0].type, children[-1]

        def finish(field: Field) -> Result:
            if field.kind != "string":
                raise InputError("filter", field.key, problem=f"is not text, so {how} cannot be asked of it")
            return self._part(field, how, str(checked(field, value)))

        return finish

    def set_op_rhs(self, children: list[Any]) -> Callable[[Field], Result]:
        types = [child.type for child in children if isinstance(child, Token)]
        if "OPERATOR" in types:
            raise self._unsupported("operators inside a list")
        how: Membership = next((word for word in _MEMBERSHIPS if word in types), "ALL")
        last = children[-1]
        values = last if isinstance(last, list) else [last]

        def finish(field: Field) -> Result:
            if field.kind != "list":
                raise InputError(
                    "filter", field.key, problem="is not a list, so HAS cannot be asked of it",
                    allowed=", ".join(key for key, known in self._fields.items() if known.kind == "list"),
                )  # fmt: skip
            members = [self._exact(field, str(checked(field, value))) for value in values]
            return self.has(field, how, list(dict.fromkeys(members)))

        return finish

    def length_op_rhs(self, children: list[Any]) -> Callable[[Field], Result]:
        operator = next((str(child) for child in children if _is_operator(child)), "=")
        number = children[-1]

        def finish(field: Field) -> Result:
            if field.kind != "list":
                raise InputError("filter", field.key, problem="is not a list, so LENGTH cannot be asked of it")
            return self.length(field, operator, number)

        return finish

    def value_list(self, children: list[Any]) -> list[Any]:
        if any(_is_operator(child) for child in children):
            raise self._unsupported("operators inside a list")
        return [child for child in children if not isinstance(child, Token)]

    def property(self, children: list[Any]) -> Field:
        if len(children) > 1:
            raise self._unsupported("nested fields")
        name = str(children[0])
        key = key_of(name)
        if key in self._fields:
            return self._fields[key]
        if advice := hint(self._text, self._fields, name):
            raise InputError("filter", self._text, problem=f"has {name!r} for a value", hint=advice)
        close = difflib.get_close_matches(key, [*self._fields, *STANDARD_FIELDS], n=3)
        raise InputError(
            "filter", name, problem="is not a field", allowed=", ".join(close) or None,
            hint="'ninefold fields' lists all",
        )  # fmt: skip

    def string(self, children: list[Any]) -> str:
        return re.sub(r"\\(.)", r"\1", str(children[0])[1:-1], flags=re.DOTALL)

    def bool(self, children: list[Any]) -> bool:
        return str(children[0]) == "TRUE"

    def number(self, children: list[Any]) -> int | float:
        text = str(children[0])
        if re.fullmatch(r"[+-]?\d{1,18}", text):
            return int(text)
        return float(text)

    def signed_int(self, children: list[Any]) -> int:
        text = str(children[0])
        if len(text) > 18:  # Python reads no number of more than 4300 digits
            return -(2**62) if text.startswith("-") else 2**62
        return int(text)

    def value(self, children: list[Any]) -> Any:
        return children[0]

    constant = non_string_value = not_implemented_string = value

    def _compared(self, field: Field, operator: str, value: Any) -> Result:
        if field.kind == "list":
            allowed = "HAS, HAS ALL, HAS ANY, HAS ONLY, LENGTH"
            raise InputError("filter", field.key, problem="is a list", allowed=allowed)
        if field.kind == "boolean" and operator not in ("=", "!="):
            raise InputError("filter", operator, problem=f"cannot be asked of {field.key}", allowed="=, !=")
        value = checked(field, value)
        if operator in ("=", "!=") and isinstance(value, str):
            value = self._exact(field, value)
        return self.compare(field, operator, value)

    def _exact(self, field: Field, value: str) -> str:
        return exact(field.key, value) if self._collection in _OF_COMPOUNDS else value

    def _part(self, field: Field, how: Match, value: str) -> Result:
        found = part(field.key, how, value) if self._collection in _OF_COMPOUNDS else value
        if isinstance(found, str):
            return self.match(field, how, found)
        parts = [self.compare(field, "=", text) for text in found]
        return parts[0] if len(parts) == 1 else self.any_of(parts)

    def _unsupported(self, what: str) -> InputError:
        return InputError("filter", self._text, problem=f"uses {what}, which ninefold does not know", hint=EXAMPLE)


def _joined(children: list[Any], join: Callable[[list[Any]], Any]) -> _Restriction:
    parts = [child for child in children if isinstance(child, _Restriction)]
    return parts[0] if len(parts) == 1 else _Restriction(join([part.result for part in parts]))


def _is_operator(child: Any) -> bool:
    return isinstance(child, Token) and child.type == "OPERATOR"
