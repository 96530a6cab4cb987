"""The tasks of a job, computed in the worker's own process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ninefold.flows.workplace import Failure, workplace_for
from ninefold.machine import use_one_thread


class OneProcess:
    """Computes the tasks of a job in this process; see `ninefold.flows.runner.TaskRunner`.

    Args:
        held: Stage and name of what is not to be tried again -> the reason why it failed before.
    """

    def __init__(self, held: dict[tuple[str, str], str]) -> None:
        self._held = held

    def run(
        self, task: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], settings: dict[str, Any], store: str
    ) -> Iterator[tuple[int, Any]]:
        """See `TaskRunner.run`."""
        use_one_thread()
        place = workplace_for(settings, store)
        stage = _STAGE_OF_TASK.get(getattr(task, "__name__", ""), "")
        for index, values in enumerate(arguments):
            reason = self._held.get((stage, str(values[0].get("label"))))
            yield index, task(place, *values) if reason is None else Failure(reason)


_STAGE_OF_TASK = {
    "build_one": "build", "prescreen_one": "prescreen", "relax_reference": "references", "relax_minima_one": "energies",
    "static_one": "verify", "relax_one": "verify", "vibrations_one": "vibrations",
    "compress_one": "compress", "run_one": "dynamics",
}  # fmt: skip


def held_tasks(rows: Iterable[Sequence[str]]) -> dict[tuple[str, str], str]:
    """What is not to be tried again, from stage, name and reason of faults, as a submission keeps them."""
    return {(stage.partition(" ")[0], what): reason for stage, what, reason in rows}
