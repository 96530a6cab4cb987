"""Processes that a job has started and left behind: they end with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL: a DFT code may write its last files."""
_SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of linux/prctl.h."""
_OURS = ("multiprocessing", "resource_tracker")
"""Words of helper processes of Python's own, which live as long as their parent."""


def descendants(pid: int | None = None) -> set[int]:
    """Ids of the processes that a process has started, and those that these have; empty where /proc does not tell.

    Args:
        pid: Default: this process.
    """
    found: set[int] = set()
    left = [os.getpid() if pid is None else pid]
    while left:
        children = _children(left.pop()) - found
        found |= children
        left += children
    return found


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Be the parent of what the processes below this one leave behind, as VASP's when its `mpirun` has died.

    They would go to the machine's first process, where nobody knows whose they were. Linux alone has this.
    """
    _adopt(True)
    try:
        yield
    finally:
        _adopt(False)


def _adopt(is_on: bool) -> None:
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(is_on), 0, 0, 0)


def core_time() -> float:
    """Core-seconds of this process and of the programs that it has started and that have ended."""
    return sum(os.times()[:4])


def end_children(before: set[int]) -> int:
    """End the processes below this one that were not there before a job; how many there were.

    Args:
        before: What `descendants` gave then.
    """
    return _end({pid for pid in descendants() - before if not _is_helper(pid)})


def end_orphans(known: set[int]) -> int:
    """End the processes that this one has adopted, and what is below them; how many there were.

    Args:
        known: Processes that this one has started itself.
    """
    found = _children(os.getpid()) - known
    return _end({pid for one in found for pid in (one, *descendants(one)) if not _is_helper(pid)})


def _end(everyone: set[int]) -> int:
    left, last = everyone, time.monotonic() + GRACE_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        while left and time.monotonic() < last:
            time.sleep(0.05)
            left = {pid for pid in left if _runs(pid)}
        last += 1.0
    for pid in everyone:  # those that were adopted; no more than a number is left of them
        with suppress(ChildProcessError, PermissionError):
            os.waitpid(pid, os.WNOHANG)
    return len(everyone)


def _children(pid: int) -> set[int]:
    """Processes that a process has started, or adopted."""
    found: set[int] = set()
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found.update(child for child in map(int, (thread / "children").read_text().split()) if _runs(child))
    return found


def _runs(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for has."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _is_helper(pid: int) -> bool:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        return any(word in words for word in _OURS)
    return True
