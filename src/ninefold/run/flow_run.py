"""The jobs of a flow, one after another in this process; one that fails stops only those that need its output.

jobflow's own `run_locally` either ends at the first error, whatever it is, or swallows every one: a full disk would
fail all jobs one by one, and an error could be told by its log alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ninefold.errors import NinefoldError

if TYPE_CHECKING:
    from jobflow import JobStore

OF_EVERY_JOB = (NinefoldError, OSError, MemoryError)
"""What is wrong with input, store, files or memory ends the run: every other job would meet it too."""


class FlowRun:
    """Runs flows on one store of outputs.

    Args:
        outputs: Where jobs find each other's.
        on_error: Told of a job and what it raised, if the run goes on after it.
    """

    def __init__(self, outputs: JobStore, on_error: Callable[[str, Exception], None]) -> None:
        self._outputs, self._on_error = outputs, on_error
        self._failed: set[str] = set()
        self._childless: set[str] = set()
        """Jobs whose children are not to be run, because one has said so."""
        self._is_stopped = False
        self.responses: dict[str, dict[int, Any]] = defaultdict(dict)
        """Job's uuid -> index -> jobflow's `Response`."""

    def run(self, flow: Any) -> None:
        """Run the jobs of a flow, and those by which they replace themselves.

        A job waits for its parents. Where one has failed it is left out, unless it takes what is there
        (`OnMissing.NONE`).
        """
        from jobflow import OnMissing

        for job, parents in flow.iterflow():
            if self._is_stopped:
                return
            if self._childless.intersection(parents):
                self._childless.add(job.uuid)
            elif self._failed.intersection(parents) and job.config.on_missing_references == OnMissing.ERROR:
                self._failed.add(job.uuid)
            else:
                self._run_job(job)

    def _run_job(self, job: Any) -> None:
        try:
            response = job.run(store=self._outputs)
        except OF_EVERY_JOB:
            raise
        except Exception as error:
            self._failed.add(job.uuid)
            self._on_error(job.name, error)
            return
        self.responses[job.uuid][job.index] = response
        if response.stop_children:
            self._childless.add(job.uuid)
        if response.stop_jobflow:
            self._is_stopped = True
        for further in (response.replace, response.detour, response.addition):
            if further is not None:
                self.run(further)
