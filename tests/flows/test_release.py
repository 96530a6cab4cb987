"""A campaign with a budget: what is released, what is left for later, and the results of what is computed."""

import random
import shutil
import sqlite3

import pytest
from jobflow import Job, JobStore, run_locally
from maggma.stores import MemoryStore

from campaign_run import what_matters
from ninefold.campaign import parse_campaign
from ninefold.flows import ScreenMaker, campaign_jobs, release_jobs
from ninefold.flows.funnel import total
from ninefold.flows.shards import lines_of
from ninefold.flows.spending import left_out
from ninefold.search.release import release_order
from ninefold.store import open_store

ENGINE = """
from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine

PARAMETERS = {"sigma": 1.15, "epsilon": 0.02, "rc": 5.0, "smooth": True}


def weak(settings):
    return ASEEngine("weak", "Lennard-Jones weak", LennardJones(**PARAMETERS), (PARAMETERS,), evidence="test")
"""
TINY = {
    "name": "tiny", "seed": 3, "engine": {"name": "engines.py:weak"},
    "space": [{"centres": ["Re"], "cations": ["K", "Na"], "n": [8, 9], "m": 0, "cation_kinds": 1}],
    "structures": {
        "pool": 4, "single_points": 2, "coarse_relaxations": 1, "refinements": 1, "formula_units": [1],
        "coarse_steps": 3, "final_steps": 4, "rounds": 2, "sources": ["symmetric_units", "rigid_units"],
    },
}  # fmt: skip
JOBS = {"workers": 1, "compositions_per_job": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    (folder / "engines.py").write_text(ENGINE)
    return folder


def run(folder, store, *, twice=False, **execution):
    """The flow by jobflow's own executor; gives names and arguments of its jobs."""
    campaign = parse_campaign({**TINY, "execution": JOBS | execution}, folder=folder)
    calls, original = [], Job.run

    def recording(self, store, **options):
        response = original(self, store, **options)
        function = getattr(self.function, "original", self.function)
        if function.__module__.startswith("ninefold."):
            calls.append((function, tuple(self.function_args), dict(self.function_kwargs)))
            if twice:
                function(*self.function_args, **self.function_kwargs)
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "run", recording)
        flow = ScreenMaker().make(campaign.to_dict(), str(store))
        run_locally(flow, store=JobStore(MemoryStore()), log=False, raise_immediately=True)
    return calls


def without_shards(store):
    """What two runs have in common that divide the compositions otherwise."""
    found = what_matters(store)
    with open_store(store) as opened:
        funnel = total(opened.find("funnel", limit=None))
    found["funnel"] = {row["stage"]: (row["count_in"], row["count_out"], row["reasons"]) for row in funnel}
    for document in found["campaigns"].values():
        del document["settings"]["execution"]
    return found


def standing(store):
    """Status of the campaign, searched compositions, those that are left."""
    with open_store(store) as opened:
        record = opened.get("campaigns", "tiny")
        rows = opened.find("candidates", equal={"is_competitor": False}, fields=["status", "rank", "prior", "label"])
        left = left_out(opened, record)
    searched = {row["label"] for row in rows if row["status"] != "selected"}
    return record["status"], searched, 0 if left is None else left.number


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """Without a budget."""
    store = tmp_path_factory.mktemp("whole") / "ninefold.db"
    run(folder, store)
    return store


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_budget_that_is_not_reached_gives_what_none_gives(folder, whole, tmp_path, at_once):
    """Every job runs twice in one of the two, and then once more in another order."""
    budget = {"candidates": 1000, "core_hours": 1000, "until": "2999-01-01"}
    calls = run(folder, tmp_path / "ninefold.db", twice=at_once == 3, budget=budget, released_at_once=at_once)
    assert without_shards(tmp_path / "ninefold.db") == without_shards(whole)
    assert standing(tmp_path / "ninefold.db")[0] == "finished"
    released = [call for call in calls if call[0].__name__ == "release_compositions"]
    assert len(released) == len(standing(whole)[1]) + at_once  # each lane ends with one that releases nothing
    before = what_matters(tmp_path / "ninefold.db")
    for function, arguments, options in random.Random(1).sample(calls, len(calls) if at_once == 3 else 0):
        function(*arguments, **options)
    assert what_matters(tmp_path / "ninefold.db") == before


KNOWN = []
"""What each release of `part` knew of earlier results."""


@pytest.fixture(scope="module")
def part(folder, tmp_path_factory):
    """With a budget of three candidates, and the calls of its jobs."""

    def noting(untried, tried):
        KNOWN.append(tried)
        return release_order(untried, tried)

    store = tmp_path_factory.mktemp("part") / "ninefold.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_jobs, "release_order", noting)
        return store, run(folder, store, budget={"candidates": 3}, released_at_once=2)


def test_what_has_been_found_so_far_orders_what_comes_next(part):
    """Lanes of two and one: the part that comes last knows the separation energy of those before it."""
    assert [len(tried) for tried in KNOWN] == [0, 1, 1] or [len(tried) for tried in KNOWN] == [0, 1, 2]
    traits, separation = KNOWN[-1][-1]
    assert "centre Re" in traits
    assert -5 < separation < 5


def test_a_number_of_candidates_is_kept_exactly(part, whole):
    status, searched, left = standing(part[0])
    every = standing(whole)[1]
    assert (status, len(searched), left) == ("incomplete", 3, len(every) - 3)
    with open_store(part[0]) as store:
        found = store.find("funnel", equal={"stage": ["build", "build 2"]}, limit=None)
        # competitors are searched all the same; the second round takes half of the candidates that are released
        competitors = store.count("compositions", equal={"is_competitor": True})
        by_stage = {row["stage"]: row for row in total(found)}
    builds = {"build": 3 + competitors, "build 2": 2 + competitors}
    with open_store(part[0]) as store:
        for name, number in builds.items():
            pools = store.count("pools", equal={"round": 1 if name == "build" else 2})
            assert pools == number
            assert name in by_stage


