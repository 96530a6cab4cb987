"""OPTIMADE filter strings, read once for every backend.

The grammar is the specification's (1.2), as optimade-python-tools ships it. `FilterTransformer` knows
the grammar, the fields and what may be compared with what; a backend's subclass knows how its own
language says each of eight things, and nothing else.

A comparison with an unknown value is neither true nor false, nor is its negation: `NOT n = 7` does not
match a document without n, as in SQL and in optimade-python-tools.
"""

# ruff: noqa: D102 - the methods named after the grammar's rules are explained there, in the OPTIMADE specification

from __future__ import annotations

import difflib
import functools
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedEOF, UnexpectedInput, VisitError

from ninefold.errors import InputError
from ninefold.models.quantities import Kind
from ninefold.store.conditions import Field, queryable
from ninefold.store.store import NO_PROPERTIES, Properties
from ninefold.store.values import Match, exact, part

PREFIX = "_ninefold_"
STANDARD_FIELDS = {
    "chemical_formula_reduced": "formula",
    "chemical_formula_descriptive": "label",
    "space_group_it_number": "space_group_number",
    "space_group_symbol_hermann_mauguin": "space_group_symbol",
}
"""OPTIMADE's name -> ours, where they differ."""
EXAMPLE = 'example: elements HAS "Li" AND e_above_hull < 0.05'
MAX_TERMS = 500
"""Comparisons in a filter; SQLite's expressions may nest 1000 deep."""

_OF_COMPOUNDS = ("candidates", "references")
"""Collections in whose fields chemistry has one spelling."""
_CAPITALS = "words of the filter stand in capitals"
_WORDS = frozenset("AND OR NOT HAS ALL ANY ONLY IS KNOWN UNKNOWN CONTAINS STARTS ENDS WITH LENGTH TRUE FALSE".split())
_TRUTHS = {"true": "TRUE", "false": "FALSE", "yes": "TRUE", "no": "FALSE"}
_COMPARED = re.compile(
    r"(?<!\w)(?P<field>[a-z_]\w*)\s*(?P<operator>!=|<=|>=|=|<|>|\bHAS(?:\s+(?:ALL|ANY|ONLY))?\b"
    r"|\bCONTAINS\b|\bSTARTS(?:\s+WITH)?\b|\bENDS(?:\s+WITH)?\b)\s*(?P<value>[A-Za-z\[][^\s()\",]*)"
)
"""A field compared with a word without quotes."""
_LISTED = re.compile(r",\s*(?P<value>[A-Z]\w*)")
_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_VALUE_TYPES: dict[Kind, tuple[type, ...]] = {
    "string": (str,),
    "list": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "float": (int, float),
}
_VALUE_NAMES: dict[Kind, str] = {
    "string": 'text in double quotes, as in "Re"',
    "list": 'text in double quotes, as in "Re"',
    "boolean": "TRUE or FALSE",
    "integer": "a number",
    "float": "a number",
}

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
            return self._part(field, how, str(_checked(field, value)))

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
            members = [self._exact(field, str(_checked(field, value))) for value in values]
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
        key = STANDARD_FIELDS.get(name, name.removeprefix(PREFIX))
        if key in self._fields:
            return self._fields[key]
        if advice := _hint(self._text, self._fields, name):
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
        value = _checked(field, value)
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


def transform(
    text: str,
    make: Callable[[str, str, Properties], FilterTransformer[Result]],
    collection: str,
    properties: Properties = NO_PROPERTIES,
) -> Result:
    """Parse a filter and translate it.

    Args:
        text: OPTIMADE filter, not blank.
        make: The backend's transformer.
        collection: Whose fields the filter may name.
        properties: What else it may name; see `Store.find`.

    Raises:
        InputError: on a syntax error, with its position; on an unknown field, with near ones; on a
            value of the wrong kind; on a form that is optional in OPTIMADE and unknown here.
    """
    try:
        text.encode("utf-8")
        result: Result = make(collection, text, properties).transform(_parser().parse(text))
        return result
    except UnicodeEncodeError as error:
        raise InputError("filter", text, problem="is not text in UTF-8") from error
    except UnexpectedInput as error:
        raise _syntax_error(text, error, queryable(collection, properties)) from error
    except VisitError as error:
        if isinstance(error.orig_exc, InputError):
            raise error.orig_exc from error
        raise
    except RecursionError as error:
        raise InputError("filter", f"{text[:40]}...", problem="is nested too deeply") from error


