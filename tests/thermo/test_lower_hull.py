"""The lower hull against lines and planes that can be written down, and its laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.thermo.lower_hull import LowerHull, fractions_of

DEPTHS = [1e-9, 1e-7, 1e-5, 1e-4, 3e-4, 1e-3, 1e-2, 1.0]
"""eV/atom: a compound this far below its elements is stable, however little it is."""


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_a_compound_below_the_line_is_a_vertex_however_little(depth, share):
    # elements at -1 and -3 eV/atom; the hull runs straight from them to the compound
    fractions = np.array([[1.0, 0.0], [0.0, 1.0], [1 - share, share]])
    line = -1.0 - 2.0 * share
    hull = LowerHull(fractions, np.array([-1.0, -3.0, line - depth]))
    assert hull.vertices == {0, 1, 2}
    probe = np.array([[1 - share, share], [1 - share / 2, share / 2], [1.0, 0.0]])
    expected = np.array([line - depth, -1.0 - share - depth / 2, -1.0])
    assert hull.energy(probe) - expected == pytest.approx(0, abs=1e-12)
    assert hull.decompose(probe[1]) == pytest.approx({0: 0.5, 2: 0.5})


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_compound_above_the_line_changes_nothing(depth):
    fractions = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    hull = LowerHull(fractions, np.array([-1.0, -3.0, -2.0 + depth]))
    assert hull.vertices == {0, 1}
    assert hull.energy(fractions) == pytest.approx([-1.0, -3.0, -2.0])
    assert hull.decompose(fractions[2]) == pytest.approx({0: 0.5, 1: 0.5})


@pytest.mark.parametrize("gap", [1e-6, 1e-4, 1e-3])
def test_a_ternary_just_below_two_binaries_takes_their_place(gap):
    # AB and AC at -1; halfway between them -1 is the hull until the ternary lies below
    fractions = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [0.5, 0, 0.5], [0.5, 0.25, 0.25]])
    at = fractions[5:]
    energies = np.array([0.0, 0.0, 0.0, -1.0, -1.0, -1.0 + gap])
    above = LowerHull(fractions, energies)
    assert above.energy(at) == pytest.approx(-1.0, abs=1e-12)
    assert above.decompose(at[0]) == pytest.approx({3: 0.5, 4: 0.5})
    energies[5] = -1.0 - gap
    below = LowerHull(fractions, energies)
    assert below.energy(at)[0] + 1.0 == pytest.approx(-gap, rel=1e-4)
    assert below.decompose(at[0]) == pytest.approx({5: 1.0})


def test_of_two_points_of_one_element_the_lower_counts():
    fractions = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    hull = LowerHull(fractions, np.array([0.0, -1e-6, 0.0]))
    assert hull.vertices == {1, 2}
    assert hull.energy(np.array([[1.0, 0.0]])) == pytest.approx([-1e-6])


def test_one_component_is_a_point():
    hull = LowerHull(np.ones((3, 1)), np.array([-1.0, -2.0, 0.0]))
    assert hull.energy(np.ones((1, 1))) == pytest.approx([-2.0])
    assert hull.decompose(np.ones(1)) == {1: 1.0}
    assert hull.vertices == {1}


@st.composite
def points(draw):
    components = draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-3, 0.1, 3.0]))
    inner = random.dirichlet(np.ones(components), draw(st.integers(0, 12)))
    fractions = np.vstack([np.eye(components), inner])
    energies = random.normal(0, 2, components)[np.newaxis, :] @ fractions.T
    return fractions, energies[0] - scale * np.r_[np.zeros(components), random.random(len(inner)) - 0.3]


@given(points(), st.integers(0, 2**32 - 1))
def test_the_hull_is_below_every_point_convex_and_reached_by_its_decomposition(case, seed):
    fractions, energies = case
    hull = LowerHull(fractions, energies)
    assert (hull.energy(fractions) <= energies + 1e-9).all()
    vertices = sorted(hull.vertices)
    assert hull.energy(fractions[vertices]) == pytest.approx(energies[vertices], abs=1e-9)
    one, other = np.random.default_rng(seed).dirichlet(np.ones(fractions.shape[1]), 2)
    ends, middle = hull.energy(np.array([one, other])), hull.energy(np.array([(one + other) / 2]))
    assert middle[0] <= ends.mean() + 1e-9
    shares = hull.decompose(one)
    assert set(shares) <= hull.vertices
    assert min(shares.values()) > 0
    assert sum(shares.values()) == pytest.approx(1)
    assert sum(share * fractions[index] for index, share in shares.items()) == pytest.approx(one, abs=1e-7)
    assert sum(share * energies[index] for index, share in shares.items()) == pytest.approx(ends[0], abs=1e-7)


def test_fractions_count_atoms_in_the_order_asked_for():
    assert fractions_of({"K": 2, "Re": 1, "H": 9}, ("H", "K", "Re", "Mg")) == pytest.approx([0.75, 1 / 6, 1 / 12, 0])
