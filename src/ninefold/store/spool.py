"""Records in a folder instead of a database, for nodes that reach none, or for a time without one.

A node writes what it has stored as files, each whole by an atomic rename; whoever reaches the database delivers them:
in the order of each writer, and as often as it takes, since every write of a store may be done twice. A spool folder
lies on a file system that both reach, NFS or Lustre as well: nothing is locked and no file is written to twice.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ninefold.atomic_files import write_atomically
from ninefold.errors import InputError
from ninefold.store.arguments import NOTHING, Condition, RecordLike, Scalar
from ninefold.store.blobs import Blobs
from ninefold.store.conditions import Page
from ninefold.store.store import EXECUTOR, Lease, Store, StoreError

FLUSH_SECONDS = 10.0
"""Longest time for which a record waits for others to share a file with; a job's end does not wait."""
RECORDS, BLOBS, DAMAGED = "records", "blobs", "damaged"
_numbers = itertools.count()


class Delivered(NamedTuple):
    """What has gone from a spool folder into a store."""

    files: int = 0
    records: int = 0
    blobs: int = 0
    damaged: int = 0
    """Files that could not be read, as a failing disk leaves them: set apart."""


class _Document(NamedTuple):
    """A document that is stored as it was written."""

    id: str
    text: str

    def model_dump_json(self) -> str:
        return self.text


class Spool:
    """The files of one writer in a spool folder; used by one process.

    Args:
        folder: Made if it is not there.
        tag: In the names of the files: whose they are.

    Raises:
        InputError: if the folder cannot be made.
    """

    def __init__(self, folder: Path, tag: str = "") -> None:
        self._folder, self._tag = folder, tag or f"{os.uname().nodename}-{os.getpid()}"
        self._waiting: list[str] = []
        self._flushed = 0.0
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self.names: list[str] = []
        """Files that were written."""
        try:
            (folder / RECORDS).mkdir(parents=True, exist_ok=True)
            (folder / BLOBS).mkdir(exist_ok=True)
        except OSError as error:
            raise InputError("spool", str(folder), problem=f"cannot be made: {error.strerror}") from error

    def add(self, operation: str, collection: str, values: dict[str, Any]) -> None:
        """A write of the store; it is in a file after `FLUSH_SECONDS` at most."""
        line = json.dumps({"operation": operation, "collection": collection, **values})
        with self._lock:
            self._waiting.append(line)
            if time.monotonic() - self._flushed >= FLUSH_SECONDS:
                self.flush()
            elif self._timer is None:
                self._timer = threading.Timer(FLUSH_SECONDS, self._flush_later)
                self._timer.daemon = True
                self._timer.start()

    def put_blob(self, content: bytes) -> str:
        """A blob; in its file on return."""
        sha256 = hashlib.sha256(content).hexdigest()
        file = self._folder / BLOBS / sha256
        if not file.exists():
            write_atomically(file, gzip.compress(content, compresslevel=6, mtime=0))
        return sha256

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if not self._waiting:
                return
            name = f"{time.time_ns():020d}-{next(_numbers):06d}-{self._tag}.jsonl"
            write_atomically(self._folder / RECORDS / name, "".join(f"{line}\n" for line in self._waiting).encode())
            self._waiting.clear()
            self.names.append(name)
            self._flushed = time.monotonic()

    def _flush_later(self) -> None:
        with suppress(OSError):  # the next flush, in the job's own thread, tells
            self.flush()


class SpoolStore(Store):
    """A store that reads from another one, on this node, and also writes what it stores into a spool folder.

    Args:
        inner: Holds what a job reads, and what it has written; closed with this one.
        spool: Takes what is written.
        elsewhere: Names of blobs that the database has whole, and whose content is not here.
    """

    def __init__(self, inner: Store, spool: Spool, elsewhere: Collection[str] = ()) -> None:
        self._inner, self._spool = inner, spool
        self.blobs: Blobs = _SpooledBlobs(inner.blobs, spool, frozenset(elsewhere))

    @property
    def location(self) -> str:
        """See `Store.location`."""
        return self._inner.location

    def put(self, collection: str, records: Iterable[RecordLike]) -> None:
        """See `Store.put`."""
        self._written("put", collection, records, lambda each: self._inner.put(collection, each))

    def insert(self, collection: str, records: Iterable[RecordLike]) -> int:
        """See `Store.insert`."""
        count: int = self._written("insert", collection, records, lambda each: self._inner.insert(collection, each))
        return count

    def put_unless_newer(self, collection: str, records: Iterable[RecordLike]) -> None:
        """See `Store.put_unless_newer`."""
        self._written(
            "put_unless_newer", collection, records, lambda each: self._inner.put_unless_newer(collection, each)
        )

    def replace(self, collection: str, record: RecordLike, expected: Mapping[str, Scalar]) -> bool:
        """See `Store.replace`."""
        is_done = self._inner.replace(collection, record, expected)
        if is_done:
            values = {"documents": [record.model_dump_json()], "expected": dict(expected)}
            self._spool.add("replace", collection, values)
        return is_done

    def delete_matching(self, collection: str, filter: str | None, equal: Mapping[str, Condition]) -> int:
        """See `Store.delete_matching`."""
        count = self._inner.delete_matching(collection, filter, equal)
        plain = {key: _plain(value) for key, value in equal.items()}
        self._spool.add("delete", collection, {"filter": filter, "equal": plain})
        return count

    def read_documents(self, collection: str, ids: Sequence[str]) -> Iterable[tuple[str, dict[str, Any]]]:
        """See `Store.read_documents`."""
        return self._inner.read_documents(collection, ids)

    def read_page(self, page: Page) -> list[dict[str, Any]]:
        """See `Store.read_page`."""
        return self._inner.read_page(page)

    def count(self, collection: str, filter: str | None = None, *, equal: Mapping[str, Condition] = NOTHING) -> int:
        """See `Store.count`."""
        return self._inner.count(collection, filter, equal=equal)

    def lease(self, name: str, purpose: str) -> AbstractContextManager[Lease]:
        """See `Store.lease`; it keeps out nobody on other nodes."""
        return self._inner.lease(name, purpose)

    def lease_holder(self, name: str = EXECUTOR) -> str | None:
        """See `Store.lease_holder`."""
        return self._inner.lease_holder(name)

    def lease_progress(self, name: str = EXECUTOR) -> dict[str, Any]:
        """See `Store.lease_progress`."""
        return self._inner.lease_progress(name)

    def begin_filling(self, source: str) -> bool:
        """See `Store.begin_filling`; a copy goes into a store itself."""
        raise StoreError(f"store: {self.location!r} is a job's own, and no copy of another goes into it")

    def end_filling(self) -> None:
        """See `Store.end_filling`."""

    def close(self) -> None:
        """See `Store.close`; what waits is written."""
        self._spool.flush()
        self._inner.close()

    def _written(
        self, operation: str, collection: str, records: Iterable[RecordLike], write: Callable[[list[RecordLike]], Any]
    ) -> Any:
        every = list(records)
        result = write(every)
        if every:
            self._spool.add(operation, collection, {"documents": [record.model_dump_json() for record in every]})
        return result


