"""The same crystal twice is one; another arrangement of the same atoms is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from structure_samples import literature_k2reh9, mg2feh6, turned

from ninefold.structures.duplicates import ENERGY_WINDOW, distinct, matcher, tolerances

CRYSTALS = {"K2ReH9": literature_k2reh9(), "Mg2FeH6": mg2feh6().get_primitive_structure()}


def shaken(structure, rng, size=0.005):
    """Every atom moved by `size` Å in its own direction."""
    copy = structure.copy()
    for index in range(len(copy)):
        way = rng.normal(size=3)
        copy.translate_sites([index], size * way / np.linalg.norm(way), frac_coords=False)
    return copy


def turned_anion(structure, degrees):
    """The anion at the origin turned about c: same cell, same metals, another structure."""
    copy, angle = structure.copy(), np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    centre = next(site for site in structure if site.specie.symbol == "Re" and site.z < 0.1)
    for site in structure.get_neighbors(centre, 2.0):
        copy.replace(site.index, "H", centre.coords + turn @ (site.coords - centre.coords), coords_are_cartesian=True)
    return copy


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize(
    "change",
    [
        lambda structure: turned(structure, np.random.default_rng(1)),
        lambda structure: structure * [2, 1, 1],
        lambda structure: turned(structure * [[1, 1, 0], [0, 1, 0], [0, 0, 1]], np.random.default_rng(2)),
        lambda structure: shaken(structure, np.random.default_rng(3)),
        lambda structure: Structure(
            Lattice(structure.lattice.matrix * 1.01), structure.species, structure.frac_coords
        ),
        lambda structure: turned(shaken(structure, np.random.default_rng(4)), np.random.default_rng(5)),
    ],
    ids=["turned", "supercell", "sheared cell", "shaken", "1 % larger", "shaken and turned"],
)  # fmt: skip
def test_the_same_crystal_is_one(name, change):
    structure = CRYSTALS[name]
    assert distinct([structure, change(structure)], [-4.0, -3.999]) == [0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_small_perturbation_merges(seed):
    rng = np.random.default_rng(seed)
    structure = CRYSTALS["Mg2FeH6"]
    copies = [structure, turned(shaken(structure, rng), rng), shaken(structure * [1, 1, 2], rng)]
    energies = list(-4 + 0.002 * rng.random(3))
    assert distinct(copies, energies) == [int(np.argmin(energies))]


@pytest.mark.parametrize("degrees", [15, 30, 60])
def test_another_turn_of_one_anion_is_another_structure(degrees):
    structure = CRYSTALS["K2ReH9"]
    assert distinct([structure, turned_anion(structure, degrees)], [-4.0, -4.0]) == [0, 1]


def test_polymorphs_are_kept():
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.52, 3.02), ["Mg", "H"], [[0, 0, 0], [0.304, 0.304, 0]]
    )
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.9), ["Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    assert distinct([rutile, fluorite, fluorite * 2, rutile], [-3.0, -3.0, -3.0, -3.001]) == [3, 1]


def test_other_compositions_are_never_matched():
    assert distinct(list(CRYSTALS.values()), [-4.0, -4.0]) == [0, 1]


def test_lowest_first_and_energies_far_apart_are_not_compared():
    structure = CRYSTALS["Mg2FeH6"]
    copies = [structure, structure, structure]
    assert distinct(copies, [-3.0, -4.0, -4.0 + ENERGY_WINDOW / 2]) == [1, 0]
    assert distinct([], []) == []


@pytest.mark.parametrize(("apart", "kept"), [(0.0029, [0]), (0.0031, [0, 1]), (0.02, [0, 1])])
def test_equal_structures_three_mev_apart_are_two_results(apart, kept):
    # the engine gives one crystal one energy to some 1 meV/atom: farther apart, something else differs
    structure = CRYSTALS["Mg2FeH6"]
    assert distinct([structure, structure], [-4.0, -4.0 + apart]) == kept


def test_the_answer_does_not_depend_on_the_order():
    k2reh9 = CRYSTALS["K2ReH9"]
    structures = [k2reh9, turned_anion(k2reh9, 30), turned(k2reh9, np.random.default_rng(0)), turned_anion(k2reh9, 60)]
    energies = [-4.0, -3.999, -3.9995, -3.998]
    expected = {energies[index] for index in distinct(structures, energies)}
    assert expected == {-4.0, -3.999, -3.998}
    for order in ([3, 2, 1, 0], [1, 3, 0, 2]):
        kept = distinct([structures[index] for index in order], [energies[index] for index in order])
        assert {energies[order[index]] for index in kept} == expected


def test_tolerances_are_told():
    assert tolerances()["energy_eV_per_atom"] == ENERGY_WINDOW
    assert all(value for value in tolerances().values())


def test_stackings_of_equal_layers_are_two_structures():
    # hcp and fcc have the same twelve nearest neighbours
    fcc = Structure.from_spacegroup("Fm-3m", Lattice.cubic(2**0.5), ["Mg"], [[0, 0, 0]])
    hcp = Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(1.0, (8 / 3) ** 0.5), ["Mg"], [[1 / 3, 2 / 3, 0.25]])
    double = Structure.from_spacegroup(
        "P6_3/mmc", Lattice.hexagonal(1.0, 2 * (8 / 3) ** 0.5), ["Mg", "Mg"], [[0, 0, 0], [1 / 3, 2 / 3, 0.25]]
    )
    structures = [Structure(3 * s.lattice.matrix, s.species, s.frac_coords) for s in (fcc, hcp, double)]
    assert distinct([*structures, structures[1] * [1, 1, 2]], 4 * [0.0]) == [0, 1, 2]


def test_one_is_kept_of_each_group_of_the_matcher():
    rng = np.random.default_rng(7)
    kinds = [CRYSTALS["K2ReH9"], turned_anion(CRYSTALS["K2ReH9"], 30), CRYSTALS["Mg2FeH6"]]
    structures = [turned(shaken(kind, rng), rng) for kind in kinds for _ in range(4)]
    for index, structure in enumerate(structures):
        structure.properties["index"] = index
    theirs = [sorted(item.properties["index"] for item in group) for group in matcher().group_structures(structures)]
    assert distinct(structures, len(structures) * [0.0]) == sorted(min(group) for group in theirs)
