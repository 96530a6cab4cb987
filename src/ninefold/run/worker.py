"""One worker process: how it is started, given a task, ended, and what runs in it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any

from ninefold.errors import NinefoldError, description
from ninefold.run.spawning import follow_parent, interrupts_held, start_resource_tracker

_LAST_SECONDS = 2.0
"""A killed process is waited for so long at most: it ends after the system call that it is in."""


class Worker:
    """One process, started with its first task."""

    def __init__(self, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
        start_resource_tracker()
        self._executor = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),  # forked threads and CUDA contexts do not work
            initializer=_start_worker,
            initargs=(os.getpid(), None if initializer is None else pickle.dumps((initializer, initargs))),
        )
        self._process: BaseProcess | None = None

    def submit(self, content: bytes) -> Future[bytes | None]:
        """Run a pickled function with its arguments: its pickled result, or None where it ran out of memory."""
        with interrupts_held():
            if self._process is not None:
                return self._executor.submit(_run_task, content)
            others = set(multiprocessing.active_children())
            try:
                return self._executor.submit(_run_task, content)
            finally:  # the executor ends its process by a public method from Python 3.14 on
                self._process = next(iter(set(multiprocessing.active_children()) - others), None)

    def end(self) -> None:
        """End it now, without waiting for what it is on."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._process is not None:
            self._process.kill()
            self._process.join(_LAST_SECONDS)  # else a write in flight ends after its owner has counted what is kept

    def reason_of_death(self) -> str:
        """Of a broken executor."""
        self._executor.shutdown(wait=True)  # it reads the exit code
        code = None if self._process is None else self._process.exitcode
        if code is None:
            return "worker process died"
        if code >= 0:
            return f"worker process ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"worker process died by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


_uninitialized: bytes | None = None
"""In a worker: the pickled initializer and its arguments, until they have been called."""


def _start_worker(parent: int, initializer: bytes | None) -> None:
    global _uninitialized
    follow_parent(parent)
    _uninitialized = initializer


def _run_task(content: bytes) -> bytes | None:
    """In a worker: the pickled result of a task; None where it ran out of memory.

    Read and written here, so that what cannot be pickled, or exhausts the memory by it, is this task's error; the
    initializer is called here, so that what it raises comes to the caller instead of a traceback of the worker's.
    """
    global _uninitialized
    try:
        if _uninitialized is not None:
            initializer, initargs = pickle.loads(_uninitialized)
            initializer(*initargs)
            _uninitialized = None
        function, values = pickle.loads(content)
        return pickle.dumps(function(*values))
    except MemoryError:
        return None
    except BaseException as error:
        if isinstance(error, Exception) and _survives_pickling(error):
            raise
        raise NinefoldError(description(error)) from None


def _survives_pickling(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True
