"""The file of an SQLite store: found, opened, brought up to date, locked for a write; and its errors as ours."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from ninefold.errors import InputError, NinefoldError
from ninefold.paths import user_path
from ninefold.store import schema
from ninefold.store.blobs import Blobs
from ninefold.store.sqlite_upgrade import (
    APPLICATION_ID,
    UNFINISHED_ID,
    bring_up_to_date,
    documents_in,
    is_current,
    make_missing_indexes,
    missing_indexes,
    source_of,
)
from ninefold.store.state import StoreState, unfinished
from ninefold.store.store import Mode, StoreError

BUSY_SECONDS = 60.0
"""How long a writer waits for another."""
CACHE_KB = 65_536
"""Of pages that a writer holds at most: values fall anywhere into 16 indexes of the candidates."""
OLDEST_SQLITE = (3, 30)
"""The first that sorts NULLS LAST."""


def check_address(address: str, field: str) -> str:
    """The path of an SQLite file as a user gave it, with `~` replaced.

    Args:
        address: A path.
        field: Where it stands, for the error.

    Raises:
        InputError: if it is a folder, a device or a pipe, or no file can have this name.
    """
    path = user_path(address, field)
    user_path(path.with_name(f"{path.name}-journal") if path.name else path, field)  # the longest name beside a store
    if path.is_dir():
        raise InputError(
            field, address, problem="is a folder", allowed="the path of an SQLite file",
            hint=f"try {path / 'ninefold.db'}",
        )  # fmt: skip
    if path.exists() and not path.is_file():
        raise InputError(field, address, problem="is no plain file", allowed="the path of an SQLite file")
    return str(path)


def connected(path: Path, mode: Mode, blobs: Blobs) -> sqlite3.Connection:
    """A connection to a store of today's layout; see `SQLiteStore`.

    Args:
        path: The file.
        mode: Whether it may be made and written.
        blobs: Of the store, for the steps of an upgrade.
    """
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
        connection = _connect(path, mode)
        try:
            _prepare(connection, path, mode, blobs)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise explained(error, path) from error
    return connection


def _connect(path: Path, mode: Mode) -> sqlite3.Connection:
    address = f"file:{quote(os.fsencode(path.absolute()))}"

    def connect(options: str) -> sqlite3.Connection:
        return sqlite3.connect(f"{address}?{options}", uri=True, timeout=BUSY_SECONDS, isolation_level=None)

    if mode != "read":
        # SQLite makes its files without write permission for the group, whatever the umask; never of a file that is
        # there: closing it would drop the locks of this process's other connections, and another process, which
        # then takes itself for the only one, would delete the log that they write
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
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
        log = path.with_name(f"{path.name}-wal")
        if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
            raise
        return connect("immutable=1")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, mode: Mode, blobs: Blobs) -> None:
    run = connection.execute
    # tables first: where another process is making the store, they come together with their identity
    is_empty = run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    application, version = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
    if application == UNFINISHED_ID and mode != "fill":
        raise unfinished(str(path), source_of(connection))
    if not is_empty and application not in (APPLICATION_ID, UNFINISHED_ID):
        raise InputError(
            "store", str(path), problem="is an SQLite file, but not one of ninefold's",
            hint="name another with --store",
        )  # fmt: skip
    if version > schema.SCHEMA_VERSION:
        raise InputError(
            "store", str(path), problem=f"has schema version {version}, written by a newer ninefold",
            allowed=f"up to {schema.SCHEMA_VERSION}", hint="pip install --upgrade ninefold",
        )  # fmt: skip
    if mode == "fill" and not is_empty and not is_current(connection):
        raise InputError(
            "store", str(path), problem="is of an older ninefold, and nothing is copied into it",
            hint="name another, or one that is not there",
        )  # fmt: skip
    if mode == "read":
        if is_empty:
            raise InputError("store", str(path), problem="is empty", hint="'ninefold run CAMPAIGN' fills it")
        if not is_current(connection):
            # an older ninefold's: whoever may write it brings it up to date, documents and all
            connected(path, "write", blobs).close()
        run("PRAGMA query_only=ON")
        return
    _use_write_ahead_log(connection)
    run("PRAGMA synchronous=FULL")
    run(f"PRAGMA cache_size=-{CACHE_KB}")
    with transaction(connection, path):  # finds out at once whether we may write, and whether another was first
        if not is_current(connection):
            bring_up_to_date(connection, path, blobs)
        make_missing_indexes(connection)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    last = time.monotonic() + BUSY_SECONDS
    while True:  # SQLite does not wait here for another process that does the same
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
            time.sleep(0.01)


def state(path: Path) -> StoreState:
    """What a file is, without changing it; raises as `connected` where it cannot be read."""
    if not path.exists() or not path.stat().st_size:
        return StoreState("absent", {})
    try:
        connection = _connect(path, "read")
        try:
            run = connection.execute
            if run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                return StoreState("absent", {})
            application, version = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
            if application == UNFINISHED_ID:
                return StoreState("unfinished", {}, version, source=source_of(connection))
            if application != APPLICATION_ID:
                return StoreState("foreign", {})
            has_columns = is_current(connection)
            missing = tuple(missing_indexes(connection)) if has_columns else ()
            return StoreState(
                "whole", documents_in(connection), version, has_columns and not missing, path.stat().st_size,
                missing_indexes=missing,
            )  # fmt: skip
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise explained(error, path) from error


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """All statements or none; waits for other writers, and keeps them waiting."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        _roll_back(connection)
        raise explained(error, path) from error
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def explained(error: sqlite3.DatabaseError, path: Path) -> NinefoldError:
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
