"""What a user says of a cluster: its queue, what a queue job may use, the environment, the database."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from ninefold.campaign.model import without_login
from ninefold.errors import FieldError, InputError
from ninefold.settings import Settings
from ninefold.stages.stage import ResourceKind

Scheduler = Literal["slurm", "pbs", "sge"]
KINDS: tuple[ResourceKind, ...] = get_args(ResourceKind)
LOGIN_PROBLEM = "holds a login, and others may read this file"
LOGIN_HINT = "write the address without it; NINEFOLD_STORE or ~/.config/ninefold/stores has the login"
_WALL_TIME = re.compile(r"(?:(?P<days>\d{1,3})-)?(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)")
_DIRECTIVES = ("#SBATCH", "#PBS", "#$")


def _checked_line(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    if not text.isprintable():
        raise ValueError("holds a line break or another control character; allowed: one line")
    return text


def _checked_option(text: str) -> str:
    if text.startswith(_DIRECTIVES):
        raise ValueError(f"begins with {text.split()[0]}, which is added; allowed: the option alone, as in --qos=debug")
    return text


def _checked_wall_time(text: str) -> str:
    if not seconds_of(text):
        raise ValueError(
            "is no wall time; allowed: HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS, as in 04:00:00"
        )
    return text


def seconds_of(wall_time: str) -> int:
    """Seconds of `HH:MM:SS` or `D-HH:MM:SS`; 0 for what has not this form.

    >>> seconds_of("1-02:00:30")
    93630
    """
    found = _WALL_TIME.fullmatch(wall_time)
    if found is None:
        return 0
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


Line = Annotated[str, AfterValidator(_checked_line)]
"""One line of a shell script, or one value in it."""
Option = Annotated[Line, AfterValidator(_checked_option)]
WallTime = Annotated[str, AfterValidator(_checked_wall_time)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@,:+-]+$", max_length=200)]
"""A queue's or account's name: it stands in a script unquoted."""

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
"""A DFT code's name."""


class QueueResources(Settings):
    """What one queue job for a kind of resource asks for, and what runs in it."""

    queue: Word | None = None
    """Queue (PBS, SGE) or partition (Slurm); default: the cluster's."""
    account: Word | None = None
    """Account or project that pays; default: the cluster's."""
    nodes: int = Field(default=1, ge=1, le=10_000)
    """Nodes of one queue job. More than one is for DFT codes that run over several."""
    cores: int = Field(ge=1, le=4096)
    """Cores on each node."""
    memory_GB: float = Field(gt=0, le=100_000)
    """Memory on each node."""
    gpus: int = Field(default=0, ge=0, le=64)
    """Accelerators on each node."""
    wall_time: WallTime
    """Of a queue job: HH:MM:SS or D-HH:MM:SS."""
    margin_minutes: float = Field(default=5.0, gt=0, le=1440)
    """Minutes before the wall time at which a queue job takes no more work and stops what runs, its state kept."""
    jobs_at_once: int | None = Field(default=None, ge=1, le=4096)
    """Jobs that one queue job runs side by side; default: cpu one per core, gpu one per accelerator, dft one."""
    max_queue_jobs: int | None = Field(default=None, ge=1, le=100_000)
    """Queue jobs of this kind, waiting and running; default: the cluster's limit alone."""
    modules: tuple[Line, ...] = ()
    """Loaded after the cluster's."""
    environment: tuple[Line, ...] = ()
    """Shell lines, run after the cluster's."""
    scheduler_lines: tuple[Option, ...] = ()
    """Further options of the scheduler, after the cluster's."""

    @property
    def wall_seconds(self) -> int:
        """Wall time of a queue job, s."""
        return seconds_of(self.wall_time)

    @property
    def working_seconds(self) -> float:
        """From the start of a queue job until it takes no more work, s."""
        return self.wall_seconds - 60 * self.margin_minutes

    @model_validator(mode="after")
    def _check_margin(self) -> Self:
        if self.working_seconds <= 0:
            problem = f"leaves no time to work: the wall time is {self.wall_time}"
            raise FieldError("margin_minutes", self.margin_minutes, problem)
        return self


