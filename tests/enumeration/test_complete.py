"""Every composition of a complete search, against loops that know the two equations alone."""

import itertools

import pytest

from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.formula import parse_formula
from ninefold.enumeration import complete_assignments


def by_loops(elements):
    """Amounts of every composition, and the electron counts of its assignments."""
    metals = sorted(set(elements) - {"H"})
    found = {}
    for centre in metals:
        cations = [symbol for symbol in metals if symbol != centre and symbol in CATION_CHARGES]
        if centre not in GROUP:
            continue
        charges = [[(symbol, charge) for charge in CATION_CHARGES[symbol]] for symbol in cations]
        for counts in itertools.product(range(11), repeat=len(cations)):
            if not 1 <= sum(counts) <= 10:
                continue
            for chosen in itertools.product(*charges):
                total = sum(count * charge for count, (_, charge) in zip(counts, chosen, strict=True))
                for n, m in itertools.product(range(4, 10), range(4)):
                    q = total - m
                    electrons = GROUP[centre] + n + q
                    if q >= 1 and 16 <= electrons <= 18:
                        amounts = {s: c for (s, _), c in zip(chosen, counts, strict=True) if c}
                        amounts |= {centre: 1, "H": n + m}
                        found.setdefault(frozenset(amounts.items()), set()).add(electrons)
    return found


@pytest.mark.parametrize(
    ("elements", "number"),
    [
        ("K Re H", 53), ("Li Mo H", 56), ("Mg Cr H", 29), ("K Na Re H", None), ("Sc Y H", None), ("Eu Fe H", None),
        ("Re H", 0), ("K Mg H", 0), ("K Re", 0),
    ],
)  # fmt: skip
def test_a_complete_search_holds_every_composition_once(elements, number):
    expected = {} if "H" not in elements.split() else by_loops(elements.split())
    assignments = complete_assignments(elements.split())
    assert len(assignments) == len({each.formula for each in assignments}) == len(expected)
    if number is not None:
        assert len(assignments) == number
    assert {frozenset(each.amounts.items()) for each in assignments} == expected.keys()
    for each in assignments:
        assert parse_formula(each.formula) == each.amounts
        assert each.cation_charge == each.q + each.m
        assert each.electron_count == max(expected[frozenset(each.amounts.items())]), "18 electrons before 16"


def test_the_systems_within_a_system_belong_to_it():
    every = {each.formula for each in complete_assignments({"K", "Na", "Re", "H"})}
    for part in ({"K", "Re", "H"}, {"Na", "Re", "H"}):
        assert {each.formula for each in complete_assignments(part)} < every
