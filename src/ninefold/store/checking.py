"""What is wrong with a store: documents that are none, names of what is not there, blobs that are lost or damaged.

Documents pass a page at a time. Of the blobs, the names that documents give are held: 32 bytes each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from ninefold.errors import shown
from ninefold.store.blobs import BlobError
from ninefold.store.filling import FACTS, VIEWS, Tell, pages
from ninefold.store.store import PAGE_OF_WHOLE, Store, StoreError


class Problem(NamedTuple):
    """One thing that is wrong."""

    kind: str
    """One of `KINDS`."""
    text: str


KINDS = {
    "indexes": "declared indexes that are missing",
    "documents": "documents that cannot be read, or are none of their collection",
    "orphans": "documents that name what is not there",
    "blobs": "blobs that are missing or damaged",
    "views": "rows of candidates that do not follow from the facts",
}
"""Kind of a problem -> what it is."""

Named = Callable[[Mapping[str, Any]], Iterable[str | None]]


class Link(NamedTuple):
    """What documents of one collection name in another."""

    field: str
    target: str
    names: Named


def _field(name: str) -> Named:
    return lambda document: [document.get(name)]


def _start(document: Mapping[str, Any]) -> Iterable[str | None]:
    # of energies alone the start is a line of a pool, or was moved onto a symmetry
    return [] if document.get("kind") == "evaluate" else [document.get("start")]


def _minima(document: Mapping[str, Any]) -> Iterable[str | None]:
    return [minimum.get("structure") for minimum in document.get("minima") or ()]


_CAMPAIGN = Link("campaign", "campaigns", _field("campaign"))
_METHOD = Link("method", "methods", _field("method"))
_MINIMA = Link("minima", "structures", _minima)

LINKS: dict[str, tuple[Link, ...]] = {
    "campaigns": (Link("methods", "methods", lambda document: document.get("methods") or ()),),
    "compositions": (_CAMPAIGN,),
    "funnel": (_CAMPAIGN,),
    "faults": (_CAMPAIGN,),
    "references": (_CAMPAIGN, _METHOD, Link("structure", "structures", _field("structure"))),
    "candidates": (
        _CAMPAIGN, Link("composition", "compositions", _field("composition")), _METHOD,
        Link("minima_record", "minima", _field("minima_record")), _MINIMA,
        Link("dynamics_record", "dynamics", _field("dynamics_record")),
    ),
    "properties": (Link("structure", "structures", _field("structure")), _METHOD),
    "vibrations": (
        _METHOD,
        *(Link(name, "structures", _field(name)) for name in ("start", "relaxed", "structure")),
        Link("trials", "structures", lambda document: [one.get("structure") for one in document.get("trials") or ()]),
    ),
    "trajectories": (_METHOD, Link("structure", "structures", _field("structure"))),
    "dynamics": (
        _METHOD, Link("structure", "structures", _field("structure")),
        Link("trajectories", "trajectories", lambda document: document.get("trajectories") or ()),
    ),
    "minima": (Link("searches", "searches", lambda document: document.get("searches") or ()), _METHOD, _MINIMA),
    "searches": (Link("pool", "pools", _field("pool")), _METHOD, _MINIMA),
    "calculations": (
        _METHOD, Link("start", "structures", _start), Link("final", "structures", _field("final")),
    ),
}  # fmt: skip
"""Collection -> what its documents name. The campaign of a fact is the one that made it, and need not be there."""


_BLOBS = {
    "packings": "pools", "force_constants": "vibrations", "spectrum": "vibrations", "content": "trajectories",
    "curves": "dynamics",
}  # fmt: skip
"""Field that names a blob -> the collection that has it."""


class Findings:
    """What has been looked at, and what was found."""

    def __init__(self) -> None:
        self.documents: dict[str, int] = {}
        self.blobs = 0
        self.without_owner = 0
        """Blobs that no document names: what jobs handed to each other."""


def problems(store: Store, findings: Findings, tell: Tell) -> Iterator[Problem]:
    """Everything that is wrong, as it is found.

    Args:
        store: Open.
        findings: Filled while the problems are read.
        tell: Told how far it is.
    """
    for name in store.missing_indexes():
        yield Problem("indexes", f"{name} is missing")
    named: set[bytes] = set()
    for collection in (*VIEWS, *FACTS):
        yield from _of_collection(store, collection, findings, named, tell)
    if (damage := store.damage()) is not None:
        yield Problem("documents", str(damage))
    yield from _of_blobs(store, findings, named, tell)


def _of_collection(
    store: Store, collection: str, findings: Findings, named: set[bytes], tell: Tell
) -> Iterator[Problem]:
    from ninefold.models.collections import MODELS
    from ninefold.store.records import checked

    done, total = 0, store.count(collection)
    try:
        for page in pages(store.iterate(collection), PAGE_OF_WHOLE):
            for document in page:
                try:
                    checked(store, MODELS[collection], document)
                except StoreError as error:
                    yield Problem("documents", str(error))
            yield from _orphans(store, collection, page)
            yield from _lost_blobs(store, collection, page, named)
            done += len(page)
            tell(f"check {collection}", done, max(total, done), "documents")
    except StoreError as error:  # what comes after it in the collection cannot be read
        yield Problem("documents", str(error))
    findings.documents[collection] = done


def _orphans(store: Store, collection: str, page: list[dict[str, Any]]) -> Iterator[Problem]:
    for link in LINKS.get(collection, ()):
        by_document = [(document["id"], [key for key in _names(link, document) if key]) for document in page]
        wanted = list(dict.fromkeys(key for _, keys in by_document for key in keys))
        there = {
            row["id"]
            for part in pages(wanted, PAGE_OF_WHOLE)
            for row in store.find(link.target, equal={"id": part}, fields=["id"])
        }
        for identifier, keys in by_document:
            for key in keys:
                if key not in there:
                    yield Problem(
                        "orphans", f"{collection} {shown(identifier)}: its {link.field} {shown(key)} is not in "
                        f"{link.target}",
                    )  # fmt: skip


def _names(link: Link, document: Mapping[str, Any]) -> list[str]:
    try:
        return [key for key in link.names(document) if isinstance(key, str)]
    except (AttributeError, TypeError):  # a document that is none of its collection is told as such
        return []


def _lost_blobs(
    store: Store, collection: str, page: list[dict[str, Any]], named: set[bytes]
) -> Iterator[Problem]:  # fmt: skip
    fields = [field for field, holder in _BLOBS.items() if holder == collection]
    for document, field in product(page, fields):
        name = document.get(field)
        of = f"{collection} {shown(document['id'])}"
        try:
            if isinstance(name, str):
                named.add(bytes.fromhex(name))
                if not store.blobs.has(name):
                    yield Problem("blobs", f"{of}: its blob {name} is missing")
        except (BlobError, ValueError):
            yield Problem("blobs", f"{of}: {shown(name)} is no name of a blob")


def _of_blobs(store: Store, findings: Findings, named: set[bytes], tell: Tell) -> Iterator[Problem]:
    for name in store.blobs.names():
        findings.blobs += 1
        if bytes.fromhex(name) not in named:
            findings.without_owner += 1
        try:
            store.blobs.get(name)
        except BlobError as error:
            yield Problem("blobs", str(error))
        if findings.blobs % 100 == 0:
            tell("check blobs", findings.blobs, None, "blobs")
