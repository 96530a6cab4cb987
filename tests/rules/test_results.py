"""Rules on results: judged when there is something to judge, by the protocol of every other rule."""

import numpy as np
import pytest

from ninefold.chemistry.distances import CENTRE_DISTANCE, M_H_DISTANCE, M_H_TOLERANCE
from ninefold.chemistry.elements import GROUP
from ninefold.chemistry.formula import parse_formula
from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES
from ninefold.rules import Mode, ResultTable, RuleParameters, RuleSettings, Stage, load_rule_set
from ninefold.rules.results import readable_columns
from ninefold.thermo.references import reference_phases

DONE = {
    "centre": "Re", "shortest_m_h": 1.69, "shortest_m_m": 5.5,
    "is_coordination_kept": True, "shortest_h_h": 1.9, "volume_ratio": 1.0, "e_above_hull": 0.15,
}  # fmt: skip


def judged(results, **overrides):
    rule_set = load_rule_set(RuleSettings(overrides=overrides))
    return {verdict.rule: verdict for verdict in rule_set.judge(results)}


def test_what_is_not_known_is_not_judged():
    for verdict in judged({}).values():
        assert verdict.value is None
        assert verdict.passed is None
        assert verdict.score == 1
        assert "not known yet" in verdict.reason


def test_gates():
    assert all(verdict.passed is not False for verdict in judged(DONE).values())
    assert judged({**DONE, "shortest_h_h": 0.8})["hydrogen_separation"].passed is False
    assert judged({**DONE, "is_coordination_kept": False})["coordination_kept"].passed is False


def test_scores_fall_outside_the_bound():
    on = {"hull_distance": RuleParameters(mode=Mode.SCORE)}
    assert judged({**DONE, "e_above_hull": -0.2}, **on)["hull_distance"].score == 1
    assert judged(DONE, **on)["hull_distance"].score == pytest.approx(0.6065, abs=1e-3)


def test_ambient_stability_has_the_sign_of_an_exothermic_hydrogenation():
    on = {"ambient_stability": RuleParameters(mode=Mode.GATE)}
    assert judged({"reaction_energy_per_h2": -60.0}, **on)["ambient_stability"].passed
    assert judged({"reaction_energy_per_h2": -20.0}, **on)["ambient_stability"].passed is False


def test_composition_rules_do_not_see_results():
    rule_set = load_rule_set(RuleSettings())
    stages = {rule.name: rule.stage for rule in rule_set.rules}
    assert all(stages[verdict.rule] is Stage.RESULT for verdict in rule_set.judge(DONE))


@pytest.mark.parametrize(
    ("value", "words"),
    [("lambda table: 1 / 0", ["ZeroDivisionError"]), ("lambda table: table.column('n')[:0]", ["shape (0,)"])],
)
def test_a_rule_on_results_that_cannot_be_used(tmp_path, value, words):
    file = tmp_path / "mine.py"
    file.write_text(
        "from ninefold.rules import Mode, Rule, Stage\n"
        f"bad = Rule('bad', {value}, 'x', 'x', mode=Mode.GATE, stage=Stage.RESULT)\n"
    )
    with pytest.raises(InputError) as caught:
        load_rule_set(RuleSettings(files=(str(file),)))
    for word in ["bad", "mine.py", *words]:
        assert word in str(caught.value)


# distances: M-H by centre, M-M, M to an interstitial hydride


@pytest.mark.parametrize("centre", sorted(M_H_DISTANCE))
def test_the_window_of_the_bond_follows_the_centre(centre):
    length = M_H_DISTANCE[centre]
    for shift, is_met in ((-0.09, True), (0.0, True), (0.09, True), (0.2, False), (-0.2, False)):
        verdict = judged({"centre": centre, "shortest_m_h": length + shift})["metal_hydrogen_distance"]
        assert verdict.passed is is_met
        assert verdict.score == pytest.approx(1.0 if is_met else np.exp(-(abs(shift) - M_H_TOLERANCE) / 0.1), abs=1e-6)


def test_every_centre_has_a_bond_length():
    assert set(M_H_DISTANCE) == set(GROUP)


def test_centres_and_interstitial_hydrides_keep_apart():
    assert judged({**DONE, "shortest_m_m": 4.3})["centre_separation"].score == 1
    assert judged({**DONE, "shortest_m_m": 4.0})["centre_separation"].score == pytest.approx(np.exp(-1), abs=1e-6)
    assert judged({**DONE, "shortest_m_interstitial": 2.3})["interstitial_distance"].score == 1
    assert judged({**DONE, "shortest_m_interstitial": 2.1})["interstitial_distance"].score == pytest.approx(
        np.exp(-1), abs=1e-6
    )
    assert judged({**DONE, "shortest_m_interstitial": None})["interstitial_distance"].passed is None


def test_a_campaign_may_harden_a_distance_to_a_gate():
    on = {"centre_separation": RuleParameters(mode=Mode.GATE)}
    assert judged({**DONE, "shortest_m_m": 4.2}, **on)["centre_separation"].passed is False


