"""Assignments of a formula against both equations, and why a formula has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.formula import formula_of
from ninefold.rules import assignments, diagnose


@given(
    st.sampled_from(sorted(GROUP)),
    st.dictionaries(
        st.sampled_from(sorted(set(CATION_CHARGES) - set(GROUP))), st.integers(1, 4), min_size=1, max_size=2
    ),
    st.integers(1, 16),
    st.sampled_from([16, 18]),
)
def test_readings_are_all_that_both_equations_allow(centre, cations, hydrogen, electrons):
    found = assignments(formula_of({**cations, centre: 1, "H": hydrogen}), (electrons,))
    for assignment in found:
        assert GROUP[centre] + assignment.n + assignment.q == electrons
        assert sum(cation.count * cation.charge for cation in assignment.cations) == assignment.q + assignment.m
        assert assignment.n + assignment.m == hydrogen
    charges = {0}
    for symbol, count in cations.items():
        charges = {total + count * charge for total in charges for charge in CATION_CHARGES[symbol]}
    expected = {
        (n, hydrogen - n, charge)
        for charge in charges
        for n in range(1, hydrogen + 1)
        for q in (charge - (hydrogen - n),)
        if GROUP[centre] + n + q == electrons and q >= 1 and hydrogen - n <= 6
    }
    assert {(assignment.n, assignment.m, assignment.cation_charge) for assignment in found} == expected


@pytest.mark.parametrize(
    ("formula", "problem", "nearest"),
    [
        ("K2ReH8", "half a hydrogen is left over", "K2ReH9"),
        ("K2ReH5", ": 2 hydrogens too few", "K2ReH9"),
        ("Mg3CrH4", ": 1 hydrogens too few", "Mg3CrH8"),
        ("KReH24", "more than 6 interstitial hydrides", None),
        ("KReH12", "the anion would carry no negative charge", "KReH10"),
        ("Ca3Ir2H12", "2 Ir centres share 3 Ca and 12 H", None),
        ("Ca3Ir2H12", "each is [IrH6]3-", None),
        ("Ca6Ir4H24", "each is [IrH6]3-", None),
        ("Ba3Ir2H12", "each is [IrH6]3-", None),
        ("Mg6Co2H11", "n = 4.25, q = 4.75", None),
    ],
)
def test_a_diagnosis_says_what_is_missing(formula, problem, nearest):
    diagnosis = diagnose(formula)
    assert problem in diagnosis.problem
    assert nearest is None or nearest in diagnosis.nearest
    for name in diagnosis.nearest:
        assert assignments(name), f"{name} is offered and has no assignment"


@given(st.sampled_from(sorted(GROUP)), st.integers(2, 4), st.integers(1, 9), st.data())
def test_equal_centres_that_share_their_cations_are_named(centre, number, n, data):
    """Built from anions that balance: k [MH_n]^q- with K+, and hydride ions that do not divide among them."""
    q = 18 - GROUP[centre] - n
    left = data.draw(st.sampled_from([extra for extra in range(1, 9) if extra % number]))
    if q < 1 or centre in CATION_CHARGES:
        return
    amounts = {"K": number * q + left, centre: number, "H": number * n + left}
    formula = formula_of(amounts)
    assert assignments(formula) == []
    problem = diagnose(formula).problem
    charge = "" if q == 1 else q
    assert f"each is [{centre}H{n if n > 1 else ''}]{charge}-" in problem
    assert "can be the centre" not in problem


@pytest.mark.parametrize("formula", ["K2SiReH9", "ReH9", "KSiH5", "K3Re2H18"])
def test_what_has_no_centre_or_another_element_has_no_assignment(formula):
    assert assignments(formula) == []
    assert diagnose(formula).problem
