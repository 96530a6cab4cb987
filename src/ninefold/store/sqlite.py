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

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal
from urllib.parse import quote

from ninefold.errors import InputError, NinefoldError, description, shown
from ninefold.models.quantities import Kind
from ninefold.store.migrations import MIGRATIONS
from ninefold.store.repository import DocumentLike, Order, StoreError
from ninefold.store.schema import COLLECTIONS, INDEXED, SCHEMA_VERSION

BUSY_SECONDS = 60.0
"""How long a writer waits for another."""
OLDEST_SQLITE = (3, 30)
"""The first that sorts NULLS LAST."""

_APPLICATION_ID = 0x6E696E65
"""'nine': tells our files from other SQLite files."""
_TYPES: dict[Kind, str] = {
    "string": "TEXT", "integer": "INTEGER", "float": "REAL", "boolean": "INTEGER", "list": "TEXT",
}  # fmt: skip
_READERS: dict[Kind, Callable[[Any], Any]] = {"boolean": bool, "list": json.loads}
"""Kind -> from a column's value to the document's, where they differ."""
_ORDERS = {"asc": "ASC", "desc": "DESC"}
_NOTHING: Mapping[str, str | int] = MappingProxyType({})
_MOST_ROWS = 2**62
"""SQLite's integers end at 2**63."""
_IDS_PER_QUERY = 500
"""Old builds allow 999 parameters."""


