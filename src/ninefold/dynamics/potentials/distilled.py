"""A distilled potential as an engine: `--engine distilled --model FOLDER`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ninefold.dynamics.folders import read_json
from ninefold.dynamics.potentials.corrected import CorrectedEngine
from ninefold.dynamics.potentials.distil_settings import CLAIM_FILE, MODEL_FILE, RESULT_FILE, START_FILE
from ninefold.dynamics.potentials.students import make_trainer
from ninefold.dynamics.trajectories.forces import SAME_VOLUME, ForceSource
from ninefold.dynamics.trajectories.teacher_checks import TeacherCheck
from ninefold.engines import make_engine
from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.registry import anchored_engine
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError
from ninefold.keys import file_checksum
from ninefold.paths import user_path

GATE = 2.0
"""A run has left its ground where a checked frame's force error is beyond so many times the potential's own limit."""


class DistilledEngine(ASEEngine):
    """An engine around a distilled potential.

    Args:
        folder: Of a finished distillation.

    Raises:
        InputError: if the folder holds none.
    """

    def __init__(self, folder: Path) -> None:
        self.result, self._folder = read_result(folder), folder
        self.formula, self.volume_per_atom = _compound(folder)
        trainer = make_trainer(self.result["student"])
        model = folder / MODEL_FILE
        super().__init__(
            "distilled",
            f"{trainer.label} distilled from {self.result['teacher']['label']}",
            trainer.calculator(model),
            (self.result["student"], file_checksum(str(model))),
            frozenset(self.result["species"]),
            evidence="test" if self.result["teacher"]["evidence"] == "test" else "ML",
        )

    def forces(self, temperature_K: float, atoms: int, volume_per_atom: float | None = None) -> ForceSource:
        """What a run stands on.

        Args:
            temperature_K: Of the run.
            atoms: In its cell.
            volume_per_atom: Of its cell, Å3; None where it is not known.
        """
        errors = [row for row in self.result["errors"] if row["species"] == "all"]
        known = ", ".join(f"{row['force_rmse'] * 1000:.0f} at {row['temperature_K']:g} K" for row in errors)
        notes = [f"rates are not claimed from this potential: {reason}" for reason in self.result["reasons"]]
        temperatures = [float(value) for value in self.result["settings"]["temperatures_K"]]
        if temperature_K > max(temperatures):
            notes.append(f"the potential was distilled up to {max(temperatures):g} K, below this run's temperature")
        if atoms < self.result["atoms"]:
            notes.append(f"the potential was distilled in a cell of {self.result['atoms']} atoms, larger than this one")
        if volume_per_atom is not None and abs(volume_per_atom / self.volume_per_atom - 1) > SAME_VOLUME:
            notes.append(
                f"the potential was distilled at {self.volume_per_atom:.2f} Å3 per atom, and this cell has "
                f"{volume_per_atom:.2f}"
            )
        return ForceSource(
            rung="distilled", method=self.label, error=f"force error on its own runs {known} meV/Å",
            is_claimed=not self.result["reasons"],
            limit_eV_per_A=self.limit, warnings=tuple(notes),
        )  # fmt: skip

    @property
    def limit(self) -> float:
        """Force error of a checked frame, eV/Å, beyond which a run has left the potential's ground."""
        return GATE * float(self.result["settings"]["force_limit"])

    def check(self, every: int) -> TeacherCheck:
        """Watch a run by the teacher.

        Args:
            every: Frames from one check to the next.

        Raises:
            InputError: if the teacher is not on this machine as it was.
        """
        teacher = self.result["teacher"]
        made: Any = make_engine(anchored_engine(EngineSettings(**teacher["settings"]), self._folder))
        if made.fingerprint != teacher["fingerprint"]:
            raise InputError(
                "--model", teacher["label"], problem="is the teacher, and not on this machine as it was there",
                allowed="the same version and weights", hint="--check-every 0 runs without checks, and says so",
            )  # fmt: skip
        return TeacherCheck(made.calculator(), every, self.limit)


def distilled(settings: EngineSettings) -> DistilledEngine:
    """The engine of a folder.

    Raises:
        InputError: if no folder is named, or it holds no finished distillation.
    """
    if settings.model is None:
        raise InputError(
            "--model", None, problem="is needed by the engine distilled", allowed="folder of a distillation"
        )
    return DistilledEngine(user_path(settings.model, "--model"))


def read_result(folder: Path) -> dict[str, Any]:
    """The result of a distillation.

    Raises:
        InputError: if the folder holds none, or one that has not ended.
    """
    result: dict[str, Any] | None = read_json(folder / RESULT_FILE)
    if result is None or not (folder / MODEL_FILE).is_file():
        begun = (folder / CLAIM_FILE).is_file()
        raise InputError(
            "--model", str(folder),
            problem="holds a distillation that has not ended" if begun else "holds no distillation",
            allowed="folder of ninefold dynamics distil --out",
        )  # fmt: skip
    if file_checksum(str(folder / MODEL_FILE)) != result["checksum"]:
        raise InputError(
            "--model", str(folder / MODEL_FILE), problem="is not the potential that result.json is of",
            hint="the command that distilled it writes both anew",
        )  # fmt: skip
    return result


def potentials_in(folder: Path) -> list[Path]:
    """The finished distillations of a folder: itself, or the folders in it, one a compound.

    Raises:
        InputError: if there is none, or two are of one compound.
    """
    inside = [path for path in sorted(folder.iterdir()) if (path / CLAIM_FILE).is_file()] if folder.is_dir() else []
    if (folder / CLAIM_FILE).is_file() or not inside:
        read_result(folder)
        return [folder]
    of: dict[str, Path] = {}
    for path in inside:
        read_result(path)
        formula, _ = _compound(path)
        if formula in of:
            raise InputError(
                "--method", str(folder), problem=f"has two potentials of {formula}: {of[formula].name} and {path.name}",
                allowed="one of each compound", hint=f"distilled:{path} names one",
            )  # fmt: skip
        of[formula] = path
    return list(of.values())


def _compound(folder: Path) -> tuple[str, float]:
    """Reduced formula of what a potential is of, and the volume per atom that it was distilled at, Å3."""
    import ase.io

    from ninefold.chemistry.formula import formula_of, reduced

    try:
        atoms: Any = ase.io.read(folder / START_FILE)
    except OSError as error:
        raise InputError(
            "--model", str(folder), problem=f"lacks {START_FILE}, the cell that was distilled",
            allowed="the whole folder of ninefold dynamics distil --out",
        ) from error  # fmt: skip
    return formula_of(reduced(atoms.symbols.formula.count())), float(atoms.get_volume()) / len(atoms)


def force_source(
    engine: Any,
    temperature_K: float,
    atoms: int,
    volume_per_atom: float | None = None,
    species: Sequence[str] = (),
) -> ForceSource:
    """What a run by an engine stands on.

    Args:
        engine: Any.
        temperature_K: Of the run.
        atoms: In its cell.
        volume_per_atom: Of its cell, Å3; None where it is not known.
        species: Of its atoms; empty where they are not known.
    """
    if isinstance(engine, DistilledEngine):
        return engine.forces(temperature_K, atoms, volume_per_atom)
    if isinstance(engine, CorrectedEngine):
        return engine.forces(species, volume_per_atom)
    return ForceSource(rung="engine", method=engine.label)
