"""Selecting: survivors, their neighbours where asked for, and formulas with several readings."""

from collections import Counter

import pytest

from ninefold.campaign import parse_campaign
from ninefold.chemistry.compounds import known_compounds
from ninefold.enumeration import enumerate_assignments
from ninefold.flows.stages import select
from ninefold.rules import RuleSettings, load_rule_set
from ninefold.store import open_repository


@pytest.fixture
def selected(tmp_path):
    def of(space, **rules):
        campaign = parse_campaign({"name": "x", "space": [space], "rules": rules})
        store = str(tmp_path / "ninefold.db")
        select(campaign, store)
        with open_repository(tmp_path / "ninefold.db") as repository:
            found = repository.find("candidates", "is_competitor = FALSE")
            documents = {document["label"]: document for document in found}
            [funnel] = [row for row in repository.find("funnel") if row["stage"] == "select"]
        return documents, funnel

    return of


RHENIUM = {"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0, "cation_kinds": 1}


def test_neighbours_are_carried_along_marked(selected):
    documents, funnel = selected(RHENIUM, neighbours=True)
    survivor = documents.pop("K2ReH9 = [ReH9]2-")
    assert not survivor["is_neighbour"]
    assert {document["electron_count"] for document in documents.values()} == {17}
    assert "K2ReH8 = [ReH8]2-" in documents
    for document in documents.values():
        assert document["is_neighbour"]
        assert document["neighbour_of"] == survivor["label"]
        [verdict] = [verdict for verdict in document["verdicts"] if verdict["rule"] == "electron_count"]
        assert verdict["passed"] is False
    assert funnel["count_out"] == 1 + len(documents)
    assert funnel["count_in"] - funnel["count_out"] == sum(funnel["reasons"].values())


def test_rejected_compositions_are_counted_under_the_first_gate_that_rejects_them(selected):
    space = {"centres": ["Cr", "Re", "Hf"], "cations": ["K", "Mg"], "n": [8, 10], "m": [0, 2], "cation_kinds": [1, 2]}
    overrides = {"charge_per_ligand": {"mode": "gate", "high": 0.5}}
    documents, funnel = selected(space, overrides=overrides)
    rule_set = load_rule_set(RuleSettings(overrides=overrides))
    expected, total = Counter(), 0
    for table in enumerate_assignments(parse_campaign({"name": "x", "space": [space]}).space[0]):
        for assignment in table.assignments():
            total += 1
            gates = [verdict for verdict in rule_set.explain(assignment) if verdict.mode == "gate"]
            expected.update([verdict.rule for verdict in gates if verdict.passed is False][:1])
    assert len(expected) >= 2
    assert funnel["reasons"] == expected
    assert (funnel["count_in"], funnel["count_out"]) == (total, len(documents))


def test_no_neighbours_unless_asked(selected):
    assert list(selected(RHENIUM)[0]) == ["K2ReH9 = [ReH9]2-"]


def competitors(tmp_path, **settings):
    campaign = parse_campaign({"name": "x", "space": [{**RHENIUM, "m": [0, 1]}], **settings})
    select(campaign, str(tmp_path / "ninefold.db"))
    with open_repository(tmp_path / "ninefold.db") as repository:
        return repository.find("candidates", "is_competitor = TRUE"), repository.find("funnel")


def test_made_compounds_of_the_systems_are_searched_as_competitors(tmp_path):
    found, funnel = competitors(tmp_path)
    made = {compound.formula: compound for compound in known_compounds()}
    formulas = {document["formula"] for document in found}
    assert "K3ReH6" in formulas, "16 electrons: no candidate, and has been made"
    assert "K2ReH9" not in formulas, "a candidate already"
    for document in found:
        assert document["formula"] in made
        assert {"K", "Re", "H"} >= set(document["elements"])
        assert document["is_known"]
        assert document["verdicts"]
    [row] = [row for row in funnel if row["stage"] == "competitors"]
    assert row["count_out"] == len(found)
    assert row["count_in"] - row["count_out"] == sum(row["reasons"].values())
    [row] = [row for row in funnel if row["stage"] == "select"]
    assert row["count_out"] == 2, "competitors passed no rule"


def test_competitors_can_be_switched_off(tmp_path):
    found, funnel = competitors(tmp_path, stability={"search_known_compounds": False})
    assert found == []
    assert "competitors" not in {row["stage"] for row in funnel}


def test_readings_of_one_formula_are_linked(selected):
    space = {"centres": ["Sc", "Y"], "cations": ["Li", "Sc", "Y"], "n": 9, "m": 0, "cation_kinds": 2}
    documents, _ = selected(space, overrides={"electropositive_cations": {"mode": "score"}})
    pairs = [document for document in documents.values() if document["other_readings"]]
    assert pairs
    for document in pairs:
        for other in document["other_readings"]:
            assert other.split(" = ")[0] == document["formula"]
            assert other != document["label"]


def test_a_stricter_rule_file_drops_what_it_no_longer_keeps(tmp_path):
    (tmp_path / "mine.py").write_text(RULE.format(high=2))
    settings = {"name": "x", "space": [{**RHENIUM, "m": [0, 1]}], "rules": {"files": [str(tmp_path / "mine.py")]}}
    store = str(tmp_path / "ninefold.db")
    before = parse_campaign(settings).fingerprint()
    select(parse_campaign(settings), store)
    (tmp_path / "mine.py").write_text(RULE.format(high=0))
    assert parse_campaign(settings).fingerprint() != before, "the content of a rule file decides results"
    select(parse_campaign(settings), store)
    with open_repository(tmp_path / "ninefold.db") as repository:
        found = repository.find("candidates", "is_competitor = FALSE")
        assert [document["m"] for document in found] == [0]


def test_a_rule_file_may_move(tmp_path):
    def fingerprint(folder):
        folder.mkdir()
        (folder / "mine.py").write_text(RULE.format(high=2))
        return parse_campaign(
            {"name": "x", "space": [RHENIUM], "rules": {"files": ["mine.py"]}}, folder=folder
        ).fingerprint()

    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")


def test_two_spaces_that_overlap_lose_nothing_without_a_reason(tmp_path):
    campaign = parse_campaign({"name": "x", "space": [RHENIUM, RHENIUM]})
    select(campaign, str(tmp_path / "ninefold.db"))
    with open_repository(tmp_path / "ninefold.db") as repository:
        [funnel] = [row for row in repository.find("funnel") if row["stage"] == "select"]
    assert funnel["count_in"] - funnel["count_out"] == sum(funnel["reasons"].values()) == 1


RULE = """
from ninefold.rules import Mode, Rule
few = Rule("few", lambda table: table.m, "m", "test", high={high}.0, mode=Mode.GATE)
"""
