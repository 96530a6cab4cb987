"""Worker processes: one thread, one engine, one connection to the store each.

Tasks go out one by one and come back as they finish. A worker whose parent is gone ends itself, so
that nothing goes on computing beside a resumed campaign. A worker that dies takes down only the
task it was on: the others are run again, and a task that kills its worker twice is given back as
failed.
"""

from __future__ import annotations

import ast
import atexit
import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, MachineFaultError, NinefoldError
from ninefold.machine import use_one_thread
from ninefold.store import open_repository

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.flows.remember import RememberingEngine
    from ninefold.store.repository import Repository


DEATHS_IN_A_ROW = 3
"""Deaths without a finished task between them that end a campaign instead of being recorded task by task."""


TRIED_PHASES = 5
"""Reference phases that are tried until the engine knows the elements of one."""


class Context(NamedTuple):
    """What every task of a campaign works with."""

    campaign: Campaign
    repository: Repository
    engine: RememberingEngine
    """Remembers: asks the store before it computes."""


class Failure(NamedTuple):
    """A task that the machine, not a structure, kept from being finished: nothing of it is stored."""

    reason: str


_open_contexts: dict[tuple[str, str], Context] = {}
_pools: dict[tuple[str, str, int], concurrent.futures.ProcessPoolExecutor] = {}


def context_for(settings: dict[str, Any], store: str) -> Context:
    """Campaign, store and engine in this process; opened once, the engine's model loaded once."""
    from ninefold.engines import make_engine
    from ninefold.flows.remember import RememberingEngine

    campaign = parse_campaign(settings)
    key = (campaign.fingerprint(), store)
    if key not in _open_contexts:
        repository = open_repository(store, mode="write")
        engine = RememberingEngine(make_engine(campaign.engine), repository, campaign.name)
        _open_contexts[key] = Context(campaign, repository, engine)
    return _open_contexts[key]


def try_engine(settings: dict[str, Any], store: str, workers: int) -> None:
    """Compute one small structure where the tasks will run, before anything is stored.

    A library that cannot be loaded, or a device that is not there, would otherwise fail every structure.

    Args:
        settings: The campaign as plain values.
        store: Where the store is; not opened here.
        workers: Processes; with one, in this process.

    Raises:
        MachineFaultError: if the engine cannot compute here.
    """
    use_one_thread()  # here, and in the processes that are started from here
    if workers == 1:
        fault = _engine_fault(settings)
    else:
        try:
            with _interrupts_held():
                future = _pool(settings, store, workers).submit(_engine_fault, settings)
            fault = future.result()
        except BrokenProcessPool:
            close_pools()
            fault = "its process died (out of memory?)"
    if fault is not None:
        name = settings["engine"]["name"]
        raise MachineFaultError(
            f"engine: {name!r} cannot compute on this machine: {fault}; nothing was stored; mend the installation, or "
            "give it more memory, and start it again"
        )


def _engine_fault(settings: dict[str, Any]) -> str | None:
    """What keeps an engine from computing a small crystal of the campaign's elements; None if nothing does."""
    from ninefold.engines import RelaxSettings, make_engine
    from ninefold.engines.base import is_transient, reason_of
    from ninefold.thermo.references import reference_phases

    campaign = parse_campaign(settings)
    space = campaign.space[0]
    phases = [phase for phase in reference_phases(("H", *space.centres, *space.cations)) if phase.kind != "molecule"]
    phases.sort(key=lambda phase: (len(phase.structure), phase.name))
    try:
        engine = make_engine(campaign.engine)
        for phase in phases[:TRIED_PHASES]:
            [result] = engine.relax([phase.structure], RelaxSettings(max_steps=1))
            if result.is_transient:
                return result.error
            if result.error is None:
                return None
    except NinefoldError:
        raise
    except Exception as error:  # a plug-in may raise what it should return
        return reason_of(error) if is_transient(error) else None
    return None  # it knows none of these elements, which is no fault of the machine


