"""Descriptions against published tables, and against the crystal that the printed lines stand for, built by spglib."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from structure_samples import ASSIGNMENTS

from ninefold.structures.description import describe
from ninefold.structures.known_types import prototype, type_names
from ninefold.structures.symmetric_units import symmetric_units

STRICT = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, scale=False)


def rebuilt(description):
    """The crystal of the printed lines: each site repeated by spglib's own table of the setting."""
    table = spglib.get_symmetry_from_database(description.hall_number)
    lattice = Lattice.from_parameters(*description.lattice_parameters.values())
    species, positions = [], []
    for site in description.sites:
        images = table["rotations"] @ np.array(site.position) + table["translations"]
        images = np.unique(np.round(images % 1.0, 6) % 1.0, axis=0)
        assert len(images) == site.multiplicity, site
        species += [site.element] * len(images)
        positions += images.tolist()
    return Structure(lattice, species, positions)


def test_k2reh9_reads_as_it_is_published():
    # metal sites: Abrahams, Ginsberg & Knox, Inorg. Chem. 3, 558 (1964)
    found = describe(prototype("K2ReH9"))
    assert (found.space_group_number, found.space_group_symbol) == (189, "P-62m")
    assert tuple(found.lattice_parameters.values()) == pytest.approx((9.607, 9.607, 5.508, 90, 90, 120))
    assert found.nsites == 36
    metals = [(site.element, site.label, tuple(round(x, 4) for x in site.position)) for site in found.sites[:4]]
    # the mirror image of the published setting, which the group makes equivalent: x -> -x
    assert metals[2:] == [("Os", "1a", (0, 0, 0)), ("Os", "2d", (0.3333, 0.6667, 0.5))]
    assert [(label, x if x > 0.5 else round(1 - x, 4)) for _, label, (x, _, _) in metals[:2]] == [
        ("3f", 0.5928), ("3g", 0.7404),
    ]  # fmt: skip


def test_the_metal_lattice_has_a_group_of_its_own():
    # Mg2NiH4, monoclinic by its hydrogens; the metals of K2PtCl6 are fluorite with or without them
    assert describe(prototype("K2PtCl6")).metal_space_group_symbol == "Fm-3m"
    tilted = prototype("K2PtH4")
    found = describe(tilted)
    assert found.space_group_number == 139
    tilted.remove_species(["H"])
    assert (
        found.metal_space_group_number
        == spglib.get_symmetry_dataset((tilted.lattice.matrix, tilted.frac_coords, tilted.atomic_numbers), 0.01).number
    )
    # a tetragonal cell whose c/a makes its metals cubic: antifluorite in its tetragonal cell, square anions
    square = Structure.from_spacegroup(
        "I4/mmm", Lattice.tetragonal(5.0, 5.0 * 2**0.5), ["Pd", "K", "H"], [[0, 0, 0], [0, 0.5, 0.25], [0.23, 0.23, 0]]
    )
    both = describe(square)
    assert (both.space_group_symbol, both.metal_space_group_symbol) == ("I4/mmm", "Fm-3m")


@pytest.mark.parametrize("name", sorted(type_names()))
def test_the_printed_lines_are_the_structure(name):
    structure = prototype(name)
    found = describe(structure)
    assert found.nsites == sum(site.multiplicity for site in found.sites)
    assert found.volume / found.nsites == pytest.approx(structure.volume / len(structure))
    assert STRICT.fit(rebuilt(found), structure)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ASSIGNMENTS)), st.integers(1, 4), st.integers(0, 10_000))
def test_the_printed_lines_are_the_structure_in_any_group(formula, formula_units, seed):
    packing = symmetric_units(ASSIGNMENTS[formula], formula_units, np.random.default_rng(seed), Counter())
    if packing is None:
        return
    structure = packing.to_structure()
    found = describe(structure)
    again = rebuilt(found)
    assert again.composition.reduced_formula == structure.composition.reduced_formula
    assert STRICT.fit(again, structure)


def test_another_cell_of_the_crystal_reads_the_same():
    structure = prototype("Mg2NiH4")
    found, other = describe(structure), describe(structure * [[1, 1, 0], [0, 1, 0], [0, 1, 2]])
    assert list(other.lattice_parameters.values()) == pytest.approx(list(found.lattice_parameters.values()), abs=1e-4)
    assert other.nsites == found.nsites
    assert [site.label for site in other.sites] == [site.label for site in found.sites]


def test_a_stored_structure_is_described_without_pymatgen():
    structure = prototype("Mg3ReH7")
    code = (
        "import json, sys; from ninefold.structures.description import describe; "
        "found = describe(json.load(sys.stdin)); "
        "assert not [name for name in sys.modules if name.startswith('pymatgen')]; "
        "print(json.dumps(found.as_dict()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(structure.as_dict()), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == json.loads(json.dumps(describe(structure).as_dict()))


def test_where_no_search_is_possible_the_structure_stands_as_it_is():
    broken = Structure(Lattice.cubic(5), ["K", "K"], [[0, 0, 0], [0, 0, 1e-4]])
    found = describe(broken)
    assert (found.space_group_symbol, found.nsites, found.a) == ("P1", 2, 5.0)
