"""An engine with a correction: `--engine corrected --model FOLDER` of `ninefold dynamics correct`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ninefold.dynamics.folders import read_json
from ninefold.dynamics.potentials.correction import CLAIM_FILE, MODEL_FILE, RESULT_FILE
from ninefold.dynamics.potentials.correction_errors import composition
from ninefold.dynamics.potentials.students import make_trainer
from ninefold.dynamics.trajectories.forces import SAME_VOLUME, ForceSource
from ninefold.engines import make_engine
from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError
from ninefold.keys import file_checksum
from ninefold.paths import user_path

WANTED = "folder of ninefold dynamics correct --out"


class CorrectedEngine(ASEEngine):
    """The sum of an engine and of the potential that corrects it.

    Its energies keep the engine's zero. It has stresses where both have them; what is fitted are energies and forces.

    Args:
        folder: Of a finished correction; the engine is the `files` in it.

    Raises:
        InputError: if the folder holds none that is worth it, or the engine is not here as it was corrected.
    """

    def __init__(self, folder: Path) -> None:
        from ase.calculators.mixing import SumCalculator

        self.result = read_correction(folder)
        self.files = tuple(folder / name for name in (CLAIM_FILE, RESULT_FILE, MODEL_FILE))
        own, check = self.result["engine"], self.result["check"]
        base: Any = make_engine(EngineSettings(**own["settings"]))
        if base.fingerprint != own["fingerprint"]:
            raise InputError(
                "--model", own["label"], problem="is what was corrected, and not on this machine as it was there",
                allowed="the same version and weights",
            )  # fmt: skip
        model = folder / MODEL_FILE
        correction = make_trainer(self.result["student"]).calculator(model)
        words = f"{self.result['labels']} single points)"
        by = check["label"]
        super().__init__(
            "corrected",
            f"{own['label']} corrected by {by[:-1]}; {words}" if by.endswith(")") else
            f"{own['label']} corrected by {by} ({words}",
            SumCalculator([base.calculator(), correction]),
            (base.fingerprint, self.result["student"], file_checksum(str(model))),
            frozenset(self.result["species"]),
            evidence="test" if own["evidence"] == "test" else "ML",
        )  # fmt: skip

    def forces(self, species: Sequence[str], volume_per_atom: float | None = None) -> ForceSource:
        """What a run stands on.

        Args:
            species: Of its atoms; empty where they are not known.
            volume_per_atom: Of its cell, Å3; None where it is not known.
        """
        before, after = (self.result["errors"][name]["force_eV_per_A"] * 1000 for name in ("before", "held_out"))
        error = f"force error against {self.result['check']['label']} on labels that were not fitted"
        return ForceSource(
            rung="engine", method=self.label, error=f"{error} {after:.0f} meV/Å, {before:.0f} without the correction",
            warnings=tuple(self.beside(species, volume_per_atom)),
        )  # fmt: skip

    def beside(self, species: Sequence[str], volume_per_atom: float | None) -> list[str]:
        """How far a cell is from what was labelled, in sentences.

        Args:
            species: Of its atoms; empty where they are not known.
            volume_per_atom: Å3; None where it is not known.
        """
        formula = composition(species) if species else None
        known = {row["formula"]: row["volume_per_atom"] for row in self.result["compositions"]}
        if formula is not None and formula not in known:
            return [f"the correction was fitted to labels of {', '.join(known)}, and this is {formula}"]
        volumes = [known[formula]] if formula is not None else list(known.values())
        if volume_per_atom is None or any(
            low * (1 - SAME_VOLUME) <= volume_per_atom <= high * (1 + SAME_VOLUME) for low, high in volumes
        ):
            return []
        low, high = min(one[0] for one in volumes), max(one[1] for one in volumes)
        text = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"
        return [f"the correction was fitted to labels at {text} Å3 per atom, and this cell has {volume_per_atom:.2f}"]


def corrected(settings: EngineSettings) -> CorrectedEngine:
    """The engine of a folder.

    Raises:
        InputError: if no folder is named, or it holds no correction that is worth it.
    """
    if settings.model is None:
        raise InputError("--model", None, problem="is needed by the engine corrected", allowed=WANTED)
    return CorrectedEngine(user_path(settings.model, "--model"))


def read_correction(folder: Path) -> dict[str, Any]:
    """The result of a correction.

    Raises:
        InputError: if the folder holds none, one that has not ended, or one that is not worth it.
    """
    result: dict[str, Any] | None = read_json(folder / RESULT_FILE)
    if result is None or "check" not in result or not (folder / MODEL_FILE).is_file():
        begun = (folder / CLAIM_FILE).is_file()
        raise InputError(
            "--model", str(folder),
            problem="holds a correction that has not ended" if begun else "holds no correction", allowed=WANTED,
        )  # fmt: skip
    if file_checksum(str(folder / MODEL_FILE)) != result["checksum"]:
        raise InputError(
            "--model", str(folder / MODEL_FILE), problem="is not the potential that result.json is of",
            hint="the command that fitted it writes both anew",
        )  # fmt: skip
    if not result["is_worth"]:
        raise InputError(
            "--model", str(folder), problem=f"holds a correction that is not worth it: {result['reason']}",
            allowed="a correction by which the error falls", hint="more labels, or the engine as it is",
        )  # fmt: skip
    return result
