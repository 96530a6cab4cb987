"""Where the tasks of a job are computed: in this process, or where the executor that runs the job says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from ninefold.flows.workplace import workplace_for
from ninefold.machine import use_one_thread

Task = Callable[..., Any]
"""A module-level function of a `Workplace` and plain values."""


class TaskRunner(Protocol):
    """What an executor offers to the jobs that it runs."""

    def run(
        self, task: Task, arguments: Sequence[tuple[Any, ...]], settings: dict[str, Any], store: str
    ) -> Iterator[tuple[int, Any]]:
        """Index and result of each task, as they finish; a `Failure` where its worker died."""
        ...


class Run(NamedTuple):
    """What an executor has registered: the flow's own registering job takes it for its own."""

    identifier: str
    workflow: str
    """As it is stored."""
    workflow_content: str
    """Hash of the user's file that makes the flow; empty for a shipped one."""


_run: ContextVar[Run | None] = ContextVar("run", default=None)


@contextmanager
def registered_as(run: Run) -> Iterator[None]:
    """Jobs inside the block belong to this run."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def registered_run() -> Run | None:
    """The run that the executor of this job has registered; None where there is no such executor."""
    return _run.get()


_current: ContextVar[TaskRunner | None] = ContextVar("task_runner", default=None)


@contextmanager
def running_with(runner: TaskRunner) -> Iterator[None]:
    """Jobs inside the block compute their tasks with this runner."""
    token = _current.set(runner)
    try:
        yield
    finally:
        _current.reset(token)


def run_tasks(
    task: Task, arguments: Sequence[tuple[Any, ...]], settings: dict[str, Any], store: str
) -> Iterator[tuple[int, Any]]:
    """Run `task(workplace, *arguments)` for each set of arguments.

    Args:
        task: What to run.
        arguments: One tuple for each; picklable.
        settings: The campaign as plain values.
        store: Address of the store.

    Yields:
        Index and result of each, as they finish.
    """
    if not arguments:
        return
    runner = _current.get()
    if runner is not None:
        yield from runner.run(task, arguments, settings, store)
        return
    use_one_thread()
    place = workplace_for(settings, store)
    for index, values in enumerate(arguments):
        yield index, task(place, *values)
