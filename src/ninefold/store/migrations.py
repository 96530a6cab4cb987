"""From the documents of an older ninefold to today's, one step for each schema version.

A step reads the store as it was and gives the documents of the store as it shall be, one after another, so that a
store of any size can be brought up to date: it may change a document, leave it out, or make several of it in several
collections. It runs as a whole or not at all. Blobs are left as they are; a step may write new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from ninefold.errors import description
from ninefold.store.blobs import Blobs


class Entry(NamedTuple):
    """A document and the collection that it belongs to."""

    collection: str
    document: dict[str, Any]


class Before(Protocol):
    """The store before a step."""

    blobs: Blobs

    def __iter__(self) -> Iterator[Entry]:
        """Every document, collection by collection."""
        ...

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """Those of one collection; none where there is no such collection."""
        ...

    def get(self, collection: str, id: str) -> dict[str, Any] | None:
        """One document, or None."""
        ...


Step = Callable[[Before], Iterator[Entry]]
"""Gives every document of the next version. The same one may come twice, as a content hash does.

It raises `UnreadableDocumentError` for a document that is none of its version."""


class UnreadableDocumentError(Exception):
    """A document that a step cannot take: the store is damaged."""

    def __init__(self, collection: str, document: dict[str, Any], error: Exception) -> None:
        words = f"no {error}" if isinstance(error, KeyError) else description(error)
        super().__init__(words)
        self.collection, self.id, self.reason = collection, document.get("id"), words


@contextmanager
def reading(collection: str, document: dict[str, Any]) -> Iterator[None]:
    """What goes wrong within is the document's: a key or a value that its version does not have."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableDocumentError(collection, document, error) from error


def each(change: Callable[[dict[str, Any], str], dict[str, Any]], version: int) -> Step:
    """A step that changes every document by itself.

    Args:
        change: From a document and its collection's name to the new document.
        version: Schema version after the step, which each document carries.
    """

    def step(before: Before) -> Iterator[Entry]:
        for collection, document in before:
            with reading(collection, document):
                changed = {**change(document, collection), "schema_version": version}
            yield Entry(collection, changed)

    return step


def from_1(document: dict[str, Any], collection: str) -> dict[str, Any]:
    """`e_above_hull` was the signed distance to the hull of other compositions, its uncertainty a setting.

    What only a new assessment can say is left as it was under the name that fits its meaning (conditions), or
    taken out where it was wrong (reactions did not balance); `ninefold run --update` assesses anew.
    """
    if collection != "candidates":
        return document
    signed = document.get("e_above_hull")
    same = document.get("e_above_same_composition")
    return {
        **document,
        "is_competitor": False,
        "phase_separation_energy": signed,
        "e_above_hull": None if signed is None else max(signed, same or 0.0, 0.0),
        "e_above_hull_uncertainty": document.get("search_spread"),
        "reaction_energy_per_h2": None,
        "provenance": {key: value for key, value in (document.get("provenance") or {}).items() if key != "reaction"},
        "conditions": [
            {
                **condition,
                "phase_separation_energy": condition.get("e_above_hull"),
                "e_above_hull": None if condition.get("e_above_hull") is None else max(condition["e_above_hull"], 0.0),
            }
            for condition in document.get("conditions") or []
        ],
    }


def from_2(before: Before) -> Iterator[Entry]:
    """See `ninefold.store.schema_3`."""
    from ninefold.store.schema_3 import from_schema_2

    for collection, document in from_schema_2(before):
        yield Entry(collection, {**document, "schema_version": 3})


def from_3(before: Before) -> Iterator[Entry]:
    """See `ninefold.store.schema_4`."""
    from ninefold.store.schema_4 import from_schema_3

    for collection, document in from_schema_3(before):
        yield Entry(collection, {**document, "schema_version": 4})


MIGRATIONS: dict[int, Step] = {1: each(from_1, 2), 2: from_2, 3: from_3}
"""Schema version -> the step to the next one."""

CHANGES = {
    1: "hull distances get their present names and meanings; what only a new assessment can say is left out",
    2: "candidates become compositions, rows, structures and minima; results become calculations",
    3: "relaxed structures move from calculations and references into documents of their own",
}
"""Schema version -> what the step from it does, for people."""
DOCUMENTS_PER_SECOND = 2500
"""Of a step, for estimates alone: two stores of the demo took 2 600 and 2 900 on a busy core."""
