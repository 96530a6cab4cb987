"""What surrounds a job that a worker runs: its notes, its folder, what it finds."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from ninefold.flows.earlier import earlier_folders
from ninefold.flows.progress import Progress
from ninefold.run.worker_group import PARENT

if TYPE_CHECKING:
    from ninefold.run.fireworks import Place
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.store.mongo_lease import MongoLease

NOTE_SECONDS = 5.0
"""Between two notes."""
WATCH_SECONDS = 15.0
"""Between two looks at whether the campaign was cancelled."""


class Noting:
    """Notes in the lease how far the job is."""

    def __init__(self, lease: MongoLease, firework: Any, campaign: str, besides: dict[str, Any]) -> None:
        self._lease, self._noted, self._since = lease, time.monotonic(), time.time()
        self._job = {**besides, "job": firework.fw_id, "name": firework.name, "campaign": campaign}

    def __call__(self, step: Progress) -> None:
        """Note a step, not too often."""
        if time.monotonic() - self._noted < NOTE_SECONDS:
            return
        self._noted = time.monotonic()
        step_now = {"stage": step.stage, "done": step.done, "total": step.total}
        self._lease.try_note({**self._job, "since": self._since, **step_now})


@contextmanager
def in_folder(folder: Path | None) -> Iterator[None]:
    """Work in a folder, `JOB-LAUNCH`; one in which nothing was written goes again. Jobs find those of earlier launches.

    Args:
        folder: Made; None: the present one.
    """
    if folder is None:
        yield
        return
    number = folder.name.partition("-")[0]
    others = [each for each in folder.parent.glob(f"{number}-*") if each != folder]
    others.sort(key=lambda each: int(each.name.partition("-")[2]), reverse=True)
    folder.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    token = earlier_folders.set(tuple(others))
    try:
        yield
    finally:
        earlier_folders.reset(token)
        os.chdir(before)
        with suppress(OSError):
            folder.rmdir()


def folder_of_job(base: Path | None, campaign: str, job: int, launch: int, kind: str) -> Path | None:
    """Where the DFT code of a job may write; other jobs write no files.

    Args:
        base: Shared by the nodes; None: there is none.
        campaign: Its name.
        job: Number of the job.
        launch: Of this try at it.
        kind: Of the node.
    """
    return base / "runs" / campaign / f"{job}-{launch}" if base is not None and kind == "dft" else None


@contextmanager
def at_place(place: Place) -> Iterator[None]:
    """Jobs inside the block find store and outputs of this worker."""
    from ninefold.run.fireworks import working_at

    token = working_at.set(place)
    try:
        yield
    finally:
        working_at.reset(token)


def is_withdrawn(launchpad: CampaignLaunchPad, run: str) -> bool:
    """Whether a run was cancelled, or its jobs removed."""
    from ninefold.run.launchpad import RUN

    if launchpad.submissions.find_one({"run": run, "state": "cancelled"}, {"_id": 1}):
        return True
    return launchpad.fireworks.find_one({RUN: run}, {"_id": 1}) is None


@contextmanager
def watching(launchpad: CampaignLaunchPad, run_now: Callable[[], str | None]) -> Iterator[None]:
    """Look now and then whether the job that runs is wanted, and whether this worker's group was killed.

    It is not wanted when its campaign was cancelled, nor when another submission has removed its run since.

    Args:
        launchpad: Where the campaign is.
        run_now: Gives the run of the job that runs.
    """
    ended = threading.Event()
    parent = int(os.environ[PARENT]) if PARENT in os.environ else None

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            if parent is not None and os.getppid() != parent:  # killed, and its workers with it
                os.kill(os.getpid(), signal.SIGTERM)
            run = run_now()
            with suppress(PyMongoError):
                if run and is_withdrawn(launchpad, run):
                    os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=watch, name="watches the campaign", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
