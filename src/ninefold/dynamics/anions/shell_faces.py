"""Neighbouring ligands of a shell, and its faces: from the angles between ligands and their convex hull."""

from __future__ import annotations

import itertools

import numpy as np

NEIGHBOURING = 95.0
"""Degrees between two ligands that are neighbours whatever lies between them."""
LONGEST_EDGE = 105.0
"""Degrees between two ligands that an edge of the hull connects; the long edges of a dodecahedron of eight ligands have
97, the diagonals of a cube's face 109."""
FEWEST = 5
"""Ligands whose hull is looked at: the edges of a tetrahedron have 109 degrees, and its ways are its turns."""
FLATTEST = 35.0
"""Degrees between two faces of three that are one of four: none in a square antiprism, 26 over the long edges of a
tricapped trigonal prism, 30 in a dodecahedron (Kepert, Inorganic Stereochemistry, Springer (1982))."""


def neighbours(unit: np.ndarray) -> np.ndarray:
    """Which ligands are neighbours in the shell.

    Args:
        unit: shape (n, 3), directions of the ligands.

    Returns:
        shape (n, n), symmetric; no ligand is its own neighbour.
    """
    cosines = unit @ unit.T
    near = cosines > np.cos(np.radians(NEIGHBOURING))
    for a, b, c in _triangles(unit):
        for one, other in ((a, b), (b, c), (c, a)):
            near[one, other] = near[other, one] = cosines[one, other] > np.cos(np.radians(LONGEST_EDGE))
    np.fill_diagonal(near, val=False)
    return near


def quadrilaterals(unit: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Faces of four ligands that lie flat enough, each in the order round it.

    Args:
        unit: shape (n, 3), directions of the ligands.
    """
    near = neighbours(unit)
    found = []
    for one, other in itertools.combinations(_triangles(unit), 2):
        shared = sorted(set(one) & set(other))
        if len(shared) != 2:
            continue
        first, second = _normal(unit, one), _normal(unit, other)
        [tip], [far] = set(one) - set(shared), set(other) - set(shared)
        ring = (shared[0], tip, shared[1], far)
        sides = all(near[ring[place - 1], ring[place]] for place in range(4))
        if sides and first @ second > np.cos(np.radians(FLATTEST)):
            found.append(ring)
    return found


def _triangles(unit: np.ndarray) -> list[tuple[int, int, int]]:
    """Of the hull; none of few ligands, or of ligands in one plane."""
    from scipy.spatial import ConvexHull, QhullError

    if len(unit) < FEWEST:
        return []
    try:
        hull = ConvexHull(unit)
    except QhullError:
        return []
    return [(int(a), int(b), int(c)) for a, b, c in hull.simplices]


def _normal(unit: np.ndarray, triangle: tuple[int, int, int]) -> np.ndarray:
    """Away from the centre of the shell."""
    a, b, c = unit[list(triangle)]
    normal = np.cross(b - a, c - a)
    normal = normal / np.linalg.norm(normal)
    return normal if normal @ (a - unit.mean(axis=0)) > 0 else -normal
