"""OPTIMADE filter strings to SQL: one transformer, tables of operators.

The grammar is the specification's, as optimade-python-tools ships it. Fields are the quantities of
ninefold's table, plain (`e_above_hull`) or in OPTIMADE's spelling (`_ninefold_e_above_hull`), and the
standard `id`, `elements`, `nelements`, `chemical_formula_reduced`. Booleans are TRUE and FALSE.
A comparison with an unknown value is neither true nor false, as the specification asks.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from typing import Any, NamedTuple

from ninefold.chemistry.quantities import QUANTITIES
from ninefold.errors import InputError

PREFIX = "_ninefold_"
STANDARD_FIELDS = {"chemical_formula_reduced": "formula", "chemical_formula_descriptive": "label"}
"""OPTIMADE's name -> ours."""
EXTRA_FIELDS = {"name": "string", "stage": "string", "status": "string", "kind": "string", "shard": "string"}
"""Fields of documents other than candidates: name -> kind."""
_COMPARISONS = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_PATTERNS = {"CONTAINS": "%{}%", "STARTS": "{}%", "ENDS": "%{}"}
_VALUES = {
    "string": 'text in "double quotes"', "list": 'text in "double quotes"', "boolean": "TRUE or FALSE",
    "integer": "a number", "float": "a number",
}  # fmt: skip
"""Kind -> what it can be compared with."""
_LARGEST = 2**63 - 1
"""SQLite's integers have 64 bits; what is larger than each of them compares as infinite."""


class Clause(NamedTuple):
    """A WHERE clause and its parameters."""

    sql: str
    parameters: tuple[Any, ...]


def column(field: str) -> str:
    """SQL expression of a field in the JSON document; the indexes are on the same expressions."""
    return "id" if field == "id" else f"json_extract(doc, '$.{field}')"


def to_sql(text: str | None) -> Clause:
    """A filter as a WHERE clause.

    Args:
        text: OPTIMADE filter; None or blank matches everything.

    Raises:
        InputError: on a syntax error, with its position; on an unknown field, with near ones; on a
            value of the wrong kind.
    """
    if text is None or not text.strip():
        return Clause("1", ())
    from lark import exceptions

    try:
        text.encode("utf-8")
        return _transform(_parser().parse(text), text)
    except UnicodeEncodeError as error:
        raise InputError("filter", text, problem="is not text in UTF-8") from error
    except RecursionError as error:
        raise InputError("filter", f"{text[:20]}...", problem="is nested too deeply") from error
    except exceptions.UnexpectedInput as error:
        place = getattr(error, "column", 0) or 0
        where = f"at column {place}, near {text[place - 1 : place + 19]!r}" if place > 0 else "at its end"
        raise InputError(
            "filter", text, problem=f"is not an OPTIMADE filter: stops making sense {where}",
            hint='example: elements HAS "Li" AND e_above_hull < 0.05',
        ) from error  # fmt: skip


@functools.cache
def _parser() -> Any:
    from importlib.resources import files

    from lark import Lark

    grammars = sorted(files("optimade").joinpath("grammar").iterdir(), key=lambda item: item.name)
    newest = [item for item in grammars if re.fullmatch(r"v\d+\.\d+\.\d+\.lark", item.name)][-1]
    # all tokens are kept because the grammar's booleans are bare words, which lark would drop
    return Lark(newest.read_text(encoding="utf-8"), maybe_placeholders=False, keep_all_tokens=True, parser="earley")


