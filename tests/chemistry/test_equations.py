"""Equations balance exactly, against pymatgen and by count of atoms."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.analysis.reaction_calculator import Reaction
from pymatgen.core import Composition

from ninefold.chemistry.equations import decomposition, formation


def atoms(side):
    total = Counter()
    for amount, formula in side:
        for symbol, count in Composition(formula).items():
            total[str(symbol)] += amount * Fraction(count)
    return {symbol: count for symbol, count in total.items() if count}


@pytest.mark.parametrize(
    ("formula", "products", "text"),
    [
        ("K2ReH9", ["K3ReH10", "Re", "H2"], "K2ReH9 -> 2/3 K3ReH10 + 1/3 Re + 7/6 H2"),
        ("K2ReH9", ["K3ReH6", "Re", "H2"], "K2ReH9 -> 2/3 K3ReH6 + 1/3 Re + 5/2 H2"),
        ("K2ReH3", ["K2ReH9", "H2"], "K2ReH3 + 3 H2 -> K2ReH9"),
        ("Mg3CrH8", ["MgH2", "CrH2"], "Mg3CrH8 -> 3 MgH2 + CrH2"),
        ("LiH", ["LiH"], "LiH -> LiH"),
        ("Mg2FeH6", ["H2", "Mg", "Fe"], "Mg2FeH6 -> 3 H2 + 2 Mg + Fe"),
    ],
)
def test_as_a_chemist_writes_it(formula, products, text):
    assert str(decomposition(formula, products)) == text


def test_formation_is_the_reverse():
    equation = formation("K2ReH9", ["KH", "Re", "H2"])
    assert str(equation) == "2 KH + Re + 7/2 H2 -> K2ReH9"
    assert equation.coefficient("H2") == Fraction(-7, 2)
    assert equation.coefficient("K2ReH9") == 1
    assert equation.coefficient("Os") == 0


@pytest.mark.parametrize(
    ("formula", "products"),
    [
        ("K2ReH9", ["KH", "H2"]),  # no rhenium
        ("K2ReH9", ["KH", "K", "Re", "H2"]),  # one product too many: no unique answer
        ("KH", ["K", "H2", "Re2", "Re"]),
    ],
)
def test_what_cannot_balance_or_is_not_unique_is_no_equation(formula, products):
    assert decomposition(formula, products) is None


counts = st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any)


def named(amounts):
    return "".join(f"{symbol}{count}" for symbol, count in zip(("K", "Mg", "Re", "H"), amounts, strict=True) if count)


@given(counts, st.lists(counts, min_size=1, max_size=4))
def test_every_equation_balances(target, products):
    equation = decomposition(named(target), [named(product) for product in products])
    if equation is not None:
        assert atoms(equation.left) == atoms(equation.right)
        assert equation.left[0] == (1, named(target))
        assert all(amount > 0 for amount, _ in (*equation.left, *equation.right))


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 12))
def test_amounts_are_pymatgen_s(cations, centres, hydrogens):
    formula = f"Mg{cations}Cr{centres}H{hydrogens}"
    ours = decomposition(formula, ["MgH2", "Cr", "H2"])
    theirs = Reaction([Composition(formula)], [Composition("MgH2"), Composition("Cr"), Composition("H2")])
    scale = -theirs.get_coeff(Composition(formula))
    for product in ("MgH2", "Cr", "H2"):
        expected = theirs.get_coeff(Composition(product)) if Composition(product) in theirs.all_comp else 0
        assert float(ours.coefficient(product)) * scale == pytest.approx(expected, abs=1e-9)
