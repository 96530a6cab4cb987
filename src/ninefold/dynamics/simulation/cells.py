"""Supercells wide enough that an anion does not see its own images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

WIDEST = 100.0
"""Å."""


def repeats_of(matrix: np.ndarray, width: float, n_atoms: int, max_atoms: int) -> tuple[int, int, int]:
    """How often a cell is repeated along each of its edges to be as wide as asked.

    Args:
        matrix: shape (3, 3), Å, rows are the lattice vectors.
        width: Least distance of two opposite faces, Å.
        n_atoms: In the cell.
        max_atoms: Allowed in the supercell.

    Raises:
        InputError: if the width is none, or the supercell is too large.
    """
    if not 0 < width <= WIDEST:
        raise InputError("--width", width, problem="is no width", allowed=f"above 0, up to {WIDEST:g} Å")
    # the distance of two opposite faces, which is less than the edge in an oblique cell
    widths = 1 / np.linalg.norm(np.linalg.inv(matrix), axis=0)
    a, b, c = (max(1, int(np.ceil(width / one - 1e-6))) for one in widths)
    if (atoms := n_atoms * a * b * c) > max_atoms:
        raise InputError(
            "--width", width, problem=f"needs a supercell of {atoms} atoms ({a} x {b} x {c})",
            allowed=f"at most --max-atoms {max_atoms}",
        )  # fmt: skip
    return a, b, c


def widened(structure: Structure, repeats: tuple[int, int, int]) -> Any:
    """A supercell as ASE's atoms."""
    from pymatgen.io.ase import AseAtomsAdaptor

    return AseAtomsAdaptor.get_atoms(structure.make_supercell(repeats, in_place=False), msonable=False)
