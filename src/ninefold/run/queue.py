"""The scheduler of a cluster: submit, list, cancel. Every call has a time-out, and its own words are passed on.

FireWorks' queue adapters are not called for this: `submit_to_queue` waits without end and loses what the scheduler
says, and the number of an array job comes back without what it needs to be cancelled.
"""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from ninefold.clusters.settings import Cluster, Scheduler
from ninefold.errors import LONGEST_SHOWN, InputError, NinefoldError

TIMEOUT = 60.0
"""Seconds that a program of the scheduler may take; a busy Slurm's own time-out is shorter."""
_TEMPORARY = (
    "unable to contact", "socket timed out", "connection refused", "zero bytes were transmitted", "communication",
    "temporarily", "cannot connect", "unable to connect", "no such process", "try again", "timed out",
)  # fmt: skip
"""Words of a scheduler that does not answer now; everything else is a refusal of what was asked for."""
_NOT_SET_UP = ("configuration source", "cannot stat file", "process configuration file")
"""Words of programs of a scheduler on a machine that belongs to no cluster."""
_TOO_MANY = ("submit limit", "max_queued", "maximum number of jobs", "too many", "job limit", "limit exceeded")
"""Words of a site's limit of queued jobs."""

JobState = Literal["waiting", "running", "held"]


class QueueJob(NamedTuple):
    """A job, or a task of an array job, that waits or runs."""

    id: str
    """As the scheduler writes it: `12`, `12_3`, `12[3].server`, `12.3`."""
    name: str
    state: JobState
    """waiting; running, also while it starts or ends; held: it will not start by itself."""
    reason: str = ""
    """Why it waits, in the scheduler's words."""


class QueueError(NinefoldError):
    """The scheduler does not answer, or not now: what was asked for can be tried again."""


class QueueLimitError(QueueError):
    """The site allows no more jobs in its queue at present."""


class MissingSchedulerError(InputError):
    """This machine has no program of the scheduler's."""


class Queue(Protocol):
    """What this package needs of a scheduler."""

    def submit(self, script: Path) -> str:
        """Submit a script, once, and give the job's identifier.

        Raises:
            InputError: with the scheduler's own words, if it refuses the script.
            QueueError: if it does not answer, or has too many jobs.
        """
        ...

    def jobs(self, names: Iterable[str]) -> list[QueueJob]:
        """Jobs of this user with one of these names, tasks of an array one by one."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """End jobs; one that is gone is no error."""
        ...

    def refusal(self, script: Path) -> str | None:
        """Why a script would be refused, without submitting it; None if it would not, or the scheduler cannot tell.

        Raises:
            QueueError: if it does not answer.
        """
        ...

    def refused(self, program: str, said: str) -> InputError:
        """What a program has not accepted, at the key of the cluster file that its words point to."""
        ...


def queue_of(cluster: Cluster) -> Queue:
    """The scheduler that a cluster file names."""
    queues: dict[Scheduler, Callable[[Cluster], Queue]] = {"slurm": SlurmQueue, "pbs": PBSQueue, "sge": SGEQueue}
    return queues[cluster.scheduler](cluster)


class _Programs:
    """The scheduler's programs, run with a time-out."""

    field: str

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.field = f"cluster {cluster.name}: scheduler"

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What a program says.

        Raises:
            InputError: if there is no such program.
            QueueError: if it does not end in time.
        """
        try:
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
            )
        except FileNotFoundError as error:
            raise MissingSchedulerError(
                self.field, self._cluster.scheduler,
                problem=f"needs the program {command[0]!r}, which is not on the path of this machine",
                hint="run this on a login node of the cluster, or load the scheduler's module",
            ) from error  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise QueueError(f"{self.field}: {command[0]} did not answer within {TIMEOUT:g} s; try again") from error
        except OSError as error:
            raise QueueError(f"{self.field}: {command[0]} cannot be run: {error.strerror}") from error

    def _output(self, *command: str) -> str:
        """What a program prints, where its failure can only be the scheduler's."""
        done = self._run(*command)
        if done.returncode:
            raise QueueError(f"{self.field}: {command[0]} failed: {words_of(done)}")
        return done.stdout

    def _submitted(self, pattern: str, *command: str) -> str:
        """The identifier that a program prints for the job it submits."""
        done = self._run(*command)
        said = words_of(done)
        if done.returncode == 0:
            found = re.search(pattern, done.stdout.strip(), re.MULTILINE)
            if found is None:
                raise QueueError(f"{self.field}: {command[0]} named no job: {said or 'it printed nothing'}")
            return found[1]
        if any(word in said.lower() for word in _TOO_MANY):
            raise QueueLimitError(f"{self.field}: {command[0]}: {said}")
        if any(word in said.lower() for word in _TEMPORARY):
            raise QueueError(f"{self.field}: {command[0]}: {said}")
        raise self.refused(command[0], said)

    def refused(self, program: str, said: str) -> InputError:
        """What the scheduler does not accept, at the key of the cluster file that its words point to."""
        low = said.lower()
        keys = [key for key in ("account", "partition", "queue") if key in low]
        if "account" in keys and self._cluster.account is None:
            keys.remove("account")
        key = {"partition": "queue"}.get(keys[0], keys[0]) if keys else "resources"
        value = {"account": self._cluster.account, "queue": self._cluster.queue}.get(key)
        field = f"cluster {self._cluster.name}: {key}"
        return InputError(
            field, value, problem=f"is refused by {program}: {said}",
            hint=f"'ninefold cluster check {self._cluster.name}' tests every kind of queue job",
        )  # fmt: skip