class ResourcesOfKinds(Settings):
    """The queue jobs for each kind of resource that stages declare; a kind that is left out is not run here."""

    cpu: QueueResources | None = None
    """Enumeration, rules, structure search, machine-learned potentials on processors."""
    gpu: QueueResources | None = None
    """Machine-learned potentials on accelerators."""
    dft: QueueResources | None = None
    """DFT calculations, one job each."""

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if not self.kinds:
            raise ValueError(f"names no kind of resource; allowed: one or more of {', '.join(KINDS)}")
        return self

    @property
    def kinds(self) -> tuple[ResourceKind, ...]:
        """Kinds that this cluster runs."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)


class Cluster(Settings):
    """A cluster as its user describes it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    """The file's name without its ending."""
    description: str = ""
    """For people."""
    scheduler: Scheduler
    """slurm: sbatch. pbs: PBS Professional or OpenPBS. sge: Grid Engine."""
    queue: Word | None = None
    """Queue (PBS, SGE) or partition (Slurm); default: the scheduler's own."""
    account: Word | None = None
    """Account or project that pays; default: the scheduler's own."""
    resources: ResourcesOfKinds
    """What queue jobs ask for, by kind."""
    max_queue_jobs: int = Field(default=20, ge=1, le=100_000)
    """Queue jobs of this cluster file, waiting and running, all kinds together; each task of an array counts."""
    max_array_size: int = Field(default=1000, ge=1, le=100_000)
    """Tasks of one array job; Slurm's MaxArraySize minus one, PBS' max_array_size, SGE's max_aj_tasks."""
    scheduler_lines: tuple[Option, ...] = ()
    """Further options of the scheduler, as they stand behind #SBATCH, #PBS or #$."""
    parallel_environment: Word | None = None
    """SGE: the name of the parallel environment for more than one core (`qconf -spl` lists them)."""
    modules: tuple[Line, ...] = ()
    """Modules to load, in this order."""
    environment: tuple[Line, ...] = ()
    """Shell lines that activate the environment on a compute node."""
    python: Line | None = None
    """Python interpreter with ninefold on the compute nodes; default: the one that submits."""
    work_folder: Line
    """Folder that login and compute nodes share: scripts, logs, folders of DFT runs. May begin with ~."""
    scratch: Line | None = None
    """Fast folder of a compute node; may hold variables of the shell there ($TMPDIR). Default: the work folder."""
    database: Line | None = None
    """Launchpad that login and compute nodes reach: mongodb://HOST:PORT/DATABASE without login."""
    spool: Line | None = None
    """Instead of `database`, where compute nodes reach none: a shared folder of records, read by the login node."""
    executables: dict[Code, Line] = Field(default_factory=dict)
    """DFT code -> the command that runs it on a compute node, with its launcher: `vasp: srun vasp_std`."""
    pseudopotentials: dict[Code, Line] = Field(default_factory=dict)
    """DFT code -> folder of its pseudopotentials or PAW data, as compute nodes see it."""
    template: Line | None = None
    """A queue script of your own, with the keys of those that ninefold ships; relative to this file."""

    @model_validator(mode="after")
    def _check_database(self) -> Self:
        if self.database is not None:
            # before anything else of it is shown
            if (shown := without_login(self.database)) is not None:
                raise FieldError("database", shown, LOGIN_PROBLEM, LOGIN_HINT)
            _check_address(self.database)
        if self.database is not None and self.spool is not None:
            problem = "stands beside 'database'; allowed: one of both"
            raise FieldError("spool", self.spool, problem, "spool is for compute nodes that reach no database")
        if self.database is None and self.spool is None:
            raise ValueError(
                "is missing the key 'database' (mongodb://HOST:PORT/DATABASE), or 'spool' (a shared folder) where "
                "compute nodes reach no database"
            )
        return self

    @model_validator(mode="after")
    def _check_scheduler(self) -> Self:
        if self.scheduler != "sge":
            if self.parallel_environment is not None:
                raise FieldError(
                    "parallel_environment", self.parallel_environment, f"means nothing to {self.scheduler}"
                )
            return self
        for kind in self.resources.kinds:
            needs = self.of(kind)
            if needs.nodes * needs.cores > 1 and self.parallel_environment is None:
                problem = "needs the key 'parallel_environment' with SGE for more than one core"
                raise FieldError(f"resources.{kind}.cores", needs.cores, problem, "'qconf -spl' lists them")
        return self

    def of(self, kind: ResourceKind) -> QueueResources:
        """What a queue job of a kind asks for, with the cluster's queue and account where the kind has none.

        Raises:
            InputError: if the cluster does not run this kind.
        """
        own: QueueResources | None = getattr(self.resources, kind)
        if own is None:
            raise InputError(
                f"cluster {self.name}: resources", kind, problem="is no kind that this cluster runs",
                allowed=", ".join(self.resources.kinds), hint="add it to the cluster's file",
            )  # fmt: skip
        return own.model_copy(
            update={
                "queue": own.queue or self.queue,
                "account": own.account or self.account,
                "modules": (*self.modules, *own.modules),
                "environment": (*self.environment, *own.environment),
                "scheduler_lines": (*self.scheduler_lines, *own.scheduler_lines),
                "jobs_at_once": own.jobs_at_once or {"cpu": own.cores, "gpu": max(1, own.gpus), "dft": 1}[kind],
                "max_queue_jobs": min(own.max_queue_jobs or self.max_queue_jobs, self.max_queue_jobs),
            }
        )


def _check_address(address: str) -> None:
    """Refuse what is no address of a MongoDB server; no connection is made."""
    from ninefold.store.mongo_address import check_address

    try:
        check_address(address, "database")
    except InputError as error:
        raise FieldError("database", error.value, f"{error.problem}; allowed: mongodb://HOST:PORT/DATABASE") from error
