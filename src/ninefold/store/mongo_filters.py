"""OPTIMADE filters in MongoDB's words.

MongoDB has two truth values: `$not` of a comparison holds for a document without the field. A filter has three, as in
SQL: a comparison with an unknown value is neither true nor false. So each part of a filter becomes two queries, one
for the documents where it is true and one for those where it is false, and NOT exchanges them; what is unknown is in
neither. optimade-python-tools' `MongoTransformer` leaves out unknown values at single comparisons alone (`NOT (n = 7
OR m = 1)` would match a document without n), and its text matches take what is special in regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ninefold.store.arguments import NO_PROPERTIES, Properties
from ninefold.store.conditions import Field
from ninefold.store.filter_parsing import transform
from ninefold.store.grammar import FilterTransformer, Match, Membership, Value
from ninefold.store.mongo_queries import UNKNOWN, Query, path_of

_SIGNS = {"=": "$eq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_OPPOSITES = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_PATTERNS = {"CONTAINS": "{}", "STARTS": r"\A{}", "ENDS": r"{}\z"}
_LONGEST_LIST = 10**6
"""Beyond what a document of 16 MB holds."""

NOTHING_MATCHES: Query = {"_id": {"$in": []}}


class Truth(NamedTuple):
    """The documents for which a part of a filter is true, and those for which it is false."""

    true: Query
    false: Query


class ToMongo(FilterTransformer[Truth]):
    """Every field is the document's own, by its path; the identifier is `_id`."""

    def compare(self, field: Field, operator: str, value: Value) -> Truth:
        """See `FilterTransformer.compare`; MongoDB compares only values of one kind with each other."""
        path = path_of(field)
        if operator in ("=", "!="):
            equal, other = {path: {"$eq": value}}, {path: {"$nin": [None, value]}}
            return Truth(equal, other) if operator == "=" else Truth(other, equal)
        return Truth({path: {_SIGNS[operator]: value}}, {path: {_SIGNS[_OPPOSITES[operator]]: value}})

    def match(self, field: Field, how: Match, value: str) -> Truth:
        """See `FilterTransformer.match`."""
        path = path_of(field)
        if not value:
            return Truth({path: {"$ne": None}}, NOTHING_MATCHES)
        pattern = _PATTERNS[how].format(_literal(value))
        return Truth({path: {"$regex": pattern}}, {path: {"$ne": None, "$not": {"$regex": pattern}}})

    def has(self, field: Field, how: Membership, values: Sequence[str]) -> Truth:
        """See `FilterTransformer.has`."""
        path, members = path_of(field), list(values)
        if how == "ALL":
            return Truth({path: {"$all": members}}, {path: {"$ne": None, "$not": {"$all": members}}})
        if how == "ANY":
            return Truth({path: {"$in": members}}, {path: {"$nin": [None, *members]}})
        other = {"$elemMatch": {"$nin": members}}
        return Truth({path: {"$ne": None, "$not": other}}, {path: other})

    def length(self, field: Field, operator: str, number: int) -> Truth:
        """See `FilterTransformer.length`."""
        path = path_of(field)
        if operator == "=":
            return self.all_of([_at_least(path, number), self.negate(_at_least(path, number + 1))])
        if operator == "!=":
            return self.negate(self.length(field, "=", number))
        if operator in (">=", ">"):
            return _at_least(path, number + (operator == ">"))
        return self.negate(_at_least(path, number + (operator == "<=")))

    def known(self, field: Field, is_known: bool) -> Truth:
        """See `FilterTransformer.known`."""
        truth = Truth({path_of(field): {"$ne": None}}, {path_of(field): UNKNOWN})
        return truth if is_known else self.negate(truth)

    def negate(self, part: Truth) -> Truth:
        """See `FilterTransformer.negate`."""
        return Truth(part.false, part.true)

    def all_of(self, parts: Sequence[Truth]) -> Truth:
        """See `FilterTransformer.all_of`."""
        return Truth({"$and": [part.true for part in parts]}, {"$or": [part.false for part in parts]})

    def any_of(self, parts: Sequence[Truth]) -> Truth:
        """See `FilterTransformer.any_of`."""
        return Truth({"$or": [part.true for part in parts]}, {"$and": [part.false for part in parts]})


def to_query(text: str | None, collection: str = "candidates", properties: Properties = NO_PROPERTIES) -> Query:
    """A filter as a query.

    Args:
        text: OPTIMADE filter; None or blank matches everything.
        collection: Whose fields it may name.
        properties: What else it may name; see `Store.find`.

    Raises:
        InputError: see `ninefold.store.filter_parsing.transform`.
    """
    return transform(text, ToMongo, collection, properties).true if text and text.strip() else {}


def _at_least(path: str, number: int) -> Truth:
    """Lists with so many members or more: those that have the last of them."""
    if number <= 0:
        return Truth({path: {"$ne": None}}, NOTHING_MATCHES)
    if number > _LONGEST_LIST:
        return Truth(NOTHING_MATCHES, {path: {"$ne": None}})
    last = f"{path}.{number - 1}"
    return Truth({last: {"$exists": True}}, {path: {"$ne": None}, last: {"$exists": False}})


def _literal(text: str) -> str:
    """Text as a pattern that matches it alone; a pattern ends at a null byte, so that one is written by its number."""
    return re.sub(r"[^0-9A-Za-z\x80-\U0010ffff]", lambda found: f"\\x{ord(found.group()):02x}", text)
