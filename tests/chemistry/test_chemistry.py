"""Element data, formulas and volumes against pymatgen and what is published."""

import re

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


def test_a_formula_stands_once_and_every_reference_is_named():
    formulas = [compound.formula for compound in known_compounds()]
    assert len(set(formulas)) == len(formulas)
    for compound in known_compounds():
        assert compound.doi or re.search(r"(?:19|20)\d\d", compound.source), compound.formula


@pytest.mark.parametrize(
    ("listed", "sibling"),
    [
        ("Na3ReH8", "Na3WH9"),  # both in the title of one paper
        ("K2ReH9", "K2TcH9"),
        ("K2ReH9", "KNaReH9"),
        ("K2ReH9", "BaReH9"),
        ("Na3RuH7", "Na3OsH7"),
        ("Na3RuH7", "Na3FeH7"),
        ("Cs3OsH9", "Rb3OsH9"),
        ("Cs3OsH9", "K3OsH9"),
        ("K2PtH6", "Li2PtH6"),
        ("Ca2OsH6", "Mg2OsH6"),
        ("Sr2FeH6", "SrMg2FeH8"),
        ("Na3IrH6", "Na3RhH6"),
        ("K3MnH5", "Cs3MnH5"),
        ("Mg3ReH7", "LiMg2RuH7"),
    ],
)
def test_series_are_complete(listed, sibling):
    assert {listed, sibling} <= {compound.formula for compound in known_compounds()}


def test_predicted_compounds_are_not_listed():
    predicted = {"Mg2IrH6", "Li3FeH7", "BaMnH9", "Li3RuH7", "Na3MoH9", "Li5TiH9"}
    assert not predicted & {compound.formula for compound in known_compounds()}


def test_compounds_of_the_package_carry_what_their_publications_say():
    by_formula = {compound.formula: compound for compound in known_compounds()}
    tungsten = by_formula["Na3WH9"]
    assert (tungsten.pressure_GPa, tungsten.temperature_K) == (7.8, 1400)
    assert tungsten.doi == by_formula["Na3ReH8"].doi == "10.1021/acs.inorgchem.4c02691"
    assert by_formula["SrMg2FeH8"].space_group == 164
    assert by_formula["K3ZnH5"].structure_type == "Cs3CoCl5"
    for compound in known_compounds():
        assert compound.doi is None or compound.doi.startswith("10."), compound.formula
        assert compound.pressure_GPa is None or 0 < compound.pressure_GPa < 50, compound.formula


GOOD = "formula: K2ReH9, centre: Re, n: 9, q: 2, m: 0, cations: {K: 2}, source: x, mark: mem"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("K2ReH9", ["compound 1", "mapping"]),
        ("{" + GOOD.replace(", mark: mem", "") + "}", ["compound 1", "'mark'", "missing"]),
        ("{" + GOOD + ", pressure: 5}", ["'pressure'", "pressure_GPa"]),
        ("{" + GOOD.replace("mem", "hearsay") + "}", ["K2ReH9: mark", "hearsay", "src, mem, der"]),
        ("{" + GOOD.replace("n: 9", "n: true") + "}", ["n: True", "whole number from 1 to 14"]),
        ("{" + GOOD.replace("n: 9", "n: 9.0") + "}", ["n: 9.0"]),
        ("{" + GOOD.replace("K: 2", "K: 2.5") + "}", ["cations.K", "2.5"]),
        ("{" + GOOD.replace("K: 2", "K: -2") + "}", ["cations.K", "-2"]),
        ("{" + GOOD.replace("{K: 2}", "K2") + "}", ["cations", "symbol: number"]),
        ("{" + GOOD.replace("centre: Re", "centre: [Re]") + "}", ["centre", "Re"]),
        ("{" + GOOD.replace("centre: Re", "centre: 2024-01-01") + "}", ["centre", "2024"]),
        ("{" + GOOD.replace("formula: K2ReH9", "formula: KReH") + "}", ["KReH", "K2ReH9"]),
        ("{" + GOOD.replace("source: x", "source: 5") + "}", ["source", "text"]),
        ("{" + GOOD + ", pressure_GPa: .nan}", ["pressure_GPa", "0 to 1000"]),
        ("{" + GOOD + ", space_group: 300}", ["space_group", "1 to 230"]),
        ("{centre: Y, n: 9, q: 6, m: 0, cations: {Y: 2}, source: x, mark: mem}", ["Y", "centre too"]),
    ],
)
def test_a_broken_entry_is_named_with_key_value_and_what_is_allowed(tmp_path, entry, words):
    path = tmp_path / "mine.yaml"
    path.write_text(f"- {entry}\n")
    with pytest.raises(InputError) as caught:
        read_compounds(path)
    for word in ["mine.yaml", *words]:
        assert word in str(caught.value)
