"""Values on a grid as a Gaussian cube file, which VESTA and most other programs read."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ninefold.dynamics.density.grid import Density


def first_point(density: Density) -> np.ndarray:
    """Shape (3,), Å, centre of the grid's first voxel."""
    middle: np.ndarray = density.origin + (0.5 / np.array(density.counts.shape)) @ density.cell
    return middle


def capped(energies: np.ndarray, highest_eV: float) -> np.ndarray:  # a unit
    """Free energies with a finite value where no atom ever was."""
    return np.minimum(energies, highest_eV)


def cube_file(
    density: Density, values: np.ndarray, symbols: Sequence[str], positions: np.ndarray, comment: str
) -> bytes:
    """A cube file; lengths in it are in Bohr, as the format has them.

    Its origin is 0: programs differ in what they do with another one. The positions of a box that lies elsewhere are
    moved with it.

    Args:
        density: Whose grid the values are on.
        values: shape (a, b, c).
        symbols: Of the atoms that are shown with it.
        positions: shape (k, 3), Å, in the density's coordinates.
        comment: First line: what the values are, and their unit.
    """
    from ase import Atoms
    from ase.io.cube import write_cube

    moved = np.reshape(positions, (-1, 3)) - first_point(density)
    atoms = Atoms(list(symbols), positions=moved, cell=density.cell, pbc=True)
    if density.is_periodic:
        atoms.wrap()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.cube"
        # NumPy writes the values through the file's descriptor
        with path.open("w", encoding="utf-8") as file:
            write_cube(file, atoms, data=values, comment=" ".join(comment.split()))
        return path.read_bytes()
