"""The fingerprint: exact where distances are known, blind to the cell, and moving no more than the atoms do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from structure_samples import literature_k2reh9, turned

from ninefold.structures.fingerprint import fingerprint


def test_simple_cubic_is_exact():
    cubic = Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]])
    expected = [1] * 6 + [2**0.5] * 12 + [3**0.5] * 8
    np.testing.assert_allclose(fingerprint(cubic, 26).average[0, 0], expected, atol=1e-9)


def test_rocksalt_between_unlike_elements():
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.0), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    # elements in alphabetical order: Cl, Na; spacing a / 2
    found = fingerprint(salt, 6).average
    np.testing.assert_allclose(found[0, 1], np.ones(6), atol=1e-9)
    np.testing.assert_allclose(found[1, 1], np.full(6, 2**0.5), atol=1e-9)


@pytest.mark.parametrize("matrix", [np.diag([2, 1, 1]), [[1, 1, 0], [0, 1, 0], [0, 0, 1]]])
def test_blind_to_cell_and_axes(matrix):
    structure = literature_k2reh9()
    other = turned(structure * matrix, np.random.default_rng(0))
    np.testing.assert_allclose(fingerprint(other).average, fingerprint(structure).average, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.1))
def test_moves_no_more_than_twice_the_atoms(seed, size):
    structure, rng = literature_k2reh9(), np.random.default_rng(seed)
    ways = rng.normal(size=(len(structure), 3))
    ways *= size / np.linalg.norm(ways, axis=1, keepdims=True)
    moved = Structure(structure.lattice, structure.species, structure.cart_coords + ways, coords_are_cartesian=True)
    spacing = (structure.volume / len(structure)) ** (1 / 3)
    change = np.abs(fingerprint(moved).average - fingerprint(structure).average).max() * spacing
    assert change <= 2 * size + 1e-9
