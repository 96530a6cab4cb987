"""Worker processes by `concurrent.futures`, one executor per process: a death breaks one executor, not the pool.

Measured with 2 workers: one death ends every task of a loky or concurrent.futures pool, and pebble's pool waits for
ever where a worker dies while it sends a result. None of the three ends its workers when the parent is killed.
"""

from __future__ import annotations

import gc
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from ninefold.errors import NinefoldError, description
from ninefold.run.main_guard import check_main_guard
from ninefold.run.worker import Worker

R = TypeVar("R")

MAX_ATTEMPTS = 2
"""Runs of a task whose worker dies or is out of memory."""
MAX_DEATHS_IN_A_ROW = 3
"""Tasks that kill their first worker with no other task finished in between: it is the machine, not the task."""
OUT_OF_MEMORY = "out of memory"
"""The reason of a task's failure."""


class TaskFailure(NamedTuple):
    """A task without a result."""

    reason: str
    kind: Literal["died", "memory", "raised"]
    """Its worker process ended; it ran out of memory; it raised one of the exceptions that `map` was told to catch."""
    attempts: int


@dataclass
class _Task:
    index: int
    content: bytes
    """The pickled function and its arguments."""
    attempts: int = 0


class _Raised(NamedTuple):
    error: BaseException


class Pool:
    """Worker processes that outlive one another: what ends one of them costs only the task that it was on.

    A task runs alone in its process. Processes are started when a task needs one, and kept for the next `map`.

    ```python
    with Pool(4) as pool:
        for index, result in pool.map(relax, ((structure,) for structure in structures)):
            ...
    ```

    Args:
        workers: Processes at most.
        initializer: Called once in every process before its first task; what it raises is raised by `map`.
        initargs: Its arguments; picklable.
    """

    def __init__(
        self, workers: int, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
    ) -> None:
        if workers < 1:
            raise ValueError(f"{workers=} must be at least 1")
        self.workers = workers
        self._initializer, self._initargs = initializer, initargs
        self._workers: list[Worker] = []
        """All of them: an interrupt may come while one of them is neither idle nor busy."""
        self._idle: list[Worker] = []
        self._busy: dict[Future[bytes | None], tuple[Worker, _Task]] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker now, without waiting for what it is on; a later `map` starts new ones."""
        self._idle.clear()
        self._end_working()

    def _end_working(self) -> None:
        self._busy.clear()
        for worker in [worker for worker in self._workers if worker not in self._idle]:
            self._end(worker)

    def _end(self, worker: Worker) -> None:
        worker.end()
        self._workers.remove(worker)

    def map(
        self, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]], caught: tuple[type[Exception], ...] = ()
    ) -> Iterator[tuple[int, R | TaskFailure]]:
        """Run `function(*values)` for each of the arguments, in any order.

        A task whose worker dies or runs out of memory is run once more, in a new process, after the others have been
        started. Arguments are taken when a worker is free for them, results are kept for as many tasks as there are
        workers. Where the iterator is left before its end, the tasks that still run are ended.

        Args:
            function: A module-level function.
            arguments: One tuple per task; picklable.
            caught: Exceptions of a task that are its `TaskFailure`; every other one is raised here.

        Yields:
            Index of the task and its result, as they finish.

        Raises:
            NinefoldError: if one worker after the other dies.
        """
        if self._busy:
            raise RuntimeError("a pool runs one map at a time")
        check_main_guard()
        tasks = (_Task(index, pickle.dumps((function, values))) for index, values in enumerate(arguments))
        again: deque[_Task] = deque()
        died = 0
        finished: deque[tuple[int, Any]] = deque()
        try:
            while True:
                self._start_tasks(tasks, again, self.workers - len(finished))
                if not self._busy and not finished:
                    return
                done = wait(self._busy, timeout=0 if finished else None, return_when=FIRST_COMPLETED).done
                for future in done:
                    worker, task = self._busy.pop(future)
                    result = self._result_of(future, worker, task, caught)
                    if not (isinstance(result, TaskFailure) and result.kind == "died"):
                        died = 0
                    elif task.attempts == 1:  # those that are tried again come one after the other
                        died += 1
                        _check_deaths(died, result)
                    if isinstance(result, TaskFailure) and result.kind != "raised" and task.attempts < MAX_ATTEMPTS:
                        again.append(task)
                    else:
                        finished.append((task.index, result))
                if done:
                    self._start_tasks(tasks, again, self.workers - len(finished))
                if finished:
                    index, result = finished.popleft()
                    if isinstance(result, _Raised):
                        raise result.error
                    yield index, result
        finally:
            self._end_working()

    def _start_tasks(self, tasks: Iterator[_Task], again: deque[_Task], most: int) -> None:
        """Give free workers a task each, until `most` are at work or no task is left."""
        while len(self._busy) < most:
            task = next(tasks, None)
            if task is None:
                if not again:
                    return
                task = again.popleft()
            task.attempts += 1
            self._start_task(task)

    def _start_task(self, task: _Task) -> None:
        while self._idle:
            worker = self._idle.pop()
            try:
                self._busy[worker.submit(task.content)] = worker, task
            except BrokenProcessPool:  # it died while it had nothing to do
                self._end(worker)
            else:
                return
        worker = Worker(self._initializer, self._initargs)
        self._workers.append(worker)
        self._busy[worker.submit(task.content)] = worker, task

    def _result_of(
        self, future: Future[bytes | None], worker: Worker, task: _Task, caught: tuple[type[Exception], ...]
    ) -> Any:
        """What a finished task gave: its result, a `TaskFailure`, or `_Raised`; its worker is idle again, or ended."""
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            reason = worker.reason_of_death()
            self._end(worker)
            return TaskFailure(reason, "died", task.attempts)
        if error is None:
            content = future.result()
            if content is None:
                self._end(worker)  # its memory may be in pieces
                return TaskFailure(OUT_OF_MEMORY, "memory", task.attempts)
            try:
                result = pickle.loads(content)
            except Exception as problem:
                error = problem
        self._idle.append(worker)
        if error is None:
            return result
        return TaskFailure(description(error), "raised", task.attempts) if isinstance(error, caught) else _Raised(error)


class SerialPool:
    """The interface of `Pool` without processes: tasks run in this one, in order.

    Args:
        initializer: Called once, before the first task.
        initargs: Its arguments.
    """

    workers = 1

    def __init__(self, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()) -> None:
        self._initializer, self._initargs = initializer, initargs

    def __enter__(self) -> SerialPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to end."""

    def map(
        self, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]], caught: tuple[type[Exception], ...] = ()
    ) -> Iterator[tuple[int, R | TaskFailure]]:
        """As `Pool.map`; only a process of its own can survive a task that kills it."""
        if self._initializer is not None:
            self._initializer(*self._initargs)
            self._initializer = None
        for index, values in enumerate(arguments):
            yield index, _run_here(function, values, caught)


def make_pool(
    workers: int, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
) -> Pool | SerialPool:
    """Worker processes, or none where one would do."""
    return SerialPool(initializer, initargs) if workers == 1 else Pool(workers, initializer, initargs)


def _run_here(
    function: Callable[..., R], values: tuple[Any, ...], caught: tuple[type[Exception], ...]
) -> R | TaskFailure:
    for _ in range(MAX_ATTEMPTS):
        try:
            return function(*values)
        except MemoryError:
            pass  # outside this block the traceback holds nothing of what the task had in memory
        except caught as error:
            return TaskFailure(description(error), "raised", 1)
        gc.collect()
    return TaskFailure(OUT_OF_MEMORY, "memory", MAX_ATTEMPTS)


def _check_deaths(died: int, last: TaskFailure) -> None:
    if died == MAX_DEATHS_IN_A_ROW:
        raise NinefoldError(
            f"{died} worker processes in a row died ({last.reason}); this is the machine or the installation, not a "
            "structure (out of memory? see 'dmesg'); mend it, then 'ninefold resume'"
        )
