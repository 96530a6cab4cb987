"""Reference phases above the hull of the others, against pymatgen's phase diagram."""

import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from ninefold.chemistry.formula import parse_formula
from ninefold.thermo.own_hull import heights
from ninefold.thermo.phase import Phase


def phase(formula, energy, kind="binary", name=None, refuted=None):
    amounts = {symbol: float(amount) for symbol, amount in parse_formula(formula).items()}
    return Phase(name or formula, formula, amounts, energy, kind=kind, refuted=refuted)


PHASES = [
    phase("K", -1.0, "element"), phase("Re", -12.0, "element"), phase("H2", -3.4, "molecule"), phase("KH", -2.6),
    phase("KH", -2.5, name="KH CsCl"), phase("K2ReH9", -4.35, "known_hydride"),
]  # fmt: skip
HIGH = phase("K3ReH6", -3.6, "known_hydride", "K3ReH6 cryolite")


def hull_of(others, of):
    """pymatgen's, of the other compositions."""
    entries = [PDEntry(Composition(each.formula), each.energy_per_atom * sum(each.amounts.values())) for each in others]
    own = Composition(of.formula).reduced_formula
    return PhaseDiagram([entry for entry in entries if entry.composition.reduced_formula != own])


def oracle(of, others):
    return of.energy_per_atom - hull_of(others, of).get_hull_energy_per_atom(Composition(of.formula))


def test_distances_are_those_to_the_hull_of_the_other_compositions_farthest_first():
    found = {height.name: height for height in heights([*PHASES, HIGH])}
    assert list(found) == sorted(found, key=lambda name: -found[name].distance)
    assert set(found) == {"KH", "K2ReH9", "K3ReH6 cryolite"}, "no elements, the lower structure of a composition alone"
    for each in (HIGH, PHASES[5]):
        assert found[each.name].distance == pytest.approx(oracle(each, [*PHASES, HIGH]), abs=1e-9)
    assert found["KH"].distance == pytest.approx(-2.6 - (-1.0 - 3.4) / 2)
    products = hull_of(PHASES, HIGH).get_decomposition(Composition("K3ReH6"))
    assert set(found["K3ReH6 cryolite"].products) == {entry.composition.reduced_formula for entry in products}


def test_a_refuted_phase_is_judged_and_carries_no_hull():
    low = phase("K3ReH6", -6.0, "known_hydride", "K3ReH6 cryolite", refuted="cell estimated")
    found = {height.name: height for height in heights([*PHASES, low])}
    assert found["K3ReH6 cryolite"].refuted == "cell estimated"
    assert found["K3ReH6 cryolite"].distance < 0
    assert found["K2ReH9"].distance == pytest.approx(oracle(PHASES[5], PHASES), abs=1e-9)


def test_a_system_that_lacks_an_element_is_left_out():
    assert {height.name for height in heights([each for each in PHASES if each.formula != "Re"])} == {"KH"}
