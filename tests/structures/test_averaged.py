"""Averages over the symmetry of the metal lattice."""

from __future__ import annotations

import pytest
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
    assert sum(site.multiplicity * site.occupancy for site in found.hydrogens) == pytest.approx(3, abs=0.01)


def test_metals_off_their_average_places():
    """A shift of 0.1 Å of one metal hides the cubic lattice from a tight tolerance, not from the average."""
    structure = caesium_chloride([[0.95, 0.5, 0.5]])
    structure.translate_sites([1], [0.02, 0, 0])
    assert averaged(structure, symprec=0.01).metals.space_group_number == 99
    assert averaged(structure).metals.space_group_number == 221


def test_no_metals_no_metal_lattice():
    assert averaged(Structure(Lattice.cubic(3), ["H"], [[0, 0, 0]])) is None
