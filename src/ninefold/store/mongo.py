"""The store as a database of a MongoDB server, for the many hosts of a group.

Collections and documents are those of every store, readable with MongoDB's own tools: see `mongo_queries.stored`. It
uses no transactions, no collations and no change streams, so that FerretDB serves as well as MongoDB. Every write may
be done twice: ids are those of the content, a document that is replaced is compared first, so that a lost answer is
asked for again.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pymongo.collection import Collection

from ninefold.errors import InputError
from ninefold.store import undelivered
from ninefold.store.conditions import expected_values, fields_of, queryable
from ninefold.store.locate import ENVIRONMENT, LOGIN_ENVIRONMENT
from ninefold.store.mongo_address import check_address, with_login
from ninefold.store.mongo_blobs import MongoBlobs
from ninefold.store.mongo_connection import Connection, connection_to
from ninefold.store.mongo_lease import MongoLease, held, holder, progress_of
from ninefold.store.mongo_queries import (
    MOST_ROWS,
    WRITE_MARK,
    expected_query,
    parts_of,
    pipeline,
    projection_of,
    restored,
    stored,
    values_of,
    where,
)
from ninefold.store.mongo_schema import begin_filling, end_filling, missing_indexes, prepare, state
from ninefold.store.mongo_writes import BATCH, batches, documents_of, inserted, replaced
from ninefold.store.schema import FACTS, REVISIONS
from ninefold.store.state import StoreState
from ninefold.store.store import (
    EXECUTOR,
    NO_PROPERTIES,
    NOTHING,
    Condition,
    Mode,
    Order,
    Properties,
    RecordLike,
    Scalar,
    Store,
    StoreError,
)

if TYPE_CHECKING:
    from ninefold.store.spool import Spool

__all__ = ["MongoStore", "check_address", "connection_of", "open_address", "state_of"]

Result = TypeVar("Result")


def open_address(address: str, mode: Mode) -> Store:
    """See `ninefold.store.open_store`."""
    offered = (os.environ.get(name) for name in (LOGIN_ENVIRONMENT, ENVIRONMENT))
    return MongoStore(with_login(address, *offered), mode)


def connection_of(store: Store) -> Connection:
    """The connection of a store on a server, for what an executor keeps in the same database.

    Raises:
        InputError: if it is a file.
    """
    if not isinstance(store, MongoStore):
        raise InputError("store", store.location, problem="is on no server", allowed="mongodb://HOST:PORT/DATABASE")
    return store._own()


def state_of(address: str) -> StoreState:
    """See `ninefold.store.locate.store_state`."""
    offered = (os.environ.get(name) for name in (LOGIN_ENVIRONMENT, ENVIRONMENT))
    connection = Connection(with_login(address, *offered))
    try:
        return state(connection)
    finally:
        connection.client.close()


class MongoStore(Store):
    """See `Store`. Of several documents written by one call, those before an error may be there without the others.

    Args:
        address: Of server and database, with the login that it needs.
        mode: `read` writes nothing; `write` makes a store of an empty database, as `fill` does, which takes an
            unfinished one too.

    Raises:
        InputError: if the server cannot be reached or refuses, there is no store (read), or the database is another's
            or of another version.
    """

    def __init__(self, address: str, mode: Mode = "read") -> None:
        self._mode, self._process, self._is_closed = mode, os.getpid(), False
        self._connection = connection_to(address)
        self.blobs = MongoBlobs(self._own, self._check_writable)
        try:
            prepare(self._connection, mode)
        except BaseException:
            self._connection.close()
            raise

    @property
    def location(self) -> str:
        """The address without its login."""
        return self._connection.place

    def put(self, collection: str, records: Iterable[RecordLike]) -> None:
        """See `Store.put`."""
        self._replace_all(collection, records)

    def put_unless_newer(self, collection: str, records: Iterable[RecordLike]) -> None:
        """See `Store.put_unless_newer`; a document that is newer refuses the upsert as one of the same id."""
        self._replace_all(collection, records, unless_higher=REVISIONS[collection])

    def insert(self, collection: str, records: Iterable[RecordLike]) -> int:
        """See `Store.insert`. After a lost answer, what it had inserted counts as there before."""
        fields_of(collection)
        texts = {record.id: record.model_dump_json() for record in reversed(list(records))}
        documents = [stored(text) for text in reversed(texts.values())]
        self._check_writable()

        def write() -> int:
            return sum(
                self._retried(partial(inserted, self._collection(collection), part)) for part in batches(documents)
            )

        def keep(spool: Spool) -> int:
            spool.add("insert", collection, {"documents": list(texts.values())})
            return 0

        return undelivered.instead(write, keep) if collection in FACTS else write()

    def replace(self, collection: str, record: RecordLike, expected: Mapping[str, Scalar]) -> bool:
        """See `Store.replace`; the mark tells this call's own replacement where its answer was lost."""
        values = expected_values(collection, expected)
        document, mark = stored(record.model_dump_json()), uuid.uuid4().hex
        document[WRITE_MARK] = mark
        own = {"_id": document["_id"], WRITE_MARK: mark}
        query = expected_query(collection, document["_id"], values)
        self._check_writable()
        attempts = 0

        def swap() -> bool:
            nonlocal attempts
            attempts += 1
            found = self._collection(collection)
            if attempts > 1 and found.find_one(own, {"_id": 1}) is not None:
                return True
            return found.replace_one(query, document).matched_count == 1

        return self._retried(swap)

    def _replace_all(self, collection: str, records: Iterable[RecordLike], unless_higher: str | None = None) -> None:
        fields_of(collection)
        documents: dict[str, dict[str, Any]] = {}
        for record in records:
            document = stored(record.model_dump_json())
            kept = documents.get(document["_id"])
            if kept is None or unless_higher is None or kept[unless_higher] <= document[unless_higher]:
                documents[document["_id"]] = document
        self._check_writable()
        for part in batches(list(documents.values())):
            self._retried(partial(replaced, self._collection(collection), part, unless_higher))

    def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See `Store.get_many`."""
        fields_of(collection)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), BATCH):
            query = where(collection, None, {"id": ids[start : start + BATCH]})
            rows = self._retried(partial(documents_of, self._collection(collection), query))
            found.update((row["_id"], restored(row)) for row in rows)
        return found

    def find(
        self,
        collection: str,
        filter: str | None = None,
        *,
        equal: Mapping[str, Condition] = NOTHING,
        after: str | None = None,
        sort: Sequence[Order] = (),
        fields: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        properties: Properties = NO_PROPERTIES,
    ) -> list[dict[str, Any]]:
        """See `Store.find`."""
        if after is not None and sort:
            raise ValueError("pages by key are in the order of the ids: give after or sort")
        known = queryable(collection, properties)
        query = where(collection, filter, equal, after, properties)
        projection = None if fields is None else projection_of(fields, known)
        most = MOST_ROWS if limit is None else min(limit, MOST_ROWS)
        skip, rows = min(offset, MOST_ROWS), list[dict[str, Any]]()
        parts = parts_of(collection, query, sort, properties)
        for place, part in enumerate(parts):
            if len(rows) == most:
                break
            # 0 would be no limit
            wanted = 0 if limit is None else most - len(rows)

            def read(part: Any = part, skip: int = skip, wanted: int = wanted) -> list[dict[str, Any]]:
                found = self._collection(collection)
                if part.flags:
                    return list(found.aggregate(pipeline(part, projection, skip, wanted), allowDiskUse=True))
                return list(found.find(part.query, projection, sort=part.sort, skip=skip, limit=wanted))

            new = self._retried(read)
            rows += new
            if skip and place < len(parts) - 1:
                there = skip + len(new) if new else self._number(collection, part.query)
                skip = max(0, skip - there)
        documents = [restored(row) for row in rows]
        return documents if fields is None else [values_of(document, fields, known) for document in documents]

    def count(self, collection: str, filter: str | None = None, *, equal: Mapping[str, Condition] = NOTHING) -> int:
        """See `Store.count`."""
        fields_of(collection)
        return self._number(collection, where(collection, filter, equal))

    def delete(self, collection: str, filter: str | None = None, *, equal: Mapping[str, Condition] = NOTHING) -> int:
        """See `Store.delete`. After a lost answer, what it had deleted does not count."""
        if not (filter and filter.strip()) and not equal:
            raise ValueError("deletes everything: give a filter or values")
        query = where(collection, filter, equal)
        self._check_writable()
        return self._retried(lambda: self._collection(collection).delete_many(query).deleted_count)

    @contextmanager
    def lease(self, name: str, purpose: str) -> Iterator[MongoLease]:
        """See `Store.lease`."""
        _check_lease_name(name)
        self._check_writable()
        with held(self._own(), name, purpose) as lease:
            yield lease

    def lease_holder(self, name: str = EXECUTOR) -> str | None:
        """See `Store.lease_holder`."""
        _check_lease_name(name)
        found = holder(self._own(), name)
        return None if found is None else str(found["holder"])

    def lease_progress(self, name: str = EXECUTOR) -> dict[str, Any]:
        """See `Store.lease_progress`."""
        _check_lease_name(name)
        return progress_of(holder(self._own(), name))

    def begin_filling(self, source: str) -> bool:
        """See `Store.begin_filling`."""
        self._check_writable()
        return begin_filling(self._own(), source)

    def end_filling(self) -> None:
        """See `Store.end_filling`."""
        self._check_writable()
        end_filling(self._own())

    def missing_indexes(self) -> list[str]:
        """See `Store.missing_indexes`."""
        return self._own().once(lambda: missing_indexes(self._own()))

    def close(self) -> None:
        """See `Store.close`."""
        if not self._is_closed and os.getpid() == self._process:
            self._connection.close()
        self._is_closed = True

    def _own(self) -> Connection:
        """The connection, where it may be used: sockets are shared with a forked process, locks are copied."""
        if os.getpid() != self._process:
            raise StoreError(f"store: {self.location!r} was opened in another process; open it in this one")
        if self._is_closed:
            raise StoreError(f"store: {self.location!r} is closed")
        return self._connection

    def _collection(self, name: str) -> Collection[dict[str, Any]]:
        return self._own().database[name]

    def _retried(self, action: Callable[[], Result]) -> Result:
        return self._own().retried(action)

    def _number(self, collection: str, query: dict[str, Any]) -> int:
        return self._retried(lambda: self._collection(collection).count_documents(query))

    def _check_writable(self) -> None:
        if self._mode == "read":
            raise InputError("store", self.location, problem="cannot be written: it is open for reading")
        for lease in self._own().leases:
            lease.check()


def _check_lease_name(name: str) -> None:
    if not re.fullmatch("[a-z_]+", name):
        raise ValueError(f"a lease's name has small letters only, and {name!r} has others")
