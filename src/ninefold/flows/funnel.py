"""The funnel: what each stage let through, added up over its shards, each number with its unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ninefold.stages.order import SHIPPED, place
from ninefold.stages.stage import split_name


def total(funnels: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Funnel records added up over their shards, one per stage, in the order of the data.

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
    return with_units(sorted(by_stage.values(), key=_place))


def with_units(stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stages in the order of the data, each with `unit_in`, `unit_out` and `taken_from` (see `total`)."""
    rows: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    competitors = 0
    for entry in stages:
        name, _ = split_name(entry["stage"])
        stage = SHIPPED.get(name)
        unit_in, unit_out = (stage.takes, stage.gives) if stage else (entry["unit"], entry["unit"])
        is_beside = stage is not None and stage.is_beside
        taken_from = None
        if before and not is_beside and before["unit_out"] != unit_in:
            # what is searched beside the candidates goes through every round with them
            joining = competitors if before["unit_out"] == "compositions" else 0
            taken_from = {
                "stage": before["stage"], "count": before["count_out"] + joining, "unit": before["unit_out"],
            }  # fmt: skip
        row = {**entry, "unit_in": unit_in, "unit_out": unit_out, "taken_from": taken_from}
        rows.append(row)
        competitors += entry["count_out"] if name == "competitors" else 0
        before = before if is_beside else row
    return rows


def _place(entry: dict[str, Any]) -> tuple[float, ...]:
    return place(entry["stage"], entry.get("after"), entry.get("method", 0))  # an older store does not say
