"""Testing everything that a campaign needs of a cluster, with one tiny queue job for each kind of resource."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ninefold import __version__
from ninefold.clusters.files import spool_folder
from ninefold.clusters.finding import Finding
from ninefold.clusters.scripts import queue_script
from ninefold.clusters.settings import Cluster
from ninefold.errors import InputError, NinefoldError
from ninefold.run.probe import database_finding, folder_finding, login_database_finding
from ninefold.run.queue import Queue, QueueError, QueueJob, queue_of
from ninefold.run.up import end_of, job_name, refusal_of, work_folder
from ninefold.stages.stage import ResourceKind

SECONDS = 600.0
"""How long queue jobs are waited for."""
LARGEST_CLOCK_DIFFERENCE = 10.0
"""Seconds between two machines: leases are renewed as often."""
APPEARS_SECONDS = 10.0
"""How long a network's file system may take to show a file that is there."""
_WALL_TIME = "00:05:00"
_MEMORY_GB = 2.0
_PAUSES = (0.3, 5.0)
"""Seconds between two looks at the queue, at first and at last."""


def check_cluster(cluster: Cluster, file: Path, seconds: float = SECONDS) -> Iterator[Finding]:
    """Test the whole chain, and tell of each part as soon as it is known.

    Args:
        cluster: Its settings.
        file: Where they stand.
        seconds: How long queue jobs are waited for, all together.
    """
    try:
        folder, queue = work_folder(cluster), queue_of(cluster)
        if cluster.spool is not None:
            spool_folder(cluster)  # its path
        names = [check_name(cluster, kind) for kind in cluster.resources.kinds]
        start = time.monotonic()
        queue.jobs(names)
    except NinefoldError as error:
        yield failed_with("scheduler", error)
        yield Finding("everything else", "note", "not tested", "mend this first")
        return
    yield Finding("scheduler", "ok", f"{cluster.scheduler} answers ({time.monotonic() - start:.1f} s)")
    yield folder_finding("work_folder", folder, "set 'work_folder' to one that login and compute nodes share")
    if cluster.database is not None:
        yield database_finding(cluster.database, "login")._replace(what="database from here")
    else:
        advice = "set 'spool' to a folder that login and compute nodes share"
        yield folder_finding("spool from here", spool_folder(cluster), advice)
        yield login_database_finding()
    accepted: list[ResourceKind] = []
    for kind in cluster.resources.kinds:
        finding = whole_job_finding(cluster, file, kind, queue, folder)
        yield finding
        if finding.status != "failed":
            accepted.append(kind)
        if (shortage := memory_finding(cluster, kind)) is not None:
            yield shortage
    if accepted:
        yield from _Probes(cluster, queue, folder, accepted).findings(seconds)


def check_name(cluster: Cluster, kind: ResourceKind) -> str:
    """Name of the tiny job of a kind; `ninefold up` must not count it among its own."""
    return f"{job_name(cluster, kind)}-check"


def failed_with(what: str, error: NinefoldError) -> Finding:
    """An error as a finding."""
    if isinstance(error, InputError):
        # the line begins with the field, which the finding's name has said
        text = str(error).removesuffix(f"; {error.hint}" if error.hint else "")
        return Finding(what, "failed", text, error.hint or "")
    return Finding(what, "failed", str(error), "try again" if isinstance(error, QueueError) else "")


def whole_job_finding(cluster: Cluster, file: Path, kind: ResourceKind, queue: Queue, folder: Path) -> Finding:
    """Whether the scheduler would accept a queue job of full size, as far as it can be asked without one."""
    what, needs = f"{kind}: queue job", cluster.of(kind)
    try:
        refusal = refusal_of(cluster, file, kind, queue)
    except NinefoldError as error:
        return failed_with(what, error)
    except OSError as error:
        return Finding(what, "failed", f"{folder}: {error.strerror}", "see 'work_folder'")
    asked = f"{needs.nodes} x {needs.cores} cores, {needs.memory_GB:g} GB, {needs.wall_time}"
    where = f"{needs.queue or 'default queue'}, {needs.account or 'default account'}"
    if refusal is not None:
        advice = f"change resources.{kind}, 'queue' or 'account' in {file}"
        return Finding(what, "failed", f"{refusal} ({asked}; {where})", advice)
    if cluster.scheduler != "slurm":
        return Finding(what, "note", f"{asked}; {where}: {cluster.scheduler} tells only when it is submitted")
    return Finding(what, "ok", f"accepted: {asked}; {where}")


