"""Ways by which the ligands of one anion may permute in a crystal.

A permutation ends in the same crystal with the ligands' names exchanged. The candidates are made by symmetry: the
closest permutational isomers, rings of three and pairs of neighbouring ligands, rings of five (two of three that share
a ligand), and the turns of the whole anion; of a cage, [B12H12]2-, these alone. Permutations that the symmetry of the
anion's site turns into each other are one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.anion_sites import Site, vectors_to
from ninefold.dynamics.isomers import Isomers, cycles, isomers_of, nearest_assignment

if TYPE_CHECKING:
    from ase import Atoms

NEIGHBOURING = 95.0
"""Degrees between two ligands of one face; those beyond lie across the shell."""
FARTHEST_ISOMER = 1.5
"""Squared distance (M-H = 1) of the isomers that are candidates; see docs."""
TURN, ISOMER, RING, EXCHANGE, RING_OF_FIVE = KINDS = (
    "turn", "isomer", "ring of three", "exchange of two", "ring of five"
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A permutation of the ligands of one anion."""

    permutation: tuple[int, ...]
    """Ligand i ends where ligand `permutation[i]` was; both count along `Site.ligands`."""
    kind: str
    """One of `KINDS`."""
    multiplicity: int
    """Ways that the site's symmetry makes of it."""
    displacement: float
    """Root of the summed squares of the ligands' straight displacements in the crystal, Å."""

    @property
    def ligands_moved(self) -> int:
        """Ligands that end elsewhere."""
        return sum(place != target for place, target in enumerate(self.permutation))

    @property
    def cycles(self) -> str:
        """In cycle notation, for people: (0 3 5)."""
        return "".join(f"({' '.join(map(str, cycle))})" for cycle in cycles(np.array(self.permutation)))


def ways(atoms: Atoms, site: Site) -> list[Way]:
    """Candidate permutations of an anion, the shortest first.

    Args:
        atoms: The structure that `sites` was given.
        site: One of them.
    """
    vectors = vectors_to(atoms, site, site.ligands)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    isomers = isomers_of(len(site.ligands))[site.polyhedron]
    assignment, _ = nearest_assignment(vectors / lengths, isomers.vertices)
    elements = atoms.numbers[list(site.cage)]
    found: dict[tuple[int, ...], str] = {}
    for kind, permutation in _candidates(vectors / lengths, assignment, isomers, turns_alone=bool(site.cage)):
        key = tuple(int(target) for target in permutation)
        # a turn that exchanges C and B of a cage ends in another crystal
        if key != tuple(range(len(key))) and (not site.cage or (elements[permutation] == elements).all()):
            found.setdefault(key, kind)
    groups: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for one in found:
        equivalents = _equivalents(one, site.operations)
        groups.setdefault(min(equivalents), set()).update(equivalents & found.keys())
    result = []
    for members in groups.values():
        first = min(members, key=lambda one: (_displacement(vectors, one), one))
        result.append(Way(first, found[first], len(members), _displacement(vectors, first)))
    return sorted(result, key=lambda way: (way.displacement, way.permutation))


def _candidates(
    unit: np.ndarray, assignment: np.ndarray, isomers: Isomers, *, turns_alone: bool
) -> list[tuple[str, np.ndarray]]:
    """Permutations of the ligands with the kind of each; the names of kinds in order of preference."""
    n = len(unit)
    ligand_at = np.argsort(assignment)
    found: list[tuple[str, np.ndarray]] = []

    def of_vertices(permutation: np.ndarray) -> np.ndarray:
        return ligand_at[permutation[assignment]]

    found += [(TURN, of_vertices(rotation)) for rotation in isomers.rotations]
    if turns_alone:
        return found
    for neighbour in isomers.neighbours[isomers.squared_distances <= FARTHEST_ISOMER]:
        equivalents = [of_vertices(rotation[neighbour]) for rotation in isomers.rotations]
        found.append((ISOMER, min(equivalents, key=lambda one: _displacement(unit, one))))
    near = unit @ unit.T > np.cos(np.radians(NEIGHBOURING))
    rings: list[np.ndarray] = []
    for a in range(n):
        for b in range(a + 1, n):
            if near[a, b]:
                found.append((EXCHANGE, _cycle(n, (a, b))))
                for c in range(b + 1, n):
                    if near[a, c] and near[b, c]:
                        rings += [_cycle(n, (a, b, c)), _cycle(n, (a, c, b))]
    found += [(RING, ring) for ring in rings]
    moved = [set(np.flatnonzero(ring != np.arange(n)).tolist()) for ring in rings]
    # one ring of three after another that shares a ligand with it moves five in a ring
    found += [
        (RING_OF_FIVE, rings[after][rings[before]])
        for before, after in itertools.permutations(range(len(rings)), 2)
        if len(moved[before] & moved[after]) == 1
    ]
    return found


def _cycle(n: int, members: Sequence[int]) -> np.ndarray:
    permutation = np.arange(n)
    permutation[list(members)] = [*members[1:], members[0]]
    return permutation


def _equivalents(permutation: tuple[int, ...], operations: Sequence[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """What the site's symmetry makes of a permutation, its reverse included: both have the same barrier."""
    forward = np.array(permutation)
    result = set()
    for operation in operations:
        mapping = np.array(operation)
        back = np.argsort(mapping)
        for one in (forward, np.argsort(forward)):
            result.add(tuple(int(target) for target in mapping[one[back]]))
    return result


def _displacement(vectors: np.ndarray, permutation: Sequence[int] | np.ndarray) -> float:
    return float(np.linalg.norm(vectors[np.asarray(permutation)] - vectors))
