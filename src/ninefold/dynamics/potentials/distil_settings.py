"""What changes a distilled potential, what it is distilled from, and the files of a distillation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from ninefold.settings import Settings

CLAIM_FILE, RESULT_FILE, MODEL_FILE, START_FILE = "distil.json", "result.json", "potential.txt", "start.xyz"
TEACHER_FOLDER = "teacher"
"""In the folder of a distillation: the files of a teacher that is a folder itself."""


class DistilSettings(Settings):
    """What changes a distilled potential."""

    temperatures_K: tuple[float, ...] = Field(min_length=1, max_length=20)
    """Of the runs, the teacher's and the student's."""
    rounds: int = Field(default=4, ge=1, le=50)
    """Of the student, at most."""
    teacher_ps: float = Field(default=0.2, gt=0, le=100)
    """Of the teacher's run at each temperature."""
    student_ps: float = Field(default=4.0, gt=0, le=1000)
    """Of the student's run at each temperature, in each round."""
    time_step_fs: float = Field(default=0.5, gt=0, le=5)
    tests: int = Field(default=8, ge=2, le=1000)
    """Frames at equal times of each of the student's runs: its error is measured on them."""
    chosen: int = Field(default=16, ge=1, le=1000)
    """New frames of each run that are learnt besides."""
    force_limit: float = Field(default=0.1, gt=0, le=10)
    """Root mean square error of the force components on its own run, eV/Å, below which a potential is good."""
    barrier_limit: float = Field(default=0.02, gt=0, le=1)
    """Difference of its barriers to the teacher's, eV, below which a potential is good."""
    seed: int = Field(default=0, ge=0, lt=2**31)


@dataclass(frozen=True)
class Teacher:
    """The engine that is distilled."""

    calculator: Any
    settings: dict[str, Any]
    """Name and model: `EngineSettings` as plain values."""
    label: str
    fingerprint: str
    evidence: str
    files: tuple[Path, ...] = ()
    """Of an engine that is a folder, e.g. corrected: copied beside the potential, so that it can be passed on."""