class SlurmQueue(_Programs):
    """sbatch, squeue, scancel."""

    _WAITING = ("PD", "RQ", "RF", "RS")
    _HOPELESS = ("JobHeldUser", "JobHeldAdmin", "DependencyNeverSatisfied", "PartitionTimeLimit", "PartitionConfig",
                 "PartitionNodeLimit", "BadConstraints", "InvalidAccount", "InvalidQOS", "AccountNotAllowed",
                 "QOSNotAllowed", "AssocMaxWallDurationPerJobLimit", "QOSMaxWallDurationPerJobLimit")  # fmt: skip
    """Reasons that no waiting ends: somebody has to change the job, or the cluster."""

    def submit(self, script: Path) -> str:
        """See `Queue`."""
        return self._submitted(r"^(\d+)(?:;\S+)?$", "sbatch", "--parsable", str(script))

    def jobs(self, names: Iterable[str]) -> list[QueueJob]:
        """See `Queue`."""
        text = self._output(
            "squeue", "-h", "-r", "-u", getpass.getuser(), "-n", ",".join(names), "-o", "%i|%t|%j|%r"
        )  # fmt: skip
        found = []
        for line in text.splitlines():
            job, state, name, reason = line.strip().split("|", 3)
            kind: JobState = "waiting" if state in self._WAITING else "running"
            if state == "RH" or (kind == "waiting" and reason in self._HOPELESS):
                kind = "held"
            found.append(QueueJob(job, name, kind, "" if reason == "None" else reason))
        return found

    def cancel(self, ids: Sequence[str]) -> None:
        """See `Queue`."""
        if ids:
            self._output("scancel", "--quiet", *ids)

    def refusal(self, script: Path) -> str | None:
        """By `sbatch --test-only`."""
        done = self._run("sbatch", "--test-only", str(script))
        if done.returncode == 0:
            return None
        said = words_of(done) or "without a word"
        if any(word in said.lower() for word in (*_TEMPORARY, *_NOT_SET_UP)):
            raise QueueError(f"{self.field}: sbatch: {said}")
        return said


class PBSQueue(_Programs):
    """qsub, qselect, qdel of PBS Professional and OpenPBS."""

    def submit(self, script: Path) -> str:
        """See `Queue`."""
        return self._submitted(r"^(\d+(?:\[\])?(?:\.\S+)?)$", "qsub", str(script))

    def jobs(self, names: Iterable[str]) -> list[QueueJob]:
        """See `Queue`."""
        # qselect prints nothing but identifiers; qstat's table cuts names, and its JSON is not always valid
        found = []
        for name in names:
            for state, letters in (("waiting", "QWT"), ("running", "RES"), ("held", "H")):
                text = self._output("qselect", "-T", "-u", getpass.getuser(), "-N", name, "-s", letters)
                found += [QueueJob(job, name, state) for job in text.split()]  # type: ignore[arg-type]
        return found

    def cancel(self, ids: Sequence[str]) -> None:
        """See `Queue`."""
        if not ids:
            return
        done = self._run("qdel", *ids)
        said = words_of(done)
        if done.returncode and not re.search(r"unknown job id|has finished", said, re.IGNORECASE):
            raise QueueError(f"{self.field}: qdel failed: {said}")

    def refusal(self, script: Path) -> str | None:
        """PBS can be asked only by submitting."""
        return None


class SGEQueue(_Programs):
    """qsub, qstat, qdel of Grid Engine."""

    def submit(self, script: Path) -> str:
        """See `Queue`."""
        return self._submitted(r"^(\d+)(?:\.\d+-\d+:\d+)?$", "qsub", "-terse", str(script))

    def jobs(self, names: Iterable[str]) -> list[QueueJob]:
        """See `Queue`."""
        from xml.etree import ElementTree

        # the table cuts names to ten characters; -g d: one line for each task
        text = self._output("qstat", "-xml", "-g", "d", "-u", getpass.getuser())
        wanted, found = set(names), []
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            raise QueueError(f"{self.field}: qstat -xml printed no XML: {text[:LONGEST_SHOWN]!r}") from error
        for job in root.iter("job_list"):
            name, state = job.findtext("JB_name", ""), job.findtext("state", "")
            if name not in wanted:
                continue
            task = job.findtext("tasks", "")
            number = job.findtext("JB_job_number", "") + (f".{task}" if task else "")
            kind: JobState = "held" if set("hE") & set(state) else "waiting" if "q" in state else "running"
            found.append(QueueJob(number, name, kind, "its state is an error" if "E" in state else ""))
        return found

    def cancel(self, ids: Sequence[str]) -> None:
        """See `Queue`."""
        for job in ids:
            number, _, task = job.partition(".")
            done = self._run("qdel", number, *(("-t", task) if task else ()))
            said = words_of(done)
            if done.returncode and "does not exist" not in said:
                raise QueueError(f"{self.field}: qdel failed: {said}")

    def refusal(self, script: Path) -> str | None:
        """What `qsub -w v` finds is about now, not about the script: an idle queue is needed for it."""
        return None


def words_of(done: subprocess.CompletedProcess[str]) -> str:
    """What a program has to say of its failure, in one line, without its own name before every part."""
    text = done.stderr.strip() or done.stdout.strip()
    program = re.escape(Path(str(done.args[0])).name)
    lines = [re.sub(rf"^(?:{program}:\s*)?(?:error:\s*|fatal:\s*)?", "", line.strip()) for line in text.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line))[: 2 * LONGEST_SHOWN]
