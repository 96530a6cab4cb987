"""The funnel: what each stage let through, added up over its shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STAGES = ("enumerate", "select", "competitors", "build", "prescreen", "references", "choose", "stability", "rank")
"""In the order of the data."""
IN_ROUNDS = ("choose", "build", "prescreen")
"""Those that further rounds repeat, with the round's number behind their name, in its order."""


def total(funnels: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Funnel documents added up over their shards, one per stage, in the order of the data."""
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
    return sorted(by_stage.values(), key=lambda entry: _place(entry["stage"]))


def _place(stage: str) -> tuple[int, int, int]:
    name, _, number = stage.partition(" ")
    if number:
        return (STAGES.index("choose"), int(number), IN_ROUNDS.index(name))
    return (STAGES.index(name), 0, 0)
