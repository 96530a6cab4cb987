"""One run at a time on a store: an advisory lock that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ninefold.errors import InputError


@contextmanager
def exclusive(store: Path, purpose: str) -> Iterator[None]:
    """Hold the store's lock.

    Raises:
        InputError: if another process holds it, with its id; or if the lock file cannot be made.
    """
    path = _lock_file(store)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError("store", str(store), problem=f"cannot be locked: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder_text = os.read(handle, 200).decode("utf-8", "replace").strip() or "another process"
            raise InputError(
                "store",
                str(store),
                problem=f"is in use by {holder_text}",
                hint="wait for it, or name another store with --store",
            ) from error
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} ({purpose})".encode())
        yield
    finally:
        os.close(handle)


def holder(store: Path) -> str | None:
    """Who holds the store's lock, or None."""
    path = _lock_file(store)
    if not path.exists():
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.read(handle, 200).decode("utf-8", "replace") or "another process"
    else:
        return None
    finally:
        os.close(handle)


def _lock_file(store: Path) -> Path:
    return store.with_name(f"{store.name}.lock")
