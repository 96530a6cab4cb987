"""Keeping queue jobs alive while there is work: `ninefold up`.

A queue job is a pilot: it starts one worker process, which takes jobs of its kind until shortly before its wall time.
What waits is counted by whoever holds the jobs (`DemandSource`); what is alive, by the scheduler, by the jobs' names.
So nothing is remembered between two calls, and one that is killed is simply started again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ninefold.clusters.files import shared_folder
from ninefold.clusters.scripts import job_name, queue_script
from ninefold.clusters.settings import Cluster
from ninefold.errors import InputError, NinefoldError
from ninefold.run.demand import Demand, DemandSource, to_submit
from ninefold.run.queue import MissingSchedulerError, Queue, QueueError, queue_of
from ninefold.stages.stage import ResourceKind

INTERVAL = 30.0
"""Seconds between two looks at the queue: schedulers answer from one process, which many users ask."""
MOST_FUTILE = 3
"""Queue jobs that may end without any work being taken before no more are submitted: their environment is broken."""
LOG_LINES = 3
"""Of a queue job that failed, told to the user."""


@dataclass
class Step:
    """What one look at the work and the queue found and did."""

    demand: Mapping[ResourceKind, Demand]
    alive: dict[ResourceKind, int]
    """Queue jobs by kind, before `submitted`."""
    running: int = 0
    """Of those, how many run."""
    submitted: dict[ResourceKind, int] = field(default_factory=dict)
    cancelled: int = 0
    """Waiting queue jobs for which there is no more work."""
    held: dict[str, str] = field(default_factory=dict)
    """Queue job -> why it will not start by itself."""
    paused: tuple[str, ...] = ()
    """Campaigns that somebody has paused: they are waited for."""
    hindrances: tuple[str, ...] = ()
    """What keeps work from becoming ready, and is the user's to mend."""
    delayed: str | None = None
    """Why nothing could be asked or submitted; the next step tries again."""

    @property
    def work_left(self) -> int:
        """Jobs that wait or run."""
        return sum(one.waiting + one.running for one in self.demand.values())


def work_folder(cluster: Cluster) -> Path:
    """The folder for scripts and logs, made where it is not there.

    Raises:
        InputError: if it cannot be made or written to.
    """
    what = f"cluster {cluster.name}: work_folder"
    path = shared_folder(cluster.work_folder, what)
    if re.search(r"[\s%\"'\\]", str(path)):
        raise InputError(
            what, str(path), problem="holds a blank, a quotation mark, a backslash or %",
            hint="a scheduler's options hold the path of the log, and cannot hold these",
        )  # fmt: skip
    try:
        (path / "queue").mkdir(parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            what, str(path), problem=f"cannot be made: {error.strerror}", hint="name a folder that all nodes share"
        ) from error
    if not os.access(path / "queue", os.W_OK):
        raise InputError(what, str(path), problem="cannot be written to")
    return path


def pilot_command(cluster: Cluster, cluster_file: Path, kind: ResourceKind) -> list[str]:
    """What a queue job runs: workers that end before the wall time. See `queue_script` for the variable."""
    return [
        cluster.python or sys.executable, "-m", "ninefold", "work", "--cluster", str(cluster_file.absolute()),
        "--resources", kind, "--until-wall-time", "$NINEFOLD_UNTIL",
        "--processes", str(cluster.of(kind).jobs_at_once or 1),
    ]  # fmt: skip


