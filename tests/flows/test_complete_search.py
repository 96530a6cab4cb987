"""A campaign that searches every composition of its chemical systems, with a low budget beside its candidates."""

import shutil
import sqlite3

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from campaign_run import COMPUTED, what_matters
from complete_campaign import CAMPAIGN, COMPLETE, ENGINE, SYSTEM
from ninefold.campaign import parse_campaign
from ninefold.enumeration import complete_assignments
from ninefold.errors import InputError
from ninefold.flows import ScreenMaker, rebuild
from ninefold.flows.importing import import_runs
from ninefold.flows.register import register
from ninefold.flows.runner import Run
from ninefold.flows.stored_hulls import stored_hulls
from ninefold.imported.run import ImportedMethod, ImportedRun
from ninefold.models.campaign import CampaignRecord
from ninefold.models.structure import unpack_structure
from ninefold.store import open_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("complete")
    (folder / "engines.py").write_text(ENGINE)
    return folder


def run(folder, store, settings, *, has_changed=False):
    if has_changed:
        with open_store(store, mode="write") as opened:
            by = Run("again", "screen", "")
            register(opened, parse_campaign(settings, folder=folder), by, accept_changes=True)
    flow = ScreenMaker().make(parse_campaign(settings, folder=folder).to_dict(), str(store))
    run_locally(flow, store=JobStore(MemoryStore()), log=False, raise_immediately=True)


def documents(store, collection, **equal):
    with open_store(store) as opened:
        return list(opened.iterate(collection, equal=equal))


def computed(store):
    return {(name, row["id"]) for name in COMPUTED for row in documents(store, name)}


@pytest.fixture(scope="module")
def stores(folder, tmp_path_factory):
    """A store of the candidate alone, and what it held; then of the complete search, in the same file."""
    store = tmp_path_factory.mktemp("store") / "ninefold.db"
    run(folder, store, CAMPAIGN)
    before, [row] = computed(store), documents(store, "candidates", is_best=True)
    run(folder, store, COMPLETE, has_changed=True)
    return store, before, row


def test_every_composition_is_searched_and_only_the_candidate_is_ranked(stores):
    store, _, _ = stores
    rows = documents(store, "candidates", is_best=True)
    assert {row["formula"] for row in rows} == {each.formula for each in complete_assignments(SYSTEM)}
    [candidate] = [row for row in rows if not row["is_competitor"]]
    assert (candidate["formula"], candidate["rank"], candidate["is_low_budget"]) == ("MgZnH4", 1, False)
    for row in rows:
        assert row["search_rounds"], row["formula"]
        assert row["is_low_budget"] == row["is_competitor"] == (row["formula"] != "MgZnH4")
        assert (row["rank"] is None) == row["is_low_budget"]


def test_a_planted_competitor_pulls_the_candidate_off_the_hull(stores):
    store, _, alone = stores
    [row] = documents(store, "candidates", is_best=True, is_competitor=False)
    assert alone["phase_separation_energy"] < -0.5, "stable beside what is known"
    assert row["phase_separation_energy"] > 0.5, "MgZnH5 takes it"
    assert any(part["formula"] == "MgZnH5" for part in row["decomposition"])
    assert row["e_above_references"] == pytest.approx(alone["e_above_references"]), "nobody has made it"


def test_a_low_budget_is_lower(stores):
    store, _, _ = stores
    is_low = {row["label"]: row["is_low_budget"] for row in documents(store, "compositions")}
    pools, searches = documents(store, "pools", round=1), documents(store, "searches", round=1)
    of = {low: [pool["count_in"] for pool in pools if is_low[pool["label"]] == low] for low in (False, True)}
    assert max(of[True]) <= 16 * 2 < min(of[False])
    spent = {low: [each["relaxations"] for each in searches if is_low[each["label"]] == low] for low in (False, True)}
    assert len(spent[True]) == 5
    assert max(spent[True]) <= 2 < min(spent[False])
    again = {row["label"] for row in documents(store, "searches", round=2)}
    assert again == {label for label, low in is_low.items() if not low}, "one round for a low budget"


def test_what_was_searched_is_not_searched_again(stores, folder):
    """The complete search added later keeps the candidate's searches; a resumed run computes nothing."""
    store, before, _ = stores
    assert before < computed(store)
    labels = {name: [row["label"] for row in documents(store, name)] for name in ("pools", "searches")}
    assert all(found.count("MgZnH4 = [ZnH4]2-") == 2 for found in labels.values()), "two rounds, no low budget"
    whole = what_matters(store)
    run(folder, store, COMPLETE)
    assert what_matters(store) == whole


