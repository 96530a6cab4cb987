"""What to weigh in: atoms are conserved in the masses, and wrong input is refused."""

from __future__ import annotations

from collections import Counter

import pytest

from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.formula import parse_formula
from ninefold.chemistry.recipe import SOURCES, molar_mass, recipe
from ninefold.errors import InputError

KNOWN = known_compounds()


def atoms_of(charge):
    """mmol of each element in what is weighed in, without the excess."""
    total = Counter()
    for each in (*charge.solids, *([charge.hydrogen] if charge.hydrogen else [])):
        for symbol, count in parse_formula(each.formula).items():
            total[symbol] += count * each.mmol / (1 + each.excess)
    return total


@pytest.mark.parametrize("formula", sorted({compound.formula for compound in KNOWN}))
def test_atoms_and_mass_of_every_made_compound_are_conserved(formula):
    """A mass of the product holds the atoms of its starting materials, whatever these are."""
    found = recipe(formula, 100.0, KNOWN, excess={"H2": 0.0})
    for charge in found.charges:
        product = {symbol: count * found.mmol for symbol, count in parse_formula(formula).items()}
        if charge.hydrogen is None:  # the hydrides bring more hydrogen than the product binds, or just as much
            released = -float(charge.equation.coefficient("H2")) * found.mmol * 2
            product["H"] -= released
        assert atoms_of(charge) == pytest.approx(product)
        if charge.hydrogen is not None:
            weighed = sum(each.mg for each in (*charge.solids, charge.hydrogen))
            assert weighed == pytest.approx(100.0, rel=1e-9)


def test_masses_by_hand():
    """Li5MoH11: 5 LiH (7.949 g/mol) + Mo (95.95) + 3 H2 (2.016) make 141.74 g/mol."""
    found = recipe("Li5MoH11", 141.743, KNOWN)
    assert found.mmol == pytest.approx(1.0, rel=1e-3)
    hydrides, metals = found.charges
    assert str(hydrides.equation) == "5 LiH + Mo + 3 H2 -> Li5MoH11"
    assert str(metals.equation) == "5 Li + Mo + 11/2 H2 -> Li5MoH11"
    assert [each.mg for each in hydrides.solids] == pytest.approx([5 * 7.948, 95.95], rel=2e-3)
    assert hydrides.hydrogen.mmol == pytest.approx(6.0, rel=1e-3)  # twice what is bound
    alane, borane = found.sources
    assert (alane.mmol, borane.mmol) == pytest.approx((4.0, 2.0), rel=1e-3)
    assert (alane.mg, borane.mg) == pytest.approx((4 * 30.006, 2 * 30.865), rel=1e-3)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.formula)
def test_what_a_source_gives_off_is_in_it(source):
    left, right = source.equation.split(" -> ")
    atoms = Counter()
    for term in right.split(" + "):
        amount, _, formula = term.rpartition(" ")
        number, _, divisor = (amount or "1").partition("/")
        factor = float(number) / float(divisor or 1)
        for symbol, count in parse_formula(formula).items():
            atoms[symbol] += factor * count
        if formula == "H2":
            assert factor == source.hydrogen
    assert atoms == pytest.approx(parse_formula(left))


def test_own_starting_materials_and_excesses():
    found = recipe("K2ReH9", 50, KNOWN, starting=["KH", "Re"], excess={"KH": 0.1, "H2": 0.5})
    (charge,) = found.charges
    plain = recipe("K2ReH9", 50, KNOWN, starting=["KH", "Re"], excess={"H2": 0}).charges[0]
    assert charge.solids[0].mg == pytest.approx(1.1 * plain.solids[0].mg)
    assert charge.solids[1].mg == pytest.approx(plain.solids[1].mg)
    assert charge.hydrogen.mg == pytest.approx(1.5 * plain.hydrogen.mg)


def test_how_the_compound_and_its_relatives_were_made():
    found = recipe("Li5MoH11", 100, KNOWN)
    assert [each.formula for each in found.made] == ["Li5MoH11"]
    assert found.relatives[0].formula == "Li5WH11"  # same cations, a centre of the same group
    assert all(each.synthesis and each.formula != "Li5MoH11" for each in found.relatives)


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("Li5MoH11", {"mg": 0}, "above 0"),
        ("Li5MoH11", {"mg": float("nan")}, "above 0"),
        ("Li5MoH11", {"mg": 1e9}, "at most 1e"),
        ("Li5Xx", {}, "Xx"),
        ("[ReH9]2-", {}, "carries a charge"),
        ("Li5Mo", {}, "no hydride"),
        ("NH3BH3", {}, "is no hydride of a metal; allowed: a metal and hydrogen"),
        ("He2H5", {}, "is no hydride of a metal"),
        ("H2", {}, "is no hydride of a metal"),
        ("LiNH2", {}, "holds N, which is not weighed in as an element; allowed: --from with a solid that brings N"),
        ("Li5MoH11", {"starting": ["NaH", "Mo"]}, "cannot make Li5MoH11"),
        ("Li5MoH11", {"starting": ["LiH"]}, "cannot make Li5MoH11"),
        ("Li5MoH11", {"excess": {"LiH": -0.1}}, "no excess of LiH"),
        ("Li5MoH11", {"excess": {"KH": 0.1}}, "no starting material"),
    ],
)
def test_what_cannot_be_weighed_is_refused(formula, options, words):
    mg = options.pop("mg", 100.0)
    with pytest.raises(InputError, match=words):
        recipe(formula, mg, KNOWN, **options)


@pytest.mark.parametrize(("formula", "equation"), [("LiH", "Li + 1/2 H2 -> LiH"), ("MgH2", "Mg + H2 -> MgH2")])
def test_a_binary_hydride_is_made_from_its_metal(formula, equation):
    assert [str(charge.equation) for charge in recipe(formula, 100, KNOWN).charges] == [equation]


def test_a_source_that_does_not_decompose_to_the_end_needs_more_mass():
    """2 of 3 H2 from NH3BH3 below 1000 K: half as much again; AlH3 gives all of it."""
    found = {each.source.formula: each for each in recipe("Li5MoH11", 100, KNOWN).sources}
    assert found["NH3BH3"].mg_at_least == pytest.approx(1.5 * found["NH3BH3"].mg)
    assert found["AlH3"].mg_at_least == found["AlH3"].mg


@pytest.mark.parametrize("formula", ["CuH", "AlH3", "Li5MoH11", "K2ReH9", "Mg2FeH6", "NaH"])
def test_a_source_that_decomposes_to_the_end_has_one_mass(formula):
    """Whatever floating-point numbers it comes from: a second mass, the same in print, is none."""
    for mg in (1, 7.3, 100):
        for each in recipe(formula, mg, KNOWN).sources:
            assert (each.mg_at_least == each.mg) == (each.source.formula == "AlH3")


def test_a_compound_is_no_source_of_hydrogen_for_itself():
    found = recipe("AlH3", 100, KNOWN)
    assert [each.source.formula for each in found.sources] == ["NH3BH3"]


def test_an_element_that_is_a_gas_comes_in_a_solid():
    [charge] = recipe("Li4NH", 100, KNOWN, starting=["Li3N", "LiH"]).charges
    assert str(charge.equation) == "Li3N + LiH -> Li4NH"


def test_molar_masses():
    assert molar_mass("NH3BH3") == pytest.approx(30.865, abs=2e-3)
