"""The store as one SQLite file: write-ahead log, one JSON column, indexes on what queries ask for.

For one host: the write-ahead log needs shared memory, so not for NFS or Lustre. `synchronous=FULL`
means that what `put` has returned from survives a power cut, not only a killed process.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from ninefold.chemistry.quantities import QUANTITIES
from ninefold.errors import InputError
from ninefold.store.filters import column, to_sql
from ninefold.store.repository import DocumentLike, Order, StoreError
from ninefold.store.schema import SCHEMA_VERSION

COLLECTIONS = ("campaigns", "funnel", "candidates", "references", "results")
INDEXED = {
    "candidates": (
        "campaign", "rank", "e_above_hull", "formula", "chemical_system", "centre", "n", "score", "status",
        "space_group_number",
    ),
    "references": ("campaign",),
    "funnel": ("campaign",),
    "results": ("campaign",),
    "campaigns": (),
}  # fmt: skip
"""Collection -> fields with an index."""
BUSY_SECONDS = 60.0
"""How long a writer waits for another."""
_ORDERS = {"asc": "ASC", "desc": "DESC"}
_APPLICATION_ID = 0x6E696E65
"""'nine': tells our files from other SQLite files."""


class SQLiteRepository:
    """See `ninefold.store.repository.Repository`.

    Args:
        path: The file.
        mode: `read` never makes a file; `write` makes one where there is none.

    Raises:
        InputError: if the file is missing (read), is no store of ours, is from a newer ninefold, or
            cannot be made or written.
    """

    def __init__(self, path: Path, mode: Literal["read", "write"] = "read") -> None:
        self._path, self._mode = path, mode
        if mode == "read" and not path.is_file():
            raise InputError(
                "store", str(path), problem="does not exist",
                hint="'ninefold run CAMPAIGN' makes one; --store or NINEFOLD_STORE names another",
            )  # fmt: skip
        if not path.parent.is_dir():
            raise InputError(
                "store", str(path), problem="lies in a folder that does not exist", hint=f"mkdir -p {path.parent}"
            )
        try:
            try:
                self._connect("")
            except sqlite3.OperationalError as error:
                # reading a write-ahead log makes files beside it; a finished store in a read-only folder has no log
                has_log = path.with_name(f"{path.name}-wal").exists()
                if mode == "write" or has_log or "locked" in str(error):
                    raise
                self._connect("?immutable=1")
        except sqlite3.DatabaseError as error:
            raise _explained(error, path) from error

    def _connect(self, options: str) -> None:
        address = self._path.resolve().as_uri() + options
        self._connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        self._prepare()

    @property
    def location(self) -> str:
        """Path of the file."""
        return str(self._path)

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA case_sensitive_like=ON")  # Re is not re
        # tables first: where another process is making the store, they come together with their identity
        is_empty = run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        application, version = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
        if not is_empty and application != _APPLICATION_ID:
            raise InputError("store", str(self._path), problem="is an SQLite file, but not one of ninefold's")
        if version > SCHEMA_VERSION:
            raise InputError(
                "store", str(self._path), problem=f"has schema version {version}, written by a newer ninefold",
                allowed=f"up to {SCHEMA_VERSION}", hint="pip install --upgrade ninefold",
            )  # fmt: skip
        if self._mode == "read":
            if is_empty:
                raise InputError("store", str(self._path), problem="is empty", hint="'ninefold run CAMPAIGN' fills it")
            run("PRAGMA query_only=ON")
            return
        self._use_write_ahead_log()
        run("PRAGMA synchronous=FULL")
        if not is_empty:
            return
        with self._transaction():
            # another process may have been first
            if run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return
            for name in COLLECTIONS:
                run(f'CREATE TABLE "{name}" (id TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID')
                for field in INDEXED[name]:
                    run(f'CREATE INDEX "{name}_{field}" ON "{name}" ({column(field)})')
            run(f"PRAGMA application_id={_APPLICATION_ID}")
            run(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _use_write_ahead_log(self) -> None:
        # SQLite does not wait here for another process that does the same
        last = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > last:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._roll_back()
            raise _explained(error, self._path) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def put(self, collection: str, documents: Iterable[DocumentLike]) -> None:
        """See `Repository.put`."""
        rows = [(document.id, document.model_dump_json()) for document in documents]
        if rows:
            with self._transaction():
                self._connection.executemany(
                    f'INSERT INTO "{_checked(collection)}" VALUES (?, ?) '
                    "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
                    rows,
                )

    def get(self, collection: str, id: str) -> dict[str, Any] | None:
        """See `Repository.get`."""
        return self.get_many(collection, [id]).get(id)

    def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See `Repository.get_many`."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), 500):  # SQLite's limit on parameters is 999 in old builds
            part = list(ids[start : start + 500])
            marks = ", ".join("?" * len(part))
            rows = self._read(f'SELECT id, doc FROM "{_checked(collection)}" WHERE id IN ({marks})', tuple(part))
            found.update((identifier, json.loads(text)) for identifier, text in rows)
        return found

    def find(
        self,
        collection: str,
        filter: str | None = None,
        *,
        sort: Sequence[Order] = (),
        fields: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """See `Repository.find`."""
        where = to_sql(filter)
        orders = []
        for field, direction in sort:
            key = field.removeprefix("_ninefold_")
            if key not in QUANTITIES or direction not in _ORDERS:
                raise InputError("sort", field, problem="cannot be sorted by", allowed=", ".join(QUANTITIES))
            orders.append(f"{column(key)} {_ORDERS[direction]} NULLS LAST")
        rows = self._read(
            f'SELECT doc FROM "{_checked(collection)}" WHERE {where.sql} '
            f"ORDER BY {', '.join([*orders, 'id'])} LIMIT ? OFFSET ?",
            (*where.parameters, -1 if limit is None else limit, offset),
        )
        documents = (json.loads(text) for (text,) in rows)
        if fields is None:
            return list(documents)
        return [{field: document.get(field) for field in fields} for document in documents]

    def count(self, collection: str, filter: str | None = None) -> int:
        """See `Repository.count`."""
        where = to_sql(filter)
        [(number,)] = self._read(f'SELECT count(*) FROM "{_checked(collection)}" WHERE {where.sql}', where.parameters)
        return int(number)

    def delete(self, collection: str, filter: str) -> int:
        """See `Repository.delete`."""
        where = to_sql(filter)
        with self._transaction():
            cursor = self._connection.execute(
                f'DELETE FROM "{_checked(collection)}" WHERE {where.sql}', where.parameters
            )
        return cursor.rowcount

    def close(self) -> None:
        """See `Repository.close`."""
        self._connection.close()

    def _read(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise _explained(error, self._path) from error

    def __enter__(self) -> SQLiteRepository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _checked(collection: str) -> str:
    if collection not in COLLECTIONS:
        raise KeyError(collection)
    return collection


def _explained(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """SQLite's complaint as one of ours: whose mistake it is decides the exit code."""
    message = str(error)
    if "not a database" in message or "malformed" in message:
        return InputError(
            "store",
            str(path),
            problem=f"is not an SQLite file or is damaged ({message})",
            hint="restore a copy, or name another with --store",
        )
    if "unable to open" in message or "readonly" in message or "read-only" in message:
        return InputError(
            "store", str(path), problem=f"cannot be written ({message})", hint="name another with --store"
        )
    if any(words in message for words in ("too large", "too complex", "too many", "stack overflow")):
        return InputError("filter", "...", problem=f"is too long ({message})", hint="split it")
    if "full" in message:
        return InputError(
            "store",
            str(path),
            problem="cannot grow: the disk is full",
            hint="free some space, then 'ninefold resume'; nothing acknowledged is lost",
        )
    if "locked" in message:
        return StoreError(
            f"store: {str(path)!r} is held by another process for more than {BUSY_SECONDS:.0f} s; "
            "try again, then 'ninefold resume'"
        )
    if "disk I/O" in message:
        return StoreError(
            f"store: {str(path)!r} cannot be read or written ({message}); check the disk, then 'ninefold resume'"
        )
    return StoreError(f"store: {str(path)!r}: {message}")
