"""The funnel: what each stage let through, added up over its shards, each number with its unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STAGES = ("enumerate", "select", "competitors", "build", "prescreen", "references", "choose", "stability", "rank")
"""In the order of the data."""
IN_ROUNDS = ("choose", "build", "prescreen")
"""Those that further rounds repeat, with the round's number behind their name, in its order."""

UNITS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(STAGES, ("compositions", "compositions")),
    "build": ("structures", "structures"),
    "references": ("reference phases", "reference phases"),
}
"""Stage -> what its count_in and its count_out count. A stage that is not here counts what its document says."""
BESIDE = frozenset({"competitors", "references"})
"""Stages whose input is not the output of the stage before them."""


def total(funnels: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Funnel documents added up over their shards, one per stage, in the order of the data.

    Returns:
        Each with three keys more: `unit_in` and `unit_out`, what its counts count; and `taken_from`, which is None
        unless the stage before it gave something else than this stage counts (22 compositions, from which 13 200
        structures were built). Then it is that stage's `stage`, `count` and `unit`.
    """
    by_stage: dict[str, dict[str, Any]] = {}
    for funnel in funnels:
        entry = by_stage.get(funnel["stage"])
        if entry is None:
            by_stage[funnel["stage"]] = {**funnel, "reasons": dict(funnel["reasons"])}
            continue
        for key in ("count_in", "count_out", "core_seconds", "wall_seconds"):
            entry[key] += funnel[key]
        for reason, count in funnel["reasons"].items():
            entry["reasons"][reason] = entry["reasons"].get(reason, 0) + count
    return with_units(sorted(by_stage.values(), key=lambda entry: _place(entry["stage"])))


def with_units(stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stages in the order of the data, each with `unit_in`, `unit_out` and `taken_from` (see `total`)."""
    rows: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    competitors = 0
    for stage in stages:
        name = stage["stage"].partition(" ")[0]
        unit_in, unit_out = UNITS.get(name, (stage["unit"], stage["unit"]))
        taken_from = None
        if before and name not in BESIDE and before["unit_out"] != unit_in:
            # what is searched beside the candidates goes through every round with them
            joining = competitors if before["unit_out"] == "compositions" else 0
            taken_from = {
                "stage": before["stage"], "count": before["count_out"] + joining, "unit": before["unit_out"],
            }  # fmt: skip
        row = {**stage, "unit_in": unit_in, "unit_out": unit_out, "taken_from": taken_from}
        rows.append(row)
        competitors += stage["count_out"] if name == "competitors" else 0
        before = before if name in BESIDE else row
    return rows


def _place(stage: str) -> tuple[int, int, int]:
    name, _, number = stage.partition(" ")
    if number:
        return (STAGES.index("choose"), int(number), IN_ROUNDS.index(name))
    return (STAGES.index(name), 0, 0)
