"""Writes of several documents to a collection of MongoDB, each of which may be done twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from ninefold.store.mongo_queries import joined
from ninefold.store.store import StoreError

BATCH = 1000
"""Documents sent at once."""
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
) -> None:
    """Insert or replace by id, except where a field of what is there is higher than in the new document."""
    for _ in range(_ATTEMPTS):
        writes = [ReplaceOne(_present(document, unless_higher), document, upsert=True) for document in documents]
        try:
            collection.bulk_write(writes, ordered=False)
            return
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
                return
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


def batches(documents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Documents in the numbers that are sent at once."""
    for start in range(0, len(documents), BATCH):
        yield documents[start : start + BATCH]
