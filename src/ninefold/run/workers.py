"""The workers of a campaign on this machine: processes that keep campaign, store and engines open between tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.errors import MachineFaultError, NinefoldError
from ninefold.flows.faults import is_of_machine, of_engine
from ninefold.flows.workplace import Failure, close_workplaces, workplace_for
from ninefold.machine import use_one_thread
from ninefold.run.process_pool import TaskFailure, make_pool

if TYPE_CHECKING:
    from ninefold.engines.settings import EngineSettings

TRIED_PHASES = 5
"""Reference phases that are tried until the engine knows the elements of one."""


class Workers:
    """Runs the tasks of a campaign's jobs; see `ninefold.flows.runner.TaskRunner`.

    Args:
        count: Processes; with one, the tasks run in this process.
    """

    def __init__(self, count: int) -> None:
        use_one_thread()  # here, and in the processes that are started from here
        self._pool = make_pool(count)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()
        close_workplaces()  # of this process: one worker runs its tasks here

    def run(
        self, task: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], settings: dict[str, Any], store: str
    ) -> Iterator[tuple[int, Any]]:
        """See `TaskRunner.run`."""
        for index, result in self._pool.map(_run, ((task, settings, store, values) for values in arguments)):
            yield index, Failure(result.reason) if isinstance(result, TaskFailure) else result

    def try_engines(self, settings: dict[str, Any], methods: Sequence[EngineSettings]) -> None:
        """Compute one small structure with each engine where the tasks will run, before anything is stored.

        A library that cannot be loaded, or a device that is not there, would otherwise fail every structure.

        Args:
            settings: The campaign as plain values.
            methods: Its engines.

        Raises:
            MachineFaultError: if one cannot compute here.
        """
        for index, result in self._pool.map(_engine_fault, [(settings, place) for place in range(len(methods))]):
            fault = f"its process failed: {result.reason}" if isinstance(result, TaskFailure) else result
            if fault is not None:
                is_machine_s = isinstance(result, TaskFailure) or is_of_machine(fault)
                advice = "the installation, or give it more memory," if is_machine_s else "the engine"
                raise MachineFaultError(
                    f"engine: {methods[index].name!r} cannot compute on this machine: "
                    f"{fault if is_machine_s else of_engine(fault)}; nothing was stored; mend {advice} and start again"
                )


def _run(task: Callable[..., Any], settings: dict[str, Any], store: str, values: tuple[Any, ...]) -> Any:
    use_one_thread()
    return task(workplace_for(settings, store), *values)


def _engine_fault(settings: dict[str, Any], method: int) -> str | None:
    """What keeps an engine from computing a small crystal of the campaign's elements; None if nothing does."""
    from ninefold.engines import RelaxSettings, make_engine
    from ninefold.engines.base import is_transient, reason_of
    from ninefold.thermo.references import reference_phases

    campaign = parse_campaign(settings)
    space = campaign.space[0]
    phases = [phase for phase in reference_phases(("H", *space.centres, *space.cations)) if phase.kind != "molecule"]
    phases.sort(key=lambda phase: (len(phase.structure), phase.name))
    try:
        engine = make_engine(campaign.methods[method])
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
