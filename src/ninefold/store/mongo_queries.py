"""Queries, orders and documents of the MongoDB backend.

A stored document is the record as it is, its `id` under MongoDB's name `_id`. MongoDB takes a dot in a key for a path
and a dollar for an operator, so that keys which hold one are escaped; `_ESCAPED` marks the few documents that have
such keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ninefold.models.quantities import Kind
from ninefold.store.arguments import NO_PROPERTIES, Condition, Properties
from ninefold.store.conditions import Field, allowed_values

Query = dict[str, Any]

UNKNOWN: Query = {"$gte": None}
"""Null or absent. DocumentDB takes `$eq` for one value, and reads an index as if absent and null were in one order."""

MOST_ROWS = 2**31 - 1

WRITE_MARK = "_written"
"""Which call has replaced a document: tells one whose answer was lost that it was the one."""
_ESCAPED = "_escaped"
_SPECIAL = re.compile(r"[.$%\0]")
_MAY_BE_SPECIAL = re.compile(r'[.$%\0][^"]*"\s*:')
"""In JSON without a backslash: a key that holds one of them. Rarely text or a number before such a colon."""
_ORDERS = {"asc": 1, "desc": -1}
_LOWEST: dict[Kind, Any] = {"string": "", "integer": float("-inf"), "float": float("-inf"), "boolean": False}
"""Kind that can be sorted by -> its lowest value; values of other kinds, and unknown ones, are in no range from it."""
_plain_keys: set[str] = set()
"""Keys without anything special, which most documents share; to look at each again costs as much as the parser."""
_MOST_KEYS = 10_000


class Part(NamedTuple):
    """A stretch of the documents of a sorted query; stretches follow one another."""

    query: Query
    sort: list[tuple[str, int]]
    flags: dict[str, str]
    """Name of a computed field, which `sort` names -> path whose value is unknown where it is true."""


def where(
    collection: str,
    filter: str | None,
    equal: Mapping[str, Condition],
    after: str | None = None,
    properties: Properties = NO_PROPERTIES,
) -> Query:
    """A person's filter, code's values and the page's beginning as one query."""
    parts: list[Query] = []
    if filter is not None and filter.strip():
        from ninefold.store.mongo_filters import to_query  # the parser costs 60 ms, which a listing need not pay

        parts.append(to_query(filter, collection, properties))
    parts += [{_path(field): _one_of(values)} for field, values in allowed_values(collection, equal).items()]
    if after is not None:
        parts.append({"_id": {"$gt": after}})
    return joined(parts)


def path_of(field: Field) -> str:
    """Where a field stands in a stored document."""
    return "_id" if field.key == "id" else ".".join(field.path)


def joined(parts: Sequence[Query]) -> Query:
    """All conditions at once."""
    there = [part for part in parts if part]
    return there[0] if len(there) == 1 else {"$and": there} if there else {}


def parts_of(query: Query, sort: Sequence[tuple[Field, str]]) -> list[Part]:
    """A query in the order of a store: unknown values last both ways, ties by id.

    MongoDB sorts unknown values first where it ascends. Of the first field they are asked for apart, so that an index
    can serve both; of later ones they are told by a computed field.
    """
    order = [(path_of(field), _ORDERS[direction]) for field, direction in sort]
    if order and order[0][0] == "_id":  # decides everything
        return [Part(query, [order[0]], {})]
    if order and order[0][1] > 0:
        path = order[0][0]
        first = _part(joined([query, {path: _known(sort[0][0])}]), order)
        return [first, *parts_of(joined([query, {path: UNKNOWN}]), sort[1:])]
    return [_part(query, order)]


def _known(field: Field) -> dict[str, Any]:
    """The condition that a value is known: of a flat field, whose kind its model holds to, as a range of an index."""
    return {"$gte": _LOWEST[field.kind]} if field.is_flat else {"$ne": None}


def _part(query: Query, order: Sequence[tuple[str, int]]) -> Part:
    sort, flags = dict[str, int](), dict[str, str]()
    for place, (path, direction) in enumerate(order):
        if place and direction > 0 and path != "_id":
            flag = f"_unknown_{place}"
            flags[flag] = path
            sort.setdefault(flag, 1)
        sort.setdefault(path, direction)  # named twice, the first counts
    sort.setdefault("_id", 1)
    return Part(query, list(sort.items()), flags)


def pipeline(part: Part, projection: Mapping[str, int] | None, skip: int, limit: int) -> list[dict[str, Any]]:
    """A part with computed fields as stages of an aggregation."""
    flags = {flag: {"$eq": [{"$ifNull": [f"${path}", None]}, None]} for flag, path in part.flags.items()}
    stages: list[dict[str, Any]] = [{"$match": part.query}, {"$addFields": flags}, {"$sort": dict(part.sort)}]
    stages += [{"$skip": skip}] if skip else []
    stages += [{"$limit": limit}] if limit else []
    # computed fields are left out by what is kept, or by name
    return [*stages, {"$project": dict(projection) if projection else dict.fromkeys(flags, 0)}]


def projection_of(fields: Sequence[str], known: Mapping[str, Field]) -> dict[str, int]:
    """What to read of each document; of a field and one below it the upper one."""
    paths = {_path_in(known, name) for name in fields} | {"_id"}
    # a document whose keys are escaped is told by its mark
    return {path: 1 for path in sorted(paths) if path.split(".")[0] == path or path.split(".")[0] not in paths} | {
        _ESCAPED: 1
    }


def stored(text: str) -> dict[str, Any]:
    """A record, given as JSON, as the document that is stored."""
    if "\\" not in text and not _MAY_BE_SPECIAL.search(text):
        from pydantic_core import from_json  # twice as fast as the parser below, which looks at each key

        document = from_json(text)
        return {"_id": document.pop("id"), **document}
    escaped = False

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal escaped
        found = dict(pairs)
        if _plain_keys.issuperset(found):
            return found
        if any(map(_SPECIAL.search, found)):
            escaped = True
            return {_escape(key): value for key, value in found.items()}
        if len(_plain_keys) < _MOST_KEYS:
            _plain_keys.update(found)
        return found

    document = json.loads(text, object_pairs_hook=checked)
    found = {"_id": document.pop("id"), **document}
    return {**found, _ESCAPED: True} if escaped else found


def restored(document: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `stored`."""
    if document.pop(_ESCAPED, False):
        document = _unescaped(document)
    document.pop(WRITE_MARK, None)
    return {"id": document.pop("_id"), **document}


def expected_query(collection: str, id: str, values: Mapping[str, Any]) -> Query:
    """The document of an id, if its fields have these values."""
    return joined([{"_id": id}, where(collection, None, values)])


def _one_of(values: Sequence[Any]) -> Query:
    """Conditions on one field; None stands for an unknown value, which `$in` finds in absent fields too."""
    if list(values) == [None]:
        return UNKNOWN
    return {"$eq": values[0]} if len(values) == 1 else {"$in": list(values)}


def _path(field: str) -> str:
    return "_id" if field == "id" else field


def _path_in(known: Mapping[str, Field], name: str) -> str:
    return path_of(known[name]) if name in known else _escape(name)


def _escape(key: str) -> str:
    return _SPECIAL.sub(lambda found: f"%{ord(found.group()):02X}", key)


def _unescaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            re.sub(r"%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), key): _unescaped(below)
            for key, below in value.items()
        }
    return [_unescaped(below) for below in value] if isinstance(value, list) else value
