"""The funnel's arithmetic: shards added up, a unit with each number, and what a stage takes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ninefold.flows.funnel import total


def stage(name: str, count_in: int, count_out: int, unit: str = "compositions", shard: str = "0", **more):
    return {
        "stage": name, "shard": shard, "count_in": count_in, "count_out": count_out, "unit": unit, "reasons": {},
        "core_seconds": 1.0, "wall_seconds": 0.5,
    } | more  # fmt: skip


CAMPAIGN = [
    stage("rank", 978, 900),
    stage("references", 21, 20, "structures"),
    stage("enumerate", 5000, 5000),
    stage("select", 5000, 978),
    stage("prescreen", 500, 480, shard="a"),
    stage("prescreen", 478, 460, shard="b"),
    stage("build", 80_000, 60_000, "structures", shard="a"),
    stage("build", 66_700, 50_000, "structures", shard="b"),
    stage("choose 2", 978, 100),
    stage("build 2", 9000, 8000, "structures"),
    stage("prescreen 2", 100, 99),
    stage("stability", 940, 940),
]


def test_every_count_has_a_unit_in_the_order_of_the_data():
    rows = total(CAMPAIGN)
    units = {row["stage"]: (row["count_in"], row["unit_in"], row["count_out"], row["unit_out"]) for row in rows}
    assert list(units)[:4] == ["enumerate", "select", "build", "prescreen"]
    assert units["build"] == (146_700, "structures", 110_000, "structures")
    assert units["prescreen"] == (978, "compositions", 940, "compositions")
    assert units["references"] == (21, "reference phases", 20, "reference phases")


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("enumerate", None),
        ("select", None),
        ("build", {"stage": "select", "count": 978, "unit": "compositions"}),
        ("prescreen", {"stage": "build", "count": 110_000, "unit": "structures"}),
        ("references", None),  # beside the others: it takes nothing from the stage before it
        ("choose 2", None),
        ("build 2", {"stage": "choose 2", "count": 100, "unit": "compositions"}),
        ("prescreen 2", {"stage": "build 2", "count": 8000, "unit": "structures"}),
        ("stability", None),
    ],
)
def test_a_stage_that_counts_something_else_than_it_was_given_says_so(name, taken):
    [row] = [row for row in total(CAMPAIGN) if row["stage"] == name]
    assert row["taken_from"] == taken


@pytest.mark.parametrize("methods", [("sevennet", "chgnet"), ("chgnet", "sevennet"), ("a b", "a")])
def test_methods_come_in_the_order_of_the_campaign(methods):
    of_methods = [
        stage(f"{name} {title}", 5, 5, method=place, shard=shard)
        for place, title in enumerate(methods, start=1)
        for name in ("stability", "references", "energies")
        for shard in ("a", "b")
    ]
    names = [row["stage"] for row in total([*reversed(of_methods), *CAMPAIGN])]
    expected = [f"{name} {title}" for title in methods for name in ("energies", "references", "stability")]
    assert names[names.index("stability") + 1 :] == [*expected, "rank"]


def test_neighbouring_counts_are_compared_in_one_unit_only():
    rows = total(CAMPAIGN)
    for before, after in pairwise(rows):
        if after["stage"] != "references" and before["stage"] != "references":
            assert before["unit_out"] == after["unit_in"] or after["taken_from"]["unit"] == before["unit_out"]


def test_searched_competitors_join_the_candidates():
    rows = total([*CAMPAIGN, stage("competitors", 9, 4)])
    taken = {row["stage"]: row["taken_from"] for row in rows}
    assert taken["build"]["count"] == 978 + 4
    assert taken["build 2"]["count"] == 100 + 4
    assert taken["prescreen"]["count"] == 110_000
