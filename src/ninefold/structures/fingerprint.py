"""Fingerprints of distances: equal for equal crystals, and moving as little as the atoms do.

For each atom, the distances to its nearest atoms of each element (pointwise distance distribution);
averaged over the atoms of an element, the average minimum distances (Widdowson et al., MATCH 87, 529
(2022); Widdowson & Kurlin, NeurIPS 35 (2022)). No choice of cell, origin or axes enters, and a small
displacement changes them by no more than twice its size: unlike a space group, they cannot fall
apart at a tolerance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import moyopy
import numpy as np
from pymatgen.core import Structure
from scipy.optimize import linear_sum_assignment

NEIGHBOURS = 20
"""Nearest atoms that are looked at, of each element: hexagonal and cubic stacking differ from the nineteenth on."""
FIRST_RADIUS = 1.6
"""In units of the mean spacing; grown until every atom has neighbours enough."""
VECTORS = 13
"""Shortest lattice vectors that are compared."""
_HALF_SPACE = np.array([point for point in itertools.product(range(-2, 3), repeat=3) if point > (0, 0, 0)], dtype=float)


@dataclass(frozen=True)
class Fingerprint:
    """What two structures are compared by before they are matched. Lengths in units of (volume per atom)^(1/3)."""

    elements: tuple[str, ...]
    """In alphabetical order."""
    kinds: np.ndarray
    """shape (n_atoms,), index of each atom's element, ascending."""
    distances: np.ndarray
    """shape (n_atoms, n_elements * neighbours), from each atom to its nearest ones of each element, ascending."""
    average: np.ndarray
    """shape (n_elements, n_elements, neighbours), `distances` averaged over the atoms of each element."""
    lattice: np.ndarray
    """shape (13,), lengths of the shortest lattice vectors, ascending, v and -v once."""

    def is_close(self, other: Fingerprint, tolerance: float) -> bool:
        """Whether the averages differ by no more than this."""
        return self.elements == other.elements and bool(np.abs(self.average - other.average).max() <= tolerance)

    def largest_difference(self, other: Fingerprint) -> float:
        """Of the distances, atoms paired as well as can be, and of the lattice vectors; infinite for other sizes.

        A shaken copy differs by no more than twice what its atoms moved. Lattices are compared too, because
        stackings of equal layers have equal neighbours for a long way.
        """
        if self.elements != other.elements or not np.array_equal(self.kinds, other.kinds):
            return float("inf")
        worst = float(np.abs(self.lattice - other.lattice).max())
        for kind in range(len(self.elements)):
            mine = self.kinds == kind
            costs = np.abs(self.distances[mine][:, None, :] - other.distances[mine][None, :, :]).max(axis=2)
            pairs = linear_sum_assignment(costs**2)  # squares: one large difference weighs more than many small ones
            worst = max(worst, float(costs[pairs].max()))
        return worst


def fingerprint(structure: Structure, neighbours: int = NEIGHBOURS) -> Fingerprint:
    """The fingerprint of a structure.

    Args:
        structure: A primitive cell where sizes are to be compared; any cell for the averages.
        neighbours: Of each element.
    """
    lattice = np.asarray(structure.lattice.matrix)
    n_atoms = len(structure)
    symbols = np.array([site.specie.symbol for site in structure])
    elements, kind = np.unique(symbols, return_inverse=True)
    spacing = (abs(np.linalg.det(lattice)) / n_atoms) ** (1 / 3)
    rarest = np.bincount(kind).min() / n_atoms
    # a sphere that holds enough of the rarest element on average, and a little more
    radius = spacing * max(FIRST_RADIUS, 1.25 * (3 * neighbours / (4 * np.pi * rarest)) ** (1 / 3))
    n_elements = len(elements)
    while True:
        first, second, _, distances = structure.get_neighbor_list(radius)
        group = first * n_elements + kind[second]
        counts = np.bincount(group, minlength=n_atoms * n_elements)
        if counts.min() >= neighbours:
            break
        radius *= 1.25
    # one sort of a number that grows with the group first and the distance second
    ordered = np.sort(group * (2 * radius) + distances)
    starts = np.cumsum(counts) - counts
    nearest = ordered[starts[:, None] + np.arange(neighbours)] - np.arange(n_atoms * n_elements)[:, None] * (2 * radius)
    rows = nearest.reshape(n_atoms, n_elements * neighbours) / spacing
    order = np.argsort(kind, kind="stable")
    average = np.array([rows[kind == index].mean(axis=0) for index in range(n_elements)])
    return Fingerprint(
        tuple(str(element) for element in elements), kind[order], rows[order],
        average.reshape(n_elements, n_elements, neighbours), _shortest_vectors(lattice) / spacing,
    )  # fmt: skip


def _shortest_vectors(lattice: np.ndarray) -> np.ndarray:
    """Their lengths: unlike a reduced cell, they do not jump where two choices of it meet."""
    reduced = np.array(moyopy.niggli_reduce(lattice.tolist())[0])
    return np.asarray(np.sort(np.linalg.norm(_HALF_SPACE @ reduced, axis=1))[:VECTORS])
