"""Whether an engine's second derivatives are symmetric.

Exact forces have a symmetric Hessian. One that is not, from differences of forces, tells that the energy surface is
rough on the scale of the displacements: phonons and soft modes made with such an engine are not to be believed.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from ninefold.errors import NinefoldError
from ninefold.models.structure import unpack_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.base import Engine

DISPLACEMENT = 0.01
"""Å, to both sides."""


TEST_FORMULA = "K4ReH7"
"""Of the structure that engines are tested on: 12 atoms, one mirror plane. High symmetry hides an asymmetric Hessian:
CHGNet has 1.7 % on Mg2FeH6 with its 48 operations, 9.9 % here."""


def structure_of_test() -> Structure:
    """A complex hydride of low symmetry that ninefold's structure search has found."""
    text = files("ninefold.trust").joinpath("data/candidates.json").read_text(encoding="utf-8")
    return unpack_structure(next(one for one in json.loads(text) if one["formula"] == TEST_FORMULA))


def hessian(engine: Engine, structure: Structure, displacement: float = DISPLACEMENT) -> np.ndarray:
    """Second derivatives of the energy of a cell by its atoms' positions, from differences of forces.

    Args:
        engine: Gives the forces.
        structure: n atoms.
        displacement: Å.

    Returns:
        shape (3 n, 3 n), eV/Å²; a row for each displaced coordinate; not symmetrised.

    Raises:
        NinefoldError: if the engine cannot compute a displaced structure.
    """
    moved = []
    for coordinate in range(3 * len(structure)):
        for sign in (1, -1):
            step = np.zeros(3)
            step[coordinate % 3] = sign * displacement
            one = structure.copy()
            one.translate_sites([coordinate // 3], step, frac_coords=False, to_unit_cell=False)
            moved.append(one)
    results = engine.evaluate(moved)
    if failed := next((result for result in results if result.forces is None), None):
        raise NinefoldError(f"{engine.label}: no forces of a displaced structure: {failed.error}")
    forces = np.array([result.forces for result in results], dtype=float).reshape(-1, 2, 3 * len(structure))
    return -(forces[:, 0] - forces[:, 1]) / (2 * displacement)


def asymmetry(matrix: np.ndarray) -> float:
    """Root mean square of the antisymmetric part of a square matrix over that of the whole: 0 to 1."""
    whole = float(np.linalg.norm(matrix))
    return float(np.linalg.norm((matrix - matrix.T) / 2)) / whole if whole else 0.0