def bonds_of_reference_phases():
    """Formula, centre, d(M-H), d(M-M) of every hydride phase that ninefold ships as published."""
    seen = {}
    for metal in sorted(GROUP):
        for cation in (None, "Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Eu"):
            for phase in reference_phases([metal, "H", *([cation] if cation else [])]):
                elements = set(parse_formula(phase.formula))
                if {metal, "H"} <= elements and elements & {metal} == elements & set(GROUP):
                    seen[phase.name, metal] = phase
    for (_, metal), phase in seen.items():
        structure = phase.structure
        symbols = np.array([site.specie.symbol for site in structure])
        first, second, _, distances = structure.get_neighbor_list(9.0)
        to_hydrogen = distances[(symbols[first] == metal) & (symbols[second] == "H")].min()
        apart = distances[(symbols[first] == metal) & (symbols[second] == metal) & (distances > 1e-3)].min()
        yield phase.formula, metal, to_hydrogen, apart


def test_the_distances_tell_complexes_from_binary_hydrides():
    """The numbers that the docstrings and docs give are counted here, over the published cells."""
    met, missed, binaries = [], [], []
    for formula, metal, bond, apart in bonds_of_reference_phases():
        amounts = parse_formula(formula)
        outside = abs(bond - M_H_DISTANCE[metal])
        if len(amounts) == 2:
            binaries.append((formula, bond - M_H_DISTANCE[metal], apart))
        elif amounts["H"] / amounts[metal] >= 4 and len(amounts) == 3 and amounts["H"] / amounts[metal] < 10:
            (met if outside <= M_H_TOLERANCE + 1e-6 and apart >= CENTRE_DISTANCE - 0.01 else missed).append(
                (formula, outside, apart)
            )
    assert len(met) >= 30
    assert missed == []
    assert max(outside for _, outside, _ in met) < 0.076
    assert len(binaries) >= 20
    assert max(apart for *_, apart in binaries) < 4.02, "no binary hydride meets the rule on M-M"
    dihydrides = [beyond for formula, beyond, _ in binaries if parse_formula(formula)["H"] == 2]
    assert min(dihydrides) > 0.13


# columns that a rule names


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("table.column('shortest_mh')", ["shortest_mh", "is not a field", "did you mean 'shortest_m_h'?"]),
        ("table.column('colour') < 0", ["colour", "is not a field", "e_above_hull", "ninefold fields"]),
        ("table.column('rank')", ["rank", "filled by the ranking"]),
        ("table.n", ["'n' is not a column of results", "table.column(KEY)"]),
        ("table.column('formula')", ["formula", "of kind string", "table.text('formula')"]),
        ("table.column('elements')", ["elements", "of kind list"]),
        ("[len(x or '') for x in table.text('formla')]", ["formla", "did you mean 'formula'?"]),
        ("table.text('n')", ["of kind integer", "table.column('n')"]),
    ],
)
@pytest.mark.parametrize("mode", ["GATE", "SCORE"])
def test_a_misspelt_column_is_an_error_before_a_campaign_starts(tmp_path, value, words, mode):
    file = tmp_path / "mine.py"
    file.write_text(
        "from ninefold.rules import Mode, Rule, Stage\n"
        f"bad = Rule('bad', lambda table: {value}, 'x', 'x', low=0.0, mode=Mode.{mode}, stage=Stage.RESULT)\n"
    )
    with pytest.raises(InputError) as caught:
        load_rule_set(RuleSettings(files=(str(file),)))
    assert "\n" not in str(caught.value)
    for word in ["rule bad", "mine.py", *words]:
        assert word in str(caught.value)


def test_a_misspelt_column_in_a_bound_is_an_error_too(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from ninefold.rules import Rule, Stage\n"
        "bad = Rule('bad', lambda table: table.column('n'), 'x', 'x', high=lambda table: table.column('en'),"
        " stage=Stage.RESULT)\n"
    )
    with pytest.raises(InputError, match=r"rule bad.*'en'.*mine\.py"):
        load_rule_set(RuleSettings(files=(str(file),)))


@pytest.mark.parametrize("key", [key for key in readable_columns() if QUANTITIES[key].kind != "list"])
def test_every_field_can_be_a_column(key):
    table = ResultTable([{}, {key: None}])
    if QUANTITIES[key].kind == "string":
        assert table.text(key) == [None, None]
    else:
        assert np.isnan(table.column(key)).all()


def test_a_rule_may_judge_what_a_user_s_stage_stores(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from ninefold.rules import Mode, Rule, Stage\n"
        "gap = Rule('gap', lambda table: table.column('band_gap'), 'x', 'x', low=0.1, mode=Mode.GATE,"
        " stage=Stage.RESULT)\n"
    )
    settings = RuleSettings(files=(str(file),))
    with pytest.raises(InputError, match=r"'band_gap' \(column\) is not a field of a candidate"):
        load_rule_set(settings)
    rule_set = load_rule_set(settings, extra_columns={"band_gap": "float"})
    verdicts = [{verdict.rule: verdict for verdict in rule_set.judge(found)}["gap"].passed for found in
                ({"band_gap": 0.0}, {"band_gap": 4.0}, {})]  # fmt: skip
    assert verdicts == [False, True, None]
    with pytest.raises(InputError, match="of kind string, not a number"):
        load_rule_set(settings, extra_columns={"band_gap": "string"})
