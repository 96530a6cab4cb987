"""Molecular dynamics of candidates: do the ligands of an anion permute, and do the cations move?"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, field_validator

from ninefold.clock import now
from ninefold.dynamics.simulation.pieces import Piece, decode_piece, encode_piece
from ninefold.dynamics.simulation.propagation import Propagation, RunSettings
from ninefold.dynamics.trajectories.teacher_checks import collected, refuse_beyond
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError
from ninefold.keys import KEY_VERSION, content_key, structure_key
from ninefold.models.dynamics import TrajectoryRecord
from ninefold.models.lines import blob_id
from ninefold.models.structure import pack_structure
from ninefold.settings import Settings
from ninefold.stages.stage import Counts, Resources, Stage, StageResult

if TYPE_CHECKING:
    import numpy as np

    from ninefold.dynamics.simulation.propagation import RunPoint
    from ninefold.dynamics.trajectories.teacher_checks import TeacherCheck
    from ninefold.models.structure import StructureRecord

STAGE = Stage(
    "dynamics", "energies", takes="runs", gives="runs", evidence="MD", is_beside=True,
    resources=Resources(memory_GB=4.0, minutes=6000.0),
    meaning="molecular dynamics of candidates, by `ninefold dynamics candidates`",
)  # fmt: skip

VERSION = 1
"""Rises when another trajectory can come of the same start; in the id of a piece."""
LONGEST_PS = 1e6
VASP = "vasp"
"""Name of the method whose runs are jobs of VASP's own."""
DISTILLED = "distilled"
"""Name of the engine whose runs are watched."""