def _transform(tree: Any, text: str) -> Clause:
    from lark import Token, Transformer

    class Field(NamedTuple):
        key: str
        kind: str

    def field(name: str) -> Field:
        key = STANDARD_FIELDS.get(name, name.removeprefix(PREFIX))
        if key in QUANTITIES:
            return Field(key, QUANTITIES[key].kind)
        if key in EXTRA_FIELDS:
            return Field(key, EXTRA_FIELDS[key])
        close = difflib.get_close_matches(key, [*QUANTITIES, *STANDARD_FIELDS], n=3)
        raise InputError(
            "filter", name, problem="is not a field",
            allowed=", ".join(close or QUANTITIES), hint="'ninefold query --fields all' shows all",
        )  # fmt: skip

    def checked(target: Field, value: Any) -> Any:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = {
            "string": isinstance(value, str), "list": isinstance(value, str), "boolean": isinstance(value, bool),
            "integer": is_number, "float": is_number,
        }[target.kind]  # fmt: skip
        if not fits:
            came = value.key if isinstance(value, Field) else value
            raise InputError(
                "filter", came, problem=f"cannot be compared with {target.key}", allowed=_VALUES[target.kind]
            )
        return storable(value)

    def storable(value: Any) -> Any:
        if isinstance(value, int):
            return int(value) if abs(value) <= _LARGEST else math.copysign(math.inf, value)
        return value

    def compared(target: Field, operator: str, value: Any) -> Clause:
        if target.kind == "list":
            raise InputError(
                "filter", target.key, problem="is a list", allowed="HAS, HAS ALL, HAS ANY, HAS ONLY, LENGTH"
            )
        if target.kind == "boolean" and operator not in ("=", "!="):
            raise InputError("filter", operator, problem=f"cannot be asked of {target.key}", allowed="=, !=")
        return Clause(f"{column(target.key)} {_COMPARISONS[operator]} ?", (checked(target, value),))

    def members(target: Field) -> str:
        return f"(SELECT value FROM json_each(doc, '$.{target.key}'))"

    def of_list(target: Field, clause: Clause) -> Clause:
        # NULL, neither true nor false, where there is no list
        return Clause(f"CASE json_type(doc, '$.{target.key}') WHEN 'array' THEN {clause.sql} END", clause.parameters)

    def joined(word: str, clauses: list[Clause]) -> Clause:
        if len(clauses) == 1:
            return clauses[0]
        return Clause(
            "(" + f" {word} ".join(clause.sql for clause in clauses) + ")",
            tuple(parameter for clause in clauses for parameter in clause.parameters),
        )

    def unsupported(what: str) -> InputError:
        return InputError("filter", text, problem=f"uses {what}, which this store does not know")

    class ToSQL(Transformer):
        def __default__(self, data: Any, children: list[Any], meta: Any) -> Any:
            raise unsupported(str(data))

        def filter(self, children: list[Any]) -> Clause:
            if len(children) != 1:  # the grammar allows several; all but one would be dropped in silence
                raise InputError("filter", text, problem="is more than one filter", hint="join them by AND or OR")
            return children[0]

        def expression(self, children: list[Any]) -> Clause:
            return joined("OR", [child for child in children if isinstance(child, Clause)])

        def expression_clause(self, children: list[Any]) -> Clause:
            return joined("AND", [child for child in children if isinstance(child, Clause)])

        def expression_phrase(self, children: list[Any]) -> Clause:
            [clause] = [child for child in children if isinstance(child, Clause)]
            if any(isinstance(child, Token) and child.type == "NOT" for child in children):
                return Clause(f"NOT ({clause.sql})", clause.parameters)
            return clause

        def comparison(self, children: list[Any]) -> Clause:
            return children[0]

        def property(self, children: list[Any]) -> Field:
            if len(children) > 1:
                raise unsupported("nested properties")
            return field(str(children[0]))

        def property_first_comparison(self, children: list[Any]) -> Clause:
            target, make = children
            return make(target)

        def constant_first_comparison(self, children: list[Any]) -> Clause:
            value, operator, target = children
            if not isinstance(target, Field):
                problem = f"compares {value!r} with {target!r}"
                raise InputError("filter", text, problem=problem, allowed="a field and a value")
            return compared(target, _FLIPPED[str(operator)], value)

        def value_op_rhs(self, children: list[Any]) -> Any:
            operator, value = children
            return lambda target: compared(target, str(operator), value)

        def known_op_rhs(self, children: list[Any]) -> Any:
            word = "IS NOT NULL" if str(children[-1]) == "KNOWN" else "IS NULL"
            return lambda target: Clause(f"{column(target.key)} {word}", ())

        def fuzzy_string_op_rhs(self, children: list[Any]) -> Any:
            operator = next(str(child) for child in children if isinstance(child, Token) and str(child) in _PATTERNS)
            value = children[-1]

            def make(target: Field) -> Clause:
                if target.kind != "string":
                    raise InputError("filter", target.key, problem=f"is not text, so {operator} cannot be asked of it")
                escaped = re.sub(r"([%_\\])", r"\\\1", str(checked(target, value)))
                return Clause(f"{column(target.key)} LIKE ? ESCAPE '\\'", (_PATTERNS[operator].format(escaped),))

            return make

        def set_op_rhs(self, children: list[Any]) -> Any:
            words = [str(child) for child in children if isinstance(child, Token)]
            if any(word in _COMPARISONS for word in words):
                raise unsupported("operators inside a list")
            values = next((child for child in children if isinstance(child, list)), None)
            single = [child for child in children if not isinstance(child, (Token, list))]
            wanted = tuple(values if values is not None else single)

            def make(target: Field) -> Clause:
                if target.kind != "list":
                    raise InputError("filter", target.key, problem="is not a list, so HAS cannot be asked of it")
                given = tuple(checked(target, value) for value in wanted)
                inside = members(target)
                if "ONLY" in words:
                    marks = ", ".join("?" * len(given))
                    others = Clause(f"NOT EXISTS (SELECT 1 FROM {inside} WHERE value NOT IN ({marks}))", given)
                    return of_list(target, others)
                asked = [Clause(f"? IN {inside}", (value,)) for value in given]
                return of_list(target, joined("OR" if "ANY" in words else "AND", asked))

            return make

        def length_op_rhs(self, children: list[Any]) -> Any:
            tokens = [child for child in children if isinstance(child, Token)]
            operator = next((str(token) for token in tokens if str(token) in _COMPARISONS), "=")
            number = storable(children[-1])

            def make(target: Field) -> Clause:
                if target.kind != "list":
                    raise InputError("filter", target.key, problem="is not a list, so LENGTH cannot be asked of it")
                return of_list(target, Clause(f"json_array_length(doc, '$.{target.key}') {operator} ?", (number,)))

            return make

        def value_list(self, children: list[Any]) -> list[Any]:
            if any(isinstance(child, Token) and child.type == "OPERATOR" for child in children):
                raise unsupported("operators inside a list")
            return [child for child in children if not isinstance(child, Token)]

        def string(self, children: list[Any]) -> str:
            return re.sub(r"\\(.)", r"\1", str(children[0])[1:-1])

        def bool(self, children: list[Any]) -> bool:
            return str(children[0]) == "TRUE"

        def signed_int(self, children: list[Any]) -> int:
            return int(children[0])

        def number(self, children: list[Any]) -> int | float:
            value = children[0]
            if not isinstance(value, Token):
                return value
            return float(value) if any(mark in str(value) for mark in ".eE") else int(value)

        def value(self, children: list[Any]) -> Any:
            return children[0]

        constant = value
        non_string_value = value

        def not_implemented_string(self, children: list[Any]) -> str:
            return str(children[0])

    from lark.exceptions import VisitError

    try:
        result = ToSQL().transform(tree)
    except VisitError as error:
        if isinstance(error.orig_exc, InputError):
            raise error.orig_exc from error
        raise
    if not isinstance(result, Clause):
        raise unsupported("this form")
    return result
