"""Writing files: whole or not at all, with the permissions that `open` would give, and never over a store."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SQLITE_MAGIC = b"SQLite format 3\x00"
"""The first bytes of every SQLite file; https://www.sqlite.org/fileformat.html#magic_header_string."""


class ProtectedFileError(OSError):
    """The file is a database, which nothing may replace."""


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database, by its content; what cannot be read is none."""
    try:
        if not path.is_file():  # a pipe would be drained, or wait for its writer
            return False
        with path.open("rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the whole new one.

    A symbolic link stays one: what it points to is replaced. A new file's permissions follow the umask, an
    existing one keeps its own. A device or a pipe is written to as it is.

    Args:
        path: The file; its folder must be there.
        content: All of it.

    Raises:
        ProtectedFileError: if the file that is there is a database.
        OSError: if it cannot be written; then nothing is left behind.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as file:  # raises IsADirectoryError for a folder
            file.write(content)
        return
    with writing_atomically(path) as file:
        file.write(content)


@contextlib.contextmanager
def writing_atomically(path: Path) -> Iterator[BinaryIO]:
    """As `write_atomically`, for what is written bit by bit: the file takes its name when the block ends.

    Args:
        path: A file, or where one is to be; its folder must be there.

    Raises:
        ProtectedFileError: if the file that is there is a database.
        OSError: if it cannot be written; then nothing is left behind.
    """
    target = path.resolve()
    if is_database(target):
        raise ProtectedFileError(None, "is a database and is never overwritten", str(path))
    temporary = target.with_name(f".writing-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), target.stat().st_mode & 0o777)
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk when its folder is."""
    with contextlib.suppress(OSError):  # a file system that cannot sync a folder has still renamed
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
