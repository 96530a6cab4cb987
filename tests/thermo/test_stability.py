"""Hull distances against pymatgen, and the laws that they obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from ninefold.thermo import Condition, Phase, StabilitySettings, assess, chemical_potential_per_atom
from ninefold.thermo.hull import LowerHull
from ninefold.thermo.stability import EV_PER_GPA_A3

ELEMENTS = ("K", "Re", "H", "Mg")
STATIC = StabilitySettings(conditions=())


def element(symbol, energy=0.0):
    kind, volume = ("molecule", None) if symbol == "H" else ("element", 15.0)
    return Phase(f"pure {symbol}", "H2" if symbol == "H" else symbol, {symbol: 1}, energy, volume, kind)


def phase(formula, energy, volume=12.0, kind="candidate", name=None):
    amounts = {str(symbol): int(count) for symbol, count in Composition(formula).items()}
    return Phase(name or formula, formula, amounts, energy, volume, kind)


def entry(phase):
    return PDEntry(Composition(dict(phase.amounts)), phase.energy_per_atom * sum(phase.amounts.values()))


@st.composite
def systems(draw):
    elements = ("H", *draw(st.permutations(ELEMENTS[:2] + ELEMENTS[3:]))[: draw(st.integers(1, 3))])
    energies = st.floats(-3, 1)
    references = [element(symbol, draw(energies)) for symbol in elements]
    amounts = st.lists(st.integers(0, 4), min_size=len(elements), max_size=len(elements)).filter(any)
    for index, counts in enumerate(draw(st.lists(amounts, max_size=12))):
        present = {symbol: count for symbol, count in zip(elements, counts, strict=True) if count}
        kind = "element" if len(present) == 1 else "binary"
        references.append(Phase(f"reference {index}", f"R{index}", present, draw(energies), 10.0, kind))
    full = st.lists(st.integers(1, 6), min_size=len(elements), max_size=len(elements))
    candidates = [
        Phase(f"candidate {index}", f"C{index}", dict(zip(elements, counts, strict=True)), draw(energies), 10.0)
        for index, counts in enumerate(draw(st.lists(full, min_size=1, max_size=4)))
    ]
    return candidates, references


@given(systems())
@settings(max_examples=120, deadline=None)
def test_distances_are_pymatgen_s(system):
    candidates, references = system
    for candidate, stability in zip(candidates, assess(candidates, references, STATIC), strict=True):
        for distance, pool in (
            (stability.e_above_hull, [*references, *candidates]),
            (stability.e_above_references, references),
        ):
            others = [other for other in pool if other.composition != candidate.composition]
            diagram = PhaseDiagram([entry(other) for other in others])
            _, oracle = diagram.get_decomp_and_e_above_hull(entry(candidate), allow_negative=True)
            assert distance == pytest.approx(oracle, abs=1e-6)
        everything = PhaseDiagram([entry(other) for other in (*references, *candidates)])
        assert stability.formation_energy_per_atom == pytest.approx(
            everything.get_form_energy_per_atom(entry(candidate)), abs=1e-6
        )


@given(systems())
@settings(max_examples=60, deadline=None)
def test_phase_separation_energy_is_pymatgen_s(system):
    candidates, references = system
    if len({candidate.composition for candidate in (*candidates, *references)}) < len(candidates) + len(references):
        return  # pymatgen keeps a phase of the same composition among the competitors
    diagram = PhaseDiagram([entry(other) for other in (*references, *candidates)])
    for candidate, stability in zip(candidates, assess(candidates, references, STATIC), strict=True):
        own = next(
            known for known in diagram.all_entries
            if known.composition == Composition(dict(candidate.amounts))
        )  # fmt: skip
        oracle = diagram.get_phase_separation_energy(own, stable_only=False)
        # pymatgen minimises this one with SLSQP, which stops short by some 1e-5 eV; the hulls above are exact
        assert stability.e_above_hull == pytest.approx(oracle, abs=1e-3)


@given(systems())
@settings(max_examples=120, deadline=None)
def test_the_decomposition_has_the_candidates_atoms_and_the_hull_s_energy(system):
    candidates, references = system
    phases = {phase.name: phase for phase in (*candidates, *references)}
    for candidate, stability in zip(candidates, assess(candidates, references, STATIC), strict=True):
        fractions = dict(candidate.composition)
        for symbol, fraction in fractions.items():
            total = sum(
                competitor.fraction * dict(phases[competitor.name].composition).get(symbol, 0)
                for competitor in stability.decomposition
            )
            assert total == pytest.approx(fraction, abs=1e-6)
        energy = sum(competitor.fraction * competitor.energy_per_atom for competitor in stability.decomposition)
        assert candidate.energy_per_atom - energy == pytest.approx(stability.e_above_hull, abs=1e-6)
        others = {phases[competitor.name].composition for competitor in stability.decomposition}
        assert candidate.composition not in others


@given(systems(), st.floats(200, 1200), st.floats(1e-4, 10))
@settings(max_examples=60, deadline=None)
def test_hydrogen_gas_is_pymatgen_s_grand_potential(system, temperature, pressure):
    candidates, references = system
    condition = Condition(temperature_K=temperature, pressure_GPa=pressure)
    molecule = min(
        (phase for phase in references if set(phase.amounts) == {"H"}), key=lambda phase: phase.energy_per_atom
    )
    potential = molecule.energy_per_atom + chemical_potential_per_atom(temperature, pressure)
    results = assess(candidates, references, StabilitySettings(conditions=(condition,)))

    def gibbs(phase):
        size = sum(phase.amounts.values())
        energy = phase.energy_per_atom + pressure * (phase.volume_per_atom or 0) * EV_PER_GPA_A3
        return PDEntry(Composition(dict(phase.amounts)), energy * size)

    for candidate, stability in zip(candidates, results, strict=True):
        solids = [
            gibbs(other)
            for other in (*references, *candidates)
            if other.composition != candidate.composition and set(other.amounts) != {"H"}
        ]
        probe = gibbs(candidate)
        diagram = GrandPotentialPhaseDiagram([*solids, PDEntry(Composition("H"), 0)], {Element("H"): potential})
        from pymatgen.analysis.phase_diagram import GrandPotPDEntry

        own = GrandPotPDEntry(probe, {Element("H"): potential})
        size = sum(candidate.amounts.values())
        metals = size - candidate.amounts["H"]
        _, oracle = diagram.get_decomp_and_e_above_hull(own, allow_negative=True)
        [result] = stability.conditions
        assert result.e_above_hull == pytest.approx(oracle * metals / size, abs=1e-6)


@given(systems(), st.floats(-2, 2))
@settings(max_examples=40, deadline=None)
def test_the_zero_of_an_element_does_not_matter(system, shift):
    candidates, references = system
    moved = [
        [
            Phase(p.name, p.formula, p.amounts, p.energy_per_atom + shift * p.hydrogen, p.volume_per_atom, p.kind)
            for p in phases
        ]
        for phases in system
    ]
    for before, after in zip(assess(candidates, references, STATIC), assess(*moved, STATIC), strict=True):
        assert after.e_above_hull == pytest.approx(before.e_above_hull, abs=1e-7)
        assert after.formation_energy_per_atom == pytest.approx(before.formation_energy_per_atom, abs=1e-7)


def example():
    """K-Re-H with K2ReH9 0.1 eV/atom below KH + Re + H2, and a published structure 2 meV above it."""
    references = [
        element("K"), element("Re"), element("H"), phase("KH", -0.3, kind="binary"),
        phase("K2ReH9", -0.198, kind="known_hydride", name="K2ReH9 published"),
    ]  # fmt: skip
    return phase("K2ReH9", -0.2, name="K2ReH9 found"), references


def test_worked_example():
    candidate, references = example()
    [stability] = assess([candidate], references, STATIC)
    assert stability.e_above_references == pytest.approx(-0.2 + 4 / 12 * 0.3)
    assert stability.e_above_hull == stability.e_above_references
    assert stability.e_above_hull_uncertainty == 0.020
    assert stability.formation_energy_per_atom == pytest.approx(-0.2)
    assert [(phase.formula, round(phase.fraction, 6)) for phase in stability.decomposition] == [
        ("H2", 0.583333), ("KH", 0.333333), ("Re", 0.083333)
    ]  # fmt: skip
    assert stability.reaction == "2 KH + Re + 7/2 H2 -> K2ReH9"
    assert stability.reaction_energy_per_h2 == pytest.approx(-0.1 * 12 / 3.5 * 96.485, abs=1e-3)
    assert "hydrogen: pure H" in stability.notes


def test_a_published_structure_stands_beside_the_hull():
    candidate, references = example()
    [stability] = assess([candidate], references, STATIC)
    [known] = stability.known
    assert known.name == "K2ReH9 published"
    assert known.difference == pytest.approx(-0.002)
    without = assess([candidate], [phase for phase in references if phase.kind != "known_hydride"], STATIC)[0]
    assert without.e_above_hull == stability.e_above_hull


def test_other_candidates_compete_and_two_readings_of_one_composition_do_not():
    candidate, references = example()
    better = phase("K3ReH8", -0.5)
    again = phase("K2ReH9", -0.25, name="another reading")
    stability = assess([candidate, again, better], references, STATIC)[0]
    assert stability.e_above_references == pytest.approx(-0.1)
    assert stability.e_above_hull > stability.e_above_references
    assert {competitor.kind for competitor in stability.decomposition} >= {"candidate"}
    assert "another reading" not in {competitor.name for competitor in stability.decomposition}


def test_hydrogen_that_must_be_taken_up_is_negative():
    _, references = example()
    poor = phase("K2ReH3", -0.05)
    rich = phase("K2ReH9", -0.5, kind="known_hydride", name="richer")
    condition = Condition(temperature_K=300, pressure_GPa=5)
    result = assess([poor], [*references[:4], rich], StabilitySettings(conditions=(condition,)))[0].conditions[0]
    assert [(c.formula, round(c.fraction, 4)) for c in result.decomposition] == [("K2ReH9", 2.0), ("H2", -1.0)]
    assert result.e_above_hull > 0


def test_pressure_makes_the_hydride():
    _, references = example()
    weak = phase("K2ReH9", -0.08)
    conditions = tuple(Condition(temperature_K=973, pressure_GPa=p) for p in (1e-4, 0.1, 5))
    [stability] = assess([weak], references, StabilitySettings(conditions=conditions))
    distances = [at.e_above_hull for at in stability.conditions]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0


def test_no_reaction_where_the_competitors_hold_all_the_hydrogen():
    _, references = example()
    [stability] = assess([phase("K4ReH4", -0.1)], [*references, phase("KReH4", -1.0, kind="ternary")], STATIC)
    assert stability.reaction is None
    assert stability.reaction_energy_per_h2 is None


def test_without_an_element_there_is_no_hull():
    candidate, references = example()
    [stability] = assess([candidate], [phase for phase in references if phase.name != "pure Re"], STATIC)
    assert stability.e_above_hull is None
    assert stability.notes == ["no hull: no reference phase of pure Re"]


def test_frozen_hydrogen_is_said():
    candidate, references = example()
    at = StabilitySettings(conditions=(Condition(temperature_K=300, pressure_GPa=8),))
    assert any("solid" in note for note in assess([candidate], references, at)[0].conditions[0].notes)


def test_nothing_in_nothing_out():
    assert assess([], example()[1], STATIC) == []


def test_many_entries_in_a_moment():
    import time

    random = np.random.default_rng(0)
    references = [element(symbol) for symbol in ELEMENTS]
    for index in range(2000):
        amounts = {s: int(n) for s, n in zip(ELEMENTS, random.integers(1, 20, 4), strict=True)}
        references.append(Phase(f"{index}", f"P{index}", amounts, random.normal(-0.5, 0.2), 10.0, "binary"))
    candidates = [phase(f"K{a}Re{b}H{c}Mg{d}", -0.5) for a, b, c, d in random.integers(21, 40, (200, 4)).tolist()]
    start = time.process_time()
    assess(candidates, references, STATIC)
    assert time.process_time() - start < 10


def test_a_hull_without_a_corner_is_refused():
    with pytest.raises(ValueError, match="component 1"):
        LowerHull(np.array([[1.0, 0.0], [0.5, 0.5]]), np.zeros(2))


@pytest.mark.parametrize(
    "settings_",
    [{"conditions": [{"temperature_K": 50, "pressure_GPa": 1}]}, {"noise_eV_per_atom": -1},
     {"conditions": [{"temperature_K": 300, "pressure_GPa": 20}]}, {"unknown": 1}],
)  # fmt: skip
def test_settings_refuse_what_cannot_be(settings_):
    with pytest.raises(ValueError, match="validation error"):
        StabilitySettings(**settings_)
