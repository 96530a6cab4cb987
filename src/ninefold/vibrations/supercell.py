"""The supercell that force constants are computed in: wide enough, and cheap in displacements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ninefold.errors import InputError
from ninefold.vibrations.settings import PhononSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pymatgen.core import Structure

TRIED = 5
"""Supercells of which the displacements are counted, the smallest first."""
_AROUND = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)])


@dataclass(frozen=True)
class Supercell:
    """A supercell of a primitive cell."""

    matrix: tuple[tuple[int, int, int], ...]
    """Each row is a vector of the supercell in vectors of the primitive cell."""
    width: float
    """Least distance of an atom to its own image, Å."""
    n_atoms: int


def choose_supercell(
    primitive: Structure, conventional: np.ndarray, settings: PhononSettings, count: Callable[[Supercell], int]
) -> Supercell:
    """The supercell that is wide enough and costs least: atoms times displacements.

    Multiples of the primitive and of the conventional cell are compared. Oblique ones would be smaller by a few atoms
    and break the symmetry, which costs displacements.

    Args:
        primitive: The primitive cell.
        conventional: shape (3, 3), rows are the conventional cell's vectors in those of the primitive one.
        settings: With the least width and the most atoms.
        count: Displacements that a supercell needs.

    Raises:
        InputError: if the smallest that is wide enough has too many atoms.
    """
    if not settings.min_width:
        return _supercell(primitive, np.eye(3, dtype=int))
    able: dict[tuple[tuple[int, int, int], ...], Supercell] = {}
    for base in (np.eye(3, dtype=int), np.asarray(conventional, dtype=int)):
        for cell in _multiples(primitive, base, settings.min_width):
            able[cell.matrix] = cell
    order = sorted(able.values(), key=lambda cell: (cell.n_atoms, -cell.width, cell.matrix))
    smallest = order[0]
    if smallest.n_atoms > settings.max_atoms:
        raise InputError(
            "min_width", settings.min_width,
            problem=f"needs a supercell of {smallest.n_atoms} atoms of {primitive.composition.reduced_formula}, more "
            f"than max_atoms, {settings.max_atoms}",
            hint="a smaller --min-width, or a larger --max-atoms",
        )  # fmt: skip
    best, cost = smallest, count(smallest) * smallest.n_atoms
    for cell in [cell for cell in order[1:TRIED] if cell.n_atoms <= settings.max_atoms]:
        # phonopy needs one displacement at least: a supercell that is larger than this cannot be cheaper
        if cell.n_atoms < cost and (its := count(cell) * cell.n_atoms) < cost:
            best, cost = cell, its
    return best


def image_distance(lattice: np.ndarray) -> float:
    """Length of the shortest vector of a lattice, Å.

    Args:
        lattice: shape (3, 3), Å, rows are vectors.
    """
    from pymatgen.core import Lattice

    reduced = Lattice(lattice).get_lll_reduced_lattice().matrix
    return float(np.linalg.norm(_AROUND @ reduced, axis=1).min())


def _multiples(primitive: Structure, base: np.ndarray, width: float) -> Iterable[Supercell]:
    lengths = np.linalg.norm(base @ primitive.lattice.matrix, axis=1)
    # oblique vectors: a multiple that is long enough may still have an image nearer than its length
    most = [int(np.ceil(1.6 * width / length)) + 1 for length in lengths]
    found = 0
    for numbers in sorted(product(*(range(1, number + 1) for number in most)), key=math.prod):
        # cheaper than the test below, and it leaves few: a vector is no shorter than the shortest
        if (np.array(numbers) * lengths).min() < width:
            continue
        cell = _supercell(primitive, np.diag(numbers) @ base)
        if cell.width >= width:
            yield cell
            found += 1
            if found == TRIED:
                return


def _supercell(primitive: Structure, matrix: np.ndarray) -> Supercell:
    rows = tuple(tuple(int(value) for value in row) for row in matrix)
    size = abs(round(np.linalg.det(matrix)))
    return Supercell(rows, image_distance(matrix @ primitive.lattice.matrix), size * len(primitive))  # type: ignore[arg-type]
