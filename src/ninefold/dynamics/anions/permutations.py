"""Ways by which the ligands of one anion may permute in a crystal.

A permutation ends in the same crystal with the ligands' names exchanged. The candidates are made by symmetry: the
closest permutational isomers, pairs of neighbouring ligands, rings of faces of three and of four, rings of four and
more about one ligand, rings of five that are two of three with a ligand in common, and the turns of the whole anion;
of a cage, [B12H12]2-, these alone. Permutations that the symmetry of the anion's site turns into each other are one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.anions.isomers import Isomers, cycles, isomers_of, nearest_assignment
from ninefold.dynamics.anions.shell_faces import neighbours, quadrilaterals
from ninefold.dynamics.anions.sites import Site, vectors_to

if TYPE_CHECKING:
    from ase import Atoms

FARTHEST_ISOMER = 1.5
"""Squared distance (M-H = 1) of the isomers that are candidates; see docs."""
TURN, ISOMER, EXCHANGE = "turn", "isomer", "exchange of two"
RINGS = {
    3: "ring of three", 4: "ring of four", 5: "ring of five", 6: "ring of six", 7: "ring of seven", 8: "ring of eight",
    9: "ring of nine", 10: "ring of ten", 11: "ring of eleven", 12: "ring of twelve",
}  # fmt: skip
"""By the number of ligands that go round."""
KINDS = (TURN, ISOMER, EXCHANGE, RINGS[3], RINGS[4], RINGS[5], RINGS[6])
"""Of candidates."""


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


def way_of(atoms: Atoms, site: Site, permutation: Sequence[int]) -> Way:
    """A permutation that was asked for, whether or not it is among the candidates.

    Args:
        atoms: The structure that `sites` was given.
        site: One of them.
        permutation: Ligand i ends where ligand `permutation[i]` was.

    Raises:
        ValueError: if it exchanges two elements of a cage: the end would be another crystal.
    """
    elements = atoms.numbers[list(site.cage)]
    if site.cage and not (elements[np.array(permutation)] == elements).all():
        raise ValueError("exchanges two elements of the cage: its end is another crystal")
    vectors = vectors_to(atoms, site, site.ligands)
    isomers = isomers_of(len(site.ligands))[site.polyhedron]
    assignment, _ = nearest_assignment(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), isomers.vertices)
    way = tuple(int(target) for target in permutation)
    kind = kind_of(np.array(way), assignment, isomers)
    return Way(way, kind, len(_equivalents(way, site.operations)), _displacement(vectors, way))


def read_cycles(text: str, n: int) -> tuple[int, ...]:
    """A permutation in cycle notation, `(0 3 5)(1 2)`.

    Args:
        text: As `Way.cycles` writes it.
        n: Ligands, numbered from 0.

    Raises:
        ValueError: if it is none, or leaves all ligands where they are.
    """
    if not re.fullmatch(r"\s*(\(\s*\d+(\s+\d+)+\s*\)\s*)+", text):
        raise ValueError("is no permutation in cycles")
    rings = [[int(number) for number in ring.split()] for ring in re.findall(r"\(([^)]*)\)", text)]
    members = [member for ring in rings for member in ring]
    if len(set(members)) < len(members):
        raise ValueError("names a ligand twice")
    if max(members) >= n:
        raise ValueError(f"names ligand {max(members)} of {n}, which are numbered from 0")
    permutation = np.arange(n)
    for ring in rings:
        permutation[ring] = [*ring[1:], ring[0]]
    return tuple(int(target) for target in permutation)


def kind_of(permutation: np.ndarray, vertex: np.ndarray, isomers: Isomers) -> str:
    """What a permutation of ligands' places is: a turn of the whole, or what goes round; never `isomer`.

    Args:
        permutation: shape (n,): what was on place p goes to place `permutation[p]`; not the identity.
        vertex: shape (n,): vertex of the polyhedron at each place.
        isomers: Of the polyhedron.
    """
    of_vertices = np.empty_like(vertex)
    of_vertices[vertex] = vertex[permutation]
    if isomers.canonical(of_vertices) == isomers.canonical(np.arange(len(vertex))):
        return TURN
    lengths = sorted(len(cycle) for cycle in cycles(permutation))
    if len(lengths) > 1:
        return f"cycles of {' and '.join(map(str, lengths))}"
    return EXCHANGE if lengths == [2] else RINGS[lengths[0]]


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
    near = neighbours(unit)
    pairs = [pair for pair in itertools.combinations(range(n), 2) if near[pair]]
    faces = [(a, b, c) for a, b in pairs for c in range(b + 1, n) if near[a, c] and near[b, c]]
    found += [(EXCHANGE, _cycle(n, pair)) for pair in pairs]
    threes = [_cycle(n, ring) for a, b, c in faces for ring in ((a, b, c), (a, c, b))]
    found += [(RINGS[3], three) for three in threes]
    found += [(RINGS[4], _cycle(n, ring)) for face in quadrilaterals(unit) for ring in (face, face[::-1])]
    for ligand in range(n):
        around = np.flatnonzero(near[ligand])
        if len(around) > 3:
            about = _about(unit, ligand, around)
            found += [(RINGS[len(about)], _cycle(n, ring)) for ring in (about, about[::-1])]
    moved = [set(np.flatnonzero(three != np.arange(n)).tolist()) for three in threes]
    found += [
        (RINGS[5], threes[after][threes[before]])
        for before, after in itertools.permutations(range(len(threes)), 2)
        if len(moved[before] & moved[after]) == 1
    ]
    return found


def _about(unit: np.ndarray, ligand: int, around: np.ndarray) -> list[int]:
    """The neighbours of a ligand in their order about it."""
    axis = unit[ligand]
    across = unit[around] - np.outer(unit[around] @ axis, axis)
    first, second = across[0], np.cross(axis, across[0])
    return [int(around[place]) for place in np.argsort(np.arctan2(across @ second, across @ first))]


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
