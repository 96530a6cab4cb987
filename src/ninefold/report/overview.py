"""All candidates of a campaign in numbers, and the few facts of each that the answer and the hulls need.

A report shows the best candidates; of the others it counts. They pass through here one at a time as flat rows,
so that a campaign of any size is read without holding its documents.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ninefold.report.periodic import SurvivorCounter, Survivors

ROW_FIELDS = (
    "id", "formula", "chemical_system", "centre", "cations", "status", "anion_class", "is_known", "is_neighbour",
    "is_competitor", "is_best", "evidence", "engine", "method", "rank", "relaxations", "energy_per_atom",
    "e_above_hull", "phase_separation_energy", "e_above_hull_uncertainty", "e_above_same_composition",
    "model_error", "model_error_source", "search_scatter", "method_disagreement", "hull_probability",
)  # fmt: skip
"""What is read of a candidate that is not shown; all of them flat fields of the store."""

_KEPT = tuple(key for key in ROW_FIELDS if key not in ("centre", "cations", "relaxations"))
_REPEATED = ("chemical_system", "status", "anion_class", "evidence", "engine", "method", "model_error_source")


@dataclass
class SystemCount:
    """One chemical system in numbers."""

    name: str
    candidates: int = 0
    not_shown: int = 0
    with_energy: int = 0
    lowest: dict[str, Any] | None = None
    """The candidate with the lowest hull distance."""


@dataclass
class Overview:
    """A campaign's candidates, counted."""

    total: int = 0
    relaxations: int = 0
    not_shown: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    """Of the candidates that are not shown: status -> how many."""
    systems: dict[str, SystemCount] = field(default_factory=dict)
    survivors: Survivors = field(default_factory=lambda: SurvivorCounter().result())
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Every candidate: the whole document of one that is shown, else the flat facts that the answer needs."""
    by_system: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By chemical system those with an energy, and what other methods say of them: a hull is of one method."""


def overview(shown: Iterable[dict[str, Any]], rest: Iterable[dict[str, Any]]) -> Overview:
    """Count candidates in one pass. A row that does not stand for its composition takes part in hulls alone.

    Args:
        shown: Whole documents of those that the report shows.
        rest: Flat rows of the others, with `ROW_FIELDS` as far as the store has them; read once.
    """
    found, survivors = Overview(), SurvivorCounter()
    without_energy: dict[str, dict[str, Any]] = {}
    for is_shown, row in chain(((True, row) for row in shown), ((False, row) for row in rest)):
        if row.get("is_best") is False:
            if row.get("energy_per_atom") is not None:
                found.by_system.setdefault(sys.intern(row["chemical_system"]), []).append(_compact(row))
            continue
        survivors.add(row)
        found.total += 1
        found.relaxations += row.get("relaxations") or 0
        name = sys.intern(row["chemical_system"])
        system = found.systems.setdefault(name, SystemCount(name))
        system.candidates += 1
        kept: dict[str, Any] = row
        if not is_shown:
            found.not_shown += 1
            found.statuses[sys.intern(row["status"])] += 1
            system.not_shown += 1
            if row.get("energy_per_atom") is None:
                # nothing of such a row is named anywhere: one mapping stands for all of a status
                kept = without_energy.setdefault(row["status"], {**dict.fromkeys(_KEPT), "status": row["status"]})
            else:
                kept = _compact(row)
        found.rows.append(kept)
        if row.get("energy_per_atom") is None:
            continue
        system.with_energy += 1
        found.by_system.setdefault(name, []).append(kept)
        if _hull_distance(kept) < _hull_distance(system.lowest):
            system.lowest = kept
    found.survivors = survivors.result()
    return found


def _compact(row: dict[str, Any]) -> dict[str, Any]:
    """The facts of a row that are used later, without the memory of texts that repeat."""
    kept = {key: row.get(key) for key in _KEPT}
    for key in _REPEATED:
        if text := kept[key]:
            kept[key] = sys.intern(text)
    return kept


def _hull_distance(row: dict[str, Any] | None) -> float:
    value = None if row is None else row.get("phase_separation_energy")
    return float("inf") if value is None else float(value)
