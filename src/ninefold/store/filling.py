"""Filling an empty store from another or from a backup, so that it may be interrupted, and is verified at the end.

A store that is being filled is marked (`Store.begin_filling`) and opens for nothing else. What is there after an
interruption is compared with the source and kept. At the end the whole target is read again: counts and hashes of its
documents and blobs must be the source's, before the mark goes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ninefold.errors import InputError, shown
from ninefold.models.lines import blob_id
from ninefold.store.blobs import BlobError
from ninefold.store.store import PAGE_OF_WHOLE, Store, StoreError

VIEWS = ("campaigns", "faults", "funnel", "candidates", "compositions", "references")
"""Collections whose documents change."""
FACTS = (
    "dynamics", "trajectories", "vibrations", "properties", "minima", "searches", "pools", "calculations", "structures",
    "methods",
)  # fmt: skip
"""Collections whose documents are written once."""
ORDER = (*VIEWS, *FACTS)
"""In which collections are read: what names others before these, so that what a campaign adds meanwhile leaves nothing
that names what is not there. Blobs come last."""

Tell = Callable[[str, int, int | None, str], None]
"""Called with a stage, how much is done, of how much, and the unit."""


class Documents(NamedTuple):
    """Some documents of one collection, by ascending id."""

    collection: str
    documents: list[dict[str, Any]]


class Content(NamedTuple):
    """A blob, read when it is asked for, and before the next part is."""

    sha256: str
    read: Callable[[], bytes]


Part = Documents | Content


class Record(NamedTuple):
    """A document as a store takes it, in the bytes that its model would give."""

    id: str
    document: dict[str, Any]

    def model_dump_json(self) -> str:
        """See `RecordLike`."""
        from pydantic_core import to_json

        return to_json(self.document).decode()


class Tally:
    """Counts and hashes of what has passed: the same for the same documents and blobs, whatever holds them."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(ORDER, 0)
        self.blobs = self.size = 0
        self._hashes = {name: hashlib.sha256() for name in ORDER}
        self._names = hashlib.sha256()

    def add(self, part: Part, size: int = 0) -> None:
        """Count a part.

        Args:
            part: Collections and blobs each by ascending id and name.
            size: Bytes of a blob.
        """
        if isinstance(part, Content):
            self.blobs += 1
            self.size += size
            self._names.update(f"{part.sha256}\n".encode())
            return
        self.counts[part.collection] += len(part.documents)
        for document in part.documents:
            self._hashes[part.collection].update(canonical(document) + b"\n")

    def summary(self) -> dict[str, Any]:
        """As plain values: `collections` with `documents` and `sha256` each, `blobs` with count, bytes and `sha256`."""
        return {
            "collections": {
                name: {"documents": self.counts[name], "sha256": self._hashes[name].hexdigest()} for name in ORDER
            },
            "blobs": {"count": self.blobs, "bytes": self.size, "sha256": self._names.hexdigest()},
        }


def canonical(document: Mapping[str, Any]) -> bytes:
    """A document as bytes that do not depend on the order of its keys."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """What two summaries do not agree in, in words."""
    for name in ORDER:
        one, other = expected["collections"][name], found["collections"][name]
        if one["documents"] != other["documents"]:
            return f"{other['documents']} documents in {name} instead of {one['documents']}"
        if one["sha256"] != other["sha256"]:
            return f"other documents in {name}"
    one, other = expected["blobs"], found["blobs"]
    if one["count"] != other["count"]:
        return f"{other['count']} blobs instead of {one['count']}"
    return None if one == other else "other blobs"


def parts_of(store: Store, tell: Tell, stage: str) -> Iterator[Part]:
    """Everything that a store holds."""
    for collection in ORDER:
        total, done = store.count(collection), 0
        for page in pages(store.iterate(collection), PAGE_OF_WHOLE):
            yield Documents(collection, page)
            done += len(page)
            tell(f"{stage} {collection}", done, max(total, done), "documents")
    for done, name in enumerate(store.blobs.names(), start=1):
        yield Content(name, lambda name=name: store.blobs.get(name))  # type: ignore[misc]
        if done % 100 == 0:
            tell(f"{stage} blobs", done, None, "blobs")


def fill(target: Store, parts: Iterable[Part], source: str, tell: Tell, expected: Mapping[str, Any] | None) -> Tally:
    """Fill a store; what an interrupted call has left is taken over where it is the same.

    Args:
        target: Open in mode `fill`.
        parts: Of the source, in the order of `parts_of`.
        source: What it is, for people; see `Store.begin_filling`.
        tell: Told how far the verification is.
        expected: Summary that the parts must have; None where only the target is compared with them.

    Raises:
        InputError: if the target holds anything else, or not what the source has; it stays marked.
    """
    is_resumed = target.begin_filling(source)
    if is_resumed:  # views may have changed since
        for collection in VIEWS:
            for page in pages(target.iterate(collection, fields=["id"]), PAGE_OF_WHOLE):
                target.delete(collection, equal={"id": [row["id"] for row in page]})
    passed = Tally()
    for part in parts:
        if isinstance(part, Documents):
            _check_present(target, part, source, is_resumed=is_resumed and part.collection in FACTS)
            target.insert(part.collection, [Record(document["id"], document) for document in part.documents])
            passed.add(part)
        else:
            content = (_blob_of(target, part.sha256) if is_resumed else None) or part.read()
            if blob_id(content) != part.sha256:
                raise StoreError(f"blob: {part.sha256} has other content in {source}; 'ninefold db check' tells more")
            target.blobs.put(content)
            passed.add(part, len(content))
    wanted = passed.summary()
    if expected is not None and (other := difference(expected, wanted)) is not None:
        raise InputError(
            "source",
            source,
            problem=f"has {other} than a moment ago",
            hint="the store that was filled stays unfinished",
        )
    there = tally_of(target, tell, "verify").summary()
    if (other := difference(wanted, there)) is not None:
        raise InputError(
            "store", target.location, problem=f"has {other} after the copy: the source has changed, or something else "
            "has been written to it", hint="delete it, and do it again",
        )  # fmt: skip
    target.end_filling()
    return passed


def tally_of(store: Store, tell: Tell, stage: str) -> Tally:
    """Counts and hashes of a store; every blob is read and checked."""
    tally = Tally()
    for part in parts_of(store, tell, stage):
        tally.add(part, len(part.read()) if isinstance(part, Content) else 0)
    return tally


def pages(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Items, some at a time."""
    page: list[Any] = []
    for item in items:
        page.append(item)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def _blob_of(store: Store, sha256: str) -> bytes | None:
    """A blob that is there and whole, or None."""
    if not store.blobs.has(sha256):
        return None
    try:
        return store.blobs.get(sha256)
    except BlobError:
        return None


def _check_present(target: Store, part: Documents, source: str, *, is_resumed: bool) -> None:
    """Refuse a target that has another document under an id of the source's."""
    if not is_resumed:
        return
    ids: Sequence[str] = [document["id"] for document in part.documents]
    there = target.get_many(part.collection, ids)
    for document in part.documents:
        found = there.get(document["id"])
        if found is not None and canonical(found) != canonical(document):
            raise InputError(
                "store", target.location,
                problem=f"has another document {shown(document['id'])} in {part.collection} than {source}",
                hint="delete it, and do it again",
            )  # fmt: skip