def run_tasks(
    task: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], settings: dict[str, Any], store: str, workers: int
) -> Iterator[tuple[int, Any]]:
    """Run `task(context, *arguments)` for each set of arguments.

    Args:
        task: A module-level function.
        arguments: One tuple per task; picklable.
        settings: The campaign as plain values.
        store: Where the store is.
        workers: Processes; with one, the tasks run in this process.

    Yields:
        Index of the task and its result, as they finish; a `Failure` where its worker died twice.
    """
    if not arguments:
        return
    use_one_thread()
    if workers == 1:
        context = context_for(settings, store)
        for index, values in enumerate(arguments):
            yield index, task(context, *values)
        return
    waiting = dict(enumerate(arguments))
    try:
        yield from _run_in(_pool(settings, store, workers), task, waiting)
    except BrokenProcessPool:
        # find out which task it was: the unfinished ones, each in a process of its own
        close_pools()
        deaths = 0
        for index in list(waiting):
            try:
                yield from _run_in(_pool(settings, store, 1), task, {index: waiting[index]})
                deaths = 0
            except BrokenProcessPool as error:
                close_pools()
                deaths += 1
                if deaths == DEATHS_IN_A_ROW:
                    raise NinefoldError(
                        f"{deaths} worker processes in a row died; this is the machine or the installation, not a "
                        "structure (out of memory? see 'dmesg'); mend it, then 'ninefold resume'"
                    ) from error
                yield index, Failure("worker process died (out of memory?)")
        close_pools()


def _run_in(
    pool: concurrent.futures.ProcessPoolExecutor, task: Callable[..., Any], waiting: dict[int, tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    futures: dict[concurrent.futures.Future[Any], int] = {}
    try:
        for index, values in waiting.items():
            with _interrupts_held():
                futures[pool.submit(_run_task, task, values)] = index
        for future in concurrent.futures.as_completed(futures):
            result = future.result()
            index = futures[future]
            del waiting[index]
            yield index, result
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def _pool(settings: dict[str, Any], store: str, workers: int) -> concurrent.futures.ProcessPoolExecutor:
    key = (parse_campaign(settings).fingerprint(), store, workers)
    if key not in _pools:
        _check_main_guard()
        _start_resource_tracker()
        _pools[key] = concurrent.futures.ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(settings, store, os.getpid()),
        )
    return _pools[key]


def _check_main_guard() -> None:
    """Refuse to start processes from a script that each of them would run again.

    A worker imports the file of the main module. What stands there outside `if __name__ == "__main__":` runs in it,
    would start workers in turn, and every one of them would fail with a traceback of its own.

    Raises:
        InputError: naming the file and the line.
    """
    file = getattr(sys.modules["__main__"], "__file__", None)
    line = _line_in_main()
    if file is None or line is None:  # an interactive session, or a thread: nothing is run again
        return
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    guarded = (
        node.lineno <= line <= (node.end_lineno or line)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
    )
    if not any(guarded):
        raise InputError(
            "script", str(file), problem=f"starts worker processes in line {line} outside the main guard; each of them "
            "imports the script and would start it again",
            hint='put the call under if __name__ == "__main__": or set execution.workers to 1',
        )  # fmt: skip


def _line_in_main() -> int | None:
    """The line of the main module's own code, outside any function, that this thread is executing."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals is vars(sys.modules["__main__"]):
            return frame.f_lineno
        frame = frame.f_back
    return None


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C inside the block comes at its end, and never to a process that is started in it.

    A worker inherits the mask: it would otherwise print a traceback where Ctrl-C meets its imports.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _start_resource_tracker() -> None:
    """Start multiprocessing's own helper: it unblocks Ctrl-C in this thread, and must not while a worker starts.

    Where this process is killed it would warn of semaphores that were left, which it removes itself.
    """
    from multiprocessing import resource_tracker

    sys.warnoptions.append("ignore:resource_tracker")  # what it is started with
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove("ignore:resource_tracker")


@atexit.register
def close_pools() -> None:
    """End every worker process now, without waiting for what it is on."""
    for pool in _pools.values():
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
    _pools.clear()


_worker_context: tuple[dict[str, Any], str] | None = None


def _start_worker(settings: dict[str, Any], store: str, parent: int) -> None:
    global _worker_context
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _worker_context = (settings, store)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _run_task(task: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    if _worker_context is None:
        raise NinefoldError("a task was run outside a worker process")
    return task(context_for(*_worker_context), *values)
