"""Permutational isomers: the ways to put numbered ligands on the vertices of a polyhedron.

An assignment is an array a, shape (n,): ligand i sits on vertex a[i]. Two assignments are the same isomer when a
proper rotation of the polyhedron turns one into the other; a mirror image is another isomer. The distance of two
isomers, or of a shell and an isomer, is the square root of the least sum of squared differences over proper
rotations. It is a metric, which the search for the nearest isomer uses (`ninefold.dynamics.anions.tracking`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np

from ninefold.dynamics.anions.superposition import squared_distance
from ninefold.errors import InputError
from ninefold.structures.polyhedra import polyhedra

LARGEST_SHELL = 9
"""Ligands of the polyhedra that are known here; of ten there are no classical anions."""
CAGE = 12
"""Hydrogens about the centre of a cage: [B12H12]2-, [CB11H12]-."""
FARTHEST = 3.0
"""Squared distance of the isomers that are kept as neighbours, for vectors of length one. A permutation of three
ligands of nine has about 1."""
COMPLETE = 6
"""Ligands up to which all isomers are kept, however far: they are few, and of the tetrahedron and the octahedron none
is near."""
_SAME = 1e-6
"""Squared distance below which two assignments are one isomer; distinct ones differ by 0.2 and more."""


@dataclass(frozen=True)
class Isomers:
    """A polyhedron with its rotations and the isomers near any one of its own."""

    name: str
    vertices: np.ndarray
    """shape (n, 3), unit vectors."""
    rotations: np.ndarray
    """shape (g, n), the permutations of the vertices that proper rotations make; the identity is the first."""
    neighbours: np.ndarray
    """shape (k, n): vertex v of an isomer goes to vertex `neighbours[j, v]`; one of each isomer, by rising distance.
    None of three ligands, which have one isomer alone."""
    squared_distances: np.ndarray
    """shape (k,), of each neighbour."""

    def canonical(self, assignment: np.ndarray) -> tuple[int, ...]:
        """The smallest of the equivalent assignments: equal for the same isomer."""
        return min(tuple(int(vertex) for vertex in rotation[assignment]) for rotation in self.rotations)

    def kind(self, permutation: np.ndarray) -> tuple[int, ...]:
        """What a permutation of vertices and all that rotations before and after make of it share."""
        return min(
            tuple(int(vertex) for vertex in after[permutation[before]])
            for after in self.rotations
            for before in self.rotations
        )

    def squared_distance_of(self, permutation: np.ndarray) -> float:
        """Between an isomer and the one that a permutation of its vertices makes of it."""
        return float(squared_distance(self.vertices, self.vertices, np.asarray(permutation, dtype=np.int64)))


def isomers_of(n: int) -> dict[str, Isomers]:
    """Polyhedra of n ligands, by name, with their isomers.

    Raises:
        InputError: if n is not 3 to 9, or 12.
    """
    if not (3 <= n <= LARGEST_SHELL or n == CAGE):
        raise InputError(
            "n", n, problem="is no number of ligands whose permutations can be followed",
            allowed=f"3 to {LARGEST_SHELL}, or {CAGE}",
        )  # fmt: skip
    return _isomers_of(n)


@functools.cache
def _isomers_of(n: int) -> dict[str, Isomers]:
    return {name: make_isomers(name, vertices) for name, vertices in polyhedra(n).items()}


def make_isomers(name: str, vertices: np.ndarray) -> Isomers:
    """Rotations and neighbours of any set of unit vectors.

    Args:
        name: For people.
        vertices: shape (n, 3).
    """
    farthest = np.inf if len(vertices) <= COMPLETE else FARTHEST
    permutations, squared = _near_permutations(vertices, vertices, farthest)
    rotations = permutations[squared < _SAME]
    seen: set[tuple[int, ...]] = {min(tuple(rotation) for rotation in rotations.tolist())}
    kept: list[int] = []
    for place in np.argsort(squared, kind="stable"):
        smallest = min(tuple(rotation[permutations[place]].tolist()) for rotation in rotations)
        if smallest not in seen:
            seen.add(smallest)
            kept.append(int(place))
    return Isomers(name, vertices, rotations, permutations[kept], squared[kept])


def shape_measure(squared_distances: np.ndarray | float, n: int) -> np.ndarray | float:
    """Continuous shape measures, 0 for the same shape to 100: least squares over rotation, scale and assignment.

    M. Pinsky & D. Avnir, Inorg. Chem. 37, 5575 (1998), doi:10.1021/ic9804925. For two sets of n unit vectors the best
    scale is the cosine between them, 1 - d² / 2 n, and the measure 100 times the square of its sine. The centre of
    both is the central atom, which adds nothing.

    Args:
        squared_distances: Of sets of unit vectors to a polyhedron's, at the best rotation and assignment.
        n: Ligands.
    """
    return 100 * (1 - (1 - np.asarray(squared_distances) / (2 * n)) ** 2)


def nearest_assignment(vectors: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, float]:
    """The assignment of the least distance of all permutations.

    Args:
        vectors: shape (n, 3).
        vertices: shape (n, 3).

    Returns:
        Assignment, shape (n,), and its squared distance.
    """
    permutations, squared = _list_near(
        np.ascontiguousarray(vectors, dtype=float), np.ascontiguousarray(vertices, dtype=float), np.inf, True
    )
    return permutations[-1], squared[-1]


def cycles(permutation: np.ndarray) -> Iterator[tuple[int, ...]]:
    """The cycles of a permutation of two members and more, each from its smallest member."""
    seen: set[int] = set()
    for start in range(len(permutation)):
        cycle = []
        place = start
        while place not in seen:
            seen.add(place)
            cycle.append(place)
            place = int(permutation[place])
        if len(cycle) > 1:
            yield tuple(cycle)


def _near_permutations(vectors: np.ndarray, vertices: np.ndarray, farthest: float) -> tuple[np.ndarray, np.ndarray]:
    """All permutations within a squared distance, in lexicographic order, and their squared distances."""
    permutations, squared = _list_near(vectors, vertices, farthest, False)
    return np.array(permutations), np.array(squared)


@numba.njit(cache=True)
def _list_near(
    vectors: np.ndarray, vertices: np.ndarray, farthest: float, is_nearest_asked: bool
) -> tuple[list[np.ndarray], list[float]]:
    """Branch and bound: the squared distance of the first few ligands alone is never above that of all.

    Where the nearest alone is asked for, each that is found bounds what is looked for, and the last is the nearest.
    """
    n = len(vectors)
    permutations, squared = [np.arange(n) for _ in range(0)], [0.0 for _ in range(0)]
    trial = np.full(n, -1)
    is_used = np.zeros(n, dtype=np.bool_)
    depth = 0
    while depth >= 0:
        if trial[depth] >= 0:
            is_used[trial[depth]] = False
        vertex = trial[depth] + 1
        while vertex < n and is_used[vertex]:
            vertex += 1
        if vertex == n:
            trial[depth] = -1
            depth -= 1
            continue
        trial[depth] = vertex
        is_used[vertex] = True
        distance = squared_distance(vectors, vertices, trial[: depth + 1])
        if distance >= farthest:
            continue
        if depth == n - 1:
            permutations.append(trial.copy())
            squared.append(distance)
            if is_nearest_asked:
                farthest = distance
        else:
            depth += 1
    return permutations, squared
