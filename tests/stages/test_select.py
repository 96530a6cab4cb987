"""Selecting: survivors, their neighbours where asked for, and formulas with several assignments."""

from collections import Counter

import pytest

from ninefold.campaign import parse_campaign
from ninefold.chemistry.compounds import known_compounds, known_formulas
from ninefold.enumeration import complete_assignments, enumerate_assignments
from ninefold.rules import RuleSettings, load_rule_set
from ninefold.stages.select import Selection


def selection_of(spaces, rules=None):
    """A selection that has been made, its records by label, and the campaign."""
    campaign = parse_campaign({"name": "x", "space": spaces, "rules": rules or {}})
    selection = Selection(
        campaign.name, campaign.space, load_rule_set(campaign.rules), known_formulas(campaign.known_compounds()),
        with_neighbours=campaign.rules.neighbours,
    )  # fmt: skip
    return selection, {record.label: record for records in selection for record in records}, campaign


def selected(space, **rules):
    selection, records, _ = selection_of([space], rules)
    return records, selection.selected


RHENIUM = {"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0, "cation_kinds": 1}


def test_neighbours_are_carried_along_marked():
    records, counts = selected(RHENIUM, neighbours=True)
    survivor = records.pop("K2ReH9 = [ReH9]2-")
    assert not survivor.is_neighbour
    assert {record.electron_count for record in records.values()} == {17}
    assert "K2ReH8 = [ReH8]2-" in records
    for record in records.values():
        assert record.is_neighbour
        assert record.neighbour_of == survivor.label
        [verdict] = [verdict for verdict in record.verdicts if verdict["rule"] == "electron_count"]
        assert verdict["passed"] is False
    assert counts.count_out == 1 + len(records)
    assert counts.count_in - counts.count_out == sum(counts.reasons.values())


def test_rejected_compositions_are_counted_under_the_first_gate_that_rejects_them():
    space = {"centres": ["Cr", "Re", "Hf"], "cations": ["K", "Mg"], "n": [8, 10], "m": [0, 2], "cation_kinds": [1, 2]}
    overrides = {"charge_per_ligand": {"mode": "gate", "high": 0.5}}
    records, counts = selected(space, overrides=overrides)
    rule_set = load_rule_set(RuleSettings(overrides=overrides))
    expected, total = Counter(), 0
    for table in enumerate_assignments(parse_campaign({"name": "x", "space": [space]}).space[0]):
        for assignment in table.assignments():
            total += 1
            gates = [verdict for verdict in rule_set.explain(assignment) if verdict.mode == "gate"]
            expected.update([verdict.rule for verdict in gates if verdict.passed is False][:1])
    assert len(expected) >= 2
    assert counts.reasons == expected
    assert (counts.count_in, counts.count_out) == (total, len(records))


def test_no_neighbours_unless_asked():
    assert list(selected(RHENIUM)[0]) == ["K2ReH9 = [ReH9]2-"]


def test_made_compounds_of_the_systems_are_searched_as_competitors():
    selection, _, campaign = selection_of([{**RHENIUM, "m": [0, 1]}])
    found, counts = selection.competitors(campaign.known_compounds())
    made = {compound.formula: compound for compound in known_compounds()}
    formulas = {record.formula for record in found}
    assert "K3ReH6" in formulas, "16 electrons: no candidate, and has been made"
    assert "K2ReH9" not in formulas, "a candidate already"
    for record in found:
        assert record.formula in made
        assert {"K", "Re", "H"} >= set(record.elements)
        assert record.is_competitor
        assert record.is_known
        assert record.verdicts
    assert counts.count_out == len(found)
    assert counts.count_in - counts.count_out == sum(counts.reasons.values())
    assert selection.selected.count_out == 2, "competitors passed no rule"


@pytest.mark.parametrize("neighbours", [False, True])
def test_a_complete_search_adds_what_is_neither_candidate_nor_made(neighbours):
    selection, records, campaign = selection_of([{**RHENIUM, "m": [0, 1]}], {"neighbours": neighbours})
    made, _ = selection.competitors(campaign.known_compounds())
    found, counts = selection.remaining(made)
    every = {each.formula for each in complete_assignments({"K", "Re", "H"})}
    formulas = {record.formula for record in found}
    assert len(formulas) == len(found) == counts.count_out
    assert formulas == every - {record.formula for record in (*records.values(), *made)}
    assert {"K3ReH6", "K2ReH9"}.isdisjoint(formulas)
    assert all(record.is_competitor and record.is_low_budget and not record.is_known for record in found)
    assert not any(record.is_low_budget for record in made)
    assert counts.count_in == len(every)
    assert counts.count_in - counts.count_out == sum(counts.reasons.values())


def test_readings_of_one_formula_are_linked():
    space = {"centres": ["Sc", "Y"], "cations": ["Li", "Sc", "Y"], "n": 9, "m": 0, "cation_kinds": 2}
    records, _ = selected(space, overrides={"electropositive_cations": {"mode": "score"}})
    pairs = [record for record in records.values() if record.other_assignments]
    assert pairs
    for record in pairs:
        for other in record.other_assignments:
            assert other.split(" = ")[0] == record.formula
            assert other != record.label


def test_two_spaces_that_overlap_lose_nothing_without_a_reason():
    selection, records, _ = selection_of([RHENIUM, RHENIUM])
    counts = selection.selected
    assert len(records) == counts.count_out == 1
    assert counts.count_in - counts.count_out == sum(counts.reasons.values()) == 1


def test_a_composition_is_the_same_record_in_every_selection():
    _, alone, _ = selection_of([RHENIUM])
    _, among, _ = selection_of([{**RHENIUM, "m": [0, 2]}])
    assert alone["K2ReH9 = [ReH9]2-"] == among["K2ReH9 = [ReH9]2-"]
    assert len({record.id for record in among.values()}) == len(among) == 3
