"""SQL for the tables of the SQLite backend: conditions, order, rows.

A table has one column for each flat field of its collection and a last one, `doc`, with the document as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ninefold.models.quantities import Kind
from ninefold.store.arguments import NO_PROPERTIES, PROPERTIES, Condition, Properties, Scalar
from ninefold.store.conditions import Field, allowed_values, fields_of
from ninefold.store.schema import SHARED, indexes_of

MOST_ROWS = 2**62
"""SQLite's integers end at 2**63."""
_ROWS = 100_000
"""Of a table, for the planner."""
PARAMETERS = 500
"""Values given one by one; old builds allow 999 in a statement."""

_TYPES: dict[Kind, str] = {
    "string": "TEXT", "integer": "INTEGER", "float": "REAL", "boolean": "INTEGER", "list": "TEXT",
}  # fmt: skip
_READERS: dict[Kind, Callable[[Any], Any]] = {"boolean": bool, "list": json.loads}
"""Kind -> from a column's value to the document's, where they differ."""
_ORDERS = {"asc": "ASC", "desc": "DESC"}


class Where(NamedTuple):
    """A condition and its parameters."""

    sql: str
    parameters: tuple[Any, ...]


def where(
    collection: str,
    filter: str | None,
    equal: Mapping[str, Condition],
    after: str | None = None,
    properties: Properties = NO_PROPERTIES,
) -> Where:
    """A person's filter, code's values and the page's beginning as one condition.

    They never meet as text, so none can reach into another.
    """
    parts: list[Where] = []
    if filter is not None and filter.strip():
        from ninefold.store.filters import to_sql  # the parser costs 60 ms, which a listing need not pay

        clause = to_sql(filter, collection, properties)
        parts.append(Where(f"({clause.sql})", clause.parameters))
    parts += [_one_of(field, values) for field, values in allowed_values(collection, equal).items()]
    if after is not None:
        parts.append(Where("id > ?", (after,)))
    return Where(
        " AND ".join(part.sql for part in parts) or "1", tuple(value for part in parts for value in part.parameters)
    )


def _one_of(field: str, values: Sequence[Scalar]) -> Where:
    known = [value for value in values if value is not None]
    parts, parameters = ([f'"{field}" IS NULL'] if len(known) < len(values) else []), list[Any]()
    if len(known) > PARAMETERS:
        # JSON keeps text and whole numbers; its reader in old versions rounds decimals and ends text at a null
        listed = [value for value in known if isinstance(value, int) or (isinstance(value, str) and "\0" not in value)]
        known = [value for value in known if value not in set(listed)]
        parts.append(f'"{field}" IN (SELECT value FROM json_each(?))')
        parameters.append(json.dumps(listed))
    if len(known) == 1:
        parts.append(f'"{field}" = ?')
    elif known:
        parts.append(f'"{field}" IN ({", ".join("?" * len(known))})')
    return Where(f"({' OR '.join(parts)})" if parts else "0", (*parameters, *known))


def column_of(field: Field) -> str:
    """A field as an expression of SQL."""
    return f'"{field.key}"' if field.is_flat else f"json_extract(doc, '$.{'.'.join(field.path)}')"


def order(sort: Sequence[tuple[Field, str]]) -> str:
    """What comes after ORDER BY."""
    return ", ".join([*(f"{column_of(field)} {_ORDERS[direction]} NULLS LAST" for field, direction in sort), "id"])


def creation(collection: str) -> list[str]:
    """The statements that make a collection's table and indexes."""
    columns = ", ".join(
        f'"{field}" {_TYPES[kind]}{" PRIMARY KEY" if field == "id" else ""}'
        for field, kind in fields_of(collection).items()
    )
    return [f'CREATE TABLE "{collection}" ({columns}, doc TEXT NOT NULL)', *indexes(collection).values()]


def indexes(collection: str) -> dict[str, str]:
    """The indexes of a collection: name -> the statement that makes it."""
    named = {f"{collection}_{name}": fields for name, fields in indexes_of(collection).items()}
    return {
        name: f'CREATE INDEX "{name}" ON "{collection}" ({quoted(fields)}, id)' for name, (*fields, _) in named.items()
    }


def statistics(collection: str) -> list[tuple[str, str, str]]:
    """What SQLite's planner is to believe of a collection's indexes: rows of `sqlite_stat1`.

    The numbers of an index: rows, then rows that share the first field, the first two, and so on.
    """
    return [
        (collection, f"{collection}_{name}", f"{_ROWS} {SHARED.get(fields[0], 2)}" + " 1" * len(fields[1:]))
        for name, fields in indexes_of(collection).items()
    ]


def insertion(collection: str, *, replaces: bool, unless_higher: str | None = None) -> str:
    """The statement that takes a `row`: one whose id is there is replaced, or left as it is.

    Args:
        collection: A table.
        replaces: Whether one that is there is replaced.
        unless_higher: A field whose value must not be higher in the one that is there.
    """
    columns = _columns(collection)
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name != '"id"')
    conflict = f"UPDATE SET {updates}" if replaces else "NOTHING"
    if unless_higher is not None:
        kept = f'"{collection}"."{unless_higher}"'
        conflict += f' WHERE {kept} IS NULL OR {kept} <= excluded."{unless_higher}"'
    marks = ", ".join("?" * len(columns))
    return f'INSERT INTO "{collection}" ({", ".join(columns)}) VALUES ({marks}) ON CONFLICT (id) DO {conflict}'


def replacement(collection: str, text: str, expected: Mapping[str, Scalar]) -> Where:
    """The statement that replaces the document of this id where its fields are as expected."""
    values = row(collection, text)
    sets = ", ".join(f"{name} = ?" for name in _columns(collection))
    tests = "".join(f' AND "{field}" IS ?' for field in expected)
    return Where(f'UPDATE "{collection}" SET {sets} WHERE id = ?{tests}', (*values, values[0], *expected.values()))


def row(collection: str, text: str) -> tuple[Any, ...]:
    """A document, given as JSON, as a row of its table."""
    document = json.loads(text)
    values = (document.get(field) for field in fields_of(collection))
    return (*(json.dumps(value) if isinstance(value, list) else value for value in values), text)


def selected(fields: Sequence[Field]) -> str:
    """Columns of SQL from which `values_of` makes the values of some fields.

    All properties of a document are one text: parsed by Python, numbers come back to the last bit, which SQLite's
    reader of JSON does not promise.
    """
    flat = [column_of(field) for field in fields if field.is_flat]
    of_document = [] if len(flat) == len(fields) else [f"json_extract(doc, '$.{PROPERTIES}')"]
    return ", ".join([*flat, *of_document])


def values_of(fields: Sequence[Field], columns: Sequence[Any]) -> dict[str, Any]:
    """Columns of `selected` as the document's values.

    Raises:
        ValueError, TypeError, RecursionError: if a column holds what is no value of its kind.
    """
    values, properties = iter(columns), dict[str, Any]()
    if not all(field.is_flat for field in fields) and columns[-1] is not None:
        properties = json.loads(columns[-1])
    return {
        field.key: _value_of(field.kind, next(values)) if field.is_flat else properties.get(field.key)
        for field in fields
    }


def _value_of(kind: Kind, value: Any) -> Any:
    return _READERS[kind](value) if value is not None and kind in _READERS else value


def quoted(columns: Iterable[str]) -> str:
    """Column names for a statement."""
    return ", ".join(f'"{column}"' for column in columns)


def _columns(collection: str) -> list[str]:
    return [f'"{column}"' for column in (*fields_of(collection), "doc")]
