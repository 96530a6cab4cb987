"""The funnel: what each stage let through, added up over its shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STAGES = ("enumerate", "select", "build", "prescreen", "references", "stability", "rank")
"""In the order of the data."""


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
    return [by_stage[stage] for stage in STAGES if stage in by_stage]
