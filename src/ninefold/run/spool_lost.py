"""Jobs of a spool folder that nobody brings to an end: of nodes that are gone, and of a server that was killed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ninefold.run import spool_jobs
from ninefold.run.spool_jobs import DONE, IN_FOLDER, JOBS, RUNNING, WORKERS, JobName

if TYPE_CHECKING:
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.store import Store


class Silent:
    """Workers whose file does not change any more; by the clock of this process alone.

    Args:
        folder: The spool folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[str, float]] = {}
        """Worker -> what its file said, and when that was new."""

    def give_back(self, store: Store, launchpad: CampaignLaunchPad, seconds: float) -> None:
        """Give back the jobs of workers that have been silent for so long.

        Args:
            store: Takes the faults of jobs that were lost too often.
            launchpad: Where the jobs are.
            seconds: Without a change.
        """
        from ninefold.run.recovery import MOST_LOST, give_up

        for worker in spool_jobs.names_in(self._folder / RUNNING):
            file = self._folder / WORKERS / worker
            said = file.read_text() if file.exists() else ""
            before, since = self._seen.get(worker, (None, 0.0))
            if said != before:
                self._seen[worker] = (said, time.monotonic())
                continue
            if time.monotonic() - since < seconds:
                continue
            for name in spool_jobs.names_in(self._folder / RUNNING / worker):
                job = JobName.of(name)
                # away first: should the worker live after all, its result counts for a launch that is no more
                (self._folder / RUNNING / worker / name).unlink(missing_ok=True)
                firework = launchpad.fireworks.find_one({"fw_id": job.job})
                if firework is None or job.launch not in firework["launches"]:
                    continue
                if firework["spec"]["ninefold"].get("lost", 0) + 1 >= MOST_LOST:
                    give_up(store, launchpad, firework, job.launch, f"its process ended {MOST_LOST} times")
                else:
                    launchpad.release(job.job, [job.launch], f"worker {worker} is gone")
            file.unlink(missing_ok=True)
            with suppress(OSError):
                (self._folder / RUNNING / worker).rmdir()


def give_back_unwritten(folder: Path, kinds: Sequence[str], launchpad: CampaignLaunchPad, server: str) -> None:
    """Give back what an earlier process of the server had in hand: jobs that it ran, or has not written to the folder.

    Its name is used again, so that its lease does not tell of them.

    Args:
        folder: The spool folder.
        kinds: Of resources that the nodes have.
        launchpad: Where the jobs are.
        server: Its name.
    """
    wanted = {"launch_id": 1, "host": 1}
    taken = list(launchpad.launches.find({"fworker.name": server, "state": "RUNNING"}, wanted))
    if not taken:
        return
    # waiting ones twice: a node may give one back between
    folders = [
        *(folder / JOBS / kind for kind in kinds),
        *(folder / RUNNING / worker for worker in spool_jobs.names_in(folder / RUNNING)),
        folder / DONE,
        *(folder / JOBS / kind for kind in kinds),
    ]
    there = {JobName.of(name).launch for each in folders for name in spool_jobs.names_in(each)}
    for row in taken:
        launch = row["launch_id"]
        if row["host"] == IN_FOLDER and launch in there:
            continue
        for firework in list(launchpad.fireworks.find({"launches": launch}, {"fw_id": 1})):
            launchpad.release(firework["fw_id"], [launch])
