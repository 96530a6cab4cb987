"""What stands between a launchpad and a spool folder, on the login node: hands jobs out, and takes back what they give.

It runs itself the jobs that read much of the store: those that plan, gather and judge. Ended or killed, it is started
again and goes on: what was handed out stays handed out under its one name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from ninefold.errors import InputError, NinefoldError, description
from ninefold.run import spool_jobs
from ninefold.run.cluster_worker import (
    EXPIRY_SECONDS,
    HEARTBEAT_SECONDS,
    OUTAGE_SECONDS,
    ClusterWorker,
    is_of_server,
)
from ninefold.run.ending import Ending
from ninefold.run.spool_jobs import CANCELLED, DONE, IN_FOLDER, JOBS, RUNNING, WORKERS, JobName
from ninefold.run.spool_lost import Silent, give_back_gone, give_back_unwritten
from ninefold.run.spool_results import end_job, give_back
from ninefold.run.spool_stored import StoredByJobs
from ninefold.run.submitted_runs import held_runs, is_active, launchpad_of
from ninefold.run.watch import NODES
from ninefold.store.mongo import connection_of
from ninefold.store.mongo_lease import Term, held
from ninefold.store.spool import DAMAGED, RECORDS, ingest, set_apart

if TYPE_CHECKING:
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.store import Store
    from ninefold.store.mongo_lease import MongoLease

LOGIN = "login"
"""Category of the jobs that run here, as `ninefold.run.fireworks` gives it to them."""
POLL_SECONDS = 2.0
LOST_SECONDS = EXPIRY_SECONDS
"""After which a worker whose file has not changed counts as gone."""
MOST_WAITING = 200
"""Jobs of a kind that wait in the folder: the others keep their order in the launchpad."""
LOOK_SECONDS = 120.0
"""Between two looks for jobs whose files somebody has deleted; a shared file system shows a renamed one sooner."""
LATE_SECONDS = 120.0
"""How long the files of a result may come later than the result itself, on a slow shared file system."""


class SpoolServer:
    """Serves one spool folder; made by `serve`.

    Args:
        folder: The spool folder.
        address: Of the database.
        cluster: Whose jobs.
        kinds: Of resources that the nodes have.
        ending: When it ends.
        tell: Told a line for each job.
    """

    def __init__(
        self, folder: Path, address: str, cluster: str, kinds: Sequence[str], ending: Ending,
        tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._folder, self._address, self._cluster, self._kinds = folder, address, cluster, kinds
        self._ending, self._tell = ending, tell
        self._here = ClusterWorker(address, cluster, [LOGIN], ending, tell)
        self._silent = Silent(folder)
        self._stored = StoredByJobs(folder)
        self._gone: set[int] = set()
        """Launches of which the last look has found no file."""
        self._delivered: set[str] = set()
        """Files of records that have gone into the store."""
        self._results: dict[str, float] = {}
        """Result -> when it was first seen, while its files are waited for."""
        self.ended = 0
        """Jobs that nodes have brought to their end."""

    def serve(self, *, until_done: bool) -> None:
        """Serve until told to end; or until no job is left."""
        was_there, waiting_since = False, 0.0
        while self._ending.reason is None:
            try:
                with launchpad_of(self._address) as (store, launchpad), self._leased(store) as lease:
                    was_there, waiting_since = True, 0.0
                    self._serve(store, launchpad, lease, until_done=until_done)
                    return
            except (PyMongoError, NinefoldError) as error:
                waiting_since = waiting_since or time.monotonic()
                if not was_there or not is_of_server(error) or time.monotonic() - waiting_since > OUTAGE_SECONDS:
                    raise
                self._tell(f"waits for the database: {description(error)}")
            time.sleep(1.0)

    def _serve(self, store: Store, launchpad: CampaignLaunchPad, lease: MongoLease, *, until_done: bool) -> None:
        give_back_unwritten(self._folder, self._kinds, launchpad, self._name)
        self._here.noted = {}  # the lease is new
        self._stored.forget_ended(launchpad)
        looked = time.monotonic()
        while self._ending.reason is None:
            did = self.step(store, launchpad, lease)
            if time.monotonic() - looked > LOOK_SECONDS:
                self._gone = give_back_gone(self._folder, self._kinds, launchpad, self._name, self._gone)
                looked = time.monotonic()
            if until_done and not did and not self._has_work(launchpad):
                return
            if not did:
                time.sleep(POLL_SECONDS)

    def step(self, store: Store, launchpad: CampaignLaunchPad, lease: MongoLease) -> bool:
        """Take back, give out, and run what runs here, once; whether there was something to do."""
        from ninefold.run.recovery import recover_if_due

        did = self._take_back(store, launchpad)
        self._silent.give_back(store, launchpad, LOST_SECONDS)
        recover_if_due(store, launchpad)
        self._withdraw(launchpad)
        did |= self._give_out(store, launchpad)
        nodes = {NODES: len(spool_jobs.names_in(self._folder / WORKERS))}
        if nodes != self._here.noted:
            self._here.noted = nodes
            lease.try_note(nodes)
        return self._run_here(store, launchpad, lease) or did

    @contextmanager
    def _leased(self, store: Store) -> Iterator[MongoLease]:
        from ninefold.run.recovery import WORKER

        term = Term(EXPIRY_SECONDS, HEARTBEAT_SECONDS, is_kept=False)
        try:
            with held(connection_of(store), f"{WORKER}{self._name}", f"serves {self._folder}", term) as lease:
                yield lease
        except InputError as error:
            if "is in use by" not in error.problem:
                raise
            raise InputError(
                "spool", str(self._folder), problem=error.problem, hint="one process is enough to serve a folder"
            ) from None

    @property
    def _name(self) -> str:
        return f"spool-{self._cluster}"

    def _give_out(self, store: Store, launchpad: CampaignLaunchPad) -> bool:
        from ninefold.run.fireworks import fireworker

        did = False
        for kind in self._kinds:
            waiting = len(spool_jobs.job_names_in(self._folder / JOBS / kind))
            while waiting < MOST_WAITING and self._ending.reason is None:
                taker = fireworker(self._name, self._cluster, [kind], held_runs(launchpad))
                firework, launch = launchpad.take(taker, str(self._folder), IN_FOLDER)
                if firework is None or launch is None:
                    break
                did = True
                if launchpad.is_orphan(firework.fw_id):
                    launchpad.remove([firework.fw_id])
                    continue
                waiting += self._write(store, launchpad, firework, launch, kind)
        return did

    def _write(self, store: Store, launchpad: CampaignLaunchPad, firework: Any, launch: int, kind: str) -> bool:
        """Write a job into the folder; whether there was anything to compute."""
        from fireworks import FWAction
        from monty.json import jsanitize

        from ninefold.flows.known import known_of
        from ninefold.flows.resources import shard_of_job
        from ninefold.run.fireworks import Place, lost_input, unpacked
        from ninefold.run.launchpad import TAG, outputs_in

        tag, outputs = firework.spec[TAG], outputs_in(launchpad)
        job = unpacked(firework.tasks[0]["job"], Place(store, outputs, lambda *_: None))
        if (lost := lost_input(job, outputs)) is not None:
            data = {"left_out": f"needs the output of {lost}, which failed"}
            launchpad.complete_launch(launch, FWAction(stored_data=data), "COMPLETED")
            return False
        job.resolve_args(store=outputs)
        found = launchpad.submissions.find_one({"_id": tag["campaign"], "run": tag["run"]}) or {}
        run = {
            "identifier": tag["run"], "workflow": found.get("workflow", "screen"),
            "workflow_content": found.get("workflow_content", ""),
        }  # fmt: skip
        name = str(JobName(firework.spec["_priority"], firework.fw_id, launch))
        shard = shard_of_job(job)
        known = known_of(store, job, shard)
        known.records |= self._stored.of(firework.fw_id)
        spool_jobs.write(
            self._folder / JOBS / kind / name,
            {
                "job": firework.fw_id, "name": firework.name, "kind": kind, "campaign": tag["campaign"],
                "address": _address_in(job), "run": run, "text": json.dumps(jsanitize(job.as_dict())),
                "held": json.loads(store.blobs.get(found["held"])) if found.get("held") else [],
                "inputs": spool_jobs.inputs_of(store, tag["campaign"], shard, known),
            },
        )  # fmt: skip
        return True

    def _take_back(self, store: Store, launchpad: CampaignLaunchPad) -> bool:
        names = spool_jobs.job_names_in(self._folder / DONE)
        delivered = ingest(self._folder, store, self._delivered.add, self._stored.add)
        if delivered.damaged:
            self._tell(f"{delivered.damaged} damaged files are set apart in {self._folder / DAMAGED}")
        did = False
        for name in names:
            file = self._folder / DONE / name
            try:
                result = spool_jobs.read(file)
            except OSError as error:
                if error.errno is not None:  # it cannot be read now, and may be later
                    raise
                # a disk has torn it: another node computes it again
                set_apart(self._folder, file)
                self._tell(f"{description(error)}; it is set apart in {self._folder / DAMAGED}, its job goes back")
                give_back(store, launchpad, JobName.of(name), "its result was damaged")
                continue
            missing = [each for each in result["records"] if each not in self._delivered]
            since = self._results.setdefault(name, time.monotonic())
            if missing and (
                any((self._folder / RECORDS / each).exists() for each in missing)
                or time.monotonic() - since < LATE_SECONDS
            ):
                continue
            job = JobName.of(name)
            if (title := end_job(store, launchpad, job, result)) is not None:
                self.ended += 1
                self._stored.forget(job.job)
                self._tell(f"job {job.job} {title}: {result.get('wall_seconds', 0.0):.1f} s on a node")
            file.unlink(missing_ok=True)
            self._delivered.difference_update(result["records"])
            del self._results[name]
            did = True
        return did

    def _withdraw(self, launchpad: CampaignLaunchPad) -> None:
        """Take jobs of paused, cancelled and removed runs out of the folder; of the last two, stop what runs."""
        held = set(held_runs(launchpad))
        cancelled = {row["run"] for row in launchpad.submissions.find({"state": "cancelled"}, {"run": 1})}
        (self._folder / CANCELLED).mkdir(exist_ok=True)
        for kind in self._kinds:
            names = spool_jobs.job_names_in(self._folder / JOBS / kind)
            runs = _runs_of(launchpad, names)
            for name in names:
                job, run = JobName.of(name), runs.get(name)
                file, aside = self._folder / JOBS / kind / name, self._folder / CANCELLED / f"{name}.withdrawn"
                if (run is None or run in held) and spool_jobs.moved(file, aside):
                    aside.unlink()
                    launchpad.release(job.job, [job.launch])
        for worker in spool_jobs.names_in(self._folder / RUNNING):
            names = spool_jobs.job_names_in(self._folder / RUNNING / worker)
            runs = _runs_of(launchpad, names)
            for name in names:
                job, run = JobName.of(name), runs.get(name)
                if run is None or run in cancelled:
                    (self._folder / CANCELLED / name).touch()
                    launchpad.release(job.job, [job.launch])

    def _run_here(self, store: Store, launchpad: CampaignLaunchPad, lease: MongoLease) -> bool:
        return self._here.run_one(store, launchpad, lease, self._name)

    def _has_work(self, launchpad: CampaignLaunchPad) -> bool:
        rows = launchpad.submissions.find({"state": "submitted", "cluster": self._cluster})
        return any(is_active(launchpad, row) for row in rows)


def serve(
    folder: Path,
    address: str,
    cluster: str,
    kinds: Sequence[str],
    *,
    max_seconds: float | None = None,
    until_done: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> int:
    """Serve a spool folder in this process; called in the main thread.

    Args:
        folder: The spool folder.
        address: Of the database.
        cluster: Whose jobs.
        kinds: Of resources that the nodes have.
        max_seconds: After which it has ended; None for no end.
        until_done: End when no job is left.
        tell: Told a line for each job.

    Returns:
        Jobs that nodes have brought to their end.

    Raises:
        InputError: if another process serves it.
    """
    spool_jobs.make_folder(folder)
    with Ending(max_seconds) as ending:
        server = SpoolServer(folder, address, cluster, kinds, ending, tell)
        server.serve(until_done=until_done)
        return server.ended


def _address_in(job: Any) -> str:
    """The address of the store as a job has it; empty where it has none."""
    values = [*job.function_args, *job.function_kwargs.values()]
    return next((value for value in values if isinstance(value, str) and value.startswith("mongodb")), "")


def _runs_of(launchpad: CampaignLaunchPad, names: list[str]) -> dict[str, str]:
    """File of a job -> its run; those whose job was removed with its submission are left out."""
    if not names:
        return {}
    ids = [JobName.of(name).job for name in names]
    rows = launchpad.fireworks.find({"fw_id": {"$in": ids}}, {"fw_id": 1, "spec.ninefold.run": 1})
    runs = {row["fw_id"]: row["spec"]["ninefold"]["run"] for row in rows}
    return {name: runs[job] for name, job in zip(names, ids, strict=True) if job in runs}