class SQLiteRepository:
    """See `ninefold.store.repository.Repository`.

    Args:
        path: The file.
        mode: `read` never makes a file; `write` makes one where there is none. Both bring a file of an
            older ninefold up to date.

    Raises:
        InputError: if the file is missing (read), is no store of ours, is from a newer ninefold, or
            cannot be made or written.
        StoreError: if it is damaged, or another process holds it.
    """

    def __init__(self, path: Path, mode: Literal["read", "write"] = "read") -> None:
        self._path, self._mode = path, mode
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise InputError(
                "store", str(path), problem=f"needs SQLite {'.'.join(map(str, OLDEST_SQLITE))}, "
                f"and this Python comes with {sqlite3.sqlite_version}", hint="use a Python from conda or uv",
            )  # fmt: skip
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
            self._connection = self._connect()
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.DatabaseError as error:
            raise _explained(error, path) from error

    @property
    def location(self) -> str:
        """Path of the file."""
        return str(self._path)

    def _connect(self) -> sqlite3.Connection:
        address = f"file:{quote(os.fsencode(self._path.absolute()))}"

        def connect(options: str) -> sqlite3.Connection:
            return sqlite3.connect(f"{address}?{options}", uri=True, timeout=BUSY_SECONDS, isolation_level=None)

        if self._mode == "write":
            # SQLite makes its files without write permission for the group, whatever the umask
            with contextlib.suppress(OSError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
            return connect("mode=rwc")
        connection = connect("mode=rw")
        try:
            connection.execute("PRAGMA schema_version")
        except sqlite3.OperationalError as error:
            connection.close()
            # in a folder that we may not write there is no place for the log's shared memory; without a
            # log nobody is writing either, and the file can be read as it stands
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
            log = self._path.with_name(f"{self._path.name}-wal")
            if os.access(self._path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
            return connect("immutable=1")
        return connection

    def _prepare(self) -> None:
        run = self._connection.execute
        # tables first: where another process is making the store, they come together with their identity
        is_empty = run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        application, version = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
        if not is_empty and application != _APPLICATION_ID:
            raise InputError(
                "store", str(self._path), problem="is an SQLite file, but not one of ninefold's",
                hint="name another with --store",
            )  # fmt: skip
        if version > SCHEMA_VERSION:
            raise InputError(
                "store", str(self._path), problem=f"has schema version {version}, written by a newer ninefold",
                allowed=f"up to {SCHEMA_VERSION}", hint="pip install --upgrade ninefold",
            )  # fmt: skip
        if self._mode == "read":
            if is_empty:
                raise InputError("store", str(self._path), problem="is empty", hint="'ninefold run CAMPAIGN' fills it")
            if not self._is_current():
                # an older ninefold's: whoever may write it brings it up to date, documents and all
                SQLiteRepository(self._path, "write").close()
            run("PRAGMA query_only=ON")
            return
        self._use_write_ahead_log()
        run("PRAGMA synchronous=FULL")
        with self._transaction():  # finds out at once whether we may write, and whether another was first
            if not self._is_current():
                self._bring_up_to_date()

    def _use_write_ahead_log(self) -> None:
        last = time.monotonic() + BUSY_SECONDS
        while True:  # SQLite does not wait here for another process that does the same
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                    raise
                time.sleep(0.01)

    def _is_current(self) -> bool:
        run = self._connection.execute
        if run("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            return False
        return all(self._columns(name) == [*fields, "doc"] for name, fields in COLLECTIONS.items())

    def _columns(self, collection: str) -> list[str]:
        return [row[1] for row in self._connection.execute(f'PRAGMA table_info("{collection}")')]

    def _bring_up_to_date(self) -> None:
        """Make the tables, or make them anew from their documents where columns or meanings have changed."""
        run = self._connection.execute
        version = run("PRAGMA user_version").fetchone()[0]
        if self._columns("candidates") and any(step not in MIGRATIONS for step in range(version, SCHEMA_VERSION)):
            raise InputError(
                "store", str(self._path), problem=f"has schema version {version}, which this ninefold cannot read",
                hint="restore a copy, or name another with --store",
            )  # fmt: skip
        for name, fields in COLLECTIONS.items():
            has_old = bool(self._columns(name))
            if has_old:
                run(f'ALTER TABLE "{name}" RENAME TO "old_{name}"')
            columns = ", ".join(
                f'"{field}" {_TYPES[kind]}{" PRIMARY KEY" if field == "id" else ""}' for field, kind in fields.items()
            )
            run(f'CREATE TABLE "{name}" ({columns}, doc TEXT NOT NULL)')
            if has_old:
                for (text,) in run(f'SELECT doc FROM "old_{name}"'):
                    document = self._document(text, name)
                    for step in range(version, SCHEMA_VERSION):
                        document = {**MIGRATIONS[step](document, name), "schema_version": step + 1}
                    run(_insertion(name), _row(name, json.dumps(document)))
                run(f'DROP TABLE "old_{name}"')
            for field in INDEXED[name]:
                run(f'CREATE INDEX "{name}_{field}" ON "{name}" ("{field}")')
        run(f"PRAGMA application_id={_APPLICATION_ID}")
        run(f"PRAGMA user_version={SCHEMA_VERSION}")

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
        statement = _insertion(collection)
        rows = [_row(collection, document.model_dump_json()) for document in documents]
        if rows:
            with self._transaction():
                self._connection.executemany(statement, rows)

    def get(self, collection: str, id: str) -> dict[str, Any] | None:
        """See `Repository.get`."""
        return self.get_many(collection, [id]).get(id)

    def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See `Repository.get_many`."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), _IDS_PER_QUERY):
            part = ids[start : start + _IDS_PER_QUERY]
            marks = ", ".join("?" * len(part))
            rows = self._read(f'SELECT id, doc FROM "{_known(collection)}" WHERE id IN ({marks})', part)
            found.update((identifier, self._document(text, collection)) for identifier, text in rows)
        return found

    def find(
        self,
        collection: str,
        filter: str | None = None,
        *,
        equal: Mapping[str, str | int] = _NOTHING,
        sort: Sequence[Order] = (),
        fields: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """See `Repository.find`."""
        known = COLLECTIONS[_known(collection)]
        where, parameters = _where(collection, filter, equal)
        order = ", ".join([*(_order(known, field, direction) for field, direction in sort), "id"])
        # what stands in columns is read from there; anything nested needs the document
        is_flat = fields is not None and all(field in known for field in fields)
        columns = [field for field in fields or () if is_flat] or ["doc"]
        rows = self._read(
            f'SELECT {", ".join(_quoted(columns))} FROM "{collection}" WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?',
            (*parameters, -1 if limit is None else min(limit, _MOST_ROWS), min(offset, _MOST_ROWS)),
        )
        if is_flat and fields:
            try:
                return [_from_columns(known, fields, row) for row in rows]
            except (ValueError, TypeError, RecursionError) as error:
                raise self._damaged(collection, description(error)) from error
        documents = [self._document(row[0], collection) for row in rows]
        if fields is None:
            return documents
        return [{field: document.get(field) for field in fields} for document in documents]

    def count(self, collection: str, filter: str | None = None, *, equal: Mapping[str, str | int] = _NOTHING) -> int:
        """See `Repository.count`."""
        where, parameters = _where(collection, filter, equal)
        [(number,)] = self._read(f'SELECT count(*) FROM "{collection}" WHERE {where}', parameters)
        return int(number)

    def delete(self, collection: str, filter: str | None = None, *, equal: Mapping[str, str | int] = _NOTHING) -> int:
        """See `Repository.delete`."""
        if not (filter and filter.strip()) and not equal:
            raise ValueError("deletes everything: give a filter or values")
        where, parameters = _where(collection, filter, equal)
        with self._transaction():
            cursor = self._connection.execute(f'DELETE FROM "{collection}" WHERE {where}', parameters)
        return cursor.rowcount

    def close(self) -> None:
        """See `Repository.close`."""
        self._connection.close()

    def _document(self, text: Any, collection: str) -> dict[str, Any]:
        """A stored document; the file may have been edited, or written by a failing disk."""
        try:
            document = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:  # no JSON; a number of 5000 digits; nested without end
            raise self._damaged(collection, description(error)) from error
        if not isinstance(document, dict):
            raise self._damaged(collection, f"it is a {type(document).__name__}")
        return document

    def _damaged(self, collection: str, reason: str, id: str | None = None) -> StoreError:
        which = f"the document {shown(id)}" if id is not None else "a document"
        why = f" ({reason})"
        return StoreError(
            f"store: {shown(str(self._path))} is damaged: {which} in {collection} cannot be read{why}; "
            "restore a copy, or run the campaign again with --fresh"
        )

    def damage(self) -> StoreError | None:
        """The first document that is not what its collection holds, if there is one; looks at all of them."""
        from pydantic import ValidationError

        from ninefold.store.documents import MODELS

        for collection, model in MODELS.items():
            columns = ", ".join(_quoted(COLLECTIONS[collection]))
            for *values, text in self._read(f'SELECT {columns}, doc FROM "{collection}"', ()):
                identifier = values[0]
                try:
                    model.model_validate_json(text)
                except ValidationError as error:
                    first = error.errors()[0]
                    place = ".".join(str(part) for part in first["loc"])
                    return self._damaged(collection, f"{place}: {first['msg']}".removeprefix(": "), identifier)
                if [*values, text] != list(_row(collection, text)):
                    return self._damaged(collection, "its columns are not what it holds", identifier)
        return None

    def _read(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
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


def _known(collection: str) -> str:
    """Collections come from our code, never from users; what is spelt wrong must not reach SQL."""
    if collection not in COLLECTIONS:
        raise KeyError(collection)
    return collection


def _where(collection: str, filter: str | None, equal: Mapping[str, str | int]) -> tuple[str, tuple[Any, ...]]:
    """A user's filter and code's values as one clause; they never meet as text, so neither can reach into the other."""
    known = COLLECTIONS[_known(collection)]
    parts: list[str] = []
    parameters: list[Any] = []
    if filter is not None and filter.strip():
        from ninefold.store.filters import to_sql  # the parser costs 60 ms, which a listing need not pay

        clause = to_sql(filter, collection)
        parts.append(f"({clause.sql})")
        parameters += clause.parameters
    for field, value in equal.items():
        if known[field] == "list":
            raise KeyError(field)
        parts.append(f'"{field}" = ?')
        parameters.append(value)
    return " AND ".join(parts) or "1", tuple(_storable(value) for value in parameters)


def _storable(value: Any) -> Any:
    """Text that no document can hold, such as half of a character's code, matches none instead of raising."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _order(known: dict[str, Kind], field: str, direction: str) -> str:
    key = field.removeprefix("_ninefold_")
    if known.get(key, "list") == "list" or direction not in _ORDERS:
        sortable = ", ".join(name for name, kind in known.items() if kind != "list")
        raise InputError("sort", field, problem="cannot be sorted by", allowed=sortable)
    return f'"{key}" {_ORDERS[direction]} NULLS LAST'


def _insertion(collection: str) -> str:
    columns = _quoted([*COLLECTIONS[_known(collection)], "doc"])
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name != '"id"')
    marks = ", ".join("?" * len(columns))
    names = ", ".join(columns)
    return f'INSERT INTO "{collection}" ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {updates}'


def _quoted(columns: Iterable[str]) -> list[str]:
    return [f'"{column}"' for column in columns]


def _from_columns(known: dict[str, Kind], fields: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {
        field: _READERS[known[field]](value) if value is not None and known[field] in _READERS else value
        for field, value in zip(fields, row, strict=True)
    }


def _row(collection: str, text: str) -> tuple[Any, ...]:
    document = json.loads(text)
    values = (document.get(field) for field in COLLECTIONS[collection])
    return (*(json.dumps(value) if isinstance(value, list) else value for value in values), text)


def _explained(error: sqlite3.DatabaseError, path: Path) -> NinefoldError:
    """SQLite's complaint as one of ours: whose mistake it is decides the exit code."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the family
    place, resume = str(path), "then 'ninefold resume'; nothing acknowledged is lost"
    permissions = "check the permissions of the file and its folder, or name another with --store"
    mistakes = {
        sqlite3.SQLITE_NOTADB: ("is not an SQLite file", "name another with --store"),
        sqlite3.SQLITE_CANTOPEN: ("cannot be opened" if path.exists() else "cannot be written", permissions),
        sqlite3.SQLITE_PERM: ("cannot be opened", permissions),
        sqlite3.SQLITE_READONLY: ("cannot be written", permissions),
        sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", f"free some space, {resume}"),
    }
    if code in mistakes:
        problem, hint = mistakes[code]
        return InputError("store", place, problem=f"{problem} ({error})", hint=hint)
    failures = {
        sqlite3.SQLITE_BUSY: f"is held by another process for more than {BUSY_SECONDS:.0f} s; wait for it, {resume}",
        sqlite3.SQLITE_CORRUPT: f"is damaged ({error}); restore a copy, or try 'sqlite3 {place} .recover'",
        sqlite3.SQLITE_IOERR: f"cannot be read or written ({error}); check the disk, {resume}",
    }
    return StoreError(f"store: {place!r} {failures.get(code, f'failed ({error})')}")
