"""Blobs: contents that are too large for a document, named by their SHA-256.

A name is the hash of what it stands for, so what is read is what was written, writing twice is writing once, and no
blob is ever changed.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ninefold.atomic_files import write_atomically
from ninefold.errors import InputError, shown
from ninefold.store.store import StoreError


class BlobError(StoreError):
    """A blob is missing, or not what its name says.

    Args:
        place: Where it is or should be: a file, or a store and the name.
        problem: What is wrong with it.
    """

    def __init__(self, place: str, problem: str) -> None:
        self.place, self.problem = place, problem
        super().__init__(
            f"blob: {shown(place)} {problem}; restore it, or delete it: 'ninefold resume' makes it anew where a search "
            "still needs it"
        )

    def __reduce__(self) -> tuple[object, ...]:  # survives a worker process
        return (BlobError, (self.place, self.problem))


class Blobs(Protocol):
    """Contents by their SHA-256."""

    def put(self, content: bytes) -> str:
        """Store a content; whole and safe on return. What stands damaged under its name is written anew.

        Returns:
            SHA-256 of the content: 64 hexadecimal digits in small letters.

        Raises:
            InputError: if it cannot be written (disk full, no permission, store open for reading); nothing of it is
                left behind.
        """
        ...

    def get(self, sha256: str) -> bytes:
        """The content of this name.

        Raises:
            BlobError: if it is missing, or what is there is something else.
        """
        ...

    def has(self, sha256: str) -> bool:
        """Whether something stands under this name; it is not read."""
        ...

    def is_whole(self, sha256: str) -> bool:
        """Whether `get` would succeed: what cannot be read is to be computed again."""
        ...

    def delete(self, sha256: str) -> None:
        """Remove a content, if it is there."""
        ...

    def names(self) -> Iterator[str]:
        """Every name under which something stands, once and ascending; whether it is whole is not looked at."""
        ...


def blob_folder(store: Path) -> Path:
    """Where the blobs of a store in a file are: beside it."""
    return store.with_name(f"{store.name}.files")


class FolderBlobs:
    """Blobs as compressed files in a folder: `ab/cdef....gz`.

    Args:
        folder: Made when the first blob is written.
        is_read_only: Refuse to write and delete.
    """

    def __init__(self, folder: Path, *, is_read_only: bool = False) -> None:
        self.folder, self._is_read_only = folder, is_read_only

    def file(self, sha256: str) -> Path:
        """Where a blob is, or would be written.

        Raises:
            BlobError: if the name is no SHA-256, which could lead out of the folder.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise BlobError(sha256, "is no SHA-256 in small hexadecimal digits")
        file = self.folder / sha256[:2] / f"{sha256[2:]}.gz"
        # stores up to schema 2 name records so, and nothing else is in them
        older = file.with_name(f"{sha256[2:]}.jsonl.gz")
        return older if older.exists() and not file.exists() else file

    def put(self, content: bytes) -> str:
        """See `Blobs.put`."""
        self._check_writable()
        sha256 = hashlib.sha256(content).hexdigest()
        if self.is_whole(sha256):
            return sha256
        file = self.file(sha256)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, gzip.compress(content, compresslevel=6, mtime=0))
        except OSError as error:
            raise InputError(
                "store", str(self.folder), problem=f"cannot be written: {error.strerror}",
                hint="free or name another place, then 'ninefold resume'",
            ) from error  # fmt: skip
        return sha256

    def get(self, sha256: str) -> bytes:
        """See `Blobs.get`."""
        file = self.file(sha256)
        try:
            content = gzip.decompress(file.read_bytes())
        except FileNotFoundError as error:
            raise BlobError(str(file), "is missing") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BlobError(str(file), f"is corrupted ({error})") from error
        except OSError as error:
            raise BlobError(str(file), f"cannot be read ({error.strerror})") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BlobError(str(file), "is corrupted: its content does not match its name")
        return content

    def has(self, sha256: str) -> bool:
        """See `Blobs.has`."""
        return self.file(sha256).is_file()

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
        try:
            self.file(sha256).unlink(missing_ok=True)
        except OSError as error:
            raise InputError("store", str(self.folder), problem=f"cannot be changed: {error.strerror}") from error

    def names(self) -> Iterator[str]:
        """See `Blobs.names`; what has another name is no blob."""
        try:
            folders = sorted(path for path in self.folder.iterdir() if re.fullmatch("[0-9a-f]{2}", path.name))
            for folder in folders:
                found = (re.fullmatch(r"([0-9a-f]{62})(\.jsonl)?\.gz", path.name) for path in folder.iterdir())
                yield from sorted({folder.name + match[1] for match in found if match})
        except FileNotFoundError:  # none has been written
            return
        except OSError as error:
            raise InputError("store", str(self.folder), problem=f"cannot be read: {error.strerror}") from error

    def _check_writable(self) -> None:
        if self._is_read_only:
            raise InputError("store", str(self.folder), problem="cannot be written: it is open for reading")
