"""Formulas as chemists write them: brackets, isotopes, subscripts, charges; and what is refused, with its position."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.elements import SYMBOLS
from ninefold.chemistry.formula import MOST_ATOMS, formula_of, isotope_notes, parse_formula, read_formula
from ninefold.errors import InputError

K2REH9 = {"K": 2, "Re": 1, "H": 9}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")


@pytest.mark.parametrize(
    "text",
    [
        "K2ReH9",
        "K2[ReH9]",
        "K₂ReH₉",
        "K2ReD9",
        "K2ReT9",
        "K2ReH4D5",
        "K2 [Re H9]",
        "K2 ReH9",
        "K2Re H9",
        "K 2 Re H 9",
        "[ReH9]K2",
        "(K)2(ReH9)",
    ],
)
def test_one_compound_in_many_hands(text):
    assert parse_formula(text) == K2REH9


@pytest.mark.parametrize(
    "text",
    ["[ReH9]2-", "[ReH9]^2-", "[ReH9] 2-", "[ReH₉]²⁻", "[ReD9]2-", "[ReH9]2−", "[ReH9]-2", "ReH9^2-", "(ReH9)2-"],
)
def test_one_anion_in_many_hands(text):
    read = read_formula(text)
    assert (read.amounts, read.charge) == ({"Re": 1, "H": 9}, -2)


def test_brackets_are_kept_apart():
    assert read_formula("Rb3[ReH9]H").anions == ({"Re": 1, "H": 9},)
    assert read_formula("Rb3[ReH9]H").amounts == {"Rb": 3, "Re": 1, "H": 10}
    assert read_formula("K6[ReH9]3").anions == ({"Re": 1, "H": 9},)


def test_isotopes_are_told():
    assert isotope_notes("K2ReD9") == ("D (deuterium) is read as hydrogen",)
    assert len(isotope_notes("K2ReD8T")) == 2
    assert isotope_notes("Dy2TcTmTiH9") == isotope_notes("no formula, D2") == ()


amounts = st.dictionaries(st.sampled_from(sorted(set(SYMBOLS) - {"H"})), st.integers(1, 40), min_size=1, max_size=4)


@given(amounts, st.integers(1, 40), st.integers(1, 20))
def test_every_way_of_writing_reads_alike(metals, hydrogens, charge):
    whole = {**metals, "H": hydrogens}
    plain = formula_of(whole)
    *others, centre = metals
    bracketed = f"{formula_of({symbol: metals[symbol] for symbol in others})}[{formula_of({centre: metals[centre]})}"
    for text in (plain, plain.translate(SUBSCRIPTS), f"{bracketed}H{hydrogens}]", f"{bracketed}D{hydrogens}]"):
        read = read_formula(text)
        assert (read.amounts, read.charge) == (whole, 0)
    for text in (f"[{plain}]{charge}-", f"[{plain}]{f'{charge}-'.translate(SUPERSCRIPTS)}", f"{plain}^{charge}-"):
        read = read_formula(text)
        assert (read.amounts, read.charge) == (whole, -charge)


@pytest.mark.parametrize("n", [1, 7, 9, 12])
@pytest.mark.parametrize("q", [1, 2, 6])
def test_an_anion_is_read_as_it_is_printed(n, q):
    read = read_formula(Assignment("Re", n, q, 0, ()).anion)
    assert (read.amounts, read.charge) == ({"Re": 1, "H": n}, -q)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("k2ReH9", ["'k' at position 1", "capital letter"]),
        ("K2ReH9)", ["')' at position 7", "without '('"]),
        ("K2[ReH9", ["'[' at position 3", "never closed"]),
        ("K2[ReH9)", ["')' at position 8"]),
        ("K2[]ReH9", ["empty brackets", "position 4"]),
        ("K1.5ReH9", ["fraction 1.5 at position 2", "whole numbers", "it is K3Re2H18"]),
        ("(K0.5Rb0.5)2ReH9", ["fraction 0.5 at position 3", "it is KRbReH9"]),
        ("(K.5Rb.5)2[ReD9]", ["fraction .5 at position 3", "it is KRbReH9"]),
        ("K0.333Re(H", ["fraction 0.333", "whole numbers"]),
        ("Li5MoH11 (Cm)", ["'(Cm)' behind a blank", "space group", "write 'Li5MoH11'"]),
        ("Li5MoH11 Cm", ["'Cm' behind a blank", "write 'Li5MoH11'"]),
        ("K2ReH9 P-62m", ["'P-62m' behind a blank"]),
        ("Li5MoH11 = [MoH9]3- + 2 H-", ["behind a blank", "assignment"]),
        ("KH·ReH8", ["'·' at position 3", "one formula"]),
        ("K2ReH9-", ["'-' at position 7", "[ReH9]2-"]),
        ("ReH92-", ["'-' at position 6", "[ReH9]2-"]),
        ("K2QqH9", ["'Qq' at position 3", "no element"]),
        ("K0ReH9", ["zero", "position 2"]),
        ("K٢ReH9", ["position 2"]),
        ("[ReH9]0-", ["charge of 0"]),
        ("[ReH9]99-", ["charge of 99", "1 to 20"]),
        ("K2ReH999999", ["999999 H", "1000"]),
        ("((((H90)90)90)90)", ["H", "1000"]),
        (f"K2ReH{'9' * 150}", ["150 digits"]),
        ("H" * 100_000, ["100000 characters"]),
        ("(" * 150, ["never closed"]),
    ],
)
def test_what_is_refused_at_once_and_where(text, words):
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        read_formula(text)
    assert time.perf_counter() - start < 0.1
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    for word in words:
        assert word in str(caught.value)


def test_the_largest_count_is_read():
    assert parse_formula(f"KReH{MOST_ATOMS}")["H"] == MOST_ATOMS


def test_a_compound_carries_no_charge():
    with pytest.raises(InputError, match="carries a charge"):
        parse_formula("[ReH9]2-")
