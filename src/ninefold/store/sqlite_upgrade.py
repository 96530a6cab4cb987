"""Making the tables of an SQLite store, or making them anew where columns or meanings have changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ninefold.errors import InputError, description, shown
from ninefold.store import migrations, schema
from ninefold.store.blobs import Blobs
from ninefold.store.migrations import Entry
from ninefold.store.sqlite_queries import creation, indexes, insertion, row, statistics
from ninefold.store.store import StoreError

APPLICATION_ID = 0x6E696E65
"""'nine': tells our files from other SQLite files."""

UNFINISHED_ID = 0x6E696E75
"""'ninu': a store that is being filled; every ninefold takes it for none of its own."""
UNFINISHED = "unfinished"
"""The table with what such a store will hold, for people."""

_OLD = "before_upgrade_"
"""Begins the name of a table while its documents are read for the last time."""
_STAGE = "between_steps"
"""Begins the name of the table that holds all documents between two steps."""


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the tables are those of this ninefold."""
    if connection.execute("PRAGMA user_version").fetchone()[0] != schema.SCHEMA_VERSION:
        return False
    return all(_columns(connection, name) == [*fields, "doc"] for name, fields in schema.COLLECTIONS.items())


def missing_indexes(connection: sqlite3.Connection) -> dict[str, str]:
    """Declared indexes that are not there or differ: as `collection.index`, with the statement that makes each."""
    there = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'").fetchall())
    return {
        f"{collection}.{name}": statement
        for collection in schema.COLLECTIONS
        for name, statement in indexes(collection).items()
        if there.get(name) != statement
    }


def make_missing_indexes(connection: sqlite3.Connection) -> None:
    """Make the declared indexes that are missing or are defined otherwise, inside the caller's transaction.

    The planner's statistics of them are ours, see `statistics`.
    """
    run = connection.execute
    for name, statement in missing_indexes(connection).items():
        run(f'DROP INDEX IF EXISTS "{name.partition(".")[2]}"')
        run(statement)
    wanted = [row for collection in schema.COLLECTIONS for row in statistics(collection)]
    has_table = run("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone()[0]
    if not has_table or run("SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY rowid").fetchall() != wanted:
        run("ANALYZE sqlite_master")  # makes the table of statistics
        run("DELETE FROM sqlite_stat1")
        connection.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", wanted)
        run("ANALYZE sqlite_master")  # reads them


def documents_in(connection: sqlite3.Connection) -> dict[str, int]:
    """How many documents each table holds, those of an older ninefold included."""
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for name in _tables(connection) if name != UNFINISHED
    }  # fmt: skip


def source_of(connection: sqlite3.Connection) -> str | None:
    """What an unfinished store will hold; None of a store that is whole."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != UNFINISHED_ID:
        return None
    return str(connection.execute(f"SELECT source FROM {UNFINISHED}").fetchone()[0])


def mark_unfinished(connection: sqlite3.Connection, source: str) -> None:
    """Mark a store, inside the caller's transaction."""
    connection.execute(f"CREATE TABLE {UNFINISHED} (source TEXT NOT NULL)")
    connection.execute(f"INSERT INTO {UNFINISHED} VALUES (?)", (source,))
    connection.execute(f"PRAGMA application_id={UNFINISHED_ID}")


def mark_finished(connection: sqlite3.Connection) -> None:
    """Take the mark away, inside the caller's transaction."""
    connection.execute(f"DROP TABLE IF EXISTS {UNFINISHED}")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")


def bring_up_to_date(connection: sqlite3.Connection, path: Path, blobs: Blobs) -> None:
    """Make the tables and carry the documents over, inside the caller's transaction.

    Documents go one by one from the old tables through the steps into the new ones. A table that no collection of
    this ninefold has is read by the steps like the others, and is gone afterwards.

    Args:
        connection: In a transaction; whoever rolls it back has the old store.
        path: The file, for messages.
        blobs: The store's blobs.

    Raises:
        InputError: if there is no step from the version of the file.
        StoreError: if a document cannot be read, or a step gives two documents of one id.
    """
    run = connection.execute
    version = run("PRAGMA user_version").fetchone()[0]
    old = _tables(connection)
    if old and any(step not in migrations.MIGRATIONS for step in range(version, schema.SCHEMA_VERSION)):
        raise InputError(
            "store", str(path), problem=f"has schema version {version}, which this ninefold cannot read",
            hint="restore a copy, or name another with --store",
        )  # fmt: skip
    for name in old:
        run(f'ALTER TABLE "{name}" RENAME TO "{_OLD}{name}"')
        for (index,) in run(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (_OLD + name,)
        ).fetchall():
            run(f'DROP INDEX "{index}"')
    for name in schema.COLLECTIONS:
        for statement in creation(name):
            run(statement)
    if old:
        try:
            _carry_over(connection, path, blobs, old, range(version, schema.SCHEMA_VERSION))
        except migrations.UnreadableDocumentError as error:
            raise damaged(path, error.collection, error.reason, error.id) from error
        for name in old:
            run(f'DROP TABLE "{_OLD}{name}"')
    run(f"PRAGMA application_id={APPLICATION_ID}")
    run(f"PRAGMA user_version={schema.SCHEMA_VERSION}")