def memory_finding(cluster: Cluster, kind: ResourceKind) -> Finding | None:
    """A note where the places of a queue job have less memory each than a stage declares; None where they have it."""
    from ninefold.stages.order import SHIPPED

    needs = cluster.of(kind)
    places = needs.jobs_at_once or 1
    each = needs.memory_GB / places
    declared = "dft" if kind == "dft" else "cpu"  # what runs on an accelerator declares what it needs without one
    short = {
        name: stage.resources.memory_GB
        for name, stage in SHIPPED.items()
        if stage.resources.kind == declared and stage.resources.memory_GB > each
    }
    if not short:
        return None
    largest = max(short, key=lambda name: short[name])
    have = f"{needs.memory_GB:g} GB" + (f" for {places} places, {each:.3g} GB each" if places > 1 else "")
    text = f"{have}; stage {largest!r} asks for up to {short[largest]:g} GB"
    fits = max(1, int(needs.memory_GB / short[largest]))
    fewer = f"jobs_at_once to {fits}, or " if fits < places else ""
    advice = f"set {fewer}memory_GB to {places * short[largest]:g}"
    return Finding(f"{kind}: memory", "note", text, advice)


class _Probes:
    """Tiny queue jobs, one for each kind, until they have answered or the time is over."""

    def __init__(self, cluster: Cluster, queue: Queue, folder: Path, kinds: list[ResourceKind]) -> None:
        self._cluster, self._queue, self._kinds = cluster, queue, kinds
        # a folder of its own: an earlier check's answer must not be taken for this one's
        self._folder = folder / "check" / uuid.uuid4().hex[:12]
        self._mark = spool_folder(cluster) / f".check-{self._folder.name}" if cluster.spool else None
        self._jobs: dict[ResourceKind, str] = {}
        self._submitted: dict[ResourceKind, float] = {}

    def findings(self, seconds: float) -> Iterator[Finding]:
        """What the jobs found, and how each of them fared."""
        last = time.monotonic() + seconds
        try:
            self._folder.mkdir(parents=True)
            if self._mark is not None:
                with contextlib.suppress(OSError):  # told already
                    self._mark.touch()
            for kind in self._kinds:
                try:
                    self._submit(kind)
                except NinefoldError as error:
                    yield failed_with(f"{kind}: tiny job", error)
            yield from self._answers(last)
        except OSError as error:
            yield Finding("work_folder", "failed", f"{self._folder}: {error.strerror}", "see 'work_folder'")
        finally:
            self._end()

    def _submit(self, kind: ResourceKind) -> None:
        cluster, whole = self._cluster, self._cluster.of(kind)
        needs = whole.model_copy(
            update={
                "nodes": 1, "cores": 1, "gpus": min(1, whole.gpus), "margin_minutes": 1.0,
                "memory_GB": min(_MEMORY_GB, whole.memory_GB), "wall_time": min(_WALL_TIME, whole.wall_time, key=_long),
            }
        )  # fmt: skip
        mark = self._mark.name if self._mark is not None and self._mark.exists() else None
        request = {"cluster": cluster.model_dump(mode="json"), "kind": kind, "mark": mark}
        (self._folder / f"{kind}.request").write_text(json.dumps(request), encoding="utf-8")
        command = [
            cluster.python or sys.executable, "-m", "ninefold.run.probe",
            *(str(self._folder / f"{kind}.{ending}") for ending in ("request", "answer")),
        ]  # fmt: skip
        text = queue_script(cluster, needs, command, name=check_name(cluster, kind), folder=self._folder)
        script = self._folder / f"{kind}.sh"
        script.write_text(text, encoding="utf-8")
        self._submitted[kind] = time.time()
        self._jobs[kind] = self._queue.submit(script)

    def _answers(self, last: float) -> Iterator[Finding]:
        waiting, pause, problem = dict(self._jobs), _PAUSES[0], ""
        jobs: dict[str, QueueJob] | None = None
        while waiting:
            for kind in list(waiting):
                answer = self._folder / f"{kind}.answer"
                if answer.exists():
                    yield from self._read(kind, json.loads(answer.read_text(encoding="utf-8")), time.time())
                    del waiting[kind]
                elif jobs is not None and check_name(self._cluster, kind) not in jobs:
                    if _appears(answer):
                        continue
                    yield self._without_answer(kind)
                    del waiting[kind]
                elif jobs is not None and jobs[check_name(self._cluster, kind)].state == "held":
                    yield self._not_started(kind, jobs[check_name(self._cluster, kind)], "")
                    del waiting[kind]
            if not waiting:
                return
            if time.monotonic() > last:
                break
            time.sleep(min(pause, max(0.0, last - time.monotonic())))
            pause = min(1.5 * pause, _PAUSES[1])
            try:
                names = [check_name(self._cluster, kind) for kind in waiting]
                jobs, problem = {job.name: job for job in self._queue.jobs(names)}, ""
            except QueueError as error:
                jobs, problem = None, str(error)
        for kind in waiting:
            yield self._not_started(kind, (jobs or {}).get(check_name(self._cluster, kind)), problem)

    def _not_started(self, kind: ResourceKind, job: QueueJob | None, problem: str) -> Finding:
        reason = f" ({job.reason})" if job and job.reason else ""
        state = f"the job is {job.state}{reason}" if job else problem or "the job is not in the queue"
        if job is not None and job.state == "held":
            text, advice = f"will not start: {state}", f"change resources.{kind}, 'queue' or 'account'"
        else:
            text = f"no answer in time: {state}"
            advice = f"the queue may be full (--time-out waits longer), or resources.{kind} asks for what is not there"
        return Finding(f"{kind}: tiny job", "failed", text, advice)

    def _read(self, kind: ResourceKind, answer: dict[str, Any], seen: float) -> Iterator[Finding]:
        waited = seen - self._submitted[kind]
        yield Finding(f"{kind}: tiny job", "ok", f"ran on {answer['node']}, {waited:.0f} s after it was submitted")
        if answer["version"] != __version__:
            text = f"{answer['version']} on the node, {__version__} here"
            yield Finding(f"{kind}: ninefold", "failed", text, "set 'python' or 'environment' to the same installation")
        else:
            yield Finding(f"{kind}: ninefold", "ok", f"{answer['version']}, Python {answer['python']}")
        yield clock_finding(answer["began"], answer["ended"], self._submitted[kind], seen)._replace(
            what=f"{kind}: clock"
        )
        for finding in answer["findings"]:
            yield Finding(**{**finding, "what": f"{kind}: {finding['what']}"})

    def _without_answer(self, kind: ResourceKind) -> Finding:
        logs = [path for path in self._folder.glob(f"{check_name(self._cluster, kind)}*") if path.is_file()]
        log = max(logs, key=lambda path: path.stat().st_mtime, default=None)
        advice = "'environment', 'modules' and 'python' must give a Python with ninefold on the node"
        if log is None:
            advice = f"it must be able to write to 'work_folder' ({self._folder.parent.parent}) on the node"
        said = f"its log ends: {end_of(log)}" if log else "it left no log"
        return Finding(f"{kind}: tiny job", "failed", f"ended without an answer; {said}", advice)

    def _end(self) -> None:
        """Cancel what still waits or runs, and remove the files."""
        try:
            names = [check_name(self._cluster, kind) for kind in self._jobs]
            ours = set(self._jobs.values())
            if names:
                self._queue.cancel([job.id for job in self._queue.jobs(names) if job.id in ours])
        except NinefoldError:
            pass  # the scheduler's silence has been told
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._mark is not None:
            with contextlib.suppress(OSError):
                self._mark.unlink()


