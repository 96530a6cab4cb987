"""One run at a time on a store: an advisory lock that the kernel frees when its holder dies.

The lock file says who holds it and how far that process is. A reader learns whether the lock is held by taking a
shared one for an instant; a run that meets it tells it from another run, because a shared lock can be shared.

`filelock` has this lock in its exclusive form only: of two readers that asked at once, one would be told that a run
holds the store, and a run that met a reader would be refused or would have to wait for an unknown time. Where flock is
missing it falls back to a file whose existence is the lock, which outlives a killed process.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ninefold.errors import InputError

_READERS_SECONDS = 30.0
"""How long a run waits for readers, who hold their lock for microseconds unless they are suspended."""
_LIMIT = 8192
"""Bytes of a lock file."""


class Lock:
    """A store's lock while it is held.

    Args:
        handle: Descriptor of the locked file.
        purpose: What the holder does, for people.
    """

    def __init__(self, handle: int, purpose: str) -> None:
        self._handle, self._purpose = handle, purpose
        self.note({})

    def note(self, progress: dict[str, Any]) -> None:
        """Say how far the holder is: plain JSON values, which `progress_of` gives back."""
        text = f"process {os.getpid()} ({self._purpose})\n{json.dumps(progress)}\n".encode()
        os.pwrite(self._handle, text, 0)  # in place, then cut: a reader between the two finds whole lines
        os.ftruncate(self._handle, len(text))


@contextmanager
def exclusive(store: Path, purpose: str) -> Iterator[Lock]:
    """Hold the store's lock.

    Raises:
        InputError: if another process holds it, with its id; or if the lock file cannot be made.
    """
    path = _lock_file(store)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise InputError("store", str(store), problem=f"cannot be locked: {error.strerror}") from error
    try:
        if not _take(handle):
            raise InputError(
                "store",
                str(store),
                problem=f"is in use by {_lines(handle)[0] or 'another process'}",
                hint="wait for it, or name another store with --store",
            )
        yield Lock(handle, purpose)
    finally:
        os.close(handle)


def holder(store: Path) -> str | None:
    """Who holds the store's lock, or None."""
    lines = _held(store)
    return None if lines is None else lines[0] or "another process"


def progress_of(store: Path) -> dict[str, Any]:
    """What the holder of the store's lock last said of its progress; empty where nobody holds it or it said nothing."""
    lines = _held(store)
    try:
        progress = json.loads(lines[1]) if lines else {}
    except (IndexError, ValueError):
        return {}
    return progress if isinstance(progress, dict) else {}


def _take(handle: int) -> bool:
    """Take the lock; False where another process holds it for itself."""
    last = time.monotonic() + _READERS_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            pass
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.flock(handle, fcntl.LOCK_UN)  # it could be shared: whoever has it only reads
        if time.monotonic() > last:
            return False
        time.sleep(0.001)


def _held(store: Path) -> list[str] | None:
    """The lines of the lock file if the lock is held, else None."""
    try:
        handle = os.open(_lock_file(store), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # never held, or not ours to read
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _lines(handle)
    else:
        return None
    finally:
        os.close(handle)


def _lines(handle: int) -> list[str]:
    return os.pread(handle, _LIMIT, 0).decode("utf-8", "replace").strip().split("\n")


def _lock_file(store: Path) -> Path:
    return store.with_name(f"{store.name}.lock")
