"""Writes of several documents to a collection of MongoDB, each of which may be done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from ninefold.store.mongo_queries import joined
from ninefold.store.store import StoreError

MOST = 1000
"""Documents of one message."""
FEWEST = 100
"""Of which two messages are under way at once."""
_DUPLICATE = 11000
_ATTEMPTS = 20
"""Of an upsert that meets another's of the same id."""


def inserted(collection: Collection[dict[str, Any]], documents: Sequence[dict[str, Any]]) -> int:
    """Insert what is not there; how many were new."""
    try:
        return len(collection.insert_many(documents, ordered=False).inserted_ids)
    except BulkWriteError as error:
        _check_duplicates(error)
        return int(error.details["nInserted"])


def replaced(
    collection: Collection[dict[str, Any]], documents: Sequence[dict[str, Any]], unless_higher: str | None
) -> int:
    """Insert or replace by id, except where a field of what is there is higher than in the new document; how many."""
    number = len(documents)
    for _ in range(_ATTEMPTS):
        writes = [ReplaceOne(_present(document, unless_higher), document, upsert=True) for document in documents]
        try:
            collection.bulk_write(writes, ordered=False)
            return number
        except (BulkWriteError, DuplicateKeyError) as error:
            # another process has inserted the same id between the look and the insertion; or what is there is newer
            again = _check_duplicates(error) if isinstance(error, BulkWriteError) else range(len(documents))
            documents = [documents[place] for place in again]
            if unless_higher is not None:
                ids = [document["_id"] for document in documents]
                there = {
                    row["_id"]: row.get(unless_higher)
                    for row in collection.find({"_id": {"$in": ids}}, {unless_higher: 1})
                }
                documents = [
                    document for document in documents
                    if (there.get(document["_id"]) is None or there[document["_id"]] <= document[unless_higher])
                ]  # fmt: skip
            if not documents:
                return number
    raise StoreError("store: documents of one id are written over and over by other processes")


def _present(document: dict[str, Any], unless_higher: str | None) -> dict[str, Any]:
    own: dict[str, Any] = {"_id": document["_id"]}
    if unless_higher is None:
        return own
    return joined([own, {"$or": [{unless_higher: None}, {unless_higher: {"$lte": document[unless_higher]}}]}])


def _check_duplicates(error: BulkWriteError) -> list[int]:
    """The places of the documents whose id is there; any other error is raised."""
    errors = error.details.get("writeErrors", [])
    if error.details.get("writeConcernErrors") or any(one.get("code") != _DUPLICATE for one in errors):
        raise error
    return [int(one["index"]) for one in errors]


class Written(NamedTuple):
    """What has become of some documents."""

    number: int
    """The sum of what the writes gave."""
    left: list[dict[str, Any]]
    """Those that may not have been written."""
    error: Exception | None
    """What ended it."""


def write_all(documents: list[dict[str, Any]], write: Callable[[list[dict[str, Any]]], int]) -> Written:
    """Write many documents, two messages at once: a server has several cores, and waits for none that we encode.

    Args:
        documents: In any number.
        write: Sends one message; called in two threads.
    """
    size = min(MOST, max(FEWEST, (len(documents) + 1) // 2))
    parts = [documents[start : start + size] for start in range(0, len(documents), size)]
    counts: dict[int, int] = {}
    errors: dict[int, Exception] = {}
    is_over = threading.Event()

    def work(first: int) -> None:
        for place in range(first, len(parts), 2):
            if is_over.is_set():
                return
            try:
                counts[place] = write(parts[place])
            except Exception as error:
                errors[place] = error
                is_over.set()

    # a daemon: an interrupt of this thread must not wait for the server's answer to the other
    other = threading.Thread(target=work, args=(1,), daemon=True) if len(parts) > 1 else None
    try:
        if other is not None:
            other.start()
        work(0)
        if other is not None:
            other.join()
    finally:
        is_over.set()
    left = [document for place, part in enumerate(parts) if place not in counts for document in part]
    return Written(sum(counts.values()), left, errors[min(errors)] if errors else None)
