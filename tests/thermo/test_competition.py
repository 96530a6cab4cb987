"""How complete a hull is, and facts that must hold."""

import pytest

from ninefold.chemistry.compounds import known_compounds
from ninefold.thermo import Phase, StabilitySettings
from ninefold.thermo.competition import facets_of, is_guess, searched_of
from ninefold.thermo.facts import Verdict, facts_of, summary, verdict_on, verdict_text
from ninefold.thermo.system import ChemicalSystem


def phase(formula, amounts, energy, kind="binary", provenance="published", volume=10.0):
    return Phase(formula, formula, amounts, energy, volume, kind, provenance=provenance)


def potassium_rhenium(energy):
    references = [
        phase("K", {"K": 1}, 0.0, "element"), phase("Re", {"Re": 1}, 0.0, "element"),
        phase("H2", {"H": 2}, 0.0, "molecule", volume=None), phase("KH", {"K": 1, "H": 1}, -0.3),
    ]  # fmt: skip
    candidate = phase("K2ReH9", {"K": 2, "Re": 1, "H": 9}, energy, "candidate", "")
    return ChemicalSystem(frozenset({"K", "Re", "H"}), [candidate], references, StabilitySettings())


def test_a_complete_search_holds_every_composition_of_both_equations():
    """By hand: K, Re, E electrons, n and m give x = E - 7 - n + m cations; two (n, m, E) can be one formula."""
    formulas = {
        (electrons - 7 - n + m, n + m)
        for electrons in (16, 17, 18) for n in range(4, 10) for m in range(4) if electrons - 7 - n >= 1
        and electrons - 7 - n + m <= 10
    }  # fmt: skip
    found = searched_of({"K", "Re", "H"}, [], [])
    assert len(found.wanted) == len(formulas)
    assert {"K2ReH9", "K3ReH6", "K3ReH10"} <= set(found.wanted)
    assert not found.is_complete
    assert "0 of" in found.describe()
    every = searched_of({"K", "Re", "H"}, found.wanted, found.wanted[:3])
    assert every.is_complete
    assert every.with_structure == found.wanted[:3]


def test_a_system_without_a_centre_has_nothing_to_search():
    assert searched_of({"K", "Mg", "H"}, [], []).wanted == ()


def test_facets_with_a_prediction_or_an_estimated_structure_are_guesses():
    stable, unstable = potassium_rhenium(-0.8), potassium_rhenium(0.5)
    guessed = facets_of(stable, ["K3ReH6"])
    assert guessed.guesses == ("K2ReH9",)
    assert 0 < guessed.guessed <= guessed.count
    assert "K3ReH6" in guessed.describe()
    assert facets_of(unstable).guessed == 0


@pytest.mark.parametrize(
    ("is_made", "is_structure_known", "expected"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_a_made_compound_in_a_structure_that_was_searched_for_is_a_guess(is_made, is_structure_known, expected):
    phase = Phase(
        "K2ReH9", "K2ReH9", {"K": 2, "Re": 1, "H": 9}, -4.0, is_made=is_made, is_structure_known=is_structure_known
    )
    assert is_guess(phase) is expected


@pytest.mark.parametrize(
    ("distance", "uncertainty", "expected"), [(-0.008, 0.05, False), (0.114, 0.06, True), (0.1, None, False)]
)
def test_a_verdict_is_resolved_beyond_its_uncertainty(distance, uncertainty, expected):
    fact = facts_of(known_compounds(), {"Li", "Mo", "H"})[0]
    assert Verdict(fact, "H-Li-Mo", True, distance, "x", uncertainty).is_resolved is expected


@pytest.mark.parametrize(
    ("holds", "uncertainty", "words"),
    [
        (True, 0.05, "holds"), (False, 0.05, "FAILS"), (True, 0.2, "holds, within ±"), (False, 0.2, "FAILS, within ±"),
        (True, None, "holds, ± unknown"), (False, None, "FAILS, ± unknown"), (None, None, "not judged"),
    ],
)  # fmt: skip
def test_an_unknown_uncertainty_is_not_one_that_the_distance_lies_within(holds, uncertainty, words):
    fact = facts_of(known_compounds(), {"Li", "Mo", "H"})[0]
    verdict = Verdict(fact, "H-Li-Mo", holds, None if holds is None else 0.1, "x", uncertainty)
    assert verdict_text(verdict) == words
    told = summary([verdict], "PBE")
    assert ("of 1 the uncertainty is unknown" in told) == ("unknown" in words)


def test_the_list_s_syntheses_are_the_facts():
    told = {fact.statement: fact for fact in facts_of(known_compounds(), {"Li", "Mo", "H"})}
    assert told["Li5MoH11 is not stable at 1 bar"].is_stable is False
    made = told["Li5MoH11 is stable where it was made (temperature assumed)"]
    assert (made.temperature_K, made.pressure_GPa, made.is_stable) == (973, 5, True)
    assert told["no hydride of Mo is stable at 1 bar"].metal == "Mo"
    ambient = facts_of(known_compounds(), {"K", "Re", "H"})
    assert any(fact.statement == "K2ReH9 is stable at 1 bar" and fact.is_stable for fact in ambient)


@pytest.mark.parametrize(("energy", "holds"), [(-0.8, True), (-0.1, False)])
def test_a_verdict_is_the_hull_s(energy, holds):
    system = potassium_rhenium(energy)
    facts = {one.statement: one for one in facts_of(known_compounds(), system.elements)}
    fact = facts["K2ReH9 is stable at 1 bar"]
    found = verdict_on(fact, system)
    assert found.holds is holds
    assert (found.distance <= 0) is holds
    absent = next(one for one in facts_of(known_compounds(), {"Li", "Mo", "H"}) if one.formula)
    assert verdict_on(absent, system).holds is None


def test_one_stable_hydride_of_chromium_breaks_the_fact():
    def system(energy):
        references = [
            phase("Cr", {"Cr": 1}, 0.0, "element"), phase("Mg", {"Mg": 1}, 0.0, "element"),
            phase("H2", {"H": 2}, 0.0, "molecule", volume=None), phase("CrH", {"Cr": 1, "H": 1}, energy),
        ]  # fmt: skip
        return ChemicalSystem(frozenset({"Cr", "Mg", "H"}), [], references, StabilitySettings())

    fact = next(one for one in facts_of([], {"Cr", "Mg", "H"}) if one.metal == "Cr")
    assert verdict_on(fact, system(0.1)).holds is True
    broken = verdict_on(fact, system(-0.5))
    assert (broken.holds, broken.phase) == (False, "CrH")