class Pilots:
    """The queue jobs of one cluster file.

    Args:
        cluster: Its settings.
        queue: Its scheduler.
        command: Kind -> program and arguments of a queue job.
    """

    def __init__(self, cluster: Cluster, queue: Queue, command: Callable[[ResourceKind], list[str]]) -> None:
        self.cluster, self.queue, self._command = cluster, queue, command
        self.folder = work_folder(cluster)
        self.names = {job_name(cluster, kind): kind for kind in cluster.resources.kinds}
        self._last_demand: Mapping[ResourceKind, Demand] | None = None
        self._expected = 0
        """Queue jobs that the last look found or submitted."""
        self._gone = 0
        """Queue jobs that ended since the work last changed."""

    def step(self, source: DemandSource) -> Step:
        """Look once, and submit what is missing.

        Raises:
            InputError: if the scheduler refuses a script.
            NinefoldError: if queue jobs end and no work is taken; if at the first look the work or the queue cannot be
                asked.
        """
        try:
            demand = source.demand()
            jobs = self.queue.jobs(self.names)
        except NinefoldError as error:
            # what has answered before is away for a while; at first it may be a mistake of the user's
            if self._last_demand is None:
                raise
            return Step(self._last_demand, {}, delayed=str(error))
        alive = Counter(self.names[job.name] for job in jobs)
        done = Step(demand, dict(alive), sum(job.state == "running" for job in jobs))
        done.held = {job.id: job.reason for job in jobs if job.state == "held"}
        done.paused = tuple(source.paused())
        if done.work_left:
            done.hindrances = tuple(source.hindrances())
        self._check_progress(demand, len(jobs))
        try:
            if done.work_left == 0:
                idle = [job.id for job in jobs if job.state != "running"]
                self.queue.cancel(idle)
                self._expected -= len(idle)
                done.cancelled = len(idle)
                return done
            for kind, count in to_submit(self.cluster, demand, alive).items():
                self._submit(kind, count)
                done.submitted[kind] = count
        except QueueError as error:
            done.delayed = str(error)
        return done

    def _submit(self, kind: ResourceKind, count: int) -> None:
        """Submit queue jobs of a kind, as few array jobs as the site allows."""
        needs = self.cluster.of(kind)
        while count > 0:
            tasks = min(count, self.cluster.max_array_size)
            text = queue_script(
                self.cluster, needs, self._command(kind), name=job_name(self.cluster, kind),
                folder=self.folder / "logs", tasks=tasks,
            )  # fmt: skip
            script = self.folder / "queue" / f"{job_name(self.cluster, kind)}.sh"
            try:
                script.write_text(text, encoding="utf-8")
            except OSError as error:
                raise InputError(
                    f"cluster {self.cluster.name}: work_folder", str(self.folder),
                    problem=f"cannot be written to: {error.strerror}",
                ) from error  # fmt: skip
            self.queue.submit(script)
            self._expected += tasks
            count -= tasks

    def _check_progress(self, demand: Mapping[ResourceKind, Demand], alive: int) -> None:
        """Refuse to go on where queue jobs end and leave the work as it was."""
        # without work, as while campaigns are paused, workers end by themselves
        is_idle = not any(one.waiting for one in demand.values())
        if is_idle or demand != self._last_demand or any(one.running for one in demand.values()):
            self._gone = 0
        else:
            self._gone += max(0, self._expected - alive)
        self._last_demand, self._expected = demand, alive
        if self._gone >= MOST_FUTILE:
            log = last_log(self.folder / "logs", tuple(self.names))
            said = f"; the newest log, {log}, ends: {end_of(log)}" if log else f"; no log in {self.folder / 'logs'}"
            raise NinefoldError(
                f"cluster {self.cluster.name}: {self._gone} queue jobs ended and took no work{said}; "
                f"'ninefold cluster check {self.cluster.name}' looks for the cause"
            )


def keep_up(
    pilots: Pilots, source: DemandSource, *, once: bool = False, seconds: float | None = None,
    interval: float = INTERVAL, report: Callable[[Step], None] = lambda step: None,
) -> Step:  # fmt: skip
    """Keep queue jobs alive until no work is left; a campaign that is paused is waited for.

    Args:
        pilots: Of the cluster.
        source: Counts the work.
        once: Look once.
        seconds: End after this time, with work left.
        interval: Seconds between two looks.
        report: Told of every look.

    Returns:
        The last look.

    Raises:
        InputError: if the scheduler refuses a queue job, or another process keeps this cluster up.
        NinefoldError: if queue jobs end and no work is taken.
    """
    last = None if seconds is None else time.monotonic() + seconds
    with alone(pilots):
        while True:
            step = pilots.step(source)
            report(step)
            is_done = step.delayed is None and step.work_left == 0 and not step.paused
            left = interval if last is None else min(interval, last - time.monotonic())
            if once or is_done or left <= 0:
                return step
            time.sleep(left)


@contextlib.contextmanager
def alone(pilots: Pilots) -> Iterator[None]:
    """Hold the cluster's lock: two processes that count and submit at once would submit twice.

    Raises:
        InputError: if another process holds it.
    """
    path = pilots.folder / "queue" / f"{pilots.cluster.name}.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise InputError(
                f"cluster {pilots.cluster.name}", file.read().strip() or "another process",
                problem="keeps it up already", hint="one 'ninefold up' for a cluster is enough",
            ) from error  # fmt: skip
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def check_accepted(cluster: Cluster, cluster_file: Path) -> None:
    """Refuse a cluster file whose queue jobs the scheduler would not take, if it can be asked from this machine.

    Raises:
        InputError: in the scheduler's words, at the key that they point to.
    """
    queue = queue_of(cluster)
    for kind in cluster.resources.kinds:
        with contextlib.suppress(QueueError, MissingSchedulerError):  # another machine's queue, or not now: `up` tells
            if (said := refusal_of(cluster, cluster_file, kind, queue)) is not None:
                raise queue.refused(f"the scheduler for resources.{kind}", said)


def refusal_of(cluster: Cluster, cluster_file: Path, kind: ResourceKind, queue: Queue) -> str | None:
    """Why the scheduler would refuse a queue job of full size, as far as it can be asked without one."""
    folder = work_folder(cluster)
    text = queue_script(
        cluster, cluster.of(kind), pilot_command(cluster, cluster_file, kind), name=job_name(cluster, kind),
        folder=folder / "logs",
    )  # fmt: skip
    script = folder / "queue" / f"{job_name(cluster, kind)}-whole.sh"
    script.write_text(text, encoding="utf-8")
    try:
        return queue.refusal(script)
    finally:
        script.unlink()


def last_log(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The newest log of queue jobs with one of these names."""
    logs = [path for name in names for path in folder.glob(f"{name}[-.]*") if path.is_file()]
    return max(logs, key=lambda path: path.stat().st_mtime, default=None)


def end_of(log: Path) -> str:
    """The last lines of a log, in one."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    return " / ".join([line for line in lines if line][-LOG_LINES:]) or "(empty)"