def clock_finding(began: float, ended: float, submitted: float, seen: float) -> Finding:
    """How far the node's clock differs from this machine's, at least.

    Args:
        began: When the job began, by the node's clock, s.
        ended: When it wrote its answer, by the node's clock.
        submitted: When it was submitted, by this machine's.
        seen: When its answer was seen, by this machine's.
    """
    # the job began after it was submitted and ended before that was seen: the difference lies between these two
    lowest, highest = ended - seen, began - submitted
    difference = max(lowest, 0.0) + min(highest, 0.0)
    if abs(difference) <= LARGEST_CLOCK_DIFFERENCE:
        return Finding("clock", "ok", "no difference that matters")
    direction = "ahead" if difference > 0 else "behind"
    text = f"the node's clock is at least {abs(difference):.0f} s {direction} of this machine's"
    return Finding("clock", "failed", text, "ask the site to synchronise its clocks: leases would seem to have expired")


def _appears(path: Path) -> bool:
    """Whether a file that was not there turns up after all."""
    last = time.monotonic() + APPEARS_SECONDS
    while time.monotonic() < last:
        if path.exists():
            return True
        time.sleep(0.5)
    return False


def _long(wall_time: str) -> int:
    from ninefold.clusters.settings import seconds_of

    return seconds_of(wall_time)
