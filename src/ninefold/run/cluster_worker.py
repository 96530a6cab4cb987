"""A worker of a cluster: takes jobs from the launchpad, one after another, until its time is over or nothing is left.

One process, one connection, one core, unless a job starts a program on more. Its lease in the store says that it is
alive; a job that it does not bring to an end goes back to the others: at once when the worker is told to end, after the
lease has expired when it is killed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from ninefold.errors import NinefoldError, description
from ninefold.flows.counting import Faults, registered_attempt
from ninefold.flows.progress import Progress, listening
from ninefold.flows.runner import Run, registered_as, running_with
from ninefold.flows.workplace import Failure, close_workplaces, workplace_for
from ninefold.machine import use_one_thread
from ninefold.run.children import descendants, end_children
from ninefold.run.job_errors import STAGE
from ninefold.run.submission import launchpad_of
from ninefold.run.worker_group import PARENT
from ninefold.stages.stage import Counts
from ninefold.store.mongo import connection_of
from ninefold.store.mongo_lease import Term, held
from ninefold.store.spool import Spool, ingest, is_empty
from ninefold.store.store import LeaseLostError
from ninefold.store.undelivered import kept_in

if TYPE_CHECKING:
    from ninefold.run.fireworks import Place
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.store import Store
    from ninefold.store.mongo_lease import MongoLease

EXPIRY_SECONDS = 240.0
"""After its last heartbeat a worker counts as gone; a server that is away for a minute costs nobody a job."""
HEARTBEAT_SECONDS = 15.0
WATCH_SECONDS = 15.0
"""Between two looks at whether the campaign was cancelled."""
IDLE_SECONDS = 120.0
"""A worker for which nothing is ready ends after this time: others start when there is."""
PAUSE_SECONDS = (0.5, 10.0)
"""Between two questions for a job, at first and at last."""
OUTAGE_SECONDS = 3600.0
"""How long a worker waits for a server that does not answer."""
QUEUE_JOB = "NINEFOLD_QUEUE_JOB"
"""The queue job that a worker runs in, as its script says."""
UNDELIVERED = "undelivered"
NOTE_SECONDS = 5.0
AGAIN_SECONDS = 5.0
"""After which a job that has not ended on a signal is told again."""


class JobStopped(BaseException):
    """The worker's time is over, or its campaign was cancelled: the job ends here and goes back."""


@dataclass
class Worked:
    """What a worker has done."""

    jobs: int = 0
    """Brought to their end."""
    given_back: int = 0
    failed: int = 0
    reason: str = "nothing is left to do"
    """Why it ended."""


