"""Blobs of the MongoDB backend: compressed files in GridFS, each under the SHA-256 of its content as file name.

GridFS writes the pieces of a file first and its entry last: a blob that has an entry is whole. Two processes that
write the same content at once may leave two files of one name, of which either will do; pieces of a writer that was
killed have no entry and are never read.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ninefold.store.blobs import BlobError

if TYPE_CHECKING:
    from gridfs import GridFSBucket

    from ninefold.store.mongo_connection import Connection

BUCKET = "blobs"
_PAGE = 1000
"""Names read at once."""
FILES, CHUNKS = f"{BUCKET}.files", f"{BUCKET}.chunks"


class MongoBlobs:
    """See `Blobs`.

    Args:
        connection: Gives the connection, where it may be used.
        check_writable: Raises where nothing may be written.
    """

    def __init__(self, connection: Callable[[], Connection], check_writable: Callable[[], None]) -> None:
        self._connection, self._check_writable = connection, check_writable

    def put(self, content: bytes) -> str:
        """See `Blobs.put`."""
        self._check_writable()
        sha256 = hashlib.sha256(content).hexdigest()
        if self.is_whole(sha256):
            return sha256
        compressed = gzip.compress(content, compresslevel=6, mtime=0)

        def write() -> None:
            damaged = self._files(sha256)
            self._bucket().upload_from_stream(sha256, compressed, metadata={"compression": "gzip"})
            self._remove(damaged)

        self._connection().retried(write)
        return sha256

    def get(self, sha256: str) -> bytes:
        """See `Blobs.get`."""
        place = f"{self._connection().place} {self._checked(sha256)}"
        files = self._connection().retried(lambda: self._files(sha256))
        if not files:
            raise BlobError(place, "is missing")
        problem = ""
        for file in files:
            content, problem = self._connection().retried(partial(self._content, file, sha256))
            if not problem:
                return content
        raise BlobError(place, problem)

    def has(self, sha256: str) -> bool:
        """See `Blobs.has`."""
        self._checked(sha256)
        return bool(self._connection().retried(lambda: self._files(sha256)))

    def is_whole(self, sha256: str) -> bool:
        """See `Blobs.is_whole`."""
        try:
            self.get(sha256)
        except BlobError:
            return False
        return True

    def delete(self, sha256: str) -> None:
        """See `Blobs.delete`."""
        self._check_writable()
        self._checked(sha256)
        self._connection().retried(lambda: self._remove(self._files(sha256)))

    def names(self) -> Iterator[str]:
        """See `Blobs.names`; a page of the index at a time."""
        last = ""
        while True:
            names = self._connection().retried(partial(self._names_after, last))
            yield from dict.fromkeys(name for name in names if re.fullmatch("[0-9a-f]{64}", name))
            if len(names) < _PAGE:
                return
            last = names[-1]

    def _names_after(self, last: str) -> list[str]:
        files = self._connection().database[FILES]
        return [
            str(file["filename"])
            for file in files.find({"filename": {"$gt": last}}, {"filename": 1}).sort("filename", 1).limit(_PAGE)
        ]

    def _bucket(self) -> GridFSBucket:
        from gridfs import GridFSBucket  # 20 ms, which a query need not pay

        return GridFSBucket(self._connection().database, BUCKET)

    def _files(self, sha256: str) -> list[Any]:
        """The ids of the files of a name; the oldest first, which a writer that finds it leaves."""
        found = self._connection().database[FILES].find({"filename": sha256}, {"_id": 1}).sort("_id", 1)
        return [file["_id"] for file in found]

    def _content(self, file: Any, sha256: str) -> tuple[bytes, str]:
        """A file's content, or what is wrong with it."""
        from gridfs.errors import CorruptGridFile, NoFile

        try:
            with self._bucket().open_download_stream(file) as stream:
                content = gzip.decompress(stream.read())
        except NoFile:
            return b"", "is missing"
        except (CorruptGridFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
            return b"", f"is corrupted ({type(error).__name__})"
        if hashlib.sha256(content).hexdigest() != sha256:
            return b"", "is corrupted: its content does not match its name"
        return content, ""

    def _remove(self, files: list[Any]) -> None:
        from gridfs.errors import NoFile

        for file in files:
            with contextlib.suppress(NoFile):  # another process has removed it
                self._bucket().delete(file)

    def _checked(self, sha256: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise BlobError(sha256, "is no SHA-256 in small hexadecimal digits")
        return sha256
