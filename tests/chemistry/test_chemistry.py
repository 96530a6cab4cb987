"""Element data, formulas and volumes against pymatgen and what is published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Element

from ninefold.chemistry.compounds import known_compounds, read_compounds
from ninefold.chemistry.elements import CATION_CHARGES, ELECTRONEGATIVITY, GROUP, SYMBOLS
from ninefold.chemistry.formula import formula_of, parse_formula
from ninefold.chemistry.volumes import additive_volume
from ninefold.errors import InputError
from ninefold.rules.builtin import _ATOMIC_MASS


@pytest.mark.parametrize("symbol", ELECTRONEGATIVITY)
def test_electronegativity(symbol):
    # pymatgen has no value for some elements: not a number is unequal to itself
    if Element(symbol).X == Element(symbol).X:
        assert pytest.approx(Element(symbol).X, abs=0.011) == ELECTRONEGATIVITY[symbol]


@pytest.mark.parametrize("symbol", GROUP)
def test_group(symbol):
    assert Element(symbol).group == GROUP[symbol]


@pytest.mark.parametrize("symbol", sorted(set(_ATOMIC_MASS) - {"Tc"}))
def test_mass(symbol):
    assert _ATOMIC_MASS[symbol] == pytest.approx(float(Element(symbol).atomic_mass), abs=0.03)


def test_symbols_by_atomic_number():
    assert [Element.from_Z(number).symbol for number in range(1, 119)] == list(SYMBOLS)


def test_every_cation_has_an_electronegativity():
    assert set(CATION_CHARGES) <= set(ELECTRONEGATIVITY)


@given(st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 40), min_size=1, max_size=5))
def test_formula_round_trip(amounts):
    text = formula_of(amounts)
    assert parse_formula(text) == {symbol: amounts[symbol] for symbol in parse_formula(text)}
    assert Composition(text) == Composition(amounts)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [("K2ReH9", {"K": 2, "Re": 1, "H": 9}), ("Mg(AlH4)2", {"Mg": 1, "Al": 2, "H": 8}), ("CO", {"C": 1, "O": 1})],
)
def test_parse(text, amounts):
    assert parse_formula(text) == amounts


@pytest.mark.parametrize("text", ["", "k2reh9", "K2ReH9)", "(K", "K2Re-H9", "Kx", "2K", "K1.5H"])
def test_malformed(text):
    with pytest.raises(InputError, match="formula"):
        parse_formula(text)


def test_chemists_order():
    assert formula_of({"H": 11, "W": 1, "Li": 5}) == "Li5WH11"


def test_volume_of_the_prototype():
    [compound] = [compound for compound in known_compounds() if compound.formula == "K2ReH9"]
    # a = 9.607 Å, c = 5.508 Å, Z = 3: Abrahams, Ginsberg & Knox (1964)
    assert additive_volume(compound.assignment) == pytest.approx(9.607**2 * 5.508 * 3**0.5 / 2 / 3, rel=0.02)


@pytest.mark.parametrize("compound", known_compounds(), ids=lambda compound: compound.formula)
def test_known_compounds_are_neutral(compound):
    assert compound.assignment.cation_charge == compound.assignment.q + compound.assignment.m
    assert compound.mark in {"src", "mem", "der"}
    assert (compound.assignment.electron_count == 18) != bool(compound.violates)


def test_compounds_that_thresholds_were_fitted_to_are_marked(tmp_path):
    fitted = {compound.formula for compound in known_compounds() if compound.fitted}
    assert {"K2ReH9", "Mg3CrH8", "Li6NbH11"} <= fitted
    assert all(compound.assignment.n >= 7 for compound in known_compounds() if compound.fitted)
    path = tmp_path / "compounds.yaml"
    path.write_text("- {centre: Re, n: 9, q: 2, m: 0, cations: {K: 2}, source: x, mark: mem, fitted: perhaps}\n")
    with pytest.raises(InputError, match=r"fitted: 'perhaps'.*true or false"):
        read_compounds(path)
