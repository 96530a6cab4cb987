"""A campaign's tasks in worker processes: one thread, one engine, one connection to the store each."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.campaign import parse_campaign
from ninefold.errors import MachineFaultError, NinefoldError
from ninefold.machine import use_one_thread
from ninefold.run.pool import Pool, SerialPool, TaskFailure
from ninefold.store import open_repository

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.flows.remember import RememberingEngine
    from ninefold.store.repository import Repository


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
_open_pool: Pool | None = None
"""Kept from one stage to the next, so that a worker loads its engine once."""


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
        [(_, result)] = _pool(workers, workers).map(_engine_fault, [(settings,)])
        fault = result.reason if isinstance(result, TaskFailure) else result
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
        Index of the task and its result, as they finish; a `Failure` where its worker died twice, or was out of
        memory twice.

    Raises:
        NinefoldError: if one worker after the other dies.
    """
    if not arguments:
        return
    use_one_thread()
    pool = _pool(workers, len(arguments))
    if workers == 1:
        function = functools.partial(task, context_for(settings, store))
    else:
        function = functools.partial(_run_task, task, settings, store)
    for index, result in pool.map(function, arguments):
        yield index, Failure(result.reason) if isinstance(result, TaskFailure) else result


def _pool(workers: int, tasks: int) -> Pool | SerialPool:
    """The processes that there are, if no more of them would work than asked for; new ones otherwise."""
    global _open_pool
    if workers == 1:
        return SerialPool()
    if _open_pool is None or min(_open_pool.workers, tasks) != min(workers, tasks):
        close_pools()
        _open_pool = Pool(workers)
    return _open_pool


@atexit.register
def close_pools() -> None:
    """End every worker process now, without waiting for what it is on."""
    global _open_pool
    if _open_pool is not None:
        _open_pool.close()
        _open_pool = None


def _run_task(task: Callable[..., Any], settings: dict[str, Any], store: str, *values: Any) -> Any:
    return task(context_for(settings, store), *values)
