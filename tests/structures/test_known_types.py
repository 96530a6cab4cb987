"""Known types by substitution: offered where anion and stoichiometry match, with the symmetry they are known for."""

from collections import Counter

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Lattice, Structure
from structure_samples import ASSIGNMENTS, K2REH9, literature_k2reh9

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.volumes import additive_volume
from ninefold.search import build_pool
from ninefold.search.budget import SearchBudget
from ninefold.search.single_points import alternating
from ninefold.structures.checks import check_shells
from ninefold.structures.duplicates import distinct
from ninefold.structures.known_types import substituted, type_names
from ninefold.structures.labels import structure_type
from ninefold.structures.packing import NO_COMPLEX
from ninefold.structures.symmetry import space_group, symmetrised

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
    return substituted(assignment, withheld)


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


def test_two_kinds_of_cation_share_the_cation_sites_in_every_ordered_way():
    packings = offered(ASSIGNMENTS["KLiReH9"])
    assert [packing.source for packing in packings] == ["type:K2ReH9:K 3f, Li 3g", "type:K2ReH9:K 3g, Li 3f"]
    for packing in packings:
        assert Counter(packing.symbols) == {"K": 3, "Li": 3, "Re": 3, "H": 27}
        assert packing.charges.sum() == pytest.approx(0, abs=1e-9)
        structure = packing.to_structure()
        assert check_shells(structure, ASSIGNMENTS["KLiReH9"]).is_valid
        # whole orbits leave the type its space group and its name
        assert space_group(structure, 0.05).number == 189
        assert structure_type(structure, ASSIGNMENTS["KLiReH9"]) == "K2ReH9"
    assert len(distinct([packing.to_structure() for packing in packings], [0.0, 0.0])) == 2


LIMG2RUH7 = Assignment("Ru", 6, 4, 1, (Cation("Li", 1, 1), Cation("Mg", 2, 2)))


def limg2rud7():
    """The published ordered compound: Li at three times D, Mg at two times D of the interstitial deuteride.

    Huang, Bonhomme, Selvam, Yvon & Fischer, J. Less-Common Met. 171, 301 (1991): cell and bonds of the deuteride,
    Ru-D 1.704, D-2Mg 1.852, D-3Li 2.713 Å; the coordinates follow from them.
    """
    a, c, bond = 4.6998, 10.6674, 1.704
    x, z = bond * (2 / 3) ** 0.5 / (a * 3**0.5), bond / 3**0.5 / c
    return Structure.from_spacegroup(
        "P6_3/mmc", Lattice.hexagonal(a, c), ["Ru", "Li", "Mg", "H", "H"],
        [[0, 0, 0], [0, 0, 1 / 4], [1 / 3, 2 / 3, 1 / 4 - 1.852 / c], [-x, -2 * x, z], [1 / 3, 2 / 3, 1 / 4]],
    )  # fmt: skip


def test_a_published_compound_with_ordered_cations_is_offered():
    [packing] = [packing for packing in offered(LIMG2RUH7) if packing.source.startswith("type:Mg3ReH7")]
    assert packing.source == "type:Mg3ReH7:Li 2b, Mg 4f"
    made = limg2rud7()
    assert made.composition.reduced_composition == Composition("LiMg2RuH7")
    assert structure_type(made, LIMG2RUH7) == "Mg3ReH7"
    assert StructureMatcher().fit(packing.to_structure(), made)
    # and neither of the other cations of the same site would do: an ordering is what is tested, not a composition
    wrong = made.copy()
    wrong.replace_species({"Li": "Mg", "Mg": "Li"})
    assert not StructureMatcher().fit(packing.to_structure(), wrong)


@pytest.mark.parametrize("seed", range(4))
def test_every_ordered_way_is_settled_and_evaluated_whatever_the_seed(seed):
    budget = SearchBudget(pool=4, single_points=1, formula_units=(1,))
    pool = build_pool(ASSIGNMENTS["KLiReH9"], budget, seed)
    types = {proposal.source for proposal in pool.proposals if proposal.source.startswith("type:")}
    assert types == {"type:K2ReH9:K 3f, Li 3g", "type:K2ReH9:K 3g, Li 3f"}
    assert {proposal.source for proposal in alternating(pool.proposals, 1)} >= types


def test_a_split_orbit_has_the_name_of_its_type():
    assignment = Assignment("Pt", 6, 2, 0, (Cation("K", 1, 1), Cation("Na", 1, 1)))
    [packing] = [packing for packing in offered(assignment) if packing.source.startswith("type:K2PtCl6")]
    assert packing.source == "type:K2PtCl6:K 1/2 8c, Na 1/2 8c"
    structure = packing.to_structure()
    assert space_group(structure, 0.05).symbol == "F-43m"
    assert structure_type(symmetrised(structure, 0.05), assignment) == "K2PtCl6"


def test_a_budget_names_only_types_that_exist():
    assert SearchBudget(withhold_types=("K2ReH9",)).withhold_types == ("K2ReH9",)
    with pytest.raises(ValueError, match=r"'K2ReH10' is not a structure type; allowed: .*K2PtCl6"):
        SearchBudget(withhold_types=("K2ReH10",))
