"""A worker of a cluster: takes jobs from the launchpad, one after another, until its time is over or nothing is left.

One process, one connection, one core, unless a job starts a program on more. Its lease in the store says that it is
alive; a job that it does not bring to an end goes back to the others: at once when the worker is told to end, after the
lease has expired when it is killed.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from ninefold.engines.unfinished import kept_in
from ninefold.errors import NinefoldError, description
from ninefold.flows.progress import listening
from ninefold.flows.runner import Run, registered_as, running_with
from ninefold.flows.workplace import close_workplaces
from ninefold.machine import use_one_thread
from ninefold.run.children import adopting_orphans, core_time, descendants, end_children
from ninefold.run.ending import Ending, JobStopped
from ninefold.run.job_errors import note_failed
from ninefold.run.one_process import OneProcess, held_tasks
from ninefold.run.room import check_room
from ninefold.run.running_job import Noting, at_place, folder_of_job, in_folder, watching
from ninefold.run.submitted_runs import has_work, held_runs, launchpad_of
from ninefold.run.watch import RUNS_JOBS
from ninefold.store.mongo import connection_of
from ninefold.store.mongo_lease import Term, drop, held
from ninefold.store.store import LeaseLostError

if TYPE_CHECKING:
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.store import Store
    from ninefold.store.mongo_lease import MongoLease

EXPIRY_SECONDS = 210.0
"""After its last heartbeat a worker counts as gone; with the time between two recoveries below five minutes."""
HEARTBEAT_SECONDS = 15.0
IDLE_SECONDS = 120.0
"""A worker for which nothing is ready ends after this time: others start when there is."""
LAST_LOOK_SECONDS = 1.0
"""A worker that would end looks for lost jobs, unless somebody did so shortly before."""
PAUSE_SECONDS = (0.5, 10.0)
"""Between two questions for a job, at first and at last."""
RETRY_SECONDS = 150.0
"""How long a job waits, with what it has computed, for a server that does not answer; shorter than its lease."""
OUTAGE_SECONDS = 3600.0
"""How long a worker waits for a server that does not answer."""
QUEUE_JOB = "NINEFOLD_QUEUE_JOB"
"""The queue job that a worker runs in, as its script says."""


@dataclass
class Worked:
    """What a worker has done."""

    jobs: int = 0
    """Brought to their end."""
    given_back: int = 0
    failed: int = 0
    reason: str = "nothing is left to do"
    """Why it ended."""


class ClusterWorker:
    """Takes jobs; made by `work`.

    Args:
        address: Of the database.
        cluster: Whose jobs it takes.
        kinds: Of resources that this node has.
        ending: When it ends.
        tell: Told a line for each job.
        folder: See `work`.
    """

    def __init__(
        self, address: str, cluster: str, kinds: Sequence[str], ending: Ending, tell: Callable[[str], None],
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        self._address, self._cluster, self._kinds, self._ending, self._tell = address, cluster, kinds, ending, tell
        self._folder = folder
        self.noted: dict[str, Any] = {}
        """What its lease says beside the job."""
        self.done = Worked()
        self._run_now: str | None = None
        self._former: list[str] = []
        """Names under which the server's absence has cut this worker short: what they have is given back."""
        self._was_there = False
        """Whether the server has answered once: an address that is wrong is told at once."""
        self._runs: dict[str, tuple[Run, OneProcess]] = {}

    def work(self, idle_seconds: float) -> None:
        """Take jobs until nothing is left, nothing was ready for some time, or the worker is to end."""
        waiting_since: float | None = None
        while True:
            try:
                with launchpad_of(self._address) as (store, launchpad):
                    waiting_since, self._was_there = None, True
                    # another name each time: a job that was lost under one stays lost
                    name = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
                    if self._work_as(name, store, launchpad, idle_seconds):
                        return
            except (PyMongoError, NinefoldError) as error:
                if not self._was_there or not is_of_server(error) or self._ending.reason is not None:
                    raise
                waiting_since = waiting_since or time.monotonic()
                if time.monotonic() - waiting_since > min(OUTAGE_SECONDS, self._ending.left()):
                    raise
                self._tell(f"waits for the database: {description(error)}")
            finally:
                close_workplaces()
                self._runs.clear()
            time.sleep(1.0)

    def _work_as(self, worker: str, store: Store, launchpad: CampaignLaunchPad, idle_seconds: float) -> bool:
        """Take jobs under a name, while its lease is held; whether the worker has ended."""
        from ninefold.run.recovery import WORKER, recover_if_due

        connection = connection_of(store)
        connection.retry_seconds = RETRY_SECONDS
        queue_job = os.environ.get(QUEUE_JOB)
        purpose = f"{RUNS_JOBS} {self._cluster} ({', '.join(self._kinds)})" + (
            f" in queue job {queue_job}" if queue_job else ""
        )
        term = Term(EXPIRY_SECONDS, HEARTBEAT_SECONDS, is_kept=False)
        with held(connection, f"{WORKER}{worker}", purpose, term) as lease, watching(launchpad, lambda: self._run_now):
            idle_since, pause = time.monotonic(), PAUSE_SECONDS[0]
            self._give_back_former(launchpad)
            self._former.append(worker)
            recover_if_due(store, launchpad, 5.0)
            while self._ending.reason is None:
                if self.run_one(store, launchpad, lease, worker):
                    idle_since, pause = time.monotonic(), PAUSE_SECONDS[0]
                    continue
                recover_if_due(store, launchpad)
                if not has_work(launchpad, self._cluster):
                    return True
                if time.monotonic() - idle_since >= idle_seconds:
                    # another may have been killed since the last look, and nobody would come for its job
                    last = recover_if_due(store, launchpad, LAST_LOOK_SECONDS)
                    if last is not None and last.released:
                        continue
                    self.done.reason = f"nothing was ready for {idle_seconds:g} s"
                    return True
                time.sleep(min(pause, max(0.0, idle_seconds - (time.monotonic() - idle_since)) + 0.01))
                pause = min(1.5 * pause, PAUSE_SECONDS[1])
            self.done.reason = self._ending.reason
            return True

    def _give_back_former(self, launchpad: CampaignLaunchPad) -> None:
        """Give back what this worker had under its former names: also a job that it was given without an answer."""
        from ninefold.run.recovery import WORKER

        query = {"fworker.name": {"$in": self._former}, "state": "RUNNING"}
        for row in list(launchpad.launches.find(query, {"launch_id": 1})) if self._former else ():
            for firework in list(launchpad.fireworks.find({"launches": row["launch_id"]}, {"fw_id": 1})):
                launchpad.release(firework["fw_id"], [row["launch_id"]])
        for former in self._former:
            drop(launchpad.our, f"{WORKER}{former}")
        self._former.clear()

    def run_one(self, store: Store, launchpad: CampaignLaunchPad, lease: MongoLease, worker: str) -> bool:
        """Take one job and run it; whether there was one.

        Args:
            store: Open for writing.
            launchpad: In its database.
            lease: Of the worker.
            worker: Its name.
        """
        from ninefold.run.fireworks import fireworker

        if self._folder is not None:
            check_room("work_folder", self._folder)
        taker = fireworker(worker, self._cluster, self._kinds, held_runs(launchpad))
        firework, launch = launchpad.take(taker, os.getcwd(), os.uname().nodename)
        if firework is None or launch is None:
            return False
        if launchpad.is_orphan(firework.fw_id):
            launchpad.remove([firework.fw_id])
        else:
            self._run_job(store, launchpad, lease, firework, launch)
        return True

    def _run_job(
        self, store: Store, launchpad: CampaignLaunchPad, lease: MongoLease, firework: Any, launch: int
    ) -> None:
        from ninefold.run.fireworks import Place
        from ninefold.run.launchpad import TAG, outputs_in
        from ninefold.run.recovery import give_back

        tag = firework.spec[TAG]
        started, wall, cpu = time.time(), time.monotonic(), core_time()
        lease.try_note(
            {**self.noted, "job": firework.fw_id, "name": firework.name, "campaign": tag["campaign"], "since": started}
        )
        run, tasks = self._run_of(store, launchpad, tag)

        def on_error(job: str, error: Exception) -> None:
            note_failed(store, tag["campaign"], f"{job} {firework.fw_id}", description(error))

        place = Place(store, outputs_in(launchpad), on_error)
        self._run_now = tag["run"]
        others = descendants()
        try:
            try:
                with (
                    registered_as(run), running_with(tasks), at_place(place),
                    listening(Noting(lease, firework, tag["campaign"], self.noted)),
                    in_folder(
                        folder_of_job(self._folder, tag["campaign"], firework.fw_id, launch, firework.spec["_category"])
                    ),
                    kept_in(self._folder and self._folder / "relaxations"), self._ending.computing(),
                ):  # fmt: skip
                    action = firework.tasks[0].run_task(dict(firework.spec))
            finally:  # before anybody else may take the job
                end_children(others)
        except JobStopped as stopped:
            self._run_now = None
            self._ending.tell(stopped)
            launchpad.release(firework.fw_id, [launch])
            self.done.given_back += 1
            self._tell(f"job {firework.fw_id} {firework.name}: given back: {stopped}")
            return
        except LeaseLostError:
            raise
        except (NinefoldError, OSError, MemoryError) as error:
            self._run_now = None
            if isinstance(error, NinefoldError) and is_of_server(error):
                raise
            document = {"name": firework.name, "fw_id": firework.fw_id, "spec": firework.spec}
            has_failed = give_back(store, launchpad, document, [launch], description(error)) == "failed"
            self.done.failed += has_failed
            self.done.given_back += not has_failed
            raise  # another node may do better; this one would fail at every job
        finally:
            self._run_now = None
        action.stored_data.update(
            wall_seconds=round(time.monotonic() - wall, 3), core_seconds=round(core_time() - cpu, 3)
        )
        lease.check()
        # again where the server's answer was lost: the second time changes nothing
        launchpad.our.retried(lambda: launchpad.complete_launch(launch, action, "COMPLETED"))
        self.done.jobs += 1
        self.done.failed += "failed" in action.stored_data
        self._tell(f"job {firework.fw_id} {firework.name}: {time.monotonic() - wall:.1f} s")

    def _run_of(self, store: Store, launchpad: CampaignLaunchPad, tag: dict[str, Any]) -> tuple[Run, OneProcess]:
        """The run that a job belongs to, and who computes its tasks."""
        key = tag["run"]
        if key not in self._runs:
            close_workplaces()  # those of another campaign
            self._runs.clear()
            found = launchpad.submissions.find_one({"_id": tag["campaign"], "run": key}) or {}
            rows = json.loads(store.blobs.get(found["held"])) if found.get("held") else []
            run = Run(key, found.get("workflow", "screen"), found.get("workflow_content", ""))
            self._runs[key] = run, OneProcess(held_tasks(rows))
        return self._runs[key]


def work(
    address: str,
    cluster: str,
    kinds: Sequence[str],
    *,
    max_seconds: float | None = None,
    idle_seconds: float = IDLE_SECONDS,
    folder: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Worked:
    """Run jobs of a cluster in this process; called in the main thread.

    Args:
        address: Of the database of store and launchpad.
        cluster: Whose jobs.
        kinds: Of resources that this node has.
        max_seconds: After which it has ended: the job that runs then is given back.
        idle_seconds: After which it ends if no job was ready.
        folder: Shared by the nodes, for the folders of DFT runs; None: where the worker was started.
        tell: Told a line for each job.

    Returns:
        What it has done, and why it ended.
    """
    use_one_thread()
    with adopting_orphans(), Ending(max_seconds) as ending:
        ending.announce()
        worker = ClusterWorker(address, cluster, kinds, ending, tell, folder)
        worker.work(idle_seconds)
        return worker.done


def is_of_server(error: Exception) -> bool:
    """Whether the server does not answer, or another has taken over: waiting helps, another node does not."""
    return isinstance(error, PyMongoError | LeaseLostError) or "cannot be reached" in str(error)
