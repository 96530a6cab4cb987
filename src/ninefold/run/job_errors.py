"""What jobs of a campaign raised while the others went on: kept as faults, told at the end."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from ninefold import user_code
from ninefold.errors import MachineFaultError, description
from ninefold.flows.counting import Faults, registered_attempt
from ninefold.stages.stage import Counts

if TYPE_CHECKING:
    from ninefold.store import Store

STAGE = "job"
"""What stands for a stage in the fault of a job as a whole."""


def note_failed(store: Store, campaign: str, job: str, reason: str) -> None:
    """Keep that a job as a whole has failed.

    Args:
        store: Takes the fault.
        campaign: Whose job.
        job: What it is called.
        reason: For people.
    """
    # a flow of the user's may register a run of its own, which is then the last
    attempt = registered_attempt(store, campaign)
    Faults(store, campaign, STAGE, attempt).add(job, reason, Counts())


class JobErrors:
    """Errors of one run of a campaign; those of the run before are forgotten.

    Args:
        store: Where faults are kept: with one the campaign is incomplete.
        campaign: Its name.
    """

    def __init__(self, store: Store, campaign: str) -> None:
        store.delete("faults", equal={"campaign": campaign, "stage": STAGE})
        self._store, self._campaign = store, campaign
        self.errors: list[Exception] = []
        self._job = ""

    def __call__(self, job: str, error: Exception) -> None:
        """Keep what a job raised."""
        if os.environ.get("NINEFOLD_DEBUG"):
            traceback.print_exception(error)
        self._job = self._job or job
        self.errors.append(error)
        note_failed(self._store, self._campaign, job, description(error))

    def told(self, again: str = "'ninefold resume'") -> MachineFaultError:
        """What is said at the end of the run, of at least one error.

        Args:
            again: What tries again.
        """
        first, more = self.errors[0], len(self.errors) - 1
        blamed = user_code.blamed(first)
        what = f"internal error: {description(first)}" if blamed is None else str(blamed)
        others = f", and {more} more" if more else ""
        place = "NINEFOLD_DEBUG=1 shows where" + ("" if blamed else "; please report it")
        return MachineFaultError(
            f"{what} (in the job {self._job!r}{others}); the jobs that do not need its output have run, and what is "
            f"finished is kept; {again} tries again ({place})",
            is_at_end=True,
        )
