"""Rules on what is known, on columns and on one composition; and rules that users write."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.campaign import read_campaign
from ninefold.chemistry.compounds import known_compounds, read_compounds
from ninefold.chemistry.table import CandidateTable
from ninefold.enumeration import enumerate_assignments, neighbours
from ninefold.errors import InputError
from ninefold.rules import (
    Mode,
    Rule,
    RuleParameters,
    RuleSettings,
    assignments,
    compare,
    diagnose,
    load_rule_set,
    recall,
)

COMPOUNDS = {compound.assignment.label: compound for compound in known_compounds()}
TAKAGI = load_rule_set(RuleSettings())


@pytest.mark.parametrize("compound", COMPOUNDS.values(), ids=COMPOUNDS)
def test_known_compounds_and_violators(compound):
    rejecting = {
        verdict.rule for verdict in TAKAGI.explain(compound.assignment) if verdict.mode == "gate" and not verdict.passed
    }
    assert rejecting == set(compound.violates)


def test_recall_of_the_rule_sets():
    assert recall(TAKAGI).summary().startswith("n >= 7: 20 of 20 kept; n < 7: 75 of 75 kept; known violators: 27 of 27")
    walled = {row["name"]: row for row in recall(load_rule_set(RuleSettings(set="group-wall"))).rows}
    assert {name for name, row in walled.items() if row["rejected_by"] == "group_wall"} == {
        "Mg3CrH8", "Li5MoH11", "Li5WH11", "Na3WH9", "Li6NbH11", "Li6TaH11",
    }  # fmt: skip


def test_one_and_many_agree():
    table = CandidateTable.from_assignments(compound.assignment for compound in COMPOUNDS.values())
    together = TAKAGI.apply(table)
    for row, compound in enumerate(COMPOUNDS.values()):
        verdicts = TAKAGI.explain(compound.assignment)
        assert together.kept[row] == all(verdict.passed for verdict in verdicts if verdict.mode == "gate")
        soft = np.prod([verdict.score for verdict in verdicts if verdict.mode == "score"])
        assert together.prior[row] == pytest.approx(soft, abs=1e-5)


@pytest.mark.parametrize("name", ["takagi", "exploratory", "group-wall"])
def test_verdicts_of_many_are_those_of_each(name):
    rules = load_rule_set(RuleSettings(set=name))
    made = [compound.assignment for compound in COMPOUNDS.values()]
    others = [other for assignment in made[:20] for other in neighbours(assignment)]
    together = rules.explain_all([*made, *others])
    assert together == [rules.explain(assignment) for assignment in [*made, *others]]
    assert len({tuple(verdict.bound for verdict in verdicts) for verdicts in together}) > 1, "bounds by composition"
    assert rules.explain_all([]) == []


def test_bounds_are_inclusive_in_floats():
    verdict = {v.rule: v for v in TAKAGI.explain(COMPOUNDS["Mg3CrH8 = [CrH7]5- + 1 H-"].assignment)}
    assert verdict["electronegativity_difference"].passed
    assert verdict["electronegativity_difference"].score == 1


def test_one_row_of_a_large_space_and_the_whole_agree():
    [space] = read_campaign("takagi-target").space
    for table in enumerate_assignments(space, chunk_size=5000):
        together = TAKAGI.apply(table)
        for row in range(0, len(table), 997):
            [alone] = table.assignments([row])
            apart = TAKAGI.apply(CandidateTable.from_assignments([alone]))
            assert bool(apart.kept[0]) == bool(together.kept[row])
            assert apart.prior[0] == pytest.approx(together.prior[row], rel=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.floats(-2, 0), st.floats(0, 2), st.floats(0.1, 3))
def test_score_against_its_definition(values, low, high, softness):
    rule = Rule("r", lambda table: table, "", "", low=low, high=high, softness=softness)
    table = np.array(values)
    expected = [np.exp(-max(low - v, v - high, 0.0) / softness) for v in values]
    assert rule.score(table, table) == pytest.approx(expected, abs=1e-4)


def test_neighbour_must_pass_every_other_gate():
    [rhenium] = assignments("K2ReH9")
    passed = {n.label: TAKAGI.judge_neighbour(n)[0] for n in neighbours(rhenium)}
    assert passed["K2ReH8 = [ReH8]2-"] is not None
    assert passed["K2ReH10 = [ReH10]2-"] is None, "an H2-ligand complex is another class"


def test_compounds_of_ones_own(tmp_path):
    file = tmp_path / "mine.yaml"
    entry = "- {formula: K2TcH9, centre: Tc, n: 9, q: 2, m: 0, cations: {K: 2}, source: x, provenance: from memory}\n"
    file.write_text(
        entry
        + entry.replace("TcH9", "ReH7")
        .replace("Tc", "Re")
        .replace("n: 9", "n: 7")
        .replace("memory}", "memory, violates: [x]}")
    )
    own = recall(TAKAGI, read_compounds(file)).rows
    assert [row["rejected_by"] for row in own] == [None, "electron_count"]
    file.write_text(entry.replace("q: 2", "q: 3"))
    with pytest.raises(InputError, match="balance"):
        read_compounds(file)
    file.write_text(entry.replace("K2TcH9", "K2ReH9"))
    with pytest.raises(InputError, match="not what its parts make: K2TcH9"):
        read_compounds(file)
    file.write_text(entry.replace("n: 9", "n: nine"))
    with pytest.raises(InputError, match="nine"):
        read_compounds(file)
    file.write_text(entry.replace("K: 2", "Xx: 2"))
    with pytest.raises(InputError, match="Xx"):
        read_compounds(file)


def test_a_europium_compound_takes_the_charge_that_balances(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "- {formula: Eu2RuH6, centre: Ru, n: 6, q: 4, m: 0, cations: {Eu: 2}, source: x, provenance: derived}\n"
    )
    [compound] = read_compounds(file)
    assert compound.assignment.cation_charge == 4


def test_table_round_trip():
    rows = [compound.assignment for compound in COMPOUNDS.values()]
    assert list(CandidateTable.from_assignments(rows).assignments()) == rows


@pytest.mark.parametrize(
    ("formula", "labels"),
    [
        ("Li5MoH11", ["Li5MoH11 = [MoH9]3- + 2 H-"]),
        ("Li10Mo2H22", ["Li5MoH11 = [MoH9]3- + 2 H-"]),
        ("Li5ScYH7", ["Li5YScH7 = [ScH7]8-", "Li5YScH7 = [YH7]8-"]),
        ("K2ReH8", []),
    ],
)
def test_readings(formula, labels):
    assert [assignment.label for assignment in assignments(formula)] == labels


def test_diagnosis_names_equation_and_neighbours():
    diagnosis = diagnose("K2ReH8")
    assert "half a hydrogen" in diagnosis.problem
    assert diagnosis.nearest[0] == "K2ReH9"
    assert "no metal" in diagnose("LiH").problem


def test_a_formula_is_read_as_it_is_printed():
    assert assignments("K₂ReH₉") == assignments("K2ReH9")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bound_must_be_a_number(value):
    with pytest.raises(ValueError, match="finite"):
        RuleParameters(low=value)


def test_a_set_without_an_electron_gate_reads_other_counts():
    assert load_rule_set(RuleSettings(set="exploratory")).electron_counts() == tuple(range(12, 19))
    assert TAKAGI.electron_counts() == (18,)


def test_the_trend_knows_every_compound_made():
    for compound in COMPOUNDS.values():
        if not compound.violates:
            [verdict] = [v for v in TAKAGI.explain(compound.assignment) if v.rule == "coordination_trend"]
            assert verdict.value == 0


@pytest.mark.parametrize("formula", ["K2Re", "H2", "K2ReHx", "(K2ReH9", "", "Qq2ReH9", "K0ReH9"])
def test_formulas_that_are_none(formula):
    with pytest.raises(InputError):
        assignments(formula)


GOOD = """
from ninefold.rules import Mode, Rule
no_heavy = Rule("no_heavy", lambda table: table.group, "group", "test", high=6.0, mode=Mode.GATE)
"""


def with_file(tmp_path, text):
    (tmp_path / "mine.py").write_text(text)
    return RuleSettings(files=(str(tmp_path / "mine.py"),))


def test_a_rule_of_ones_own(tmp_path):
    rules = load_rule_set(with_file(tmp_path, GOOD))
    [rhenium] = assignments("K2ReH9")
    [chromium] = assignments("Mg3CrH8")
    assert [v.passed for v in rules.explain(rhenium) if v.rule == "no_heavy"] == [False]
    assert [v.passed for v in rules.explain(chromium) if v.rule == "no_heavy"] == [True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            GOOD.replace("lambda table: table.group", "lambda table: 1 / 0"),
            ["no_heavy", "mine.py", "ZeroDivisionError"],
        ),
        (GOOD.replace("lambda table: table.group", "lambda table: [1, 2]"), ["no_heavy", "mine.py", "shape (2,)"]),
        (
            GOOD.replace("lambda table: table.group", "lambda table: table.group * float('nan')"),
            ["no_heavy", "mine.py", "nan", "finite numbers"],
        ),
        (GOOD.replace('"no_heavy"', '"electron_count"'), ["electron_count", "twice", "mine.py"]),
        ("import nowhere_at_all", ["mine.py", "needs the package 'nowhere_at_all'", "pip install"]),
        ("x = 1", ["mine.py", "holds no rule", "import Rule"]),
        ("def (", ["mine.py", "SyntaxError"]),
    ],
)
def test_rules_that_cannot_be_used(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        load_rule_set(with_file(tmp_path, text))
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_rule_by_parameters_alone():
    settings = RuleSettings(
        overrides={"low_charge": RuleParameters(like="charge_per_ligand", high=0.3, mode=Mode.GATE)}
    )
    rules = load_rule_set(settings)
    assert [v.passed for v in rules.explain(assignments("K2ReH9")[0]) if v.rule == "low_charge"] == [True]
    assert [v.passed for v in rules.explain(assignments("Mg3CrH8")[0]) if v.rule == "low_charge"] == [False]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (RuleSettings(set="folklore"), ["folklore", "takagi"]),
        (RuleSettings(overrides={"beauty": RuleParameters(high=1)}), ["beauty", "electron_count"]),
        (RuleSettings(overrides={"group_wall": RuleParameters(like="electron_count")}), ["group_wall"]),
        (RuleSettings(files=("nowhere.py",)), ["nowhere.py"]),
    ],
)
def test_settings_that_name_nothing(settings, words):
    with pytest.raises(InputError) as caught:
        load_rule_set(settings)
    for word in words:
        assert word in str(caught.value)


def test_compare_counts_add_up():
    table = CandidateTable.from_assignments(compound.assignment for compound in COMPOUNDS.values())
    rows = compare(TAKAGI, load_rule_set(RuleSettings(set="group-wall")), [table])
    *groups, total = rows
    for key in ("compositions", "takagi", "group-wall", "both"):
        assert sum(row[key] for row in groups) == total[key]
    assert total["takagi"] == sum(not compound.violates for compound in COMPOUNDS.values())


TWO = """
from ninefold.rules import Mode, Rule
first = Rule("first", lambda table: table.n, "x", "x", high=8.0, mode=Mode.GATE)
second = Rule("second", lambda table: table.n, "x", "x", high=8.0, mode=Mode.GATE)
"""


@pytest.mark.parametrize(("ending", "names"), [("", {"first", "second"}), (":second", {"second"})])
def test_a_file_gives_every_rule_in_it_or_the_one_that_is_named(tmp_path, ending, names):
    (tmp_path / "mine.py").write_text(TWO)
    rules = load_rule_set(RuleSettings(files=(f"{tmp_path}/mine.py{ending}",))).rules
    assert {rule.name for rule in rules if rule.origin == str(tmp_path / "mine.py")} == names


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("table.electroncount", ["'electroncount' is not a column of compositions", "did you mean 'electron_count'?"]),
        ("table.colour", ["'colour'", "allowed: centres, species, centre, n, q, m", "cation_electronegativity"]),
        ("table.column('n')", ["'column' is not a column of compositions"]),
        ("table.n.wrong", ["AttributeError"]),
    ],
)
def test_a_misspelt_column_of_compositions_is_told_with_those_that_are(tmp_path, value, words):
    text = f"from ninefold.rules import Rule\nbad = Rule('bad', lambda table: {value}, 'x', 'x', low=0.0)\n"
    with pytest.raises(InputError) as caught:
        load_rule_set(with_file(tmp_path, text))
    for word in ["rule bad", "mine.py", *words]:
        assert word in str(caught.value)
