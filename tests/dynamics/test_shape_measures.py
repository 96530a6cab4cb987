"""Continuous shape measures between ideal polyhedra, as published."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ninefold.dynamics.anions.isomers import nearest_assignment, shape_measure
from ninefold.structures.polyhedra import polyhedra


def _unit(points: list[tuple[float, ...]]) -> np.ndarray:
    array = np.array(points, dtype=float)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def _antiprism(edges: int, height: float) -> list[tuple[float, float, float]]:
    return [
        (np.cos(np.pi * (2 * k + turn) / edges), np.sin(np.pi * (2 * k + turn) / edges), side * height / 2)
        for side, turn in ((-1, 0), (1, 1))
        for k in range(edges)
    ]


TETRAHEDRON = _unit([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
SQUARE = _unit([(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)])
OCTAHEDRON = _unit([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
# all edges are equal: a triangle of radius 1 has edges of the root of 3
PRISM = _unit(
    [(np.cos(2 * np.pi * k / 3), np.sin(2 * np.pi * k / 3), side * 3**0.5 / 2) for side in (-1, 1) for k in range(3)]
)
CUBE = _unit(list(product((-1, 1), repeat=3)))
# a square of radius 1 has edges of the root of 2: 2 = 2 - 2 cos 45° + height²
SQUARE_ANTIPRISM = _unit(_antiprism(4, 2**0.25))


@pytest.mark.parametrize(
    ("shape", "reference", "published"),
    [
        # Pinsky & Avnir, Inorg. Chem. 37, 5575 (1998); Alvarez, Avnir, Llunell & Pinsky, New J. Chem. 26, 996 (2002)
        (TETRAHEDRON, SQUARE, 33.33),
        (OCTAHEDRON, PRISM, 16.74),
        # Casanova, Llunell, Alemany & Alvarez, Chem. Eur. J. 11, 1479 (2005)
        (CUBE, SQUARE_ANTIPRISM, 10.99),
    ],
)
def test_measures_between_ideal_polyhedra_are_the_published_ones(shape, reference, published):
    for one, other in ((shape, reference), (reference, shape)):
        _, squared = nearest_assignment(one, other)
        assert float(shape_measure(squared, len(one))) == pytest.approx(published, abs=0.006)


@pytest.mark.parametrize(
    ("n", "shape", "reference", "theirs"),
    [
        (7, "capped octahedron", "pentagonal bipyramid", 8.2103),
        (7, "capped octahedron", "capped trigonal prism", 1.5246),
        (7, "capped trigonal prism", "pentagonal bipyramid", 5.9607),
        (8, "dodecahedron", "square antiprism", 2.5990),
        (9, "capped square antiprism", "tricapped trigonal prism", 0.9617),
    ],
)
def test_measures_of_many_ligands_are_those_of_cosymlib(n, shape, reference, theirs):
    """By cosymlib 0.12.1, of the authors of SHAPE, of these polyhedra about a central atom.

    It shifts both so that the mean of their atoms, the central one included, is their centre, and fits any scale.
    """
    centred = []
    for vertices in (polyhedra(n)[shape], polyhedra(n)[reference]):
        points = np.vstack([vertices, np.zeros(3)])
        points -= points.mean(axis=0)
        centred.append(points * np.sqrt((n + 1) / (points**2).sum()))
    _, squared = nearest_assignment(*centred)
    assert float(shape_measure(squared, n + 1)) == pytest.approx(theirs, abs=1e-4)
    # here the central atom is the centre, which costs a little
    _, squared = nearest_assignment(polyhedra(n)[shape], polyhedra(n)[reference])
    assert theirs - 1e-4 < float(shape_measure(squared, n)) < theirs + 0.04


def test_the_measure_knows_neither_rotation_nor_order():
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    turned = Rotation.from_rotvec(rng.normal(size=3)).apply(PRISM)[rng.permutation(6)]
    assert float(shape_measure(nearest_assignment(turned, PRISM)[1], 6)) == pytest.approx(0, abs=1e-8)
    _, squared = nearest_assignment(turned, OCTAHEDRON)
    assert float(shape_measure(squared, 6)) == pytest.approx(16.74, abs=0.006)
