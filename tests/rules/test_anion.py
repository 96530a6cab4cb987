"""A bare anion: judged by the rules that need no cations, exactly as in its compounds."""

import pytest

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.formula import read_formula
from ninefold.errors import InputError
from ninefold.rules import RuleSettings, Stage, load_rule_set
from ninefold.rules.anion import read_anion, salts

TAKAGI = load_rule_set(RuleSettings())
NEEDS_CATIONS = {
    "charge_balance", "interstitial_hydrides", "electropositive_cations", "electronegativity_difference",
    "cation_electronegativity", "volume_per_atom",
}  # fmt: skip


@pytest.mark.parametrize("compound", known_compounds(), ids=lambda compound: compound.formula)
def test_an_anion_is_judged_as_in_its_compound(compound):
    whole = {verdict.rule: verdict for verdict in TAKAGI.explain(compound.assignment)}
    verdicts, others = TAKAGI.explain_anion(compound.assignment)
    assert {verdict.rule: verdict for verdict in verdicts} == {
        name: verdict for name, verdict in whole.items() if name not in others
    }
    assert set(others) == NEEDS_CATIONS


def test_every_rule_answers_or_asks_for_cations():
    rule_set = load_rule_set(
        RuleSettings(
            overrides={name: {"mode": "score", "low": 0} for name in ("hydrogen_content", "radioactivity", "toxicity")}
        )
    )
    verdicts, others = rule_set.explain_anion(Assignment("Re", 9, 2, 0, ()))
    active = [rule.name for rule in rule_set.active(Stage.COMPOSITION)]
    assert sorted([*(verdict.rule for verdict in verdicts), *others]) == sorted(active)


@pytest.mark.parametrize("text", ["[ReH9]2-", "[CrH7]5-", "[NbH9]4-", "[OsH8]2-"])
def test_its_compounds_are_neutral_hold_it_and_pass(text):
    anion = read_anion(read_formula(text), text)
    found = salts(TAKAGI, anion)
    assert found
    for salt in found:
        assert salt.assignment.anion == text
        assert salt.assignment.cation_charge == salt.assignment.q + salt.assignment.m
        assert all(verdict.passed for verdict in TAKAGI.explain(salt.assignment) if verdict.mode == "gate")
    priors = [round(salt.prior, 6) for salt in found]
    assert priors == sorted(priors, reverse=True)


def test_made_compounds_are_among_them():
    formulas = {salt.assignment.formula for salt in salts(TAKAGI, Assignment("Re", 9, 2, 0, ()))}
    assert {"K2ReH9", "Na2ReH9", "Rb3ReH10"} <= formulas


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ReH9]2+", "is a cation"),
        ("[KReH9]2-", "with its cations it is a compound: KReH9"),
        ("[Re2H9]2-", "2 centres"),
        ("[CaH3]-", "not the anion of one centre"),
        ("[Re]-", "no hydrogen"),
        ("[AlH4]-", "groups 3 to 12"),
    ],
)
def test_what_is_no_anion_of_one_centre(text, words):
    with pytest.raises(InputError, match=words):
        read_anion(read_formula(text), text)
