"""OPTIMADE filters in SQLite's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ninefold.store.arguments import NO_PROPERTIES, Properties
from ninefold.store.conditions import Field
from ninefold.store.filter_parsing import transform
from ninefold.store.grammar import FilterTransformer, Match, Membership, Value
from ninefold.store.sqlite_queries import column_of

_GLOBS = {"CONTAINS": "*{}*", "STARTS": "{}*", "ENDS": "*{}"}


class Clause(NamedTuple):
    """A WHERE clause and its parameters."""

    sql: str
    parameters: tuple[Value, ...]


class ToSQL(FilterTransformer[Clause]):
    """A flat field is a column of its own name, a property is read from the document; lists are JSON text."""

    def compare(self, field: Field, operator: str, value: Value) -> Clause:
        """See `FilterTransformer.compare`."""
        return Clause(f"{column_of(field)} {operator} ?", (value,))

    def match(self, field: Field, how: Match, value: str) -> Clause:
        """See `FilterTransformer.match`; GLOB, because SQLite's LIKE takes Re for re."""
        literal = re.sub(r"([*?\[])", r"[\1]", value)
        return Clause(f"{column_of(field)} GLOB ?", (_GLOBS[how].format(literal),))

    def has(self, field: Field, how: Membership, values: Sequence[str]) -> Clause:
        """See `FilterTransformer.has`; the case keeps an unknown list unknown."""
        marks = ", ".join("?" * len(values))
        members = f"SELECT 1 FROM json_each({column_of(field)}) WHERE value"
        test = {
            "ALL": " AND ".join([f"EXISTS ({members} = ?)"] * len(values)),
            "ANY": f"EXISTS ({members} IN ({marks}))",
            "ONLY": f"NOT EXISTS ({members} NOT IN ({marks}))",
        }[how]
        return Clause(f"CASE WHEN {column_of(field)} IS NOT NULL THEN {test} END", tuple(values))

    def length(self, field: Field, operator: str, number: int) -> Clause:
        """See `FilterTransformer.length`."""
        return Clause(f"json_array_length({column_of(field)}) {operator} ?", (number,))

    def known(self, field: Field, is_known: bool) -> Clause:
        """See `FilterTransformer.known`."""
        return Clause(f"{column_of(field)} IS {'NOT ' if is_known else ''}NULL", ())

    def negate(self, part: Clause) -> Clause:
        """See `FilterTransformer.negate`."""
        return Clause(f"NOT ({part.sql})", part.parameters)

    def all_of(self, parts: Sequence[Clause]) -> Clause:
        """See `FilterTransformer.all_of`."""
        return _joined(" AND ", parts)

    def any_of(self, parts: Sequence[Clause]) -> Clause:
        """See `FilterTransformer.any_of`."""
        return _joined(" OR ", parts)


def to_sql(text: str | None, collection: str = "candidates", properties: Properties = NO_PROPERTIES) -> Clause:
    """A filter as a WHERE clause.

    Args:
        text: OPTIMADE filter; None or blank matches everything.
        collection: Whose fields it may name.
        properties: What else it may name; see `Store.find`.

    Raises:
        InputError: see `ninefold.store.filter_parsing.transform`.
    """
    return transform(text, ToSQL, collection, properties) if text and text.strip() else Clause("1", ())


def _joined(word: str, parts: Sequence[Clause]) -> Clause:
    return Clause(
        f"({word.join(part.sql for part in parts)})", tuple(value for part in parts for value in part.parameters)
    )
