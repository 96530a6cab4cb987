"""Host decoration: complexes on the points of a simple lattice, cations and hydrides in its voids.

The voids of a lattice of centres are the vertices of its Voronoi cells: tetrahedral and octahedral
holes of close packings, cube centres, trigonal prisms. Antifluorite, Heusler, anti-perovskite and
most known complex hydrides are such fillings. Which voids are filled, and how the anions are
turned, is drawn at random; different cations take whole orbits of what is filled in half of the draws.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable

import numpy as np
from pymatgen.core import Structure
from scipy.spatial import Voronoi

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.orderings import orderings
from ninefold.structures.packing import Packing, assemble, random_rotation
from ninefold.structures.polyhedra import polyhedra

_SQRT3 = 3**0.5
HOSTS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "sc": (np.eye(3), np.zeros((1, 3))),
    "fcc": (np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]), np.zeros((1, 3))),
    "bcc": (np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]), np.zeros((1, 3))),
    "simple hexagonal": (np.array([[1, 0, 0], [-0.5, _SQRT3 / 2, 0], [0, 0, 0.95]]), np.zeros((1, 3))),
    "tetragonal": (np.diag([1.0, 1.0, 1.25]), np.zeros((1, 3))),
    "hcp": (
        np.array([[1, 0, 0], [-0.5, _SQRT3 / 2, 0], [0, 0, 1.633]]),
        np.array([[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]),
    ),
    "double hexagonal": (
        np.array([[1, 0, 0], [-0.5, _SQRT3 / 2, 0], [0, 0, 1.7]]),
        np.array([[0, 0, 0.0], [0, 0, 0.5]]),
    ),
    "diamond": (
        np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
        np.array([[0, 0, 0], [0.25, 0.25, 0.25]]),
    ),
}
"""Name -> cell (rows) and fractional positions of the centres."""
_DOUBLINGS = (np.diag((2, 1, 1)), np.diag((1, 1, 2)), np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]]))
SAME_POINT = 1e-3
"""Fraction of a cell edge; closer points are one."""
BY_ORBITS = 0.5
"""Chance that different cations take whole orbits, or the fewest parts of them; else they are distributed at random."""
SHARED_TURN = 0.6
"""Chance that all anions of a cell are turned alike: most known structures are so ordered."""


def decorated_host(
    assignment: Assignment, formula_units: int, rng: np.random.Generator, failures: Counter[str]
) -> Packing | None:
    """One decorated host lattice; see `ninefold.structures.proposal.Source`."""
    fitting = [name for name, (_, basis) in HOSTS.items() if formula_units % len(basis) == 0]
    name = fitting[rng.integers(len(fitting))]
    doubling = rng.integers(len(_DOUBLINGS))
    n_cations = sum(cation.count for cation in assignment.cations) * formula_units
    n_hydrides = assignment.m * formula_units
    grown = _grown(name, formula_units, int(doubling))
    if grown is None:
        failures[f"host {name} has no cell of this size"] += 1
        return None
    cell, centres, voids = grown
    cell = cell * (additive_volume(assignment) * formula_units / np.linalg.det(cell)) ** (1 / 3)
    if len(voids) < n_cations + n_hydrides:
        # a host with too few voids gets random sites beside them
        voids = np.concatenate([voids, rng.random((n_cations + n_hydrides - len(voids), 3))])
    chosen = voids[filled(cell, voids, n_cations + n_hydrides, rng)]
    order = rng.permutation(len(chosen))
    sites = chosen[order] @ cell
    shapes = list(polyhedra(assignment.n).values())
    shape = shapes[rng.integers(len(shapes))]
    turn = random_turn(rng)
    turned = [
        shape @ (turn if rng.random() < SHARED_TURN or index == 0 else random_turn(rng)).T
        for index in range(len(centres))
    ]
    cations, hydrides = sites[:n_cations], sites[n_cations:]
    ways = (
        _orders(assignment, cell, centres @ cell, cations, hydrides)
        if len(assignment.cations) > 1 and rng.random() < BY_ORBITS
        else []
    )
    if ways:
        cations = cations[ways[rng.integers(len(ways))]]
    return assemble(
        assignment, cell, centres @ cell, cations, hydrides, turned, f"host:{name}:Z{formula_units}",
        None if ways else rng,
    )  # fmt: skip


def _orders(
    assignment: Assignment, cell: np.ndarray, centres: np.ndarray, cations: np.ndarray, hydrides: np.ndarray
) -> list[np.ndarray]:
    """Orders of the cation sites, kind by kind, that the symmetry of centres and filled voids suggests."""
    roles = ["Os"] * len(centres) + ["K"] * len(cations) + ["H"] * len(hydrides)
    points = np.concatenate([centres, cations, hydrides])
    structure = Structure(cell, roles, points, coords_are_cartesian=True)
    sites = range(len(centres), len(centres) + len(cations))
    counts = {cation.symbol: cation.count * len(centres) for cation in assignment.cations}
    return [way.order(list(counts)) for way in orderings(structure, sites, counts)]


def random_turn(rng: np.random.Generator) -> np.ndarray:
    """A rotation: half of the time one that lays an axis of the polyhedron along an axis of the host."""
    if rng.random() < 0.5:
        return random_rotation(rng)
    axis = np.array([(0, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1)][rng.integers(4)], dtype=float)
    axis /= np.linalg.norm(axis)
    angle = np.radians(rng.choice([0, 15, 22.5, 30, 45, 60, 90]))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    about = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    z = np.array([0.0, 0.0, 1.0])
    if abs(axis @ z) > 0.999:
        return np.asarray(about)
    normal = np.cross(z, axis) / np.linalg.norm(np.cross(z, axis))
    tilt = np.arccos(z @ axis)
    cross = np.array([[0, -normal[2], normal[1]], [normal[2], 0, -normal[0]], [-normal[1], normal[0], 0]])
    return np.asarray(about @ (np.eye(3) + np.sin(tilt) * cross + (1 - np.cos(tilt)) * cross @ cross))


@functools.cache
def _grown(name: str, formula_units: int, doubling: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Cell, fractional centres and fractional voids of a host with so many centres."""
    cell, basis = HOSTS[name]
    factor = formula_units // len(basis)
    if factor == 1:
        matrix = np.eye(3, dtype=int)
    elif factor == 2:
        matrix = _DOUBLINGS[doubling]
    else:
        matrix = np.diag((1, 1, factor)) if doubling else np.array([[1, 1, 0], [-1, 2, 0], [0, 0, 1]])
        if round(np.linalg.det(matrix)) != factor:
            matrix = np.diag((1, 1, factor))
    big = matrix @ cell
    shifts = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    points = (basis[None, :, :] + shifts[:, None, :]).reshape(-1, 3) @ cell @ np.linalg.inv(big)
    centres = _unique(points)
    if len(centres) != formula_units:
        return None
    around = (centres[None, :, :] + np.array(list(itertools.product(range(-2, 3), repeat=3)))[:, None, :]).reshape(
        -1, 3
    )
    vertices = Voronoi(around @ big).vertices @ np.linalg.inv(big)
    inner = vertices[(np.abs(vertices) < 1.2).all(axis=1)]
    return big, centres, _unique(inner)