def test_rows_follow_from_the_facts(stores):
    store, _, _ = stores
    with open_store(store) as opened:
        record = CampaignRecord.model_validate(opened.get("campaigns", "tiny"))
        assert list(rebuild.changes_of(opened, record, rebuild.Rebuilt(), lambda *_: None)) == []


def test_the_hull_says_how_it_was_searched_and_what_is_a_guess(stores):
    store, _, _ = stores
    with open_store(store) as opened:
        found = stored_hulls(opened, "tiny")
        searched, notes = found.searched(SYSTEM), found.notes(SYSTEM)
    assert searched.is_complete
    assert len(searched.wanted) == 6
    assert set(searched.low_budget) == set(searched.wanted) - {"MgZnH4"}
    assert any(
        "completely searched: 6 of 6 compositions" in note and "5 of them at low budget" in note for note in notes
    )
    assert any("found by a low-budget search alone: MgZnH5" in note for note in notes)
    [row] = documents(store, "candidates", is_best=True, is_competitor=False)
    assert any("5 of them at low budget" in note for note in row["stability_notes"])


def test_an_imported_structure_counts_and_is_no_low_budget(stores, tmp_path):
    """Every phase of the hull as if another program had computed it."""
    store, _, _ = stores
    copy = tmp_path / "ninefold.db"
    with sqlite3.connect(store) as source, sqlite3.connect(copy) as target:
        source.backup(target)  # with what its write-ahead log still holds
    shutil.copytree(f"{store}.files", f"{copy}.files")
    own = [row for row in documents(store, "candidates", is_best=True) if row["formula"] in ("MgZnH4", "MgZnH5")]
    found = [(row["minima"][0]["structure"], row["energy_per_atom"]) for row in own]
    references = documents(store, "references", method=own[0]["method"])
    found += [(row["structure"], row["energy_per_atom"]) for row in references if row["energy_per_atom"] is not None]
    method = ImportedMethod("another", "1", "PBE", {})
    with open_store(copy, mode="write") as opened:
        runs = [
            ImportedRun(unpack_structure(opened.get("structures", key)), energy, method, {}, source="a file", of={})
            for key, energy in found
        ]
        import_runs(opened, runs, CampaignRecord.model_validate(opened.get("campaigns", "tiny")))
        by_ninefold, there = stored_hulls(opened, "tiny"), stored_hulls(opened, "tiny", method.id)
        low = [set(each.searched(SYSTEM).low_budget) for each in (by_ninefold, there)]
        notes = there.notes(SYSTEM)
    assert low[0] - low[1] == {"MgZnH5"}
    assert any("MgZnH5" in note and "facets rest on a guess" in note for note in notes), "imported, but not made"
    assert not any("low-budget search alone" in note for note in notes)


def test_a_budget_of_core_time_releases_the_low_budget_at_once(stores, folder, tmp_path):
    store, _, _ = stores
    budget = {"budget": {"candidates": 1, "core_hours": 1000}}
    run(folder, tmp_path / "ninefold.db", {**COMPLETE, "execution": CAMPAIGN["execution"] | budget})
    rows = documents(tmp_path / "ninefold.db", "candidates")
    assert {row["id"]: row["energy_per_atom"] for row in rows} == {
        row["id"]: row["energy_per_atom"] for row in documents(store, "candidates")
    }


def test_it_is_off_by_default_and_then_the_campaign_is_what_it_was():
    plain = parse_campaign({**CAMPAIGN, "engine": {"name": "lj"}, "energies": []})
    off = parse_campaign({**plain.to_dict(), "stability": {"complete_search": False}})
    on = parse_campaign({**plain.to_dict(), "stability": {"complete_search": True}})
    assert plain.stability.complete_search is None
    assert plain.fingerprint() == off.fingerprint() != on.fingerprint()
    again = parse_campaign(on.to_dict())
    assert again == on
    assert again.stability.complete_search.relaxations == 5


@pytest.mark.parametrize(
    ("stability", "told"),
    [
        ({"complete_search": {"relaxations": 6}}, "stability.complete_search.relaxations: 6 is no low budget: a candi"),
        ({"complete_search": {"relaxations": 1}}, "greater than or equal to 2; allowed: 2 to 1000"),
        ({"complete_search": {"relaxations": "abc"}}, "parse string as an integer; allowed: 2 to 1000"),
        ({"complete_search": 5}, "stability.complete_search: 5 is not allowed: must be true, false or {relaxations"),
        ({"complete_search": {"n": 4}}, "allowed: relaxations"),
        ({"complete_search": True, "candidates_compete": False}, "has no effect with candidates_compete: false"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_one_line(stability, told):
    with pytest.raises(InputError) as caught:
        parse_campaign({**CAMPAIGN, "stability": stability})
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
