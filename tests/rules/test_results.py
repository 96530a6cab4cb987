"""Rules on results: judged when there is something to judge, by the protocol of every other rule."""

import pytest

from ninefold.errors import InputError
from ninefold.rules import Mode, RuleParameters, RuleSettings, Stage, load_rule_set

DONE = {"is_coordination_kept": True, "shortest_h_h": 1.9, "volume_ratio": 1.0, "e_above_hull": 0.15}


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
    on = {"band_gap": RuleParameters(mode=Mode.GATE)}
    assert judged({**DONE, "band_gap": 0.0}, **on)["band_gap"].passed is False
    assert judged({**DONE, "band_gap": 4.0}, **on)["band_gap"].passed


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