def _unique(fractional: np.ndarray) -> np.ndarray:
    """Distinct points within the cell, shape (n, 3), in a fixed order."""
    wrapped = np.unique(np.round(fractional % 1.0, 5) % 1.0, axis=0)
    apart = np.abs((wrapped[:, None, :] - wrapped[None, :, :] + 0.5) % 1.0 - 0.5).max(axis=2)
    # thirds round either way, and 0.99999 is 0: a point stays if none before it is the same
    is_first = ~np.tril(apart < SAME_POINT, k=-1).any(axis=1)
    return np.asarray(wrapped[is_first])


def filled(
    cell: np.ndarray, voids: np.ndarray, wanted: int, rng: np.random.Generator, start: Iterable[int] = ()
) -> list[int]:
    """A random choice among points that avoids close pairs.

    Args:
        cell: shape (3, 3), Å.
        voids: shape (n, 3), fractional.
        wanted: How many to choose.
        rng: Draws.
        start: Those chosen already.

    Returns:
        Indices, in the order of the choice.
    """
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ cell
    points = voids @ cell
    distance = np.linalg.norm(points[:, None, None, :] - points[None, :, None, :] - images, axis=3).min(axis=2)
    chosen = list(start) or [int(rng.integers(len(voids)))]
    while len(chosen) < wanted:
        clearance = distance[:, chosen].min(axis=1) * (1 + 0.25 * rng.random(len(voids)))
        clearance[chosen] = -1
        chosen.append(int(clearance.argmax()))
    return chosen
