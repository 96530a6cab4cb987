"""Space groups against spglib, an independent code; the symmetrised cell is the same crystal."""

from collections import Counter

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from structure_samples import ASSIGNMENTS, literature_k2reh9, mg2feh6, turned

from ninefold.structures.hosts import decorated_host
from ninefold.structures.rigid_units import random_units
from ninefold.structures.symmetry import SYMPREC, space_group, symmetrised

CRYSTALS = {
    "K2ReH9": (literature_k2reh9(), 189),
    "Mg2FeH6": (mg2feh6(), 225),
    "LiH": (Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.08), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]]), 225),
    "MgH2": (
        Structure.from_spacegroup(
            "P4_2/mnm", Lattice.tetragonal(4.52, 3.02), ["Mg", "H"], [[0, 0, 0], [0.304, 0.304, 0]]
        ),
        136,
    ),
    "Mg": (Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(3.21, 5.21), ["Mg"], [[1 / 3, 2 / 3, 0.25]]), 194),
    "K": (Structure.from_spacegroup("Im-3m", Lattice.cubic(5.33), ["K"], [[0, 0, 0]]), 229),
}  # fmt: skip


def by_spglib(structure, symprec=SYMPREC):
    numbers = [site.specie.Z for site in structure]
    return spglib.get_symmetry_dataset((structure.lattice.matrix, structure.frac_coords, numbers), symprec=symprec)


@pytest.mark.parametrize("name", CRYSTALS)
def test_published_space_group(name):
    structure, number = CRYSTALS[name]
    group = space_group(structure)
    assert group.number == number == by_spglib(structure).number
    assert group.symbol == by_spglib(structure).international


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("matrix", [np.diag([2, 1, 1]), [[1, 1, 0], [-1, 1, 0], [0, 0, 1]], np.diag([1, 1, 3])])
def test_symmetrised_is_the_primitive_cell_of_the_same_crystal(name, matrix):
    structure, number = CRYSTALS[name]
    grown = turned(structure * matrix, np.random.default_rng(0))
    small = symmetrised(grown)
    assert small.composition.reduced_formula == structure.composition.reduced_formula
    assert len(small) == len(structure.get_primitive_structure())
    assert small.volume / len(small) == pytest.approx(structure.volume / len(structure), rel=1e-6)
    assert by_spglib(small).number == number
    assert space_group(grown).number == number


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("seed", range(3))
def test_shaken_atoms_are_put_back_where_symmetry_wants_them(name, seed):
    structure, number = CRYSTALS[name]
    rng = np.random.default_rng(seed)
    shaken = structure.copy()
    for index in range(len(shaken)):
        way = rng.normal(size=3)
        shaken.translate_sites([index], 0.005 * way / np.linalg.norm(way), frac_coords=False)
    assert space_group(shaken, 0.002).number < number or len(symmetrised(shaken, 0.002)) == 1
    assert space_group(shaken, 0.08).number == number
    ordered = symmetrised(shaken, 0.08)
    assert by_spglib(ordered, 1e-4).number == number
    assert ordered.composition.reduced_formula == structure.composition.reduced_formula
    assert ordered.volume / len(ordered) == pytest.approx(structure.volume / len(structure), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([decorated_host, random_units]), st.sampled_from(sorted(ASSIGNMENTS)), st.integers(1, 2),
    st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 0.3]),
)  # fmt: skip
def test_any_packing_agrees_with_spglib_and_keeps_its_composition(source, formula, formula_units, seed, symprec):
    packing = source(ASSIGNMENTS[formula], formula_units, np.random.default_rng(seed), Counter())
    if packing is None:
        return
    structure = packing.to_structure()
    ordered = symmetrised(structure, symprec)
    assert ordered.composition.reduced_formula == structure.composition.reduced_formula
    assert len(structure) % len(ordered) == 0
    # what was moved onto a group has at least that symmetry, to both codes
    assert space_group(ordered).number == by_spglib(ordered).number
    if symprec == SYMPREC:
        oracle = by_spglib(structure)
        assert space_group(structure).number == (1 if oracle is None else oracle.number)


def test_reported_groups_are_strict():
    # 0.05 Å off is another structure
    moved = mg2feh6()
    moved.translate_sites([0], [0.05, 0.02, 0.01], frac_coords=False)
    assert space_group(moved).number < 225
    assert space_group(moved, 0.3).number == 225


def test_a_search_that_fails_is_p1_and_leaves_the_structure_alone():
    # two atoms on one place: no code can tell a symmetry
    broken = Structure(Lattice.cubic(5), ["K", "K"], [[0, 0, 0], [0, 0, 1e-4]])
    assert space_group(broken) == (1, "P1")
    assert symmetrised(broken) is broken
