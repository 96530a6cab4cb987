"""Known types by substitution: offered where anion and stoichiometry match, with the symmetry they are known for."""

from collections import Counter

import numpy as np
import pytest
from pymatgen.core import Composition
from structure_samples import ASSIGNMENTS, K2REH9, literature_k2reh9

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.volumes import additive_volume
from ninefold.search.budget import SearchBudget
from ninefold.structures.checks import check_shells
from ninefold.structures.duplicates import distinct
from ninefold.structures.known_types import substituted, type_names
from ninefold.structures.packing import NO_COMPLEX
from ninefold.structures.symmetry import space_group

FITS = {
    "K2ReH9": (K2REH9, 189),
    "BaReH9": (Assignment("Re", 9, 2, 0, (Cation("Ba", 1, 2),)), 194),
    "K2PtCl6": (ASSIGNMENTS["Mg2FeH6"], 225),
    "Mg3ReH7": (Assignment("Re", 6, 5, 1, (Cation("Mg", 3, 2),)), 194),
    "Li5MoH11": (ASSIGNMENTS["Li5MoH11"], 193),
    "K2GeF6": (ASSIGNMENTS["Mg2FeH6"], 164),
    "K4CdCl6": (Assignment("Ru", 6, 4, 0, (Cation("Li", 4, 1),)), 167),
    "cryolite": (Assignment("Ir", 6, 3, 0, (Cation("Na", 3, 1),)), 225),
    "Mg2CoH5": (Assignment("Co", 5, 4, 0, (Cation("Mg", 2, 2),)), 129),
    "Mg2NiH4": (Assignment("Ni", 4, 4, 0, (Cation("Mg", 2, 2),)), 15),
    "K2PtH4": (Assignment("Pd", 4, 2, 0, (Cation("Na", 2, 1),)), 139),
    "Cs3CoCl5": (Assignment("Mn", 4, 2, 1, (Cation("K", 3, 1),)), 140),
    "Na2HgO2": (Assignment("Pd", 2, 2, 0, (Cation("Li", 2, 1),)), 139),
}


def offered(assignment, withheld=()):
    return substituted(assignment, np.random.default_rng(0), withheld)


def test_every_type_is_tested():
    assert sorted(FITS) == sorted(type_names())


@pytest.mark.parametrize("name", sorted(FITS))
def test_a_type_gives_its_anion_its_symmetry_and_the_additive_volume(name):
    assignment, number = FITS[name]
    [packing] = [packing for packing in offered(assignment) if packing.source == f"type:{name}"]
    structure = packing.to_structure()
    shells = check_shells(structure, assignment)
    assert shells.coordination_numbers == (assignment.n,) * packing.symbols.count(assignment.centre)
    assert shells.is_valid
    assert shells.volume_per_formula_unit == pytest.approx(additive_volume(assignment))
    assert structure.composition.reduced_composition == Composition(assignment.formula)
    assert packing.charges.sum() == pytest.approx(0, abs=1e-9)
    assert (np.array(packing.symbols)[packing.owner == NO_COMPLEX] == "H").sum() == assignment.m * len(
        shells.coordination_numbers
    )
    # shells are drawn with equal M-H lengths, which every site symmetry of these types allows
    assert space_group(structure, 0.05).number == number


def test_k2reh9_is_the_literature_structure():
    [packing] = offered(K2REH9)
    assert distinct([packing.to_structure(), literature_k2reh9()], [0.0, 0.0]) == [0]


@pytest.mark.parametrize("name", sorted(FITS))
def test_a_withheld_type_is_not_offered(name):
    assert f"type:{name}" not in {packing.source for packing in offered(FITS[name][0], withheld=(name,))}


@pytest.mark.parametrize(
    "assignment",
    [
        Assignment("W", 9, 3, 0, (Cation("Na", 3, 1),)),  # three cations, not one or two
        ASSIGNMENTS["Mg3CrH8"],  # n = 7
        Assignment("W", 9, 3, 1, (Cation("K", 2, 2),)),  # an interstitial hydride more
    ],
    ids=lambda assignment: assignment.formula,
)
def test_what_does_not_match_is_not_offered(assignment):
    assert offered(assignment) == []


def test_two_kinds_of_cation_are_dealt_over_the_cation_sites():
    [packing] = offered(ASSIGNMENTS["KLiReH9"])
    assert Counter(packing.symbols) == {"K": 3, "Li": 3, "Re": 3, "H": 27}
    others = {substituted(ASSIGNMENTS["KLiReH9"], np.random.default_rng(seed))[0].symbols for seed in range(6)}
    assert len(others) > 1


def test_a_budget_names_only_types_that_exist():
    assert SearchBudget(withhold_types=("K2ReH9",)).withhold_types == ("K2ReH9",)
    with pytest.raises(ValueError, match=r"'K2ReH10' is not a structure type; allowed: .*K2PtCl6"):
        SearchBudget(withhold_types=("K2ReH10",))
