"""Energies and forces of given geometries by a second method, each computed once, in a file written whole.

The energies of images of a path and of frames of a run come from the engine or the distilled potential that made them.
What they are worth is seen where a method of higher evidence, such as DFT, computes the same geometries: it is not
asked for a path or a run of its own, which would cost a hundred times as much.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.atomic_files import write_atomically
from ninefold.errors import InputError
from ninefold.keys import content_key

if TYPE_CHECKING:
    from ase import Atoms

    from ninefold.engines import Engine

DECIMALS = 6
"""Of positions and cell in a file's name, Å: those of one geometry that was written and read are the same."""


@dataclass(frozen=True)
class SinglePoint:
    """One geometry by one method."""

    energy_eV: float | None
    """None where `error` is set."""
    forces: np.ndarray | None
    """shape (n_atoms, 3), eV/Å."""
    core_seconds: float
    error: str | None = None
    notes: tuple[str, ...] = ()


class SinglePoints:
    """A folder of single points of one engine.

    Args:
        folder: Made when the first file is written.
        engine: What computes them.
    """

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder, self.engine = folder, engine

    def has(self, atoms: Atoms) -> bool:
        """Whether the folder holds a geometry."""
        return self._path(atoms).is_file()

    def of(self, atoms: Atoms) -> SinglePoint:
        """A geometry's energy and forces, computed where the folder does not hold them.

        A failure that would come again (no self-consistency) is kept; one of the machine is not.

        Args:
            atoms: Periodic; its calculator is not used.

        Raises:
            InputError: if the folder holds a file that is no single point.
        """
        path = self._path(atoms)
        if path.is_file():
            return _read(path)
        [found] = self.engine.evaluate([_structure(atoms)])
        energy = None if found.energy_per_atom is None else float(found.energy_per_atom) * len(atoms)
        error = found.error
        if error is None and (energy is None or found.forces is None):
            error = f"{self.engine.label} gives no forces"
        point = SinglePoint(
            energy if error is None else None, found.forces if error is None else None, found.core_seconds, error,
            tuple(found.notes),
        )  # fmt: skip
        if not found.is_transient:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(self._plain(atoms, point)).encode())
        return point

    def _path(self, atoms: Atoms) -> Path:
        return self.folder / f"{point_name(self.engine.fingerprint, atoms)}.json"

    def _plain(self, atoms: Atoms, point: SinglePoint) -> dict[str, Any]:
        return {
            "engine": self.engine.label, "method": self.engine.fingerprint, "evidence": self.engine.evidence,
            "species": atoms.get_chemical_symbols(), "cell": atoms.cell.array.tolist(),
            "positions": atoms.positions.tolist(), "energy_eV": point.energy_eV,
            "forces_eV_per_A": None if point.forces is None else np.asarray(point.forces).tolist(),
            "core_seconds": point.core_seconds, "error": point.error, "notes": list(point.notes),
        }  # fmt: skip


@dataclass(frozen=True)
class StoredPoint:
    """A single point with its geometry and its method, as its file has them."""

    engine: str
    """Label of the method."""
    method: str
    """Fingerprint of the method."""
    evidence: str
    atoms: Atoms
    point: SinglePoint


def point_name(method: str, atoms: Atoms) -> str:
    """Name of a geometry's file, without its ending.

    Args:
        method: Fingerprint of what computes it.
        atoms: Periodic.
    """
    # -0.0 and 0.0 are one place
    rounded = [np.round(value, DECIMALS) + 0.0 for value in (atoms.cell.array, atoms.positions)]
    key = content_key("single point", method, atoms.get_chemical_symbols(), *(one.tolist() for one in rounded))
    return f"point-{key[:20]}"


def stored_point(path: Path, field: str) -> StoredPoint:
    """A single point of a file.

    Args:
        path: As `SinglePoints` wrote it.
        field: Where its folder was named, for the error.

    Raises:
        InputError: if it is none.
    """
    from ase import Atoms

    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        point = _of(saved)
        atoms = Atoms(saved["species"], positions=saved["positions"], cell=saved["cell"], pbc=True)
        if point.forces is not None and point.forces.shape != atoms.positions.shape:
            raise ValueError("a force for each atom")
        return StoredPoint(saved["engine"], saved["method"], saved["evidence"], atoms, point)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_point(path, field) from error


def force_error(forces: np.ndarray, others: np.ndarray) -> float:
    """Root of the mean squared difference of the components, eV/Å.

    Args:
        forces: shape (n_atoms, 3), eV/Å.
        others: The same shape.
    """
    return float(np.sqrt(((forces - others) ** 2).mean()))


def _structure(atoms: Atoms) -> Any:
    """Pymatgen's structure, its sites in the order of the atoms."""
    from pymatgen.core import Structure

    return Structure(
        atoms.cell.array, atoms.get_chemical_symbols(), atoms.positions, coords_are_cartesian=True, to_unit_cell=False
    )


def _read(path: Path) -> SinglePoint:
    try:
        return _of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_point(path, "--out") from error


def _of(saved: dict[str, Any]) -> SinglePoint:
    forces = saved["forces_eV_per_A"]
    return SinglePoint(
        saved["energy_eV"], None if forces is None else np.array(forces, dtype=float),
        float(saved["core_seconds"]), saved["error"], tuple(saved["notes"]),
    )  # fmt: skip


def _no_point(path: Path, field: str) -> InputError:
    return InputError(field, str(path), problem="is no single point", hint="delete it: it is computed again")
