"""Selecting on a store: what is stored, what a stricter campaign drops, and the campaign's own compounds."""

import pytest

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.flows import campaign_jobs
from ninefold.store import open_store

RHENIUM = {"centres": ["Re"], "cations": ["K"], "n": 9, "m": [0, 1], "cation_kinds": 1}
RULE = """
from ninefold.rules import Mode, Rule
few = Rule("few", lambda table: table.m, "m", "test", high={high}.0, mode=Mode.GATE)
"""
MINE = "- {formula: K3ReH10, centre: Re, n: 9, q: 2, m: 1, cations: {K: 3}, source: our own, provenance: from memory}\n"


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "ninefold.db")


def select(store, folder=None, **settings):
    """Run the job; gives the campaign."""
    given = {"name": "x", "space": [RHENIUM], "engine": {"name": "lj"}, **settings}
    campaign = parse_campaign(given, folder=folder)
    campaign_jobs.select_compositions.original(campaign.to_dict(), store, {"attempt": 1})
    return campaign


def rows(store, collection="candidates", **equal):
    with open_store(store) as opened:
        return opened.find(collection, equal=equal)


def stages(store):
    return {row["stage"] for row in rows(store, "funnel")}


def test_every_composition_has_a_row(store):
    select(store)
    assert {row["formula"] for row in rows(store, is_competitor=False)} == {"K2ReH9", "K3ReH10"}
    assert {row["composition"] for row in rows(store)} == {row["id"] for row in rows(store, "compositions")}
    assert {row["status"] for row in rows(store)} == {"selected"}
    assert "competitors" in stages(store)


def test_competitors_can_be_switched_off(store):
    select(store, stability={"search_known_compounds": False})
    assert rows(store, is_competitor=True) == []
    assert "competitors" not in stages(store)


def test_a_stricter_rule_file_drops_what_it_no_longer_keeps(store, tmp_path):
    prints = []
    for high in (2, 0):
        (tmp_path / "mine.py").write_text(RULE.format(high=high))
        prints.append(select(store, rules={"files": [str(tmp_path / "mine.py")]}).fingerprint())
    assert prints[0] != prints[1], "the content of a rule file decides results"
    for collection in ("candidates", "compositions"):
        assert [row["m"] for row in rows(store, collection, is_competitor=False)] == [0]


def test_a_rule_file_may_move(tmp_path):
    def fingerprint(folder):
        folder.mkdir()
        (folder / "mine.py").write_text(RULE.format(high=2))
        return parse_campaign(
            {"name": "x", "space": [RHENIUM], "rules": {"files": ["mine.py"]}}, folder=folder
        ).fingerprint()

    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")


def test_nothing_left_to_search_is_told(store):
    with pytest.raises(InputError, match="no composition that satisfies"):
        select(store, space=[{**RHENIUM, "n": 12, "m": 0, "max_cations_per_centre": 1}])
    with pytest.raises(InputError, match=r"reject all 1 compositions: oxidation_state \(1\)"):
        select(store, space=[{**RHENIUM, "n": 3, "m": 0}])


def test_selection_marks_the_campaigns_own_compounds(store, tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    space = [{**RHENIUM, "m": [0, 2]}]
    for name, known in (("without", {}), ("with", {"known": "mine.yaml"})):
        select(store, tmp_path, name=name, space=space, **known)
    found = {(row["campaign"], row["formula"]): row["is_known"] for row in rows(store)}
    assert found["without", "K2ReH9"]
    assert not found["without", "K3ReH10"]
    assert found["with", "K2ReH9"]
    assert found["with", "K3ReH10"]
    assert not found["with", "K4ReH11"]


def test_the_campaigns_own_compounds_compete(store, tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    select(store, tmp_path, known="mine.yaml", space=[{**RHENIUM, "m": 0}])  # of K, Re and H, but m = 0
    found = {row["formula"]: row for row in rows(store)}
    assert found["K3ReH10"]["is_competitor"]
    assert found["K3ReH10"]["is_known"]


SCORED = """
from ninefold.rules import Mode, Rule
few = Rule("few", lambda table: table.m, "m", "test", levels={0: 0.2, 1: 0.9, 2: 0.5}, mode=Mode.SCORE)
"""


def test_the_best_by_the_rules_stand_first_in_the_shards(store, tmp_path):
    from ninefold.flows.shards import each_line

    (tmp_path / "mine.py").write_text(SCORED)
    given = {
        "name": "x", "space": [RHENIUM | {"m": [0, 2]}], "engine": {"name": "lj"},
        "rules": {"files": [str(tmp_path / "mine.py")]}, "execution": {"compositions_per_job": 1},
    }  # fmt: skip
    campaign = parse_campaign(given)
    shards = campaign_jobs.select_compositions.original(campaign.to_dict(), store, {"attempt": 1})
    with open_store(store) as opened:
        labels = [line["label"] for line in each_line(opened, shards)]
        found = opened.find("compositions", limit=None)
    prior = {row["label"]: row["prior"] for row in found if not row["is_competitor"]}
    assert len(set(prior.values())) == 3
    assert labels[:3] == sorted(prior, key=lambda label: -prior[label])
    assert sorted(labels[3:]) == sorted(row["label"] for row in found if row["is_competitor"])
