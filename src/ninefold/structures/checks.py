"""Is it still the anion that was asked for? Coordination, H2 ligands and volume of a structure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.shells import SEARCH_RADIUS, SELF, hydrogens_around

H2_LIGAND = 1.0
"""Å; two hydrogens closer than this are an H2 ligand."""
H2_STRETCHED = 1.5
"""Å; closer than this they are a stretched one; neighbours in a polyhedron are 1.7 Å and more apart."""
TOO_CLOSE = 1.2
"""Å; no two atoms but M and H, or H and H, come closer: Be-H has 1.4 Å."""
VOLUME_RANGE = (0.7, 1.35)
"""Volume over the additive one; outside, a note is made."""


@dataclass(frozen=True)
class Shells:
    """Coordination of the centres, and what else tells a complex hydride from something else."""

    coordination_numbers: tuple[int, ...]
    """Hydrogens in the shell of each centre."""
    shortest_m_h: float
    """Å; `SEARCH_RADIUS` where no hydrogen is nearer."""
    shortest_h_h: float
    """Å."""
    shortest_m_m: float | None
    """Å, between two centres or a centre and its own image; None without a centre."""
    shortest_m_interstitial: float | None
    """Å, from a centre to the nearest hydrogen that is in no shell; None where there is none within `SEARCH_RADIUS`."""
    volume_per_formula_unit: float
    """Å³."""
    volume_ratio: float
    """Volume over the sum of the additive increments."""
    faults: tuple[str, ...]
    """Why it is not a structure of this anion; empty if it is."""
    notes: tuple[str, ...]
    """What to know."""

    @property
    def is_valid(self) -> bool:
        """Coordination as asked, no H2 ligand."""
        return not self.faults


def check_shells(structure: Structure, assignment: Assignment) -> Shells:
    """Count the hydrogens of every centre.

    Args:
        structure: Any cell of the composition.
        assignment: What it should be; its cations may contain no second kind of centre.
    """
    symbols = np.array([site.specie.symbol for site in structure])
    neighbours = hydrogens_around(structure, assignment.centre)
    numbers = [int(near.in_shell.sum()) for near in neighbours]
    shortest = min((near.distances.min(initial=SEARCH_RADIUS) for near in neighbours), default=SEARCH_RADIUS)
    bonded = Counter(int(hydrogen) for near in neighbours for hydrogen in near.hydrogens[near.in_shell])
    free = [near.distances[~np.isin(near.hydrogens, list(bonded))].min(initial=np.inf) for near in neighbours]
    interstitial = min(free, default=np.inf)
    places = np.array([near.centre for near in neighbours], dtype=int)
    shortest_h_h = _shortest(structure, symbols == "H")
    is_fused = _is_fused(structure, symbols, assignment.centre)
    volume = structure.volume / max(len(places), 1)
    ratio = volume / additive_volume(assignment)
    faults, notes = [], []
    if any(number != assignment.n for number in numbers):
        faults.append("coordination lost")
    if any(count > 1 for count in bonded.values()):
        faults.append("bridging hydrogen")
    if shortest_h_h < H2_LIGAND:
        faults.append("H2 ligand")
    elif shortest_h_h < H2_STRETCHED:
        faults.append("stretched H2 ligand")
    if is_fused:
        faults.append("atoms too close")
    if not VOLUME_RANGE[0] <= ratio <= VOLUME_RANGE[1]:
        notes.append(f"volume {ratio:.2f} of the additive one")
    return Shells(
        tuple(numbers), float(shortest), float(shortest_h_h), _shortest_m_m(structure, places),
        float(interstitial) if np.isfinite(interstitial) else None,
        float(volume), float(ratio), tuple(faults), tuple(notes),
    )  # fmt: skip


def _shortest_m_m(structure: Structure, places: np.ndarray) -> float | None:
    """Shortest distance between the atoms at `places`, periodic images included."""
    if not len(places):
        return None
    centres = Structure.from_sites([structure[int(index)] for index in places])
    radius = min(structure.lattice.abc) + SELF  # at most an edge away is an image of the atom itself
    *_, distances = centres.get_neighbor_list(radius)
    return float(distances[distances > SELF].min())


def _is_fused(structure: Structure, symbols: np.ndarray, centre: str) -> bool:
    """Whether two atoms that are no bond of the anion and no pair of hydrogens lie too close."""
    first, second, _, distances = structure.get_neighbor_list(TOO_CLOSE)
    is_hydrogen, is_centre = symbols == "H", symbols == centre
    is_bond = (is_hydrogen[first] & is_centre[second]) | (is_hydrogen[second] & is_centre[first])
    is_other = ~is_bond & ~(is_hydrogen[first] & is_hydrogen[second]) & (distances > SELF)
    return bool(is_other.any())


def _shortest(structure: Structure, chosen: np.ndarray) -> float:
    """Shortest distance among the chosen atoms within 3.2 Å, periodic images included."""
    sites = [structure[int(index)] for index in np.flatnonzero(chosen)]
    _, second, _, distances = structure.get_neighbor_list(SEARCH_RADIUS, sites=sites)
    among = chosen[second] & (distances > SELF)
    return float(distances[among].min()) if among.any() else SEARCH_RADIUS