def _carry_over(connection: sqlite3.Connection, path: Path, blobs: Blobs, old: list[str], versions: range) -> None:
    before: _Tables | _Stage = _Tables(connection, path, blobs, old)
    for version in versions[:-1]:
        # a step may read any document at any time, so all of its input must be there before it begins
        stage = f"{_STAGE}_{version + 1}"
        connection.execute(f"CREATE TABLE {stage} (collection TEXT, id TEXT, doc TEXT, UNIQUE (collection, id))")
        for collection, document in migrations.MIGRATIONS[version](before):
            _stage(connection, stage, collection, document)
        if isinstance(before, _Stage):
            before.drop()
        before = _Stage(connection, path, blobs, stage)
    last = migrations.MIGRATIONS[versions[-1]](before) if versions else iter(before)
    for collection, document in last:
        _store(connection, collection, document)
    if isinstance(before, _Stage):
        before.drop()


def _stage(connection: sqlite3.Connection, stage: str, collection: str, document: dict[str, Any]) -> None:
    key, text = (collection, document["id"]), json.dumps(document)
    done = connection.execute(f"INSERT INTO {stage} VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (*key, text))
    if not done.rowcount:
        _check_same(
            connection.execute(f"SELECT doc FROM {stage} WHERE collection = ? AND id = ?", key), collection, document
        )


def _store(connection: sqlite3.Connection, collection: str, document: dict[str, Any]) -> None:
    done = connection.execute(insertion(collection, replaces=False), row(collection, json.dumps(document)))
    if not done.rowcount:
        there = connection.execute(f'SELECT doc FROM "{collection}" WHERE id = ?', (document["id"],))
        _check_same(there, collection, document)


def _check_same(there: sqlite3.Cursor, collection: str, document: dict[str, Any]) -> None:
    if json.loads(there.fetchone()[0]) != document:
        raise StoreError(f"store: its upgrade gives two documents {shown(document['id'])} in {collection}")


class _Tables:
    """See `Before`: the tables of an older ninefold, one a collection."""

    def __init__(self, connection: sqlite3.Connection, path: Path, blobs: Blobs, collections: list[str]) -> None:
        self.blobs = blobs
        self._connection, self._path, self._collections = connection, path, collections

    def __iter__(self) -> Iterator[Entry]:
        for collection in self._collections:
            yield from (Entry(collection, document) for document in self.documents(collection))

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """See `Before.documents`."""
        if collection in self._collections:
            for (text,) in self._connection.execute(f'SELECT doc FROM "{_OLD}{collection}"'):
                yield parsed_document(text, collection, self._path)

    def get(self, collection: str, id: str) -> dict[str, Any] | None:
        """See `Before.get`."""
        if collection not in self._collections:
            return None
        found = self._connection.execute(f'SELECT doc FROM "{_OLD}{collection}" WHERE id = ?', (id,)).fetchone()
        return None if found is None else parsed_document(found[0], collection, self._path)


class _Stage:
    """See `Before`: what a step has given."""

    def __init__(self, connection: sqlite3.Connection, path: Path, blobs: Blobs, table: str) -> None:
        self.blobs = blobs
        self._connection, self._path, self._table = connection, path, table

    def __iter__(self) -> Iterator[Entry]:
        for collection, text in self._connection.execute(f"SELECT collection, doc FROM {self._table}"):
            yield Entry(collection, parsed_document(text, collection, self._path))

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """See `Before.documents`."""
        rows = self._connection.execute(f"SELECT doc FROM {self._table} WHERE collection = ?", (collection,))
        return (parsed_document(text, collection, self._path) for (text,) in rows)

    def get(self, collection: str, id: str) -> dict[str, Any] | None:
        """See `Before.get`."""
        query = f"SELECT doc FROM {self._table} WHERE collection = ? AND id = ?"
        found = self._connection.execute(query, (collection, id)).fetchone()
        return None if found is None else parsed_document(found[0], collection, self._path)

    def drop(self) -> None:
        """Remove it."""
        self._connection.execute(f"DROP TABLE {self._table}")


def parsed_document(text: Any, collection: str, path: Path) -> dict[str, Any]:
    """A stored document; the file may have been edited, or written by a failing disk.

    Raises:
        StoreError: if it is none.
    """
    try:
        document = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:  # no JSON; a number of 5000 digits; nested without end
        raise damaged(path, collection, description(error)) from error
    if not isinstance(document, dict):
        raise damaged(path, collection, f"it is a {type(document).__name__}")
    return document


def damaged(path: Path, collection: str, reason: str, id: str | None = None) -> StoreError:
    """The error for a document that cannot be read."""
    which = f"the document {shown(id)}" if id is not None else "a document"
    return StoreError(
        f"store: {shown(str(path))} is damaged: {which} in {collection} cannot be read ({reason}); "
        "restore a copy, or run the campaign again with --fresh"
    )


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        if not name.startswith("sqlite_")
    ]


def _columns(connection: sqlite3.Connection, collection: str) -> list[str]:
    return [column[1] for column in connection.execute(f'PRAGMA table_info("{collection}")')]
