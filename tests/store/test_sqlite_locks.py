"""The lock that keeps another process from deleting the log of a store which this process still writes."""

import subprocess
import sys

import pytest

from ninefold.store import open_store

_IS_LOCKED = """
import fcntl
import sys

SHARED_FIRST, SHARED_SIZE = 0x40000002, 510  # of SQLite's file format: the bytes that readers lock
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST)
    except OSError:
        print("locked")
    else:
        print("free")
"""


def is_locked(path):
    """Whether another process finds a connection at the file."""
    told = subprocess.run([sys.executable, "-c", _IS_LOCKED, path], capture_output=True, text=True, check=True)
    return told.stdout.strip() == "locked"


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
@pytest.mark.parametrize("mode", ["write", "read"])
def test_opening_a_store_again_keeps_the_locks_of_the_first(tmp_path, mode):
    path = tmp_path / "s.db"
    with open_store(path, mode="write") as store:
        store.count("faults")
        assert is_locked(path)
        with open_store(path, mode=mode):
            assert is_locked(path)
        assert is_locked(path)
    assert not is_locked(path)
