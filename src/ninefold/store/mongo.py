"""The store as a database of a MongoDB server, for the many hosts of a group.

Collections and documents are those of every store, readable with MongoDB's own tools: see `mongo_queries.stored`. It
uses no transactions, no collations and no change streams, so that FerretDB serves as well as MongoDB. Every write may
be done twice: ids are those of the content, a document that is replaced is compared first, so that a lost answer is
asked for again.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from ninefold.errors import InputError, shown
from ninefold.store.arguments import Condition, RecordLike, Scalar, check_lease_name
from ninefold.store.conditions import expected_values, fields_of
from ninefold.store.locate import ENVIRONMENT, LOGIN_ENVIRONMENT, store_place
from ninefold.store.mongo_address import check_address, with_login
from ninefold.store.mongo_blobs import MongoBlobs
from ninefold.store.mongo_connection import Connection, NoAnswerError, connection_to
from ninefold.store.mongo_lease import MongoLease, held, holder, progress_of
from ninefold.store.mongo_queries import WRITE_MARK, expected_query, restored, stored, where
from ninefold.store.mongo_reads import MongoReads
from ninefold.store.mongo_schema import begin_filling, end_filling, missing_indexes, prepare, state
from ninefold.store.mongo_writes import Written, inserted, replaced, write_all
from ninefold.store.schema import FACTS, REVISIONS
from ninefold.store.state import StoreState
from ninefold.store.store import EXECUTOR, Mode, Store, StoreError
from ninefold.store.undelivered import deliver, keep

__all__ = ["MongoStore", "check_address", "connection_of", "open_address", "state_of"]


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


class MongoStore(MongoReads, Store):
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
        super().__init__()
        self._mode, self._process, self._is_closed = mode, os.getpid(), False
        self._connection = connection_to(address)
        self.blobs = MongoBlobs(self._own, self._check_writable)
        self._place = store_place(address)
        try:
            prepare(self._connection, mode)
            if mode == "write":
                deliver(self._place, partial(self._insert, keeps=False))
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
        return self._insert(collection, records)

    def _insert(self, collection: str, records: Iterable[RecordLike], *, keeps: bool = True) -> int:
        fields_of(collection)
        documents: dict[str, dict[str, Any]] = {}
        for record in records:
            document = stored(record.model_dump_json())
            documents.setdefault(document["_id"], document)
        self._check_writable()
        found = self._collection(collection)
        done = write_all(list(documents.values()), lambda part: self._retried(partial(inserted, found, part)))
        self._check_written(done, collection, keeps=keeps and collection in FACTS)
        return done.number

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
        found = self._collection(collection)
        done = write_all(
            list(documents.values()), lambda part: self._retried(partial(replaced, found, part, unless_higher))
        )
        self._check_written(done, collection, keeps=False)

    def _check_written(self, done: Written, collection: str, *, keeps: bool) -> None:
        if isinstance(done.error, NoAnswerError):
            raise self._not_stored(done.error, collection, done.left, keeps=keeps) from done.error
        if done.error is not None:
            raise done.error

    def _not_stored(
        self, error: NoAnswerError, collection: str, documents: list[dict[str, Any]], *, keeps: bool
    ) -> InputError:
        """What a write could not do, and where it is kept."""
        number, first = len(documents), shown(documents[0]["_id"])
        file = keep(self._place, collection, [json.dumps(restored(each)) for each in documents]) if keeps else None
        told = (
            f"kept in {file}, from which the next run on this store stores them" if file is not None
            else "lost, as no file can be written for them; a further run computes them anew" if keeps
            else "a further run makes them anew"
        )  # fmt: skip
        problem = f"{error.problem}; not stored: {number} of {collection}, {first} the first: {told}"
        return InputError("store", self.location, problem=problem, hint=error.hint)

    def delete_matching(self, collection: str, filter: str | None, equal: Mapping[str, Condition]) -> int:
        """See `Store.delete_matching`. After a lost answer, what it had deleted does not count."""
        query = where(collection, filter, equal)
        self._check_writable()
        return self._retried(lambda: self._collection(collection).delete_many(query).deleted_count)

    @contextmanager
    def lease(self, name: str, purpose: str) -> Iterator[MongoLease]:
        """See `Store.lease`."""
        check_lease_name(name)
        self._check_writable()
        with held(self._own(), name, purpose) as lease:
            yield lease

    def lease_holder(self, name: str = EXECUTOR) -> str | None:
        """See `Store.lease_holder`."""
        check_lease_name(name)
        found = holder(self._own(), name)
        return None if found is None else str(found["holder"])

    def lease_progress(self, name: str = EXECUTOR) -> dict[str, Any]:
        """See `Store.lease_progress`."""
        check_lease_name(name)
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

    def _check_writable(self) -> None:
        if self._mode == "read":
            raise InputError("store", self.location, problem="cannot be written: it is open for reading")
        for lease in self._own().leases:
            lease.check()
