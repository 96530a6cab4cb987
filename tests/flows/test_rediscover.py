"""Rediscovery: every compound of the shipped list can be set up; what is counted is what was found."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ninefold.engines import Relaxation
from ninefold.engines.base import Evaluation
from ninefold.errors import InputError
from ninefold.flows.rediscover import (
    Compound,
    Run,
    headline,
    matches,
    published,
    read_settings,
    rediscover,
    runs,
    success,
    table,
)
from ninefold.search import SearchOutcome
from ninefold.search.minima import describe_minimum
from ninefold.structures.checks import check_shells
from ninefold.structures.known_types import type_names

SETTINGS = read_settings(Path(__file__).parents[2] / "tools" / "rediscovery.yaml")


@pytest.mark.parametrize("compound", SETTINGS.compounds, ids=lambda compound: compound.phase)
def test_published_structures_are_structures_of_their_anions(compound):
    phase, assignment = published(compound)
    assert compound.type in type_names()
    shells = check_shells(phase.structure, assignment)
    assert set(shells.coordination_numbers) == {assignment.n}
    assert phase.source


def test_enough_compounds_and_seeds():
    assert sum(compound.apart is None for compound in SETTINGS.compounds) >= 15
    assert len(SETTINGS.seeds) == 5
    assert len({run.key for run in runs(SETTINGS)}) == 2 * 5 * len(SETTINGS.compounds)


def row(difference, *, is_withheld=True, apart=None, is_match=False, n=6, formula="A"):
    return {
        "phase": "A", "formula": formula, "n": n, "apart": apart, "is_withheld": is_withheld,
        "published_space_group": "P1",
        "seed": 0, "difference": difference, "is_match": is_match, "found_space_group": "P1", "relaxations": 1,
        "core_seconds": 1.0,
    }  # fmt: skip


def test_success_counts_what_is_within_the_goal_and_nothing_apart():
    rows = [row(-3.0), row(14.9), row(15.1), row(None), row(0.0, apart="x"), row(6.0, is_withheld=False)]
    assert success(rows, True) == (2, 4)
    assert success(rows, False) == (0, 1)
    assert "none" in table(rows)


class Flat:
    """One energy for everything; relaxations move nothing."""

    evidence = "test"

    def __init__(self, label, energy):
        self.label, self.energy, self.relaxed = label, energy, []

    def evaluate(self, structures):
        return [Evaluation(self.energy, None, None, 1.0) for _ in structures]

    def relax(self, structures, settings):
        self.relaxed += [settings.fmax for _ in structures]
        return [Relaxation(item, self.energy, 0.001, 0.0, 3, True, 2.0) for item in structures]


def test_another_method_orders_what_is_found_and_relaxes_the_published_structure_too(monkeypatch):
    compound = Compound(phase="K2ReH9 K2ReH9", type="K2ReH9")
    structure = published(compound)[0].structure
    budgets = []

    def search(assignment, budget, engine, seed):
        budgets.append(budget)
        minimum = describe_minimum(
            assignment, structure, Relaxation(structure, -1.0, 0.04, 0.0, 3, True, 1.0),
            check_shells(structure, assignment), "test", is_final=True,
        )  # fmt: skip
        far = replace(minimum, energy_per_atom=-0.8)
        return SearchOutcome((minimum, far), Counter(), {}, relaxations=7, core_seconds=1.0, history=(-1.0,))

    monkeypatch.setattr("ninefold.search.search_composition", search)
    searching, judge = Flat("one", -1.0), Flat("other", -5.0)
    run = Run(compound, 0, False, 12)
    found = rediscover(run, searching, judge)
    assert (found["engine"], found["published_energy"], found["found_energy"]) == ("one, then other", -5.0, -5.0)
    assert (found["difference"], found["is_match"], found["relaxations"]) == (0.0, True, 7)
    assert searching.relaxed == []
    assert judge.relaxed == [0.01, 0.01], "the published structure, and what lies near the lowest"
    assert (budgets[0].final_fmax, found["history"]) == (0.05, [])
    alone = rediscover(run, searching)
    assert (alone["engine"], alone["published_energy"], alone["history"]) == ("one", -1.0, [0.0])
    assert budgets[1].final_fmax == 0.01


def test_unknown_phase():
    with pytest.raises(InputError, match="K2ReH9 K2ReH9"):
        published(Compound(phase="K2ReH9 dream", type="K2ReH9"))


def test_a_lower_energy_is_no_match_and_both_are_said():
    rows = [row(-16.7), row(0.1, is_match=True), row(30.0), row(0.0, apart="x", is_match=True)]
    assert success(rows, True) == (2, 3)
    assert matches(rows, True) == (1, 3)
    text = headline(rows)
    assert "matches the published one in 1 of 3 (33%) searches" in text
    assert "2 of 3 (67%)" in text
    assert "hydrogens" not in text, "no anion of seven and more"
    assert text.index("matches") < text.index("energy"), "what matches comes first"
    last = table(rows).splitlines()[-1]
    assert "1 of 3" in last
    assert "2 of 3" in last


def test_anions_of_seven_and_more_are_counted_by_themselves():
    rows = [row(0.0, is_match=True), row(-3.0, n=9, formula="K2ReH9"), row(0.0, n=9, formula="B", is_match=True)]
    assert "(B, K2ReH9): 1 of 2 (50%) match, 2 of 2 (100%) within 15" in headline(rows)


def test_rows_of_older_runs_still_read():
    old = row(0.0, is_match=True)
    del old["n"]
    assert "1 of 1" in headline([old])


def test_every_anion_of_seven_and_more_with_coordinates_is_looked_for():
    from ninefold.chemistry.compounds import known_compounds
    from ninefold.thermo.references import known_hydride_formulas

    high = {compound.formula for compound in known_compounds() if compound.assignment.n >= 7}
    assert high & known_hydride_formulas() <= {compound.phase.split()[0] for compound in SETTINGS.compounds}
    assert len(high & known_hydride_formulas()) >= 3
