"""What the MongoDB backend reads: documents by id, sorted and filtered pages, iterations, counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from ninefold.store.arguments import NO_PROPERTIES, NOTHING, Condition, Properties
from ninefold.store.conditions import Page, fields_of, queryable, values_at
from ninefold.store.mongo_connection import Connection, Result
from ninefold.store.mongo_plans import FEW, SCANNED, indexed_conditions, ordered_index, prefix_pipeline, rare_index
from ninefold.store.mongo_queries import (
    MOST_ROWS,
    Part,
    Query,
    joined,
    parts_of,
    pipeline,
    projection_of,
    restored,
    where,
)
from ninefold.store.store import page_size


class MongoReads(ABC):
    """The reading half of `MongoStore`."""

    def __init__(self) -> None:
        self._indexes: dict[str, set[str]] = {}

    @abstractmethod
    def _own(self) -> Connection:
        """The connection, where it may be used."""

    def read_documents(self, collection: str, ids: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """See `Store.read_documents`."""
        query = where(collection, None, {"id": ids})
        for row in self._retried(partial(_all, self._collection(collection), query)):
            yield row["_id"], restored(row)

    def read_page(self, page: Page) -> list[dict[str, Any]]:
        """See `Store.read_page`."""
        collection, fields = page.collection, page.fields
        filter = where(collection, page.filter, NOTHING, None, page.properties)
        rest = where(collection, None, page.equal, page.after)
        projection = None if fields is None else projection_of(fields, page.known)
        most = MOST_ROWS if page.limit is None else min(page.limit, MOST_ROWS)
        rows = []
        if page.sort and 0 < most < SCANNED and not page.offset:
            rows = self._begin(collection, parts_of(rest, page.sort)[0], filter, projection, most)
        if len(rows) < most:
            parts = parts_of(joined([filter, rest]), page.sort)
            offset, hint = min(page.offset, MOST_ROWS), self._fewest(collection, filter) if page.sort else None
            rows = self._rows(collection, parts, projection, offset, most, hint, is_limited=page.limit is not None)
        documents = [restored(row) for row in rows]
        return documents if fields is None else [values_at(document, fields, page.known) for document in documents]

    def _begin(
        self, collection: str, part: Part, filter: Query, projection: dict[str, int] | None, most: int
    ) -> list[dict[str, Any]]:
        """As many documents as wanted, where those at the beginning of an index are enough; else fewer."""
        index = ordered_index(collection, part.query, part.sort)
        if part.flags or rare_index(collection, filter) or rare_index(collection, part.query):
            return []
        if index is None or index not in self._index_names(collection):
            return []
        stages = prefix_pipeline(part.query, part.sort, filter, projection, most)
        return self._retried(lambda: list(self._collection(collection).aggregate(stages, hint=index)))

    def _fewest(self, collection: str, filter: Query) -> str | None:
        """The index whose range within a filter has the fewest documents of this store, if that is few."""
        fewest, best = FEW, None
        for index, condition in indexed_conditions(collection, filter):
            if index in self._index_names(collection):
                count = partial(self._collection(collection).count_documents, condition, limit=fewest + 1, hint=index)
                if (number := self._retried(count)) <= fewest:
                    fewest, best = max(number, 1), index
        return best

    def _rows(
        self, collection: str, parts: Sequence[Part], projection: dict[str, int] | None, skip: int, most: int,
        few: str | None, *, is_limited: bool,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """The documents of parts that follow one another, read by the index `few` where no other is rarer."""
        rows: list[dict[str, Any]] = []
        for place, part in enumerate(parts):
            if len(rows) == most:
                break
            # 0 would be no limit
            wanted = most - len(rows) if is_limited else 0
            hint = rare_index(collection, part.query)
            if hint is None or hint not in self._index_names(collection):
                hint = few

            def read(part: Part = part, skip: int = skip, wanted: int = wanted, hint: str | None = hint) -> Any:
                found = self._collection(collection)
                if part.flags:
                    stages = pipeline(part, projection, skip, wanted)
                    options: dict[str, Any] = {"hint": hint} if hint else {}
                    return list(found.aggregate(stages, allowDiskUse=True, **options))
                return list(found.find(part.query, projection, sort=part.sort, skip=skip, limit=wanted, hint=hint))

            new = self._retried(read)
            rows += new
            if skip and place < len(parts) - 1:
                there = skip + len(new) if new else self._number(collection, part.query)
                skip = max(0, skip - there)
        return rows

    def _index_names(self, collection: str) -> set[str]:
        """Of the indexes that are there; asked for once."""
        if collection not in self._indexes:
            found = self._retried(lambda: self._collection(collection).index_information())
            self._indexes[collection] = set(found)
        return self._indexes[collection]

    def iterate(
        self,
        collection: str,
        filter: str | None = None,
        *,
        equal: Mapping[str, Condition] = NOTHING,
        fields: Sequence[str] | None = None,
        page: int | None = None,
        properties: Properties = NO_PROPERTIES,
    ) -> Iterator[dict[str, Any]]:
        """See `Store.iterate`; one cursor sorts once, and where it is lost another begins behind what came."""
        size = page or page_size(fields)
        known = queryable(collection, properties)
        keys = None if fields is None else list(dict.fromkeys(["id", *fields]))
        projection = None if keys is None else projection_of(keys, known)
        cursor, after = None, None

        def read() -> list[dict[str, Any]]:
            nonlocal cursor
            if cursor is None:
                query = where(collection, filter, equal, after, properties)
                cursor = self._collection(collection).find(query, projection, sort=[("_id", 1)], batch_size=size)
            try:
                return list(islice(cursor, size))
            except PyMongoError:
                cursor = None
                raise

        try:
            while rows := self._retried(read):
                after = rows[-1]["_id"]
                for row in rows:
                    document = restored(row)
                    yield document if keys is None else values_at(document, keys, known)
        finally:
            if cursor is not None:
                cursor.close()

    def count(self, collection: str, filter: str | None = None, *, equal: Mapping[str, Condition] = NOTHING) -> int:
        """See `Store.count`."""
        fields_of(collection)
        return self._number(collection, where(collection, filter, equal))

    def _collection(self, name: str) -> Collection[dict[str, Any]]:
        return self._own().database[name]

    def _retried(self, action: Callable[[], Result]) -> Result:
        return self._own().retried(action)

    def _number(self, collection: str, query: dict[str, Any]) -> int:
        return self._retried(lambda: self._collection(collection).count_documents(query))


def _all(collection: Collection[dict[str, Any]], query: dict[str, Any]) -> list[dict[str, Any]]:
    return list(collection.find(query))
