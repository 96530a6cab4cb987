"""Neighbours and faces of ideal polyhedra, against their known numbers of edges and of faces of four."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.shell_faces import neighbours, quadrilaterals

POLYHEDRA = [
    ("trigonal prism", 6, 9, 3),
    ("octahedron", 6, 12, 0),
    ("pentagonal bipyramid", 7, 15, 0),
    ("square antiprism", 8, 16, 2),
    ("dodecahedron", 8, 18, 4),
    ("tricapped trigonal prism", 9, 21, 3),
    ("capped square antiprism", 9, 20, 1),
]


@pytest.mark.parametrize(("name", "n", "edges", "fours"), POLYHEDRA, ids=[one[0] for one in POLYHEDRA])
def test_edges_and_faces_of_four(name: str, n: int, edges: int, fours: int) -> None:
    vertices = isomers_of(n)[name].vertices
    for turn in (Rotation.identity(), Rotation.random(random_state=1)):
        unit = turn.apply(vertices)
        near = neighbours(unit)
        assert (near == near.T).all()
        assert not near.diagonal().any()
        assert near.sum() == 2 * edges
        found = quadrilaterals(unit)
        assert len({frozenset(one) for one in found}) == fours
        for ring in found:
            around = unit[list(ring)]
            # in order round the face: each side is shorter than both diagonals
            sides = np.linalg.norm(around - np.roll(around, 1, axis=0), axis=1)
            assert sides.max() < min(np.linalg.norm(around[0] - around[2]), np.linalg.norm(around[1] - around[3]))


def test_few_ligands_and_those_in_one_plane_have_no_faces_of_four() -> None:
    tetrahedron = isomers_of(4)["tetrahedron"].vertices
    assert not neighbours(tetrahedron).any()
    ring = np.array([[np.cos(one), np.sin(one), 0.0] for one in np.linspace(0, 2 * np.pi, 6)[:5]])
    assert neighbours(ring).sum() == 10
    assert quadrilaterals(ring) == quadrilaterals(tetrahedron) == []
