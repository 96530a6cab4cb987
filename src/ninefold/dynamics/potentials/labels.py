"""Frames that a teacher has labelled with energy and forces: each computed once, in a file of its own."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.atomic_files import write_atomically

if TYPE_CHECKING:
    from ase import Atoms


LARGEST_FORCE = 12.0
"""eV/Å; a frame with a larger one is met by no run below 1000 K, and not learnt."""


@dataclass(frozen=True)
class LabelledFrame:
    """A frame with the teacher's energy and forces."""

    name: str
    """Of its file: round, origin, number; 02-path00-03 is image 3 of the first path's band in round 2."""
    species: tuple[str, ...]
    cell: np.ndarray
    """shape (3, 3), Å, rows are the lattice vectors."""
    positions: np.ndarray
    """shape (n_atoms, 3), Å."""
    energy_eV: float
    forces: np.ndarray
    """shape (n_atoms, 3), eV/Å."""
    temperature_K: float | None
    """Of the run that it is from; None for images of paths."""

    @property
    def is_path_image(self) -> bool:
        """Whether it is an image of a path as its band left it: no copy with displaced atoms, no frame of a run."""
        return re.fullmatch(r"\d\d-path\d\d-\d+", self.name) is not None

    @property
    def is_sane(self) -> bool:
        """Whether all forces are numbers of a size that a run can meet."""
        return bool(np.isfinite(self.energy_eV) and np.abs(self.forces).max() < LARGEST_FORCE)

    def atoms(self) -> Atoms:
        """As ASE's atoms, without a calculator."""
        from ase import Atoms

        return Atoms(list(self.species), positions=self.positions, cell=self.cell, pbc=True)


class Labels:
    """A folder of labelled frames.

    Args:
        folder: Made if it is not there.
        calculator: The teacher's.
    """

    def __init__(self, folder: Path, calculator: Any) -> None:
        self._folder, self._calculator = folder, calculator
        folder.mkdir(parents=True, exist_ok=True)

    def label(self, name: str, atoms: Atoms, temperature_K: float | None = None) -> LabelledFrame:
        """The frame of a name, computed where it is not there.

        Args:
            name: Of the file, without ending; one name always stands for one geometry.
            atoms: The geometry.
            temperature_K: Of the run that it is from.
        """
        path = self._folder / f"{name}.npz"
        if not path.is_file():
            copy = atoms.copy()
            copy.calc = self._calculator
            copy.set_constraint()
            forces = copy.get_forces()
            buffer = io.BytesIO()
            np.savez(
                buffer, species=np.array(copy.get_chemical_symbols()), cell=copy.cell.array, positions=copy.positions,
                energy=np.array(copy.get_potential_energy()), forces=forces,
                temperature=np.array(np.nan if temperature_K is None else temperature_K),
            )  # fmt: skip
            write_atomically(path, buffer.getvalue())
        return _read(path)

    def __iter__(self) -> Iterator[LabelledFrame]:
        """All frames, by name."""
        for path in sorted(self._folder.glob("*.npz")):
            yield _read(path)

    def __len__(self) -> int:
        return sum(1 for _ in self._folder.glob("*.npz"))


def _read(path: Path) -> LabelledFrame:
    try:
        with np.load(path) as saved:
            temperature = float(saved["temperature"])
            return LabelledFrame(
                path.stem, tuple(saved["species"].tolist()), saved["cell"], saved["positions"], float(saved["energy"]),
                saved["forces"], None if np.isnan(temperature) else temperature,
            )  # fmt: skip
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        from ninefold.errors import InputError

        raise InputError(
            "--out", str(path), problem="is no labelled frame", hint="delete it: it is made again"
        ) from error
