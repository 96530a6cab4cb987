"""What a stage declares and what it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from ninefold.models.evidence import Evidence

if TYPE_CHECKING:
    from ninefold.models.record import Record


ResourceKind = Literal["cpu", "gpu", "dft"]


class Resources(NamedTuple):
    """What one job of a stage needs: upper bounds for a queue; the executor decides how many it runs at once."""

    kind: ResourceKind = "cpu"
    """cpu: any node. gpu: a node with an accelerator. dft: a node with a licensed or compiled DFT code."""
    cores: int = 1
    """Of one task; a job of many tasks can use a multiple."""
    memory_GB: float = 2.0
    """Of one task."""
    minutes: float = 60.0
    """Wall time of one job."""

    def __str__(self) -> str:
        """For people: `cpu, 1 core, 2 GB, 60 min`."""
        cores = f"{self.cores} core{'' if self.cores == 1 else 's'}"
        return f"{self.kind}, {cores}, {self.memory_GB:g} GB, {self.minutes:g} min"


@dataclass(frozen=True)
class Stage:
    """A stage as the funnel, the report and the executors know it."""

    name: str
    after: str | None
    """The stage whose output it takes; None for the first."""
    takes: str = "compositions"
    """What its input counts."""
    gives: str = "compositions"
    """What its output counts."""
    evidence: Evidence = "rule"
    """Level of what it gives; where it calls an engine, the highest that the engines ninefold ships have."""
    resources: Resources = field(default_factory=Resources)
    is_beside: bool = False
    """Whether the next stage does not take its output."""
    is_in_rounds: bool = False
    """Whether further rounds of the search repeat it."""
    meaning: str = ""
    """One line, for people."""


@dataclass
class Counts:
    """What a stage, or a part of it, let through."""

    unit: str = "compositions"
    count_in: int = 0
    count_out: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    core_seconds: float = 0.0

    def add(self, other: Counts) -> None:
        """Add those of another part of the stage."""
        self.count_in += other.count_in
        self.count_out += other.count_out
        self.reasons.update(other.reasons)
        self.core_seconds += other.core_seconds


def tasks_per_job(evidence: str, usual: int) -> int:
    """How many structures or compositions one job takes with a method: a DFT calculation is a job of its own.

    Args:
        evidence: Level of the method's energies.
        usual: Number for methods that take seconds or minutes each.
    """
    return 1 if evidence == "DFT" else usual


class StageResult(NamedTuple):
    """What a stage gives: records to be stored, and what it counted."""

    records: list[Record]
    counts: Counts
    blobs: Mapping[str, bytes] = {}
    """Large content by its SHA-256, which the records name."""


def split_name(name: str) -> tuple[str, str]:
    """A funnel's stage without, and with, the round or method that stands behind it: build 2 -> build, 2."""
    stage, _, suffix = name.partition(" ")
    return stage, suffix


def name_with(stage: str, suffix: str | int | None) -> str:
    """The inverse: a first round, and the search's own method, have none."""
    return stage if suffix in (None, "", 1) else f"{stage} {suffix}"


def merged(counts: Iterable[Counts], unit: str = "compositions") -> Counts:
    """Counts of several parts added up."""
    total = Counts(unit)
    for part in counts:
        total.add(part)
    return total
