"""Coordination polyhedra of [MH_n], with the ligands as far from each other as the symmetry allows.

Each starts from a crude symmetric drawing; a descent on the ligands' repulsion keeps the symmetry
of its start and so ends at that polyhedron's own best shape. Crude shapes, used as they are, give
half as many valid structures.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ninefold.chemistry.distances import M_H_DISTANCE
from ninefold.errors import InputError

__all__ = ["M_H_DISTANCE", "REPULSION_EXPONENT", "polyhedra", "spread_out"]

REPULSION_EXPONENT = 6
"""Ligands repel as r^-6; Kepert, Inorganic Stereochemistry (1982), finds 6 to fit most complexes."""


def polyhedra(n: int) -> dict[str, np.ndarray]:
    """Polyhedra of n ligands by name.

    Args:
        n: Ligands, 2 to 14.

    Returns:
        Name -> unit vectors from the centre, shape (n, 3).

    Raises:
        InputError: if n is out of range.
    """
    if not 2 <= n <= 14:
        raise InputError("n", n, problem="has no polyhedron", allowed="2 to 14")
    return _polyhedra(n)


@functools.cache
def _polyhedra(n: int) -> dict[str, np.ndarray]:
    drawings = _DRAWINGS.get(n)
    if drawings is None:
        return {f"{n} points": spread_out(_spiral(n))}
    return {name: spread_out(np.array(_rings(*rings))) for name, rings in drawings.items()}


def _rings(*rings: tuple[int, float, float]) -> list[tuple[float, float, float]]:
    """Points on rings about z: (points, polar angle, azimuth of the first), degrees."""
    points = []
    for count, polar, azimuth in rings:
        theta = math.radians(polar)
        for index in range(count):
            phi = math.radians(azimuth) + 2 * math.pi * index / count
            points.append((math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)))
    return points


_DRAWINGS: dict[int, dict[str, tuple[tuple[int, float, float], ...]]] = {
    2: {"linear": ((1, 0, 0), (1, 180, 0))},
    3: {"trigonal planar": ((3, 90, 0),)},
    4: {"tetrahedron": ((1, 0, 0), (3, 109.5, 0)), "square planar": ((4, 90, 0),)},
    5: {"trigonal bipyramid": ((1, 0, 0), (3, 90, 0), (1, 180, 0)), "square pyramid": ((1, 0, 0), (4, 100, 0))},
    6: {"octahedron": ((3, 54.7, 0), (3, 125.3, 60)), "trigonal prism": ((3, 50, 0), (3, 130, 0))},
    7: {
        "pentagonal bipyramid": ((1, 0, 0), (5, 90, 0), (1, 180, 0)),
        "capped octahedron": ((1, 0, 0), (3, 75, 0), (3, 130, 60)),
        "capped trigonal prism": ((1, 0, 0), (4, 79, 39), (2, 143, 0)),
    },
    8: {
        "square antiprism": ((4, 57, 0), (4, 123, 45)),
        "dodecahedron": ((2, 35, 0), (2, 107, 0), (2, 73, 90), (2, 145, 90)),
    },
    9: {
        "tricapped trigonal prism": ((3, 45, 0), (3, 90, 60), (3, 135, 0)),
        "capped square antiprism": ((1, 0, 0), (4, 70, 0), (4, 127, 45)),
    },
    12: {"icosahedron": ((1, 0, 0), (5, 63, 0), (5, 117, 36), (1, 180, 0))},
}  # fmt: skip


def _spiral(n: int) -> np.ndarray:
    index = np.arange(n) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / n), math.pi * (1 + 5**0.5) * index
    return np.column_stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])


def spread_out(points: np.ndarray, steps: int = 400, largest_step: float = 0.02) -> np.ndarray:
    """Descent on the repulsion along the sphere; too few steps for rounding to break the symmetry.

    Args:
        points: shape (n, 3), unit vectors.
        steps: At most.
        largest_step: Of a point, at first; it falls to zero.
    """
    for step in range(steps):
        difference = points[:, None, :] - points[None, :, :]
        distance = np.linalg.norm(difference, axis=2) + np.eye(len(points)) * 1e9
        push = (difference / distance[..., None] ** (REPULSION_EXPONENT + 2)).sum(axis=1)
        push -= (push * points).sum(axis=1, keepdims=True) * points
        largest = np.linalg.norm(push, axis=1).max()
        if largest < 1e-10:
            break
        points = points + push * min(0.05, largest_step * (1 - step / steps) / largest)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points