def copied(store, folder):
    with sqlite3.connect(store) as source, sqlite3.connect(folder / store.name) as copy:
        source.backup(copy)
    shutil.copytree(f"{store}.files", folder / f"{store.name}.files")
    return folder / store.name


def test_a_larger_budget_goes_on_and_computes_nothing_twice(folder, part, whole, tmp_path):
    store = copied(part[0], tmp_path)
    with open_store(store) as opened:
        before = {row["id"]: row for row in opened.iterate("searches")}
    run(folder, store, budget={"candidates": 1000}, released_at_once=2)
    with open_store(store) as opened:
        after = {row["id"]: row for row in opened.iterate("searches")}
    assert before.items() <= after.items()
    mine, theirs = without_shards(store), without_shards(whole)
    # the round that follows a smaller first one has searched others, whose facts stay
    for name in ("candidates", "compositions", "references", "funnel", "campaigns"):
        assert mine[name] == theirs[name]
    for name in ("pools", "searches", "minima", "calculations"):
        assert theirs[name].items() <= mine[name].items()


def test_the_same_budget_again_releases_no_more(folder, part, tmp_path):
    store = copied(part[0], tmp_path)
    run(folder, store, budget={"candidates": 3}, released_at_once=2)
    assert standing(store) == standing(part[0])


@pytest.fixture(scope="module")
def selected(folder, tmp_path_factory):
    """A store in which compositions have been selected, its campaign and their shards."""
    store = tmp_path_factory.mktemp("selected") / "ninefold.db"

    def with_budget(budget, **execution):
        campaign = parse_campaign({**TINY, "execution": {**JOBS, "budget": budget, **execution}}, folder=folder)
        return campaign, campaign_jobs.select_compositions.original(campaign.to_dict(), str(store), {"attempt": 1})

    return store, with_budget


COST = release_jobs.Cost(1000.0, 0.5, 0.0)


def dealt(selected, budget, cost=COST, at_once=2):
    """Compositions that are released at once, and the lanes."""
    store, with_budget = selected
    campaign, shards = with_budget(budget, released_at_once=at_once)
    with open_store(store, "write") as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_jobs, "_cost", lambda *_: cost)
        known, lanes = release_jobs._dealt(opened, campaign, shards)
        sizes = [release_jobs._size(opened, campaign, lane, [], lane["shard"]["count"]) for lane in lanes]
        names = [[line["id"] for line in lines_of(opened, lane["shard"])] for lane in lanes]
        number = opened.count("compositions", equal={"is_competitor": True})
    assert sum(shard["count"] for shard in known) == number
    return number, lanes, sizes, names


def test_lanes_hold_every_composition_once(selected):
    _, lanes, _, names = dealt(selected, {"until": "2999-01-01"}, at_once=3)
    assert [lane["shard"]["count"] for lane in lanes] == [2, 1, 1]
    assert len({name for lane in names for name in lane}) == 4


@pytest.mark.parametrize(("candidates", "shares"), [(1, [1]), (2, [1, 1]), (3, [2, 1]), (99, [50, 49])])
def test_lanes_share_a_number_of_candidates(selected, candidates, shares):
    _, lanes, _, _ = dealt(selected, {"candidates": candidates})
    assert [lane["candidates"] for lane in lanes] == shares


def test_lanes_share_core_hours(selected):
    """A search and what follows it take 1500 s, the competitors' are paid first, and of the rest two and a half fit."""
    number, *_ = dealt(selected, {"core_hours": 1})
    _, lanes, sizes, _ = dealt(selected, {"core_hours": 1500 * (number + 2.5) / 3600})
    assert [lane["core_seconds"] for lane in lanes] == pytest.approx([1500 * 1.25] * 2)
    assert sizes == [1, 1]


@pytest.mark.parametrize(
    "budget", [{"core_hours": 0.3}, {"until": "2020-01-01"}, {"candidates": 5, "until": "2020-01-01"}]
)
def test_nothing_is_released_of_a_budget_below_one_search_or_after_its_date(selected, budget):
    assert dealt(selected, budget)[1] == []


def test_without_a_rate_one_search_tells_what_the_others_take(selected):
    _, lanes, sizes, _ = dealt(selected, {"core_hours": 5}, cost=release_jobs.Cost(None, 0.5, 0.0), at_once=1)
    assert (len(lanes), sizes) == (1, [1])


def test_a_lane_ends_when_its_share_is_spent(folder, part):
    """By what its own jobs have taken, as the funnel has it, with what will follow them."""
    store, calls = part
    campaign = parse_campaign({**TINY, "execution": {**JOBS, "budget": {"core_hours": 1}}}, folder=folder)
    [arguments] = [call[1] for call in calls if call[0].__name__ == "release_compositions" and len(call[1][3]) == 2]
    lane, released = arguments[2], arguments[3]
    with open_store(store, "write") as opened:
        equal = {"shard": [shard["key"] for shard in released], "stage": ["build", "prescreen"]}
        spent = sum(row["core_seconds"] for row in opened.find("funnel", equal=equal))
        sizes = [
            release_jobs._size(
                opened, campaign, {**lane, "candidates": None, "core_seconds": share * 1.5 * spent / 2}, released, 9
            )
            for share in (0.5, 2.9, 3.1, 1000)
        ]
    assert spent > 0
    assert sizes == [0, 0, 1, 1]
