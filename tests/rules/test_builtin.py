"""The shipped rules line by line: value and verdict of a composition, written out."""

import math

import numpy as np
import pytest
from pymatgen.core import Composition

from installed_package import install
from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.table import CandidateTable
from ninefold.rules import RuleParameters, RuleSettings, compare, diagnose, load_rule_set
from ninefold.rules.builtin import BUILTIN
from ninefold.rules.results import RESULT_RULES

RULES = {rule.name: rule for rule in (*BUILTIN, *RESULT_RULES)}
K2REH9 = Assignment("Re", 9, 2, 0, (Cation("K", 2, 1),))
MG3CRH8 = Assignment("Cr", 7, 5, 1, (Cation("Mg", 3, 2),))
LI5MOH11 = Assignment("Mo", 9, 3, 2, (Cation("Li", 5, 1),))
RB3REH10 = Assignment("Re", 9, 2, 1, (Cation("Rb", 3, 1),))


def value_of(name, assignment):
    return float(RULES[name].value(CandidateTable.from_assignments([assignment]))[0])


@pytest.mark.parametrize(
    ("name", "value", "passed", "score"),
    [
        ("electron_count", 18, True, 1), ("electron_count", 17, False, math.exp(-1)),
        ("electron_count", 20, False, math.exp(-2)),
        ("charge_balance", 0, True, 1), ("charge_balance", 1, False, math.exp(-1)),
        ("charge_balance", -1, False, math.exp(-1)),
        ("classical_hydride", 9, True, 1), ("classical_hydride", 10, False, math.exp(-1)),
        ("interstitial_hydrides", 2, True, 1), ("interstitial_hydrides", 4, False, math.exp(-1)),
        ("charge_per_ligand", 5 / 7, True, 1), ("charge_per_ligand", 0.73, False, math.exp(-1 / 30)),
        ("charge_per_ligand", 1.02, False, math.exp(-1)),
        ("group_wall", 3, False, 0.4), ("group_wall", 4, False, 0.6), ("group_wall", 5, False, 0.9),
        ("group_wall", 6, False, 0.9), *(("group_wall", group, True, 1) for group in range(7, 13)),
        ("coordination_trend", 0, True, 1), ("coordination_trend", 1, False, math.exp(-1 / 3)),
        ("cation_electronegativity", 1.31, True, 1), ("cation_electronegativity", 1.61, False, math.exp(-1)),
        ("volume_per_atom", 6, True, 1), ("volume_per_atom", 20, True, 1), ("volume_per_atom", 1, False, math.exp(-1)),
        ("volume_per_atom", 25, False, math.exp(-1)),
        ("radioactivity", 1, False, math.exp(-1)), ("toxicity", 1, False, math.exp(-1)),
        ("abundance", 0.01, True, 1), ("abundance", 0.009, False, math.exp(-0.1)),
        ("hydrogen_separation", 1.5, True, 1), ("hydrogen_separation", 1.49, False, math.exp(-0.01)),
        ("additive_volume", 0.7, True, 1), ("additive_volume", 1.35, True, 1),
        ("additive_volume", 1.65, False, math.exp(-1)), ("additive_volume", 0.4, False, math.exp(-1)),
        ("hull_distance", 0.1, True, 1), ("hull_distance", 0.2, False, math.exp(-1)),
        ("ambient_stability", -39, True, 1), ("ambient_stability", -19, False, math.exp(-1)),
    ],
)  # fmt: skip
def test_bounds_and_scores(name, value, passed, score):
    rule, values = RULES[name], np.array([float(value)])
    assert bool(rule.passed(None, values)[0]) is passed
    assert rule.score(None, values)[0] == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "assignment", "value"),
    [
        ("electron_count", K2REH9, 18), ("charge_balance", K2REH9, 0), ("charge_balance", MG3CRH8, 0),
        ("oxidation_state", K2REH9, 7), ("oxidation_state", MG3CRH8, 2), ("classical_hydride", LI5MOH11, 9),
        ("interstitial_hydrides", LI5MOH11, 2), ("charge_per_ligand", MG3CRH8, 5 / 7), ("group_wall", MG3CRH8, 6),
        ("cation_electronegativity", MG3CRH8, 1.31),
        # increments: 80 + 2 x 34 in 12 atoms; 80 + 5 x 5.5 + 2 x 11.5 in 17; 80 + 3 x 43.5 + 11.5 in 14
        ("volume_per_atom", K2REH9, 148 / 12), ("volume_per_atom", LI5MOH11, 130.5 / 17),
        ("volume_per_atom", RB3REH10, 222 / 14),
    ],
)  # fmt: skip
def test_values(name, assignment, value):
    assert value_of(name, assignment) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("imbalance", [-2, 1])
def test_a_charge_too_many_is_counted_with_its_sign(imbalance):
    assert value_of("charge_balance", Assignment("Re", 9, 4 - imbalance, 1, (Cation("K", 5, 1),))) == imbalance


@pytest.mark.parametrize("state", [-1, 0, 6, 7])
def test_the_oxidation_state_lies_between_none_and_the_group(state):
    table = CandidateTable.from_assignments([Assignment("Mo", 8, 8 - state, 0, ())])
    rule = RULES["oxidation_state"]
    assert bool(rule.passed(table, rule.value(table))[0]) == (0 <= state <= 6)


