"""M-H lengths compared by forces: against harmonic bonds whose lengths are known."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from ninefold.trust.bonds import STEP, bonds, length_difference, mean_force, mean_length, stretched
from ninefold.trust.phases import trust_set

STIFFNESS = 12.0
"""eV/Å²."""


def octahedron(length: float) -> Structure:
    a = 6.4
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), ["Mg", "Fe", "H"], [[0.25, 0.25, 0.25], [0, 0, 0], [length / a, 0, 0]]
    ).get_primitive_structure()


def harmonic(structure: Structure, length: float) -> np.ndarray:
    """Forces of springs between iron and its hydrogens, of one length at rest."""
    forces = np.zeros((len(structure), 3))
    ligands, units, lengths = bonds(octahedron(1.6), "Fe")
    at = structure.cart_coords
    iron = next(index for index, site in enumerate(structure) if site.specie.symbol == "Fe")
    for ligand, unit, was in zip(ligands, units, lengths, strict=True):
        moved = at[ligand] - octahedron(1.6).cart_coords[ligand]
        pull = -STIFFNESS * (was + moved @ unit - length) * unit
        forces[ligand] += pull
        forces[iron] -= pull
    return forces


def test_bonds_of_an_octahedron():
    ligands, units, lengths = bonds(octahedron(1.6), "Fe")
    assert len(ligands) == len(set(ligands)) == 6
    assert lengths == pytest.approx([1.6] * 6)
    assert np.linalg.norm(units, axis=1) == pytest.approx(np.ones(6))
    assert units.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert mean_length(octahedron(1.6), "Fe") == pytest.approx(1.6)


def test_stretching_makes_every_bond_longer_and_moves_nothing_else():
    before, after = octahedron(1.6), stretched(octahedron(1.6), "Fe", 0.03)
    assert bonds(after, "Fe")[2] == pytest.approx([1.63] * 6)
    moved = np.linalg.norm(after.cart_coords - before.cart_coords, axis=1)
    assert [moved[i] > 0.01 for i in range(9)] == [site.specie.symbol == "H" for site in before]


def test_a_bond_that_wants_to_be_longer_has_a_positive_force():
    assert mean_force(octahedron(1.6), "Fe", harmonic(octahedron(1.6), 1.65)) == pytest.approx(0.05 * STIFFNESS)


@pytest.mark.parametrize(("reference", "own"), [(1.60, 1.60), (1.58, 1.62), (1.66, 1.61)])
def test_harmonic_bonds_are_compared_exactly(reference, own):
    structure = octahedron(1.6)
    longer, shorter = (harmonic(stretched(structure, "Fe", step), own) for step in (STEP, -STEP))
    found = length_difference(
        structure, "Fe", harmonic(structure, reference), harmonic(structure, own), longer, shorter
    )
    assert found == pytest.approx(own - reference, abs=1e-9)


def test_no_bond_or_no_stiffness_is_no_length():
    structure, zero = octahedron(1.6), np.zeros((9, 3))
    assert length_difference(structure, "Fe", zero, zero, zero, zero) is None
    assert length_difference(structure, "Cr", zero, zero, zero, zero) is None
    assert mean_length(structure, "Cr") is None


def test_every_complex_of_the_set_has_as_many_bonds_as_it_says():
    for phase in trust_set().of_class(["complex"]):
        structure = phase.lowest.to_structure()
        metals = sum(site.specie.symbol == phase.centre for site in structure)
        ligands, _, lengths = bonds(structure, phase.centre)
        assert len(ligands) == len(set(ligands)) == phase.n * metals, phase.name
        assert 1.4 < lengths.min() <= lengths.max() < 2.1
