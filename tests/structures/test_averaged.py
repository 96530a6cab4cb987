"""Averages over the symmetry of the metal lattice."""

from __future__ import annotations

import moyopy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from ninefold.structures.averaged import averaged


def caesium_chloride(hydrogens):
    lattice = Lattice.cubic(3.8)
    return Structure(lattice, ["K", "Re", *["H"] * len(hydrogens)], [[0, 0, 0], [0.5, 0.5, 0.5], *hydrogens])


def test_one_hydrogen_on_an_axis_is_spread_over_six():
    found = averaged(caesium_chloride([[0.95, 0.5, 0.5]]))
    assert (found.metals.space_group_number, found.ordered.number) == (221, 99)
    assert found.operations == 6
    (site,) = found.hydrogens
    assert (site.multiplicity, site.occupancy) == (6, pytest.approx(1 / 6))


def test_a_whole_octahedron_is_full():
    places = [[0.95, 0.5, 0.5], [0.05, 0.5, 0.5]]
    octahedron = [[row[(k - i) % 3] for k in range(3)] for row in places for i in range(3)]
    found = averaged(caesium_chloride(octahedron))
    assert found.operations == 1
    assert [(site.multiplicity, site.occupancy) for site in found.hydrogens] == [(6, 1.0)]


def test_hydrogens_are_neither_lost_nor_made():
    structure = caesium_chloride([[0.93, 0.55, 0.5], [0.1, 0.45, 0.62], [0.5, 0.9, 0.5]])
    found = averaged(structure)
    assert found.operations == 48
    assert sum(site.multiplicity * site.occupancy for site in found.hydrogens) == pytest.approx(3)
    assert found.amounts == pytest.approx({"K": 1, "Re": 1, "H": 3})


def test_metals_off_their_average_places():
    """A shift of 0.1 Å of one metal hides the cubic lattice from a tight tolerance, not from the average."""
    structure = caesium_chloride([[0.95, 0.5, 0.5]])
    structure.translate_sites([1], [0.02, 0, 0])
    assert averaged(structure, symprec=0.01).metals.space_group_number == 99
    assert averaged(structure).metals.space_group_number == 221


def test_no_metals_no_metal_lattice():
    assert averaged(Structure(Lattice.cubic(3), ["H"], [[0, 0, 0]])) is None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["cubic", "doubled", "hexagonal", "triclinic"]))
def test_every_average_holds_the_composition_and_sits_on_its_special_positions(seed, kind):
    """Law: images of a site under the group meet each other exactly or are apart by more than the tolerance of one."""
    random = np.random.default_rng(seed)
    structure = caesium_chloride(random.random((3, 3)))
    if kind == "doubled":  # translations of the metals that the hydrogens do not have
        structure.make_supercell([2, 1, 1])
        structure.append("H", random.random(3))
    elif kind == "hexagonal":
        structure = Structure(
            Lattice.hexagonal(5.0, 4.0), ["Re", "K", "K", "H", "H"],
            [[0, 0, 0], [1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5], *random.random((2, 3))],
        )  # fmt: skip
    elif kind == "triclinic":
        structure = Structure(
            Lattice.from_parameters(4, 5, 6, 80, 95, 105), ["Re", "K", "H", "H"],
            [[0, 0, 0], [0.43, 0.51, 0.38], *random.random((2, 3))],
        )  # fmt: skip
    found = averaged(structure)
    wanted = structure.composition.get_atomic_fraction
    total = sum(found.amounts.values())
    for symbol, count in found.amounts.items():
        assert count / total == pytest.approx(wanted(symbol), abs=1e-6)
    assert found.without_symmetry().amounts == pytest.approx(found.amounts)
    group = moyopy.operations_from_number(found.metals.space_group_number, setting=moyopy.Setting.standard())
    for site in found.hydrogens:
        assert 0 < site.occupancy <= 1
        images = np.array(group.rotations) @ np.array(site.position) + np.array(group.translations)
        different = np.unique(np.round(images % 1.0, 6) % 1.0, axis=0)
        assert len(different) == site.multiplicity
