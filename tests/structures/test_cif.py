"""CIFs of ours in the hands of others: pymatgen and ASE read the same crystal; spglib knows the same operations."""

import io
from collections import Counter
from dataclasses import replace

import ase.io
import moyopy
import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Structure
from pymatgen.core.operations import SymmOp
from pymatgen.io.cif import CifBlock
from structure_samples import ASSIGNMENTS, mg2feh6

from ninefold.structures.cif import cif_text, operations
from ninefold.structures.description import describe, without_symmetry
from ninefold.structures.known_types import prototype, type_names
from ninefold.structures.symmetric_units import symmetric_units
from ninefold.structures.symmetry import space_group

pytestmark = pytest.mark.filterwarnings("ignore")  # both readers warn of rounded coordinates
STRICT = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, scale=False)


def read_both(text):
    by_ase = ase.io.read(io.BytesIO(text.encode("ascii")), format="cif")
    return Structure.from_str(text, fmt="cif"), by_ase


def assert_same(structure, description, text):
    by_pymatgen, by_ase = read_both(text)
    assert len(by_ase) == description.nsites
    assert Composition(by_ase.get_chemical_formula()).reduced_composition == structure.composition.reduced_composition
    assert by_ase.get_volume() == pytest.approx(description.volume, rel=1e-5)
    assert STRICT.fit(by_pymatgen, structure)
    assert space_group(by_pymatgen).number == description.space_group_number


@pytest.mark.parametrize("name", sorted(type_names()))
def test_a_known_type_reads_back(name):
    structure = prototype(name)
    description = describe(structure)
    assert_same(structure, description, cif_text(description, name, {}))
    plain = without_symmetry(structure)
    assert STRICT.fit(read_both(cif_text(plain, name, {}))[0], structure)
    assert plain.nsites == len(structure)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(ASSIGNMENTS)), st.integers(1, 4), st.integers(0, 10_000))
def test_a_structure_of_any_group_reads_back(formula, formula_units, seed):
    packing = symmetric_units(ASSIGNMENTS[formula], formula_units, np.random.default_rng(seed), Counter())
    if packing is not None:
        structure = packing.to_structure()
        description = describe(structure)
        assert_same(structure, description, cif_text(description, formula, {}))


def test_atoms_that_are_almost_on_special_positions_are_written_on_them():
    # pymatgen's writer with a tolerance writes 30 atoms and more for this one
    structure = mg2feh6().get_primitive_structure()
    structure.perturb(0.004)
    description = describe(structure, symprec=0.02)
    assert description.space_group_number == 225
    by_pymatgen, by_ase = read_both(cif_text(description, "x", {}))
    assert len(by_ase) == len(by_pymatgen) == 36
    assert by_pymatgen.composition.reduced_formula == structure.composition.reduced_formula


def test_the_operations_of_every_group_are_those_of_its_tables():
    plain = without_symmetry(mg2feh6())
    for hall in range(1, 531):
        number = moyopy.HallSymbolEntry(hall).number
        texts = operations(replace(plain, space_group_number=number, hall_number=hall))
        assert texts[0] == "x,y,z"
        ours = [SymmOp.from_xyz_str(text) for text in texts]
        table = spglib.get_symmetry_from_database(hall)
        assert {rounded(operation.rotation_matrix, operation.translation_vector) for operation in ours} == {
            rounded(rotation, shift) for rotation, shift in zip(table["rotations"], table["translations"], strict=True)
        }, hall


def rounded(rotation, shift):
    return tuple(np.round(rotation).astype(int).ravel()), tuple(np.round(np.array(shift) * 24).astype(int) % 24)


def test_items_of_ours_are_read_as_they_were_given():
    tags = {
        "label": "K2ReH9 = [ReH9]2-", "e_above_hull": -0.0123456, "seed": 7, "is_known": True, "rank": None,
        "source": "type:Mg2NiH4:Ca 4e+4e', Mg 8f", "notes": ["stretched H2 ligand", "Å"], "campaign": "a\nb _c #d",
    }  # fmt: skip
    text = cif_text(describe(mg2feh6()), "name with / and Å", tags, comment="first\nline")
    assert text.isascii()
    assert text.splitlines()[:2] == ["# first line", "data_name_with_and_"]
    block = CifBlock.from_str(text.partition("\n")[2]).data
    assert block["_ninefold_label"] == "K2ReH9 = [ReH9]2-"
    assert float(block["_ninefold_e_above_hull"]) == -0.0123456
    assert block["_ninefold_seed"] == "7"
    assert block["_ninefold_is_known"] == "yes"
    assert "_ninefold_rank" not in block
    assert block["_ninefold_source"] == "type:Mg2NiH4:Ca 4e+4e', Mg 8f"
    assert block["_ninefold_notes"] == "stretched H2 ligand; \\xc5"
    assert block["_ninefold_campaign"] == "a b _c \\x23d"
    assert_same(mg2feh6(), describe(mg2feh6()), text)
