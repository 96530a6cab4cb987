"""Distances of complex hydrides to the hull of all others, by each method: pymatgen as the oracle, and balance."""

from collections import Counter

import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from ninefold.chemistry.formula import parse_formula
from ninefold.report.trust_hulls import heights, heights_by_method
from ninefold.trust.errors import EngineErrors, PhaseErrors

FORMATIONS = {
    "K bcc": ("K", 0.0), "Re hcp": ("Re", 0.0), "H2 molecule": ("H2", 0.0), "KH rocksalt": ("KH", -0.40),
    "K2ReH9 K2ReH9": ("K2ReH9", -0.31), "K3ReH10 Amm2": ("K3ReH10", -0.34), "K3ReH8 Cmcm": ("K3ReH8", -0.25),
    "K4ReH7 Pm": ("K4ReH7", -0.20), "MgH2 rutile": ("MgH2", -0.20),
}  # fmt: skip
FORMULAS = {name: formula for name, (formula, _) in FORMATIONS.items()}
ENERGIES = {name: energy for name, (_, energy) in FORMATIONS.items()}
COMPLEXES = [name for name in FORMATIONS if "Re" in FORMULAS[name] and "H" in FORMULAS[name]]


def test_distances_are_pymatgen_s():
    system = [name for name in FORMATIONS if "Mg" not in FORMULAS[name]]
    entries = {
        name: PDEntry(Composition(FORMULAS[name]), ENERGIES[name] * Composition(FORMULAS[name]).num_atoms)
        for name in system
    }
    found = {height.name: height for height in heights(ENERGIES, FORMULAS)}
    assert list(found) == COMPLEXES
    for name in COMPLEXES:
        others = PhaseDiagram([entry for other, entry in entries.items() if other != name])
        expected = others.get_decomp_and_e_above_hull(entries[name], allow_negative=True)[1]
        assert found[name].distance == pytest.approx(expected, abs=1e-10)
    assert min(height.distance for height in found.values()) < 0 < max(height.distance for height in found.values())


def test_every_equation_balances():
    for height in heights(ENERGIES, FORMULAS):
        assert height.equation is not None
        total: Counter[str] = Counter()
        for sign, side in ((-1, height.equation.left), (1, height.equation.right)):
            for amount, formula in side:
                for symbol, count in parse_formula(formula).items():
                    total[symbol] += sign * amount * count
        assert set(total.values()) == {0}, height.name


def test_a_phase_without_energy_is_named_with_its_system_and_does_not_compete():
    without = {height.name: height for height in heights({**ENERGIES, "K3ReH10 Amm2": None}, FORMULAS)}
    assert set(without) == set(COMPLEXES) - {"K3ReH10 Amm2"}
    assert {height.missing for height in without.values()} == {("K3ReH10 Amm2",)}
    whole = {height.name: height for height in heights(ENERGIES, FORMULAS)}
    assert without["K2ReH9 K2ReH9"].distance < whole["K2ReH9 K2ReH9"].distance
    # a system without one of its elements has no hull
    assert heights({**ENERGIES, "Re hcp": None}, FORMULAS) == []


def test_each_method_has_its_own_hull():
    def phase(name: str, engine: float | None) -> PhaseErrors:
        formula, energy = FORMATIONS[name]
        dft = None if len(parse_formula(formula)) == 1 else energy
        return PhaseErrors(name, formula, "complex", None, None, dft, engine, None, None, None, None, None, None, None,
                           None, None)  # fmt: skip

    # an engine that is 0.1 eV/atom too low for each complex, and says nothing of elements
    phases = [phase(name, energy - 0.1 * (name in COMPLEXES)) for name, energy in ENERGIES.items()]
    found = heights_by_method([EngineErrors("an engine", "", None, None, phases)])
    assert list(found) == ["DFT", "an engine"]
    for name in COMPLEXES:
        # products that are complexes themselves are as wrong
        assert -0.1 - 1e-9 <= found["an engine"][name].distance - found["DFT"][name].distance <= 1e-9
    assert found["an engine"]["K2ReH9 K2ReH9"].distance < found["DFT"]["K2ReH9 K2ReH9"].distance
