"""Processes that a job has started and left behind: they end with it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL: a DFT code may write its last files."""
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
        for thread in Path(f"/proc/{left.pop()}/task").glob("*"):
            with suppress(OSError):
                children = [child for child in map(int, (thread / "children").read_text().split()) if _runs(child)]
                found.update(children)
                left += children
    return found


def core_time() -> float:
    """Core-seconds of this process and of the programs that it has started and that have ended."""
    return sum(os.times()[:4])


def end_children(before: set[int]) -> int:
    """End the processes below this one that were not there before a job; how many there were.

    Args:
        before: What `descendants` gave then.
    """
    left = {pid for pid in descendants() - before if not _is_helper(pid)}
    count, last = len(left), time.monotonic() + GRACE_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        while left and time.monotonic() < last:
            time.sleep(0.05)
            left &= descendants()
        last += 1.0
    return count


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
