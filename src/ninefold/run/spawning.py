"""Signals and lifetime of worker processes, where the library leaves them to the caller."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_CHECK_SECONDS = 0.5
"""Between two looks at the parent's process id, where its end is not signalled by its pipe."""


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C inside the block comes at its end, and never to a process that is started in it.

    A worker inherits the mask: it would otherwise print a traceback where Ctrl-C meets its imports.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def start_resource_tracker() -> None:
    """Start multiprocessing's own helper: it unblocks Ctrl-C in this thread, and must not while a worker starts.

    Where this process is killed it would warn of semaphores that were left, which it removes itself.
    """
    from multiprocessing import resource_tracker

    sys.warnoptions.append("ignore:resource_tracker")  # what it is started with
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove("ignore:resource_tracker")


def follow_parent(parent: int) -> None:
    """In a worker: leave Ctrl-C to the parent, and end with it, however it ends.

    Args:
        parent: The parent's process id, as the parent knows it; this process may have been adopted by now.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    process = multiprocessing.parent_process()
    while os.getppid() == parent and process is not None:
        process.join(_CHECK_SECONDS)  # returns at once when the parent's end of the pipe closes
    os._exit(1)
