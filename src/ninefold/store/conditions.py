"""What of a document can be asked for, and what is asked of it: checked once for every backend."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ninefold.errors import InputError, listed
from ninefold.models.quantities import Kind
from ninefold.store.arguments import NO_PROPERTIES, NOTHING, PROPERTIES, Condition, Order, Properties, Scalar
from ninefold.store.schema import COLLECTIONS

_TYPES: dict[Kind, tuple[type, ...]] = {
    "string": (str,), "integer": (int, float), "float": (int, float), "boolean": (bool,),
}  # fmt: skip


MOST_LISTED = 6
"""Fields that a message lists."""
_PROPERTY = re.compile("[a-z_][a-z0-9_]*")
"""What OPTIMADE's grammar takes for a field."""


class Field(NamedTuple):
    """A value of a document, by our name."""

    key: str
    kind: Kind
    path: tuple[str, ...]
    """Where it stands in the document: the key itself, or below `properties`."""

    @property
    def is_flat(self) -> bool:
        """Whether it is one of the collection's flat fields, which a backend may keep and index apart."""
        return len(self.path) == 1


class Page(NamedTuple):
    """What `Store.find` was asked for, with the fields that it names."""

    collection: str
    known: Mapping[str, Field]
    """See `queryable`."""
    filter: str | None = None
    equal: Mapping[str, Condition] = NOTHING
    after: str | None = None
    sort: Sequence[tuple[Field, str]] = ()
    """Each with its direction."""
    fields: Sequence[str] | None = None
    limit: int | None = None
    offset: int = 0
    properties: Properties = NO_PROPERTIES


def queryable(collection: str, properties: Properties = NO_PROPERTIES) -> dict[str, Field]:
    """Everything that filters, sorting and `fields` may name, by name.

    Args:
        collection: Whose flat fields.
        properties: As in `Store.find`.

    Raises:
        KeyError: if there is no such collection.
        ValueError: if a property has a key that no filter could name; from code, never from users.
    """
    fields = {key: Field(key, kind, (key,)) for key, kind in fields_of(collection).items()}
    for key, kind in properties.items():
        if not _PROPERTY.fullmatch(key):
            raise ValueError(f"{key!r} is no name of a property: small letters, digits and underscores")
        fields.setdefault(key, Field(key, kind, (PROPERTIES, key)))
    return fields


def fields_of(collection: str) -> dict[str, Kind]:
    """Field -> kind of a collection's flat fields.

    Raises:
        KeyError: if there is no such collection. They come from code, never from users.
    """
    return COLLECTIONS[collection]


def allowed_values(collection: str, equal: Mapping[str, Condition]) -> dict[str, list[Scalar]]:
    """Field -> the values of which a document has one.

    Text that no document can hold, such as half of a character's code, is left out: it matches nothing.

    Args:
        collection: Whose fields they are.
        equal: As in `Store.find`.

    Raises:
        KeyError: if a field is unknown, or a list.
        TypeError: if a value is of another kind than its field; SQLite would convert it, another database not.
    """
    fields = fields_of(collection)
    allowed: dict[str, list[Scalar]] = {}
    for field, condition in equal.items():
        if isinstance(condition, Mapping):
            raise TypeError(f"{field} must have a value or one of several, and {condition!r} is a mapping")
        values = [condition] if condition is None or isinstance(condition, str | int | float) else list(condition)
        for value in values:
            _check_kind(field, fields[field], value)
        allowed[field] = [value for value in values if _can_be_stored(value)]
    return allowed


def expected_values(collection: str, expected: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The values that a document must have to be replaced; raises as `allowed_values`."""
    fields = fields_of(collection)
    for field, value in expected.items():
        _check_kind(field, fields[field], value)
    return dict(expected)


def _check_kind(field: str, kind: Kind, value: object) -> None:
    if kind == "list":
        raise KeyError(field)
    is_flag = isinstance(value, bool)
    if value is not None and not (isinstance(value, _TYPES[kind]) and is_flag == (kind == "boolean")):
        raise TypeError(f"{field} is of kind {kind}, and {value!r} is not")


def _can_be_stored(value: Scalar) -> bool:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return False
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return False
    return True


def values_at(document: Mapping[str, Any], fields: Sequence[str], known: Mapping[str, Field]) -> dict[str, Any]:
    """The wanted fields of a document as it was put; None for what is not there."""
    found = {}
    for name in fields:
        value: Any = document
        for key in known[name].path if name in known else (name,):
            value = (value or {}).get(key)
        found[name] = value
    return found


def sorted_by(known: Mapping[str, Field], sort: Sequence[Order]) -> list[tuple[Field, str]]:
    """The fields that rows are sorted by, each with its direction; raises as `sortable`."""
    return [(sortable(known, field, direction), direction) for field, direction in sort]


def sortable(known: Mapping[str, Field], field: str, direction: str) -> Field:
    """A field that rows can be sorted by.

    Args:
        known: The fields of the collection, by name.
        field: As it was asked for, with our prefix or without.
        direction: `asc` or `desc`.

    Raises:
        InputError: if there is none of this name, it is a list, or the direction is neither; with the nearest names.
    """
    found = known.get(field.removeprefix("_ninefold_"))
    if found is None or found.kind == "list" or direction not in ("asc", "desc"):
        names = [name for name, other in known.items() if other.kind != "list"]
        close = difflib.get_close_matches(field, names, n=3)
        raise InputError(
            "sort", field, problem="cannot be sorted by", allowed=", ".join(close) or listed(names, MOST_LISTED),
            hint="'ninefold fields' lists all",
        )  # fmt: skip
    return found