class Ending:
    """What makes a worker end, and stops the job that runs: signals and the end of its time.

    Used in the main thread. While a job computes, it is stopped where it is; otherwise the worker ends after the step
    that it is at, so that no update of the launchpad is cut short.

    Args:
        seconds: From now; None for no end.
    """

    def __init__(self, seconds: float | None) -> None:
        self._last = None if seconds is None else time.monotonic() + seconds
        self.reason: str | None = None
        """Why the worker ends; None while it goes on."""
        self._is_computing = self._is_cancelled = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Ending:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, self._on_signal)
        if self._last is not None:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, self._last - time.monotonic()), AGAIN_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """A job computes inside the block, and can be stopped.

        Raises:
            JobStopped: if it is to be.
        """
        self._is_cancelled = False
        if self.reason is not None:
            raise JobStopped(self.reason)
        self._is_computing = True
        try:
            yield
        finally:
            self._is_computing = False

    def left(self) -> float:
        """Seconds until the end."""
        return float("inf") if self._last is None else self._last - time.monotonic()

    def _on_signal(self, number: int, _: Any) -> None:
        if number == signal.SIGUSR1:  # our own, for the job alone
            self._is_cancelled = True
        elif number == signal.SIGALRM:
            if self._last is not None and time.monotonic() >= self._last:
                self.reason = self.reason or "its time is over"
        else:
            self.reason = self.reason or f"told to end ({signal.Signals(number).name})"
            # again and again: an interrupt that falls into a callback is dropped there
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS, AGAIN_SECONDS)
        if self._is_computing and (self.reason is not None or self._is_cancelled):
            raise JobStopped(self.reason or "the campaign was cancelled")


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
    "static_one": "verify", "relax_one": "verify",
}  # fmt: skip


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
        self.done = Worked()
        self._run_now: str | None = None
        self._unfinished: tuple[int, int] | None = None
        """Job and launch that the server's absence has cut short."""
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
                    name = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
                    if self._work_as(name, store, launchpad, idle_seconds):
                        return
            except (PyMongoError, NinefoldError) as error:
                # under another name it takes jobs again; what it had is given back when its lease has expired
                if not self._was_there or not _is_of_server(error) or self._ending.reason is not None:
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
        queue_job = os.environ.get(QUEUE_JOB)
        purpose = f"runs jobs of cluster {self._cluster} ({', '.join(self._kinds)})" + (
            f" in queue job {queue_job}" if queue_job else ""
        )
        term = Term(EXPIRY_SECONDS, HEARTBEAT_SECONDS, is_kept=False)
        with held(connection, f"{WORKER}{worker}", purpose, term) as lease, self._watching(launchpad):
            idle_since, pause = time.monotonic(), PAUSE_SECONDS[0]
            if self._folder is not None and not is_empty(self._folder / UNDELIVERED):
                sent = ingest(self._folder / UNDELIVERED, store)
                self._tell(f"delivered {sent.records} records that could not be stored before")
            if self._unfinished is not None:
                launchpad.release(self._unfinished[0], [self._unfinished[1]])
                self._unfinished = None
            recover_if_due(store, launchpad, 5.0)
            while self._ending.reason is None:
                if self.run_one(store, launchpad, lease, worker):
                    idle_since, pause = time.monotonic(), PAUSE_SECONDS[0]
                    continue
                recover_if_due(store, launchpad)
                if not _has_work(launchpad, self._cluster):
                    return True
                if time.monotonic() - idle_since >= idle_seconds:
                    self.done.reason = f"nothing was ready for {idle_seconds:g} s"
                    return True
                time.sleep(min(pause, max(0.0, idle_seconds - (time.monotonic() - idle_since)) + 0.01))
                pause = min(1.5 * pause, PAUSE_SECONDS[1])
            self.done.reason = self._ending.reason
            return True

    def run_one(self, store: Store, launchpad: CampaignLaunchPad, lease: MongoLease, worker: str) -> bool:
        """Take one job and run it; whether there was one.

        Args:
            store: Open for writing.
            launchpad: In its database.
            lease: Of the worker.
            worker: Its name.
        """
        from ninefold.run.fireworks import fireworker

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
        from ninefold.run.recovery import MOST_LOST, give_up

        tag = firework.spec[TAG]
        started, wall, cpu = time.time(), time.monotonic(), time.process_time()
        lease.try_note({"job": firework.fw_id, "name": firework.name, "campaign": tag["campaign"], "since": started})
        run, tasks = self._run_of(store, launchpad, tag)

        def on_error(job: str, error: Exception) -> None:
            attempt = registered_attempt(store, tag["campaign"])
            Faults(store, tag["campaign"], STAGE, attempt).add(f"{job} {firework.fw_id}", description(error), Counts())

        place = Place(store, outputs_in(launchpad.db), on_error)
        self._run_now, self._unfinished = tag["run"], (firework.fw_id, launch)
        others = descendants()
        try:
            try:
                with (
                    registered_as(run), running_with(tasks), listening(_Noting(lease, firework, tag["campaign"])),
                    _working_at(place), _in_folder(self._folder_of(firework, launch)), self._ending.computing(),
                ):  # fmt: skip
                    action = firework.tasks[0].run_task(dict(firework.spec))
            finally:  # before anybody else may take the job
                end_children(others)
        except JobStopped as stopped:
            self._run_now = None
            launchpad.release(firework.fw_id, [launch])
            self._unfinished = None
            self.done.given_back += 1
            self._tell(f"job {firework.fw_id} {firework.name}: given back: {stopped}")
            return
        except LeaseLostError:
            raise
        except (NinefoldError, OSError, MemoryError) as error:
            self._run_now = None
            if isinstance(error, NinefoldError) and _is_of_server(error):
                raise
            if tag.get("lost", 0) + 1 >= MOST_LOST:
                document = {"name": firework.name, "fw_id": firework.fw_id, "spec": firework.spec}
                give_up(store, launchpad, document, launch, description(error))
                self.done.failed += 1
            else:
                launchpad.release(firework.fw_id, [launch], description(error))
                self.done.given_back += 1
            self._unfinished = None
            raise  # another node may do better; this one would fail at every job
        finally:
            self._run_now = None
        action.stored_data.update(
            wall_seconds=round(time.monotonic() - wall, 3), core_seconds=round(time.process_time() - cpu, 3)
        )
        lease.check()
        _complete(launchpad, launch, action)
        self._unfinished = None
        self.done.jobs += 1
        self.done.failed += "failed" in action.stored_data
        self._tell(f"job {firework.fw_id} {firework.name}: {time.monotonic() - wall:.1f} s")

    def _run_of(self, store: Store, launchpad: CampaignLaunchPad, tag: dict[str, Any]) -> tuple[Run, OneProcess]:
        """The run that a job belongs to, and who computes its tasks."""
        import json

        key = tag["run"]
        if key not in self._runs:
            close_workplaces()  # those of another campaign
            self._runs.clear()
            found = launchpad.submissions.find_one({"_id": tag["campaign"], "run": key}) or {}
            rows = json.loads(store.blobs.get(found["held"])) if found.get("held") else []
            held_tasks = {(stage.partition(" ")[0], what): reason for stage, what, reason in rows}
            self._runs[key] = (
                Run(key, found.get("workflow", "screen"), found.get("workflow_content", "")), OneProcess(held_tasks)
            )  # fmt: skip
        return self._runs[key]

    def _folder_of(self, firework: Any, launch: int) -> Path | None:
        """Where a DFT code may write; other jobs write no files."""
        from ninefold.run.launchpad import TAG

        if self._folder is None or firework.spec["_category"] != "dft":
            return None
        return self._folder / "runs" / firework.spec[TAG]["campaign"] / f"{firework.fw_id}-{launch}"

    @contextmanager
    def _watching(self, launchpad: CampaignLaunchPad) -> Iterator[None]:
        """Look now and then whether the campaign of the job that runs was cancelled."""
        ended = threading.Event()
        parent = int(os.environ[PARENT]) if PARENT in os.environ else None

        def watch() -> None:
            while not ended.wait(WATCH_SECONDS):
                if parent is not None and os.getppid() != parent:  # killed, and its workers with it
                    os.kill(os.getpid(), signal.SIGTERM)
                run = self._run_now
                with suppress(PyMongoError):
                    if run and launchpad.submissions.find_one({"run": run, "state": "cancelled"}, {"_id": 1}):
                        os.kill(os.getpid(), signal.SIGUSR1)

        thread = threading.Thread(target=watch, name="watches the campaign", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


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
        folder: Shared by the nodes: folders of DFT runs, and facts that could not be stored. None for neither.
        tell: Told a line for each job.

    Returns:
        What it has done, and why it ended.
    """
    use_one_thread()
    kept = nullcontext() if folder is None else kept_in(Spool(folder / UNDELIVERED))
    with Ending(max_seconds) as ending, kept:
        worker = ClusterWorker(address, cluster, kinds, ending, tell, folder)
        worker.work(idle_seconds)
        return worker.done


class _Noting:
    """Notes in the lease how far the job is."""

    def __init__(self, lease: MongoLease, firework: Any, campaign: str) -> None:
        self._lease, self._noted, self._since = lease, time.monotonic(), time.time()
        self._job = {"job": firework.fw_id, "name": firework.name, "campaign": campaign}

    def __call__(self, step: Progress) -> None:
        if time.monotonic() - self._noted < NOTE_SECONDS:
            return
        self._noted = time.monotonic()
        step_now = {"stage": step.stage, "done": step.done, "total": step.total}
        self._lease.try_note({**self._job, "since": self._since, **step_now})


@contextmanager
def _in_folder(folder: Path | None) -> Iterator[None]:
    """Work in a folder; one in which nothing was written goes again."""
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _working_at(place: Place) -> Iterator[None]:
    from ninefold.run.fireworks import working_at

    token = working_at.set(place)
    try:
        yield
    finally:
        working_at.reset(token)


def _complete(launchpad: CampaignLaunchPad, launch: int, action: Any) -> None:
    """Note the end of a job; again where the server's answer was lost: the second time changes nothing."""
    try:
        launchpad.our.retried(lambda: launchpad.complete_launch(launch, action, "COMPLETED"))
    except ValueError:
        return  # withdrawn meanwhile: another submission has removed it


def held_runs(launchpad: CampaignLaunchPad) -> list[str]:
    """Runs of which no job is taken now."""
    rows = launchpad.submissions.find({"state": {"$ne": "submitted"}}, {"run": 1})
    return [row["run"] for row in rows]


def _has_work(launchpad: CampaignLaunchPad, cluster: str) -> bool:
    """Whether a cluster has jobs that are ready, run, or wait for such; of any kind."""
    from ninefold.run.submission import is_active

    rows = launchpad.submissions.find({"state": {"$in": ["submitted", "paused"]}, "cluster": cluster})
    return any(is_active(launchpad, row) for row in rows)


def _is_of_server(error: Exception) -> bool:
    """Whether the server does not answer, or another has taken over: waiting helps, another node does not."""
    return isinstance(error, PyMongoError | LeaseLostError) or "cannot be reached" in str(error)
