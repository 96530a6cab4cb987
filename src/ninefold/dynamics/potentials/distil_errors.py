"""How far a distilled potential is from its teacher: on its own trajectories, and on paths of known mechanisms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.dynamics.paths.bands import relaxed_band
from ninefold.dynamics.potentials.labels import LabelledFrame, Labels
from ninefold.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

HIGHEST_BARRIER = 0.6
"""eV; a mechanism above it is not seen in any run, and compared only where it is the lowest of its anion."""
PATHS_PER_SITE = 3
"""The lowest mechanisms of each anion that are compared."""
BAND_FMAX, BAND_STEPS = 0.05, 300
"""Of the student's own bands: eV/Å, steps."""


@dataclass(frozen=True)
class KnownPath:
    """A path of `ninefold dynamics paths` by the teacher."""

    title: str
    """Site and permutation, for people."""
    barrier_eV: float
    images: tuple[Any, ...]
    """ASE atoms, the ends included."""


def read_paths(folder: Path, method: str) -> list[KnownPath]:
    """The mechanisms to compare, from the folder that `ninefold dynamics paths --out` wrote.

    Args:
        folder: With path-KEY.json and path-KEY.xyz.
        method: Fingerprint of the teacher; paths of others are refused.

    Raises:
        InputError: if there are no converged paths, or they are of another method.
    """
    from ase.io import read

    rows = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("path-*.json"))]
    if foreign := [row for _, row in rows if row.get("method") != method]:
        raise InputError(
            "--paths", str(folder), problem=f"holds paths by {foreign[0].get('engine', 'another engine')}",
            allowed="paths by the engine that is distilled",
        )  # fmt: skip
    good = [(path, row) for path, row in rows if row["is_converged"]]
    if not good:
        raise InputError(
            "--paths", str(folder), problem="holds no converged path",
            allowed="the folder of ninefold dynamics paths --out",
        )  # fmt: skip
    found = []
    for site in sorted({row["site"] for _, row in good}):
        here = sorted((one for one in good if one[1]["site"] == site), key=lambda one: one[1]["barrier_eV"])
        for path, row in here[:1] + [one for one in here[1:PATHS_PER_SITE] if one[1]["barrier_eV"] <= HIGHEST_BARRIER]:
            images: Any = read(path.with_suffix(".xyz"), index=":")
            title = f"site {site}: {row['kind']} {row['permutation']}"
            found.append(KnownPath(title, row["barrier_eV"], tuple(images)))
    return found


def barrier_row(known: KnownPath, calculator: Any, labels: Labels, name: str) -> dict[str, Any]:
    """A mechanism's barrier by the student on a band of its own, and by the teacher on the same images.

    Args:
        known: The teacher's.
        calculator: The student's.
        labels: Where the images of the band are labelled, to be learnt from afterwards.
        name: Of the labelled frames, less the number of the image.
    """
    from ase.optimize import BFGS

    chain = [image.copy() for image in known.images]
    for end in (chain[0], chain[-1]):
        end.calc = calculator
        BFGS(end, logfile=None).run(fmax=0.01, steps=200)
    band = relaxed_band(chain, calculator, BAND_FMAX, BAND_STEPS)
    if not np.isfinite(band.energies_eV).all() or not all(np.isfinite(image.positions).all() for image in chain):
        return {
            "path": known.title,
            "teacher_eV": known.barrier_eV,
            "student_eV": None,
            "teacher_on_student_path_eV": None,
            "is_converged": False,
        }
    labelled = [labels.label(f"{name}-{number:02d}", image) for number, image in enumerate(chain)]
    teacher = [frame.energy_eV - labelled[0].energy_eV for frame in labelled]
    return {
        "path": known.title,
        "teacher_eV": known.barrier_eV,
        "student_eV": max(band.energies_eV),
        "teacher_on_student_path_eV": max(teacher),
        "is_converged": band.is_converged,
    }


def error_rows(frames: Sequence[LabelledFrame], calculator: Any) -> list[dict[str, Any]]:
    """Errors by temperature and species, on frames that the student was not fitted to.

    Args:
        frames: Labelled.
        calculator: The student's.

    Returns:
        A row for each temperature and species, `all` among them: root mean square of the force components' differences
        (eV/Å), of the teacher's force components, of the energies' differences about their mean (eV/atom), frames.
    """
    rows = []
    for temperature in sorted({frame.temperature_K for frame in frames if frame.temperature_K is not None}):
        here = [frame for frame in frames if frame.temperature_K == temperature]
        differences, references, symbols, energies = [], [], [], []
        for frame in here:
            energy, forces = evaluated(frame.atoms(), calculator)
            differences.append(forces - frame.forces)
            references.append(frame.forces)
            symbols.append(frame.species)
            energies.append((energy - frame.energy_eV) / len(frame.species))
        difference, reference, symbol = np.concatenate(differences), np.concatenate(references), np.concatenate(symbols)
        for name in ("all", *dict.fromkeys(symbol.tolist())):
            chosen = np.ones(len(symbol), dtype=bool) if name == "all" else symbol == name
            rows.append(
                {
                    "temperature_K": temperature,
                    "species": name,
                    "force_rmse": float(np.sqrt((difference[chosen] ** 2).mean())),
                    "force_rms": float(np.sqrt((reference[chosen] ** 2).mean())),
                    "energy_rmse_per_atom": float(np.std(energies)),
                    "frames": len(here),
                }
            )
    return rows


def evaluated(atoms: Atoms, calculator: Any) -> tuple[float, np.ndarray]:
    """Energy (eV) and forces (eV/Å) of a frame."""
    atoms.calc = calculator
    return float(atoms.get_potential_energy()), np.array(atoms.get_forces())


def reasons_against(table: dict[str, Any], force_limit: float, barrier_limit: float) -> list[str]:
    """Why rates are not claimed from a potential; none if they are.

    Args:
        table: Of a round: `errors` as of `error_rows`, `barriers` as of `barrier_row`, `broken_K`.
        force_limit: eV/Å.
        barrier_limit: eV.
    """
    errors, barriers, broken = table["errors"], table["barriers"], table["broken_K"]
    reasons = [f"its own run at {temperature:g} K broke off" for temperature in broken]
    reasons += [
        f"force error {row['force_rmse'] * 1000:.0f} meV/Å on its own run at {row['temperature_K']:g} K, "
        f"limit {force_limit * 1000:.0f}"
        for row in errors
        if row["species"] == "all" and row["force_rmse"] > force_limit
    ]
    if not barriers:
        reasons.append("no barrier was compared with the teacher's (--paths)")
    for row in barriers:
        if not row["is_converged"]:
            reasons.append(f"{row['path']}: its band did not converge")
        elif abs(row["student_eV"] - row["teacher_eV"]) > barrier_limit:
            reasons.append(
                f"{row['path']}: barrier {row['student_eV'] * 1000:.0f} meV, teacher {row['teacher_eV'] * 1000:.0f}, "
                f"limit {barrier_limit * 1000:.0f} apart"
            )
    return reasons
