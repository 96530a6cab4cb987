"""The store as one SQLite file: write-ahead log, one table per collection.

A row is a document as JSON, with the fields that queries know beside it in columns of their own: a
scan of 100 000 documents that no index covers then takes 25 ms instead of 400 (the JSON is not
touched), and numbers come back to the last bit. The columns stand before the document, because SQLite
reads a row from the front.

For one host: the write-ahead log needs shared memory, so not for NFS or Lustre. `synchronous=FULL`
means that what `put` has returned from survives a power cut, not only a killed process; it costs 2 ms a
call here, where a relaxation takes seconds.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ninefold.errors import description
from ninefold.store import schema
from ninefold.store.arguments import NOTHING, Condition, RecordLike, Scalar, check_lease_name
from ninefold.store.blobs import FolderBlobs, blob_folder
from ninefold.store.conditions import Page, expected_values, fields_of, values_at
from ninefold.store.locking import Lock, exclusive, holder, progress_of
from ninefold.store.sqlite_file import check_address, connected, explained, state, transaction
from ninefold.store.sqlite_queries import (
    MOST_ROWS,
    insertion,
    order,
    quoted,
    replacement,
    row,
    selected,
    values_of,
    where,
)
from ninefold.store.sqlite_upgrade import (
    damaged,
    mark_finished,
    mark_unfinished,
    missing_indexes,
    parsed_document,
    source_of,
)
from ninefold.store.state import StoreState, not_empty, of_another_source
from ninefold.store.store import EXECUTOR, Mode, Store, StoreError

__all__ = ["SQLiteStore", "check_address", "open_address", "state_of"]

_inherited: list[sqlite3.Connection] = []
"""Connections that a forked process has from its parent: closing one would end the parent's transactions."""


def open_address(address: str, mode: Mode) -> Store:
    """See `ninefold.store.open_store`."""
    return SQLiteStore(Path(address), mode)


def state_of(address: str) -> StoreState:
    """See `ninefold.store.locate.store_state`."""
    return state(Path(address))