@functools.cache
def _parser() -> Lark:
    grammars = [item for item in files("optimade").joinpath("grammar").iterdir() if item.name.endswith(".lark")]
    newest = max(grammars, key=lambda item: [int(digits) for digits in re.findall(r"\d+", item.name)])
    # all tokens are kept because the grammar's TRUE and FALSE are bare words, which lark would drop
    return Lark(newest.read_text(encoding="utf-8"), maybe_placeholders=False, keep_all_tokens=True)


def _syntax_error(text: str, error: UnexpectedInput, fields: Mapping[str, Field]) -> InputError:
    place = len(text) if isinstance(error, UnexpectedEOF) else max(error.pos_in_stream or 0, 0)
    rest = text[place : place + 20]
    where = f"at column {place + 1}, near {rest!r}" if rest.strip() else "at its end"
    return InputError(
        "filter",
        text,
        problem=f"is not an OPTIMADE filter: stops making sense {where}",
        hint=_advice(text, fields),
    )


def _advice(text: str, fields: Mapping[str, Field]) -> str:
    """The usual slips: single quotes, doubled equal signs, words in lower case."""
    if "'" in text:
        return "text stands in double quotes"
    if "==" in text:
        return "equality is one ="
    bare = re.sub(r'"[^"]*"', "", text)
    if told := _hint(text, fields):
        return told
    if words := sorted(set(re.findall(r"\b(and|or|not|has|all|any|only|contains|like|in|is|true|false)\b", bare))):
        return f"{_CAPITALS} ({', '.join(words)})"
    return EXAMPLE


def _hint(text: str, fields: Mapping[str, Field], only: str | None = None) -> str | None:
    """What to write instead of a word without quotes, a truth value in small letters or a field alone.

    Args:
        text: The filter.
        fields: By name, those that the filter may name.
        only: Look at this word alone.
    """
    bare = re.sub(r'"[^"]*"', lambda found: " " * len(found.group()), text)
    for found in _COMPARED.finditer(bare):
        name, operator, value = found["field"], " ".join(found["operator"].split()), found["value"]
        field = fields.get(STANDARD_FIELDS.get(name, name.removeprefix(PREFIX)))
        if field is None or value in _WORDS or (only is not None and value != only):
            continue
        if field.kind == "boolean":
            truth = _TRUTHS.get(value.lower())
            return f"TRUE and FALSE stand in capitals: {name} {operator} {truth or 'TRUE'}"
        if field.kind in ("string", "list"):
            return f'text stands in double quotes: {name} {operator} "{value}"'
        return f"{name} is a number, as in {name} {operator} 1"
    if only is None and (listed := _LISTED.search(bare)):
        return f'text stands in double quotes: "{listed["value"]}"'
    alone = text.removeprefix("NOT").strip()
    found_alone = fields.get(alone.removeprefix(PREFIX))
    if only is None and found_alone is not None and found_alone.kind == "boolean":
        return f"a field is compared with a value: {alone} = {'FALSE' if text.startswith('NOT') else 'TRUE'}"
    return None


def _joined(children: list[Any], join: Callable[[list[Any]], Any]) -> _Restriction:
    parts = [child for child in children if isinstance(child, _Restriction)]
    return parts[0] if len(parts) == 1 else _Restriction(join([part.result for part in parts]))


def _is_operator(child: Any) -> bool:
    return isinstance(child, Token) and child.type == "OPERATOR"


def _checked(field: Field, value: Any) -> Any:
    is_flag = isinstance(value, bool)
    if isinstance(value, _VALUE_TYPES[field.kind]) and is_flag == (field.kind == "boolean"):
        return value
    shown = value.key if isinstance(value, Field) else value
    raise InputError("filter", shown, problem=f"cannot be compared with {field.key}", allowed=_VALUE_NAMES[field.kind])
