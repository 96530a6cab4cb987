"""Coordination polyhedra: the shapes that textbooks draw, ligands as far apart as each allows."""

import itertools

import numpy as np
import pytest

from ninefold.errors import InputError
from ninefold.structures.polyhedra import polyhedra

TAMMES = {4: 109.4712, 6: 90.0, 7: 77.8695, 8: 74.8585, 9: 70.5288, 10: 66.1468, 11: 63.4349, 12: 63.4349}
"""Degrees: the widest that n points on a sphere can all be apart (Fejes Tóth 1943, Schütte & van der Waerden 1951,
Danzer 1963)."""
EVERY = [(n, name) for n in range(2, 15) for name in polyhedra(n)]


def distances(points):
    """All ligand-ligand distances, sorted: the same for a shape however it is turned."""
    return np.sort([np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2)])


@pytest.mark.parametrize(("n", "name"), EVERY, ids=lambda value: str(value))
def test_n_unit_vectors_that_pull_nowhere(n, name):
    points = polyhedra(n)[name]
    assert points.shape == (n, 3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-12)
    assert distances(points).min() > 0.8
    if n in TAMMES:
        assert distances(points).min() <= 2 * np.sin(np.radians(TAMMES[n]) / 2) + 1e-6


@pytest.mark.parametrize(
    ("n", "name", "shortest"),
    [
        (2, "linear", 2.0),
        (3, "trigonal planar", 3**0.5),
        (4, "tetrahedron", (8 / 3) ** 0.5),
        (4, "square planar", 2**0.5),
        (5, "trigonal bipyramid", 2**0.5),
        (6, "octahedron", 2**0.5),
        (7, "pentagonal bipyramid", 2 * np.sin(np.pi / 5)),
    ],
)
def test_shortest_edge_where_symmetry_fixes_it(n, name, shortest):
    assert distances(polyhedra(n)[name]).min() == pytest.approx(shortest, abs=2e-4)


@pytest.mark.parametrize("n", [7, 8, 9, 10, 12])
def test_the_best_shape_comes_near_the_widest_possible(n):
    # the optimum of r^-6 is not that of hard spheres, but no edge is more than 6 % shorter
    best = max(distances(points).min() for points in polyhedra(n).values())
    assert best > 0.94 * 2 * np.sin(np.radians(TAMMES[n]) / 2)


@pytest.mark.parametrize("n", range(4, 10))
def test_no_two_shapes_of_one_n_are_the_same(n):
    for one, other in itertools.combinations(polyhedra(n).values(), 2):
        assert np.abs(distances(one) - distances(other)).max() > 0.02


@pytest.mark.parametrize(("n", "name"), [(7, "capped octahedron"), (9, "tricapped trigonal prism")])
def test_threefold_axis_survives_the_descent(n, name):
    points = polyhedra(n)[name]
    turn = np.array([[-0.5, -(0.75**0.5), 0], [0.75**0.5, -0.5, 0], [0, 0, 1]])
    gap = np.linalg.norm((points @ turn.T)[:, None] - points[None], axis=2).min(axis=1)
    assert gap.max() < 1e-6


@pytest.mark.parametrize("n", [-1, 0, 1, 15])
def test_out_of_range_is_told(n):
    with pytest.raises(InputError, match="2 to 14"):
        polyhedra(n)
