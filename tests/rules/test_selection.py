"""What the rules select: near misses, how much of a space is kept, recall on what was not fitted, large formulas."""

import math
import time

import numpy as np
import pytest

from ninefold.campaign import read_campaign
from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.table import CandidateTable
from ninefold.enumeration import enumerate_assignments
from ninefold.errors import InputError
from ninefold.rules import (
    Mode,
    RuleParameters,
    RuleSettings,
    assignments,
    diagnose,
    load_rule_set,
    recall,
    selectivity,
)
from ninefold.rules.recall import FEW, SELECTS_NOTHING

TAKAGI = load_rule_set(RuleSettings())


def wide_9():
    [space] = read_campaign("wide-9").space
    return list(enumerate_assignments(space))


@pytest.mark.parametrize(("formula", "difference"), [("Mg3HfH10", -0.01), ("Mg3ZrH10", 0.02)])
def test_a_hundredth_of_electronegativity_decides_nothing(formula, difference):
    [assignment] = assignments(formula)
    verdicts = {verdict.rule: verdict for verdict in TAKAGI.explain(assignment)}
    assert verdicts["electronegativity_difference"].value == pytest.approx(difference)
    assert all(verdict.passed for verdict in verdicts.values() if verdict.mode == "gate")


def test_zirconium_and_hafnium_beside_magnesium_score_alike():
    priors = [
        TAKAGI.apply(CandidateTable.from_assignments(assignments(formula))).prior[0]
        for formula in ("Mg3HfH10", "Mg3ZrH10")
    ]
    assert priors[0] == pytest.approx(priors[1], rel=0.12)


@pytest.mark.parametrize("name", ["takagi", "group-wall", "exploratory"])
def test_the_electronegativity_difference_is_scored_without_a_step_above_the_gate(name):
    rule_set = load_rule_set(RuleSettings(set=name))
    active = {rule.name: rule for rule in rule_set.rules if rule.mode is not Mode.OFF}
    scores = [active[key] for key in ("electronegativity_difference", "electropositive_cations") if key in active]
    [scored] = [rule for rule in scores if rule.mode is Mode.SCORE]
    values = np.linspace(-0.1, 1.5, 1601)
    score = scored.score(values, values)
    assert (np.diff(score) >= 0).all()
    assert np.diff(score).max() < 0.01, "a thousandth of electronegativity moves no score by a hundredth"
    assert score[0] > 0.1, "what the gate lets pass still counts for something"


def test_no_near_miss_is_rejected_for_its_electronegativities():
    gate = next(rule for rule in TAKAGI.rules if rule.name == "electropositive_cations")
    for table in wide_9():
        difference = table.centre_electronegativity - table.cation_electronegativity
        rejected = ~gate.passed(table, gate.value(table))
        assert (rejected == (difference < -0.1 - 1e-6)).all()


def test_recall_names_what_no_threshold_was_fitted_to():
    result = recall(TAKAGI)
    unfitted = [row for row in result.rows if row["expected"] == "kept" and not row["fitted"]]
    fitted = [row for row in result.rows if row["fitted"]]
    assert {"K2ReH9", "Mg3CrH8", "Li5MoH11"} <= {row["name"] for row in fitted}
    assert unfitted
    kept = sum(row["kept"] for row in unfitted)
    assert f"compounds that no threshold was fitted to: {kept} of {len(unfitted)} kept" in result.summary()
    for row in result.rows:
        assert row["prior"] == pytest.approx(TAKAGI.apply(_alone(row["name"])).prior[0], abs=1e-3)


def _alone(formula):
    [compound] = [compound for compound in known_compounds() if compound.formula == formula]
    return CandidateTable.from_assignments([compound.assignment])


def test_selectivity_against_a_count_of_the_rows():
    tables = wide_9()
    chosen = selectivity(TAKAGI, tables)
    verdicts = [TAKAGI.apply(table) for table in tables]
    priors = np.concatenate([verdict.prior[verdict.kept] for verdict in verdicts])
    assert chosen.compositions == sum(map(len, tables))
    assert chosen.kept == len(priors) == chosen.compositions - sum(chosen.reasons.values())
    assert chosen.priors == pytest.approx(np.quantile(priors, [0.1, 0.5, 0.9]), abs=1e-3)


@pytest.mark.parametrize(("rules", "nothing"), [("takagi", True), ("exploratory", True), ("group-wall", False)])
def test_a_rule_set_that_selects_nothing_says_so(rules, nothing):
    chosen = selectivity(load_rule_set(RuleSettings(set=rules)), wide_9())
    assert (chosen.share > SELECTS_NOTHING) == nothing == (not chosen.is_selective)
    assert ("select almost nothing" in chosen.summary("wide-9")) == nothing


def test_no_share_is_claimed_of_a_handful():
    table = CandidateTable.from_assignments(compound.assignment for compound in known_compounds())
    few = CandidateTable.from_assignments(table.assignments(range(FEW - 1)))
    assert selectivity(load_rule_set(RuleSettings(set="exploratory")), [few]).is_selective


@pytest.mark.parametrize("formula", ["K2ReH1000", "K1000ReH1000", "Eu999YbReH1000", "Re1000H1000K1000"])
def test_large_formulas_are_answered_at_once(formula):
    start = time.perf_counter()
    for counts in ((18,), tuple(range(12, 19))):
        assert all(assignment.n <= max(counts) for assignment in assignments(formula, counts))
    diagnose(formula)
    assert time.perf_counter() - start < 0.5


def test_counts_beside_18_may_put_more_hydrogens_on_a_centre_than_any_made():
    rule_set = load_rule_set(
        RuleSettings(
            overrides={"electron_count": RuleParameters(allowed=(30.0,)), "classical_hydride": {"mode": "off"}}
        )
    )
    [assignment] = assignments("K2ReH21", rule_set.electron_counts())
    assert assignment.n == 21
    assert math.isfinite(math.prod(verdict.score for verdict in rule_set.explain(assignment)))


def test_a_centre_alone_is_told_its_charge():
    assert "[ReH9]2-" in diagnose("ReH9").problem
    assert "counter-cation that ninefold knows" in diagnose("K2ReOH9").problem


def test_a_bound_that_raises_names_its_rule(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from ninefold.rules import Rule\n"
        "no_heavy = Rule('no_heavy', lambda table: table.group, 'x', 'x', high=lambda table: table.groop)\n"
    )
    with pytest.raises(InputError, match=r"no_heavy.*'groop' is not a column.*did you mean 'group'\?.*mine\.py"):
        load_rule_set(RuleSettings(files=(str(file),)))