class DynamicsSettings(Settings):
    """Which candidates are run, and how."""

    method: EngineSettings = EngineSettings(name="sevennet", model="7net-0")
    """What gives the forces."""
    top: int = Field(default=3, ge=1, le=100_000)
    """Candidates, the best placed first."""
    only: tuple[str, ...] = ()
    """Formulas, or chemical systems (Cr-H-Mg); others are left out."""
    temperatures: tuple[float, ...] = Field(default=(400.0, 600.0, 800.0), min_length=1)
    """K, of the thermostat; one run each, times the replicas."""
    picoseconds: float = Field(default=20.0, gt=0, le=LONGEST_PS)
    """Of each run; made up to whole pieces."""
    replicas: int = Field(default=1, ge=1, le=1000)
    """Runs at each temperature, with other random numbers."""
    isotope: Literal["H", "D"] = "H"
    """Mass of the hydrogens."""
    min_width: float = Field(default=7.0, gt=0, le=100)
    """Least distance of two opposite faces of the supercell, Å."""
    max_atoms: int = Field(default=300, ge=1)
    """Of a supercell; candidates with larger ones are left out."""
    time_step_fs: float = Field(default=0.5, gt=0, le=5)
    """Of the integrator."""
    save_every: int = Field(default=10, ge=1, le=10_000)
    """Steps between two frames that are kept."""
    friction_per_ps: float = Field(default=1.0, gt=0, le=1000)
    """Of the thermostat."""
    seed: int = Field(default=0, ge=0, lt=2**62)
    """Of the first replica; each further one has the next."""
    piece_frames: int = Field(default=100, ge=1, le=100_000)
    """Frames that are stored at once: what a kill can lose."""
    check_every: int = Field(default=200, ge=0, le=1_000_000)
    """Frames from one check by its teacher to the next, in a run by a distilled potential; 0: none is checked."""
    runs_per_job: int = Field(default=1, ge=1)
    """One where each job is queued by itself; where one machine runs all jobs, its workers share the runs of one."""

    @field_validator("temperatures")
    @classmethod
    def _ordered(cls, temperatures: tuple[float, ...]) -> tuple[float, ...]:
        for kelvin in temperatures:
            if not 0 < kelvin <= 5000:
                raise ValueError(f"a temperature of {kelvin:g} K must be above 0, up to 5000 K")
        return tuple(sorted(set(temperatures)))

    @property
    def piece_ps(self) -> float:
        """Length of a piece."""
        return self.piece_frames * self.save_every * self.time_step_fs / 1000

    @property
    def pieces(self) -> int:
        """Of each run."""
        return max(1, -(-round(self.picoseconds * 1e6) // round(self.piece_ps * 1e6)))

    @property
    def watched(self) -> int | None:
        """Frames from check to check; None where forces are an engine's own, or are not checked."""
        return self.check_every or None if self.method.name == DISTILLED else None

    def run(self, temperature_K: float, replica: int) -> RunSettings:
        """Those of one run."""
        return RunSettings(
            temperature_K=temperature_K, time_step_fs=self.time_step_fs, save_every=self.save_every,
            friction_per_ps=self.friction_per_ps, isotope=self.isotope, seed=self.seed + replica,
        )  # fmt: skip


class Subject(NamedTuple):
    """What is run: a structure, and how its supercell is made."""

    campaign: str
    label: str
    structure: StructureRecord
    repeats: tuple[int, int, int]
    method: str
    """Id."""
    watched: int | None = None
    """Frames from one check by a teacher to the next."""


def trajectory_ids(
    subject: Subject, settings: RunSettings, piece_frames: int, numbers: Iterable[int]
) -> list[str]:  # fmt: skip
    """Ids of pieces of a run.

    Args:
        subject: What is run.
        settings: What changes the trajectory.
        piece_frames: Frames in each piece.
        numbers: Of the pieces.
    """
    packed = pack_structure(subject.structure.to_structure())
    geometry = structure_key(packed["lattice"], packed["species"], packed["positions"])
    # a check that fails ends a run: pieces with and without checks are two
    of_run = settings.described | ({} if subject.watched is None else {"check_every": subject.watched})
    return [
        content_key(
            "trajectory", VERSION, geometry, list(subject.repeats), of_run, subject.method, piece_frames, number,
            KEY_VERSION,
        )
        for number in numbers
    ]  # fmt: skip


class Run:
    """One run, piece by piece.

    Args:
        subject: What is run.
        calculator: ASE's, of the method.
        settings: What changes the trajectory.
        piece_frames: Frames in each piece.
        replica: Its number.
        number: Of the piece that comes next.
        point: From which it goes on; None at the start.
        check: By the teacher of a distilled potential; a piece that it refuses ends the run.
    """

    def __init__(
        self, subject: Subject, calculator: Any, settings: RunSettings, piece_frames: int, replica: int,
        number: int = 0, point: RunPoint | None = None, check: TeacherCheck | None = None,
    ) -> None:  # fmt: skip
        from ninefold.dynamics.simulation.cells import widened

        atoms = widened(subject.structure.to_structure(), subject.repeats)
        atoms.calc = calculator
        self._subject, self._settings, self._frames, self._replica = subject, settings, piece_frames, replica
        self._number, self._check = number, check
        self._propagation = Propagation(atoms, settings, point)

    def piece(self) -> StageResult:
        """The next piece; one with an error ends the run.

        Raises:
            Exception: what the machine, and not the structure, is to blame for.
        """
        from ninefold.engines.base import is_transient, reason_of

        start = time.process_time()
        content, error = None, None
        try:
            frames = self._propagation.piece(self._frames, self._number * self._frames)
            checks = self._checked(frames["positions"])
        except InputError as problem:
            error = f"{problem.value} {problem.problem}"
        except Exception as problem:
            if is_transient(problem):
                raise
            error = reason_of(problem)
        else:
            atoms = self._propagation.atoms
            content = encode_piece(
                Piece(
                    tuple(atoms.get_chemical_symbols()), atoms.cell.array,
                    self._settings.save_every * self._settings.time_step_fs, self._settings.temperature_K,
                    end=self._propagation.point, checks=checks, **frames,
                )
            )  # fmt: skip
        record = TrajectoryRecord(
            id=trajectory_ids(self._subject, self._settings, self._frames, [self._number])[0],
            campaign=self._subject.campaign, label=self._subject.label, method=self._subject.method,
            structure=self._subject.structure.id, temperature_K=self._settings.temperature_K, replica=self._replica,
            number=self._number, frames=0 if content is None else self._frames, n_atoms=len(self._propagation.atoms),
            content=None if content is None else blob_id(content), settings=self._settings.described,
            error=error, core_seconds=time.process_time() - start, created=now(),
        )  # fmt: skip
        self._number += 1
        return StageResult([record], counts(record), {} if content is None else {blob_id(content): content})

    def _checked(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """What the teacher finds in the frames of a piece.

        Raises:
            LeftGroundError: if it is more than allowed.
        """
        if self._check is None:
            return {}
        found = self._check.of_piece(self._propagation.atoms, positions, self._number * self._frames)
        refuse_beyond(collected([found]), self._check.limit, "the run")
        return found


def counts(record: TrajectoryRecord) -> Counts:
    """Of a run by its last piece: whether it came to its end."""
    reasons = Counter({record.error: 1}) if record.error else Counter[str]()
    return Counts("runs", 1, int(record.error is None), reasons)


def end_of(content: bytes) -> RunPoint:
    """The point from which a run goes on behind a piece."""
    return decode_piece(content).end


def dynamics_id(runs: Sequence[str], centre: str, n: int, cations: Sequence[str]) -> str:
    """Id of what an analysis says.

    Args:
        runs: Ids of the last piece of each run.
        centre: Symbol.
        n: Ligands.
        cations: Symbols.
    """
    from ninefold.stages.dynamics_analysis import ANALYSIS_VERSION

    return content_key("dynamics", ANALYSIS_VERSION, sorted(runs), centre, n, sorted(cations), KEY_VERSION)


def encode_curves(curves: dict[str, Any]) -> bytes:
    """What pictures show, as a blob: see `ninefold.stages.dynamics_analysis`."""
    return json.dumps(curves, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
