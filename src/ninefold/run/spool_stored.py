"""What jobs of a spool folder have stored that have not ended yet: the next node that gets such a job goes on there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ninefold.run import spool_jobs
from ninefold.run.spool_jobs import FACTS, JobName

if TYPE_CHECKING:
    from ninefold.run.launchpad import CampaignLaunchPad

STORED = "stored"
_NOTED = frozenset(FACTS) - {"structures"}
"""Collections; structures are named by what is noted of them."""


class StoredByJobs:
    """Ids in a file for each job; read and written by the server of the folder alone.

    Args:
        folder: The spool folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / STORED

    def add(self, file: str, written: Iterable[tuple[str, str]]) -> None:
        """Note what a file of records holds.

        Args:
            file: Its name, which ends with that of the job's file.
            written: Collections and ids.
        """
        name = file.removesuffix(".jsonl").split("-", 2)[-1]
        ids = [key for collection, key in written if collection in _NOTED]
        if ids and spool_jobs.is_job_name(name):
            self._folder.mkdir(exist_ok=True)
            with (self._folder / str(JobName.of(name).job)).open("a", encoding="utf-8") as out:
                out.write(json.dumps(ids) + "\n")

    def of(self, job: int) -> set[str]:
        """Ids of what a job has stored."""
        found: set[str] = set()
        with suppress(FileNotFoundError):
            for line in (self._folder / str(job)).read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):  # the last one, of a server that was killed: its file is delivered again
                    found.update(json.loads(line))
        return found

    def forget(self, job: int) -> None:
        """A job has ended."""
        (self._folder / str(job)).unlink(missing_ok=True)

    def forget_ended(self, launchpad: CampaignLaunchPad) -> None:
        """Forget the jobs that have ended otherwise, or were removed."""
        jobs = [int(name) for name in spool_jobs.names_in(self._folder) if name.isdigit()]
        left = {"fw_id": {"$in": jobs}, "state": {"$ne": "COMPLETED"}}
        waiting = {row["fw_id"] for row in launchpad.fireworks.find(left, {"fw_id": 1})}
        for job in jobs:
            if job not in waiting:
                self.forget(job)