PAIRS = [(centre, "K") for centre in GROUP if centre != "Tc"] + [("Re", cation) for cation in CATION_CHARGES]


@pytest.mark.parametrize(("centre", "cation"), PAIRS)
def test_hydrogen_content_is_pymatgen_s(centre, cation):
    assignment = Assignment(centre, 8, 2, 1, (Cation(cation, 2, CATION_CHARGES[cation][0]),))
    oracle = 100 * Composition(assignment.formula).get_wt_fraction("H")
    assert value_of("hydrogen_content", assignment) == pytest.approx(oracle, rel=1e-3)


@pytest.mark.parametrize(("name", "flagged"), [("toxicity", {"Be", "Cd", "Hg", "Os"}), ("radioactivity", {"Tc"})])
def test_elements_that_one_may_not_want(name, flagged):
    hits = {symbol for symbol in GROUP if value_of(name, Assignment(symbol, 6, 2, 0, (Cation("K", 2, 1),)))}
    hits |= {symbol for symbol in CATION_CHARGES if value_of(name, Assignment("Re", 9, 2, 0, (Cation(symbol, 1, 2),)))}
    assert hits == flagged


def test_platinum_metals_and_rhenium_are_rare():
    rule = RULES["abundance"]
    table = CandidateTable.from_assignments([Assignment(symbol, 6, 2, 0, (Cation("K", 2, 1),)) for symbol in GROUP])
    rare = {table.centres[row] for row, passed in zip(table.centre, rule.passed(table, rule.value(table)), strict=True)
            if not passed}  # fmt: skip
    assert rare == {"Re", "Os", "Ir", "Ru", "Rh", "Pt", "Au", "Tc"}


@pytest.mark.parametrize("assignment", [K2REH9, MG3CRH8, Assignment("Re", 7, 3, 3, (Cation("Mg", 3, 2),))], ids=str)
def test_a_verdict_says_value_and_outcome(assignment):
    for verdict in load_rule_set(RuleSettings()).explain(assignment):
        word = "scores" if verdict.rule == "group_wall" else "meets" if verdict.passed else "misses"
        others = {"scores", "meets", "misses"} - {word}
        assert f", {word} " in verdict.reason
        assert not any(f", {other} " in verdict.reason for other in others)
        assert f"{verdict.value:.4g}" in verdict.reason


def test_a_diagnosis_ends_with_what_comes_near():
    text = str(diagnose("K2ReH8"))
    assert text.startswith("K2ReH8: ")
    assert "; nearest compositions that satisfy both equations: K2ReH9" in text
    assert "nearest" not in str(diagnose("LiH"))


def test_a_rule_by_levels_is_met_where_the_score_is_full():
    settings = RuleSettings(overrides={"group_wall": RuleParameters(levels={7: 0.5, 6: 1.0})})
    rule_set = load_rule_set(settings)
    for assignment, score in ((K2REH9, 0.5), (MG3CRH8, 1.0)):
        [verdict] = [verdict for verdict in rule_set.explain(assignment) if verdict.rule == "group_wall"]
        assert verdict.score == score
        assert verdict.passed is (score == 1.0)


def test_the_prior_of_a_neighbour_is_the_product_of_its_scores():
    rule_set = load_rule_set(RuleSettings())
    prior, verdicts = rule_set.judge_neighbour(MG3CRH8)
    scores = [verdict.score for verdict in verdicts if verdict.mode == "score"]
    assert 0 < prior < 1
    assert prior == pytest.approx(np.prod(scores))


def test_two_sets_are_compared_by_what_each_keeps():
    table = CandidateTable.from_assignments([K2REH9, MG3CRH8, LI5MOH11, RB3REH10])
    walled = load_rule_set(RuleSettings(set="group-wall"))
    rows = {row["centres"]: row for row in compare(load_rule_set(RuleSettings()), walled, [table])}
    assert rows["group 6"] == {"centres": "group 6", "compositions": 2, "takagi": 2, "group-wall": 0, "both": 0}
    assert rows["all"] == {"centres": "all", "compositions": 4, "takagi": 4, "group-wall": 2, "both": 2}
    turned = compare(walled, load_rule_set(RuleSettings()), [table])
    assert turned[-1] == {"centres": "all", "compositions": 4, "group-wall": 2, "takagi": 4, "both": 2}


ANNOUNCED = """
from ninefold.rules import Rule

rule = Rule("announced", lambda table: table.n, "hydrogens on the centre", "test", high=8.0)
"""


def test_a_rule_that_a_package_announces_is_known(tmp_path, monkeypatch):
    install(tmp_path, {"ninefold.rules": {"announced": "nine_rules:rule"}}, name="nine-rules", code=ANNOUNCED)
    before = RuleSettings().content()
    monkeypatch.syspath_prepend(tmp_path)
    [verdict] = [item for item in load_rule_set(RuleSettings()).explain(K2REH9) if item.rule == "announced"]
    assert verdict.score == pytest.approx(math.exp(-1), abs=1e-6)  # rounded for people
    # it judges without being named, so that it is part of what identifies a campaign
    assert RuleSettings().content() != before
