"""Stores of schema 3: a calculation and a reference held their relaxed structure, and did not name where they began.

Every document keeps its id. A relaxed structure becomes a document of `structures`, named by the one that held it.
Where a relaxation failed, what it held was its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ninefold.models.structure import structure_id
from ninefold.store.migrations import reading

Document = dict[str, Any]

_OF_STRUCTURE = ("lattice", "species", "positions")


def from_schema_3(documents: Iterable[tuple[str, Document]]) -> Iterator[tuple[str, Document]]:
    """Documents of schema 3 as those of schema 4.

    Args:
        documents: Collection and document, in any order; read once.

    Yields:
        The same for the new collections, a structure before what names it.
    """
    for collection, document in documents:
        if collection not in ("calculations", "references"):
            yield collection, document
            continue
        with reading(collection, document):
            structure = _structure(document)
            name = None if structure is None else structure["id"]
            changed = {key: value for key, value in document.items() if key != "structure"}
            if collection == "references":
                changed["structure"] = name
            else:
                has_failed = changed.get("error") is not None
                changed |= {"start": name if has_failed else None, "final": None if has_failed else name}
        if structure is not None:
            yield "structures", structure
        yield collection, changed


def _structure(document: Document) -> Document | None:
    """The record of the structure that a document holds."""
    if (held := document.get("structure")) is None:
        return None
    packed = {key: held[key] for key in _OF_STRUCTURE}
    return {"id": structure_id(packed), **packed}
