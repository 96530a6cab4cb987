"""Isosurfaces of values on a grid as triangles, by marching tetrahedra.

Each cube of eight neighbouring points is cut into six tetrahedra along its diagonal. In a tetrahedron the surface is
one triangle, or two: there are no ambiguous cases as in marching cubes, and surfaces of neighbouring cubes meet.
A. Gueziec & R. Hummel, IEEE Trans. Vis. Comput. Graph. 1, 328 (1995), doi:10.1109/2945.485620 (from memory).
"""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import numpy as np


class Mesh(NamedTuple):
    """Triangles of a surface."""

    points: np.ndarray
    """shape (k, 3), in units of grid steps from the first point; each once."""
    triangles: np.ndarray
    """shape (m, 3), indices of points; counterclockwise as seen from the side of higher values."""


def isosurface(values: np.ndarray, level: float) -> Mesh:
    """The surface around the places where values are at or below a level.

    Args:
        values: shape (a, b, c), finite. What lies beyond the grid is not known: a surface ends open at its faces.
        level: Of the surface.
    """
    below = values <= level
    cubes = _mixed_cubes(below)
    flat, shape = values.ravel(), values.shape
    edges, sides = [], []
    for axes in permutations(range(3)):
        corner = cubes.copy()
        corners = [np.ravel_multi_index(tuple(corner.T), shape)]
        for axis in axes:
            corner[:, axis] += 1
            corners.append(np.ravel_multi_index(tuple(corner.T), shape))
        tetrahedra = np.stack(corners, axis=1)
        inside = flat[tetrahedra] <= level
        order = np.argsort(~inside, axis=1, kind="stable")
        tetrahedra = np.take_along_axis(tetrahedra, order, axis=1)
        count = inside.sum(axis=1)
        for number, cuts in _CUTS.items():
            chosen = tetrahedra[count == number]
            edges += [chosen[:, cut] for cut in cuts]
            sides += [np.stack([chosen[:, 0], chosen[:, 3]], axis=1)] * len(cuts)
    if not edges or not sum(map(len, edges)):
        return Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=int))
    return _mesh(np.concatenate(edges), np.concatenate(sides), flat, shape, level)


_CUTS = {
    1: [[[0, 1], [0, 2], [0, 3]]],
    2: [[[0, 2], [0, 3], [1, 3]], [[0, 2], [1, 3], [1, 2]]],
    3: [[[0, 3], [1, 3], [2, 3]]],
}
"""Corners inside, which come first -> triangles, each of three edges between a corner inside and one outside."""


def _mixed_cubes(below: np.ndarray) -> np.ndarray:
    """Shape (k, 3), first corner of the cubes that the surface goes through."""
    total = np.zeros([length - 1 for length in below.shape], dtype=int)
    for a in (0, 1):
        for b in (0, 1):
            for c in (0, 1):
                total += below[tuple(slice(d, d + n) for d, n in zip((a, b, c), total.shape, strict=True))]
    return np.argwhere((total > 0) & (total < 8))


def _mesh(edges: np.ndarray, sides: np.ndarray, flat: np.ndarray, shape: tuple[int, ...], level: float) -> Mesh:
    """Points on the edges of triangles, shape (m, 3, 2) in flat indices, and the triangles turned outwards."""
    ends, numbers = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    places = [np.stack(np.unravel_index(ends[:, side], shape), axis=1).astype(float) for side in (0, 1)]
    low, high = flat[ends[:, 0]], flat[ends[:, 1]]
    share = (level - low) / (high - low)
    points = places[0] + share[:, None] * (places[1] - places[0])
    triangles = numbers.reshape(-1, 3)
    outwards = np.stack(np.unravel_index(sides[:, 1], shape), axis=1) - np.stack(
        np.unravel_index(sides[:, 0], shape), axis=1
    )
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    wrong = (np.cross(b - a, c - a) * outwards).sum(axis=1) < 0
    triangles[wrong] = triangles[wrong][:, ::-1]
    return Mesh(points, triangles)