class _SpooledBlobs:
    """See `Blobs`."""

    def __init__(self, inner: Blobs, spool: Spool, elsewhere: frozenset[str]) -> None:
        self._inner, self._spool, self._elsewhere = inner, spool, elsewhere

    def put(self, content: bytes) -> str:
        self._spool.put_blob(content)
        return self._inner.put(content)

    def get(self, sha256: str) -> bytes:
        return self._inner.get(sha256)

    def has(self, sha256: str) -> bool:
        return sha256 in self._elsewhere or self._inner.has(sha256)

    def is_whole(self, sha256: str) -> bool:
        return sha256 in self._elsewhere or self._inner.is_whole(sha256)

    def delete(self, sha256: str) -> None:
        self._inner.delete(sha256)

    def names(self) -> Iterator[str]:
        return self._inner.names()


def ingest(
    folder: Path,
    store: Store,
    told: Callable[[str], object] = lambda name: None,
    noted: Callable[[str, list[tuple[str, str]]], object] = lambda name, written: None,
) -> Delivered:
    """Deliver what is in a spool folder; a file is removed when the store has acknowledged it.

    Blobs go first, so that no record names one that is not there. Two that deliver at once do no harm.

    Args:
        folder: May be missing: nothing was ever spooled then.
        store: Open for writing.
        told: Told of each file of records that has been delivered.
        noted: Told of each before that: collections and ids of what it stores.

    Raises:
        StoreError: if the store fails; what was not delivered stays.
    """
    files = records = blobs = damaged = 0
    # names first: what a record refers to was there before it
    names = sorted(_names(folder / RECORDS))
    for name in _names(folder / BLOBS):
        if (content := _blob(folder / BLOBS / name)) is None:
            damaged += set_apart(folder, folder / BLOBS / name)
            continue
        store.blobs.put(content)
        (folder / BLOBS / name).unlink(missing_ok=True)
        blobs += 1
    for name in names:
        file = folder / RECORDS / name
        try:
            lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:  # another has delivered it
            continue
        except (OSError, ValueError):
            damaged += set_apart(folder, file)
            continue
        noted(name, [(line["collection"], key) for line in lines for key in _ids(line)])
        for line in lines:
            records += _apply(store, line)
        file.unlink(missing_ok=True)
        told(name)
        files += 1
    return Delivered(files, records, blobs, damaged)


def is_empty(folder: Path) -> bool:
    """Whether nothing is left to deliver."""
    return not _names(folder / RECORDS) and not _names(folder / BLOBS)


def _apply(store: Store, line: dict[str, Any]) -> int:
    """Do one write again; how many documents it had."""
    operation, collection = line["operation"], line["collection"]
    if operation == "delete":
        return store.delete(collection, line["filter"], equal=line["equal"])
    documents = [_Document(json.loads(text)["id"], text) for text in line["documents"]]
    if operation == "replace":
        store.replace(collection, documents[0], line["expected"])
    else:
        {"put": store.put, "insert": store.insert, "put_unless_newer": store.put_unless_newer}[operation](
            collection, documents
        )
    return len(documents)


def _ids(line: dict[str, Any]) -> list[str]:
    """Of the documents that a write has."""
    return [json.loads(text)["id"] for text in line.get("documents", ())]


def _names(folder: Path) -> list[str]:
    """Files that are whole; none where there is no folder."""
    with suppress(FileNotFoundError):
        return [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")]
    return []


def _blob(file: Path) -> bytes | None:
    """A blob's content; None where it is damaged."""
    try:
        content = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, ValueError):
        return None
    return content if hashlib.sha256(content).hexdigest() == file.name else None


def set_apart(folder: Path, file: Path) -> int:
    """Move a file that cannot be read out of the way; how many were moved: another process may have been first."""
    (folder / DAMAGED).mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        file.rename(folder / DAMAGED / file.name)
        return 1
    return 0


def _plain(value: Condition) -> Any:
    return list(value) if isinstance(value, Collection) and not isinstance(value, str) else value