class SQLiteStore(Store):
    """See `Store`. Of several documents written by one call, all are there or none.

    Args:
        path: The file.
        mode: `read` never makes a file; `write` makes one where there is none. Both bring a file of an
            older ninefold up to date. `fill` makes one too, and takes one that holds nothing or is unfinished.

    Raises:
        InputError: if the file is missing (read), is no store of ours, is from a newer ninefold, or
            cannot be made or written.
        StoreError: if it is damaged, or another process holds it.
    """

    def __init__(self, path: Path, mode: Mode = "read") -> None:
        self._path, self._mode = path, mode
        self._process, self._thread = os.getpid(), threading.get_ident()
        self.blobs = FolderBlobs(blob_folder(path), is_read_only=mode == "read")
        self._connection = connected(path, mode, FolderBlobs(self.blobs.folder))

    @property
    def location(self) -> str:
        """Path of the file."""
        return str(self._path)

    def _own(self) -> sqlite3.Connection:
        """The connection, where it may be used: SQLite's locks are a process's, its cursors a thread's."""
        where = (
            "process" if os.getpid() != self._process
            else "thread" if threading.get_ident() != self._thread else None
        )  # fmt: skip
        if where is not None:
            raise StoreError(f"store: {str(self._path)!r} was opened in another {where}; open it in this one")
        return self._connection

    def put(self, collection: str, records: Iterable[RecordLike]) -> None:
        """See `Store.put`."""
        self._insert(collection, records, replaces=True)

    def insert(self, collection: str, records: Iterable[RecordLike]) -> int:
        """See `Store.insert`."""
        return self._insert(collection, records, replaces=False)

    def put_unless_newer(self, collection: str, records: Iterable[RecordLike]) -> None:
        """See `Store.put_unless_newer`."""
        self._insert(collection, records, replaces=True, unless_higher=schema.REVISIONS[collection])

    def _insert(
        self, collection: str, records: Iterable[RecordLike], *, replaces: bool, unless_higher: str | None = None
    ) -> int:
        statement = insertion(collection, replaces=replaces, unless_higher=unless_higher)
        rows = [row(collection, record.model_dump_json()) for record in records]
        if not rows:
            return 0
        with transaction(self._own(), self._path) as connection:
            before = connection.total_changes
            connection.executemany(statement, rows)
            return connection.total_changes - before

    def replace(self, collection: str, record: RecordLike, expected: Mapping[str, Scalar]) -> bool:
        """See `Store.replace`."""
        statement = replacement(collection, record.model_dump_json(), expected_values(collection, expected))
        with transaction(self._own(), self._path) as connection:
            return connection.execute(*statement).rowcount == 1

    def read_documents(self, collection: str, ids: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """See `Store.read_documents`."""
        marks = ", ".join("?" * len(ids))
        for identifier, text in self._read(f'SELECT id, doc FROM "{collection}" WHERE id IN ({marks})', ids):
            yield identifier, parsed_document(text, collection, self._path)

    def read_page(self, page: Page) -> list[dict[str, Any]]:
        """See `Store.read_page`."""
        collection, known, fields = page.collection, page.known, page.fields
        condition = where(collection, page.filter, page.equal, page.after, page.properties)
        # what stands in columns is read from there; anything nested needs the document
        wanted = [known[field] for field in fields or () if field in known]
        is_known = bool(fields) and len(wanted) == len(fields or ())
        limit = -1 if page.limit is None else min(page.limit, MOST_ROWS)
        rows = self._read(
            f'SELECT {selected(wanted) if is_known else "doc"} FROM "{collection}" WHERE {condition.sql} '
            f"ORDER BY {order(page.sort)} LIMIT ? OFFSET ?",
            (*condition.parameters, limit, min(page.offset, MOST_ROWS)),
        )
        if is_known:
            try:
                return [values_of(wanted, columns) for columns in rows]
            except (ValueError, TypeError, RecursionError) as error:
                raise damaged(self._path, collection, description(error)) from error
        documents = [parsed_document(text, collection, self._path) for (text,) in rows]
        return documents if fields is None else [values_at(document, fields, known) for document in documents]

    def count(self, collection: str, filter: str | None = None, *, equal: Mapping[str, Condition] = NOTHING) -> int:
        """See `Store.count`."""
        condition = where(collection, filter, equal)
        [(number,)] = self._read(f'SELECT count(*) FROM "{collection}" WHERE {condition.sql}', condition.parameters)
        return int(number)

    def delete_matching(self, collection: str, filter: str | None, equal: Mapping[str, Condition]) -> int:
        """See `Store.delete_matching`."""
        condition = where(collection, filter, equal)
        with transaction(self._own(), self._path) as connection:
            cursor = connection.execute(f'DELETE FROM "{collection}" WHERE {condition.sql}', condition.parameters)
            return cursor.rowcount

    @contextmanager
    def lease(self, name: str, purpose: str) -> Iterator[Lock]:
        """See `Store.lease`; the kernel frees it when the process ends, however it ends."""
        with exclusive(self._beside(name), purpose) as lock:
            yield lock

    def lease_holder(self, name: str = EXECUTOR) -> str | None:
        """See `Store.lease_holder`."""
        return holder(self._beside(name))

    def lease_progress(self, name: str = EXECUTOR) -> dict[str, Any]:
        """See `Store.lease_progress`."""
        return progress_of(self._beside(name))

    def _beside(self, lease: str) -> Path:
        """What a lease locks: the store itself for the executor's."""
        check_lease_name(lease)
        path = self._path.resolve()
        return path if lease == EXECUTOR else path.with_name(f"{path.name}.{lease}")

    def begin_filling(self, source: str) -> bool:
        """See `Store.begin_filling`."""
        with transaction(self._own(), self._path) as connection:
            there = source_of(connection)
            if there is not None and there != source:
                raise of_another_source(self.location, there, source)
            if there is None:
                held = sum(self.count(collection) for collection in schema.COLLECTIONS)
                if held or (held := sum(1 for _ in self.blobs.names())):
                    raise not_empty(self.location, held)
                mark_unfinished(connection, source)
            return there is not None

    def end_filling(self) -> None:
        """See `Store.end_filling`."""
        with transaction(self._own(), self._path) as connection:
            mark_finished(connection)

    def missing_indexes(self) -> list[str]:
        """See `Store.missing_indexes`."""
        try:
            return list(missing_indexes(self._own()))
        except sqlite3.DatabaseError as error:
            raise explained(error, self._path) from error

    def damage(self) -> StoreError | None:
        """See `Store.damage`."""
        for collection in schema.COLLECTIONS:
            columns = quoted([*fields_of(collection), "doc"])
            for stored in self._rows(f'SELECT {columns} FROM "{collection}"'):
                try:
                    parsed_document(stored[-1], collection, self._path)
                except StoreError as error:
                    return error
                if stored != row(collection, stored[-1]):
                    return damaged(self._path, collection, "its columns are not what it holds", stored[0])
        return None

    def close(self) -> None:
        """See `Store.close`."""
        if os.getpid() != self._process:
            _inherited.append(self._connection)
        else:
            self._connection.close()

    def _read(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        try:
            return self._own().execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise explained(error, self._path) from error

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._own().execute(sql)
        except sqlite3.DatabaseError as error:
            raise explained(error, self._path) from error
