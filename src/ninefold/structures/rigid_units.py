"""Random rigid units: complexes, cations and hydrides thrown into a random cell.

Sites are chosen one by one, each the best of several random points: the one farthest from what is
there, measured in contact distances. The force field does the rest.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.packing import Packing, assemble, random_rotation
from ninefold.structures.polyhedra import M_H_DISTANCE, polyhedra

POINTS_PER_SITE = 24
"""Random points from which a site is chosen."""
CELL_ANGLES = (60.0, 120.0)
"""Degrees; reduced cells have no others."""
CELL_ASPECT = 0.8
"""Spread (standard deviation of the logarithm) of the cell's edge lengths: 0 is a cube."""
SWELL = 1.15
"""Start volume over the additive one."""
UNIT_RADIUS = 1.0
"""Å beyond M-H, radius of a complex."""


def random_units(
    assignment: Assignment, formula_units: int, rng: np.random.Generator, failures: Counter[str]
) -> Packing | None:
    """One random packing; see `ninefold.structures.proposal.Source`."""
    cell = random_cell(additive_volume(assignment) * formula_units * SWELL, rng)
    shortest = min(np.linalg.norm(cell, axis=1))
    if shortest < 2 * M_H_DISTANCE[assignment.centre]:
        failures["random cell too thin for the anion"] += 1
        return None
    complex_radius = M_H_DISTANCE[assignment.centre] + UNIT_RADIUS
    n_cations = sum(cation.count for cation in assignment.cations) * formula_units
    sizes = [complex_radius] * formula_units + [0.9] * n_cations + [1.2] * (assignment.m * formula_units)
    sites = _spread(cell, np.array(sizes), rng)
    shapes = list(polyhedra(assignment.n).values())
    turned = [shapes[rng.integers(len(shapes))] @ random_rotation(rng).T for _ in range(formula_units)]
    cut = formula_units, formula_units + n_cations
    return assemble(
        assignment, cell, sites[: cut[0]], sites[cut[0] : cut[1]], sites[cut[1] :], turned,
        f"random:Z{formula_units}", rng,
    )  # fmt: skip


def random_cell(volume: float, rng: np.random.Generator) -> np.ndarray:
    """A random cell of a given volume, rows are vectors, shape (3, 3), Å."""
    while True:
        a, b, c = np.exp(CELL_ASPECT * rng.normal(size=3) / 2)
        alpha, beta, gamma = np.radians(rng.choice([60.0, 90.0, 120.0], size=3) if rng.random() < 0.5
                                        else rng.uniform(*CELL_ANGLES, size=3))  # fmt: skip
        x = (math.cos(alpha) - math.cos(beta) * math.cos(gamma)) / math.sin(gamma)
        squared = 1 - math.cos(beta) ** 2 - x * x
        if squared < 0.2:
            continue  # flat
        cell = np.array([
            [a, 0, 0],
            [b * math.cos(gamma), b * math.sin(gamma), 0],
            [c * math.cos(beta), c * x, c * math.sqrt(squared)],
        ])  # fmt: skip
        return np.asarray(cell * (volume / np.linalg.det(cell)) ** (1 / 3))


def _spread(cell: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cartesian sites, shape (n, 3), each chosen far from the ones before in units of contact distance."""
    images = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]) @ cell
    sites: list[np.ndarray] = []
    for index, size in enumerate(sizes):
        points = rng.random((POINTS_PER_SITE, 3)) @ cell
        if not sites:
            sites.append(points[0])
            continue
        placed = np.array(sites)
        difference = points[:, None, None, :] - placed[None, :, None, :] - images[None, None, :, :]
        distance = np.linalg.norm(difference, axis=3).min(axis=2)
        clearance = (distance / (sizes[:index] + size)[None, :]).min(axis=1)
        sites.append(points[int(clearance.argmax())])
    return np.array(sites)
