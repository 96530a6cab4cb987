"""The hydrogens around the centres of a structure, and which of them make a centre's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

SHELL_FACTOR = 1.25
"""The shell of a centre is the hydrogens within this factor of its shortest M-H."""
SEARCH_RADIUS = 3.2
"""Å; no M-H bond is longer."""
SELF = 1e-3
"""Å; an atom is at this distance of itself."""


class Neighbours(NamedTuple):
    """Hydrogens near one centre; images of one atom are entries of their own."""

    centre: int
    """Index of the centre."""
    hydrogens: np.ndarray
    """shape (n,), indices of the atoms."""
    distances: np.ndarray
    """shape (n,), Å."""
    steps: np.ndarray
    """shape (n, 3), from the centre, fractional."""

    @property
    def in_shell(self) -> np.ndarray:
        """Shape (n,), whether each is in the centre's shell."""
        return self.distances <= SHELL_FACTOR * self.distances.min(initial=np.inf)


def hydrogens_around(structure: Structure, centre: str, radius: float = SEARCH_RADIUS) -> list[Neighbours]:
    """The hydrogens near each centre, in the order of the structure's sites.

    Args:
        structure: Any cell.
        centre: Symbol of the centres.
        radius: Å.
    """
    symbols = np.array([site.specie.symbol for site in structure])
    places = np.flatnonzero(symbols == centre)
    if not len(places):
        return []
    owners, atoms, images, distances = structure.get_neighbor_list(
        radius, sites=[structure[int(index)] for index in places]
    )
    is_hydrogen = (symbols[atoms] == "H") & (distances > SELF)
    found = []
    for order, place in enumerate(places):
        mine = (owners == order) & is_hydrogen
        steps = structure.frac_coords[atoms[mine]] + images[mine] - structure.frac_coords[place]
        found.append(Neighbours(int(place), atoms[mine], distances[mine], steps))
    return found
