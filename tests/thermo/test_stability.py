"""Hull distances against pymatgen, and the laws that they obey."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from ninefold.chemistry.equations import decomposition
from ninefold.thermo import Condition, Phase, StabilitySettings, assess, chemical_potential_per_atom
from ninefold.thermo.ensembles import EV_PER_GPA_A3
from ninefold.thermo.lower_hull import LowerHull

ELEMENTS = ("K", "Re", "H", "Mg")
STATIC = StabilitySettings(conditions=())


def element(symbol, energy=0.0):
    kind, volume = ("molecule", None) if symbol == "H" else ("element", 15.0)
    return Phase(f"pure {symbol}", "H2" if symbol == "H" else symbol, {symbol: 1}, energy, volume, kind)


def phase(formula, energy, volume=12.0, kind="candidate", name=None, **more):
    amounts = {str(symbol): int(count) for symbol, count in Composition(formula).items()}
    return Phase(name or formula, formula, amounts, energy, volume, kind, **more)


def written(amounts):
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in amounts.items())


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
        references.append(Phase(f"reference {index}", written(present), present, draw(energies), 10.0, kind))
    full = st.lists(st.integers(1, 6), min_size=len(elements), max_size=len(elements))
    candidates = [
        Phase(
            f"candidate {index}", written(dict(zip(elements, counts, strict=True))),
            dict(zip(elements, counts, strict=True)), draw(energies), 10.0, centre=elements[-1],
        )
        for index, counts in enumerate(draw(st.lists(full, min_size=1, max_size=4)))
    ]  # fmt: skip
    return candidates, references


@given(systems())
@settings(max_examples=120, deadline=None)
def test_distances_are_pymatgen_s(system):
    candidates, references = system
    for candidate, stability in zip(candidates, assess(candidates, references, STATIC), strict=True):
        for distance, pool in (
            (stability.phase_separation_energy, [*references, *candidates]),
            (stability.e_above_references, references),
        ):
            others = [other for other in pool if other.composition != candidate.composition]
            diagram = PhaseDiagram([entry(other) for other in others])
            _, oracle = diagram.get_decomp_and_e_above_hull(entry(candidate), allow_negative=True)
            assert distance == pytest.approx(oracle, abs=1e-6)
        everything = PhaseDiagram([entry(other) for other in (*references, *candidates)])
        assert stability.e_above_hull == pytest.approx(everything.get_e_above_hull(entry(candidate)), abs=1e-6)
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
        assert stability.phase_separation_energy == pytest.approx(oracle, abs=1e-3)


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
        assert candidate.energy_per_atom - energy == pytest.approx(stability.phase_separation_energy, abs=1e-6)
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
        assert result.phase_separation_energy == pytest.approx(oracle * metals / size, abs=1e-6)
        everyone = [gibbs(other) for other in (*references, *candidates) if set(other.amounts) != {"H"}]
        diagram = GrandPotentialPhaseDiagram([*everyone, PDEntry(Composition("H"), 0)], {Element("H"): potential})
        above = diagram.get_decomp_and_e_above_hull(own, allow_negative=True)[1] * metals / size
        assert result.e_above_hull == pytest.approx(max(above, 0), abs=1e-6)


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
        assert after.phase_separation_energy == pytest.approx(before.phase_separation_energy, abs=1e-7)
        assert after.e_above_hull == pytest.approx(before.e_above_hull, abs=1e-7)
        assert after.formation_energy_per_atom == pytest.approx(before.formation_energy_per_atom, abs=1e-7)


def example():
    """K-Re-H with K2ReH9 0.1 eV/atom below KH + Re + H2, and a published structure 2 meV above it."""
    references = [
        element("K"), element("Re"), element("H"), phase("KH", -0.3, kind="binary"),
        phase("K2ReH9", -0.198, kind="known_hydride", name="K2ReH9 published"),
    ]  # fmt: skip
    return phase("K2ReH9", -0.2, name="K2ReH9 found", centre="Re"), references


def test_worked_example():
    candidate, references = example()
    [stability] = assess([candidate], references, STATIC)
    assert stability.e_above_references == pytest.approx(-0.2 + 4 / 12 * 0.3)
    assert stability.phase_separation_energy == stability.e_above_references
    assert stability.e_above_hull == 0
    assert stability.e_above_same_composition == 0
    assert stability.search_scatter is None
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
    assert without.phase_separation_energy == stability.phase_separation_energy


def test_above_a_published_polymorph_is_above_the_hull():
    candidate, references = example()
    lower = phase("K2ReH9", -0.28, kind="known_hydride", name="K2ReH9 lower")
    [stability] = assess([candidate], [*references, lower], STATIC)
    assert stability.phase_separation_energy == pytest.approx(-0.1)
    assert stability.e_above_hull == stability.e_above_same_composition == pytest.approx(0.08)


def test_uncertainty_is_what_repeated_searches_scattered_by():
    _, references = example()
    once = phase("K2ReH9", -0.2, centre="Re")
    twice = phase("K2ReH9", -0.2, centre="Re", search_spread=0.003)
    rich = phase("K3ReH10", -0.28, name="K3ReH10 found", centre="Re", search_spread=0.014)
    assert assess([once], references, STATIC)[0].search_scatter is None
    assert assess([twice], references, STATIC)[0].search_scatter == 0.003
    stability = assess([twice, rich], references, STATIC)[0]
    [share] = [item.fraction for item in stability.decomposition if item.name == "K3ReH10 found"]
    assert share == pytest.approx(2 / 3 * 14 / 12)
    assert stability.search_scatter == pytest.approx(0.003 + share * 0.014)


def test_refuted_structures_carry_no_hull_and_stand_beside_their_composition():
    candidate, references = example()
    refuted = phase("K3ReH6", -1.0, kind="known_hydride", name="K3ReH6 cryolite", refuted="cell estimated")
    [stability] = assess([candidate], [*references, refuted], STATIC)
    assert stability.phase_separation_energy == pytest.approx(-0.1)
    assert stability.ternaries == ["K3ReH6 cryolite (not in the hull: cell estimated)"]
    [own] = assess([phase("K3ReH6", -0.9, centre="Re")], [*references, refuted], STATIC)
    assert (own.e_above_same_composition, own.known[0].refuted) == (0, "cell estimated")


def test_known_compounds_that_were_searched_are_references():
    candidate, references = example()
    known = phase("K3ReH6", -0.6, kind="known, searched", name="K3ReH6 searched", centre="Re")
    stability, of_known = assess([candidate, known], references, STATIC)
    assert stability.e_above_references == pytest.approx(stability.phase_separation_energy)
    assert "K3ReH6 searched" in {item.name for item in stability.decomposition}
    assert stability.ternaries == ["K3ReH6 searched"]
    assert of_known.known == []
    assert of_known.ternaries == ["K2ReH9 published"]


def test_other_candidates_may_be_left_out_of_the_hull():
    candidate, references = example()
    better = phase("K3ReH8", -0.5)
    alone = StabilitySettings(conditions=(), candidates_compete=False)
    stability = assess([candidate, better], references, alone)[0]
    assert stability.phase_separation_energy == stability.e_above_references == pytest.approx(-0.1)


def test_at_a_pressure_the_minimum_with_the_lowest_enthalpy_counts():
    _, references = example()
    dense = phase("K2ReH9", -0.15, volume=8.0, name="dense")
    open_one = phase("K2ReH9", -0.2, volume=14.0, name="open", centre="Re", polymorphs=(dense,))
    at = StabilitySettings(conditions=[{"temperature_K": 973, "pressure_GPa": p} for p in (1e-4, 5)])
    [stability] = assess([open_one], references, at)
    assert [condition.minimum for condition in stability.conditions] == ["open", "dense"]
    alone = assess([phase("K2ReH9", -0.15, volume=8.0, centre="Re")], references, at)[0].conditions[1]
    assert stability.conditions[1].phase_separation_energy == pytest.approx(alone.phase_separation_energy)
    # (E + pV) of the two: 0.05 - 5 * 6 / 160.2 < 0
    by_hand = (-0.15 + 5 * 8 / 160.21766) - (-0.2 + 5 * 14 / 160.21766)
    open_alone = assess([phase("K2ReH9", -0.2, volume=14.0, centre="Re")], references, at)[0].conditions[1]
    assert alone.phase_separation_energy - open_alone.phase_separation_energy == pytest.approx(by_hand)


def test_a_competitor_takes_its_densest_minimum_too():
    candidate, references = example()
    dense = phase("K3ReH10", -0.1, volume=6.0, name="K3ReH10 dense")
    other = phase("K3ReH10", -0.12, volume=15.0, name="K3ReH10 open", polymorphs=(dense,))
    at = StabilitySettings(conditions=[{"temperature_K": 973, "pressure_GPa": 5}])
    [condition] = assess([candidate, other], references, at)[0].conditions
    assert "K3ReH10 dense" in {item.name for item in condition.decomposition}
    assert condition.e_above_references < condition.phase_separation_energy


def test_other_candidates_compete_and_two_readings_of_one_composition_do_not():
    candidate, references = example()
    better = phase("K3ReH8", -0.5)
    again = phase("K2ReH9", -0.25, name="another assignment")
    stability = assess([candidate, again, better], references, STATIC)[0]
    assert stability.e_above_same_composition == pytest.approx(0.05)
    assert stability.e_above_references == pytest.approx(-0.1)
    assert stability.phase_separation_energy > stability.e_above_references
    assert {competitor.kind for competitor in stability.decomposition} >= {"candidate"}
    assert "another assignment" not in {competitor.name for competitor in stability.decomposition}


def test_hydrogen_that_must_be_taken_up_is_negative():
    _, references = example()
    poor = phase("K2ReH3", -0.05)
    rich = phase("K2ReH9", -0.5, kind="known_hydride", name="richer")
    condition = Condition(temperature_K=300, pressure_GPa=5)
    result = assess([poor], [*references[:4], rich], StabilitySettings(conditions=(condition,)))[0].conditions[0]
    assert [(c.formula, round(c.fraction, 4)) for c in result.decomposition] == [("K2ReH9", 2.0), ("H2", -1.0)]
    assert result.phase_separation_energy > 0


def test_pressure_makes_the_hydride():
    _, references = example()
    weak = phase("K2ReH9", -0.08)
    conditions = tuple(Condition(temperature_K=973, pressure_GPa=p) for p in (1e-4, 0.1, 5))
    [stability] = assess([weak], references, StabilitySettings(conditions=conditions))
    distances = [at.phase_separation_energy for at in stability.conditions]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0


def test_the_reaction_is_the_synthesis_whatever_the_hull_holds():
    candidate, references = example()
    rich = [
        phase("K3ReH10", -1.0, centre="Re"),
        phase("KReH4", -1.0, kind="ternary"),
        phase("ReH", -2.0, kind="binary"),
    ]
    for others in ([], rich):
        stability = assess([candidate, *others], references, STATIC)[0]
        assert stability.reaction == "2 KH + Re + 7/2 H2 -> K2ReH9"
        assert stability.reaction_energy_per_h2 == pytest.approx(-0.1 * 12 / 3.5 * 96.485, abs=1e-3)


def test_a_reaction_that_binds_no_hydrogen_has_no_energy_per_hydrogen():
    _, references = example()
    [stability] = assess([phase("K4ReH4", -0.1, centre="Re")], references, STATIC)
    assert stability.reaction == "4 KH + Re -> K4ReH4"
    assert stability.reaction_energy_per_h2 is None
    [poorer] = assess([phase("K4ReH2", -0.1, centre="Re")], references, STATIC)
    assert poorer.reaction == "4 KH + Re -> K4ReH2 + H2"


@given(systems())
@settings(max_examples=80, deadline=None)
def test_every_equation_of_an_assessment_balances(system):
    candidates, references = system
    condition = Condition(temperature_K=900, pressure_GPa=1)
    for candidate, stability in zip(
        candidates, assess(candidates, references, StabilitySettings(conditions=(condition,))), strict=True
    ):
        products = [[item.formula for item in part] for part in (
            stability.decomposition, *(at.decomposition for at in stability.conditions)
        )]  # fmt: skip
        texts = [stability.reaction, *(str(decomposition(candidate.formula, some)) for some in products)]
        for text in texts:
            sides = []
            for side in text.split(" -> "):
                total = Counter()
                for term in side.split(" + "):
                    amount, _, name = term.rpartition(" ")
                    for symbol, count in Composition(name).items():
                        total[symbol] += Fraction(amount or 1) * Fraction(count)
                sides.append({symbol: count for symbol, count in total.items() if count})
            assert sides[0] == sides[1], text


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
    [{"conditions": [{"temperature_K": 50, "pressure_GPa": 1}]}, {"noise_eV_per_atom": -1}, {"noise_eV_per_atom": 1.1},
     {"conditions": [{"temperature_K": 300, "pressure_GPa": 20}]}, {"unknown": 1}],
)  # fmt: skip
def test_settings_refuse_what_cannot_be(settings_):
    with pytest.raises(ValueError, match="validation error"):
        StabilitySettings(**settings_)
