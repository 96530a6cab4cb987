"""Which index a first page is read by.

MongoDB tries several plans; DocumentDB, the database behind FerretDB, guesses from the form of a query alone how many
documents match, and reads 100 000 of them where 50 would do. What we know of our fields decides for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ninefold.store.mongo_queries import UNKNOWN, Query, joined
from ninefold.store.schema import SHARED, indexes_of

SCANNED = 2000
"""Documents that are looked through in the order of an index before all that match are sorted."""
_DENSE = "rank"
"""The field whose values are 1, 2, 3 and so on in each campaign: as many documents have one up to a number."""
_RARE = 500
"""Documents of one value that are read and sorted faster than any order is followed."""
FEW = 20_000
"""Documents within a condition that are read faster than a whole order: entries of an index are counted in a
hundredth of the time that it takes to read their documents."""
_RANGES = frozenset({"$eq", "$lt", "$lte", "$gt", "$gte"})


def rare_index(collection: str, query: Query) -> str | None:
    """The index of the rarest value that a query asks for, if few documents have it."""
    first = _own_indexes(collection)
    asked = [(SHARED.get(field, 2), field) for field in _equal_fields(query) if field in first]
    shared, field = min(asked, default=(_RARE + 1, ""))
    return first[field] if shared <= _RARE else None


def indexed_conditions(collection: str, query: Query) -> list[tuple[str, Query]]:
    """Index and condition of what every document that matches has within one range of an index."""
    first = _own_indexes(collection)
    return [
        (first[field], {field: condition})
        for part in _conjuncts(query)
        for field, condition in part.items()
        if field in first and isinstance(condition, Mapping) and _RANGES.issuperset(condition) and condition != UNKNOWN
    ]


def _own_indexes(collection: str) -> dict[str, str]:
    """Field -> its index, of those that have one of their own."""
    return {fields[0]: f"{name}_id" for name, fields in indexes_of(collection).items() if len(fields) == 2}


def ordered_index(collection: str, query: Query, sort: Sequence[tuple[str, int]]) -> str | None:
    """The index whose order a query asks for, among the documents of one campaign where it asks for one."""
    equal = set(_equal_fields(query))
    found = {
        fields: name
        for name, fields in indexes_of(collection).items()
        if fields[-2] == sort[0][0] and equal.issuperset(fields[:-2])
    }
    return f"{found[max(found, key=len)]}_id" if found else None


def prefix_pipeline(
    query: Query, sort: Sequence[tuple[str, int]], further: Query, projection: Mapping[str, int] | None, limit: int
) -> list[dict[str, Any]]:
    """The first documents of an order that meet a further condition, among its first `SCANNED` ones.

    What the condition says of the sorted field bounds what is looked through. Ranks bound it by themselves, so that one
    pass through the index tests everything, in half the time.
    """
    ends: list[dict[str, Any]] = [{"$limit": limit}]
    if projection:
        ends.append({"$project": dict(projection)})
    if sort[0] == (_DENSE, 1):
        first = joined([query, {_DENSE: {"$lte": SCANNED}}, further])
        return [{"$match": first}, {"$sort": dict(sort)}, *ends]
    bounds = [part for part in _conjuncts(further) if list(part) == [sort[0][0]]]
    looked_through: list[dict[str, Any]] = [
        {"$match": joined([query, *bounds])},
        {"$sort": dict(sort)},
        {"$limit": SCANNED},
    ]
    return [*looked_through, {"$match": further}, *ends]


def _equal_fields(query: Query) -> Iterator[str]:
    """Fields of which every document that matches has one known value."""
    for part in _conjuncts(query):
        for key, condition in part.items():
            if isinstance(condition, Mapping) and condition.get("$eq") is not None:
                yield key


def _conjuncts(query: Query) -> Iterator[Query]:
    """Conditions all of which must hold."""
    for key, condition in query.items():
        if key == "$and":
            for part in condition:
                yield from _conjuncts(part)
        else:
            yield {key: condition}
