"""Jobs of a spool folder that nobody brings to an end: of nodes that are gone, and of a server that was killed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
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
        from ninefold.run.recovery import MOST_LOST
        from ninefold.run.spool_results import give_back

        # a worker without a job is forgotten, too: its file would count as one that lives
        for worker in sorted(
            {name for each in (RUNNING, WORKERS) for name in spool_jobs.names_in(self._folder / each)}
        ):
            file = self._folder / WORKERS / worker
            said = ""
            with suppress(FileNotFoundError):
                said = file.read_text()
            before, since = self._seen.get(worker, (None, 0.0))
            if said != before:
                self._seen[worker] = (said, time.monotonic())
                continue
            if time.monotonic() - since < seconds:
                continue
            for name in spool_jobs.job_names_in(self._folder / RUNNING / worker):
                # away first: should the worker live after all, its result counts for a launch that is no more
                (self._folder / RUNNING / worker / name).unlink(missing_ok=True)
                give_back(
                    store, launchpad, JobName.of(name), f"worker {worker} is gone",
                    f"its process ended {MOST_LOST} times",
                )  # fmt: skip
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
    _release(launchpad, _gone(folder, kinds, launchpad, {"fworker.name": server}))


def give_back_gone(
    folder: Path, kinds: Sequence[str], launchpad: CampaignLaunchPad, server: str, before: set[int]
) -> set[int]:
    """Give back jobs whose files are nowhere in the folder any more: somebody has deleted them.

    Args:
        folder: The spool folder.
        kinds: Of resources that the nodes have.
        launchpad: Where the jobs are.
        server: The name under which they were handed out.
        before: Launches that the last look has not found: a file that is just renamed may be seen at neither place.

    Returns:
        Launches that this look has not found for the first time.
    """
    gone = _gone(folder, kinds, launchpad, {"fworker.name": server, "host": IN_FOLDER})
    _release(launchpad, gone & before)
    return gone - before


def _gone(folder: Path, kinds: Sequence[str], launchpad: CampaignLaunchPad, taken_by: dict[str, str]) -> set[int]:
    """Launches that nobody will end: none of the folder's files is of them."""
    query = {**taken_by, "state": "RUNNING"}
    taken = {row["launch_id"] for row in launchpad.launches.find(query, {"launch_id": 1})}
    if not taken:
        return set()
    # waiting ones twice: a node may give one back between
    folders = [
        *(folder / JOBS / kind for kind in kinds),
        *(folder / RUNNING / worker for worker in spool_jobs.names_in(folder / RUNNING)),
        folder / DONE,
        *(folder / JOBS / kind for kind in kinds),
    ]
    return taken - {JobName.of(name).launch for each in folders for name in spool_jobs.job_names_in(each)}


def _release(launchpad: CampaignLaunchPad, launches: Iterable[int]) -> None:
    for launch in sorted(launches):
        for firework in list(launchpad.fireworks.find({"launches": launch}, {"fw_id": 1})):
            launchpad.release(firework["fw_id"], [launch])
