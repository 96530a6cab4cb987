"""What the report's template needs of the chemical systems, and of the candidates that have no section of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ninefold.report.overview import Overview
from ninefold.report.phase_diagram import build_phase_diagram, corners, phases_of
from ninefold.report.phase_diagram_svg import MOST_MARKS, hull_svg
from ninefold.report.text import reason_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_SYSTEMS = 30
"""Chemical systems with a picture, those of the best candidates first, and lines of the table of systems."""

STATUSES = {
    "ranked": "ranked, below those shown",
    "no_structure": "no structure in which every centre keeps its hydrogens",
    "no_hull": "no hull distance: a reference phase is missing",
    "h2_ligand": "H2-ligand complexes, not ranked with the classical hydrides",
    "rejected": "rejected by a rule on results",
    "competitor": "made compounds that were searched as competitors",
    "selected": "not searched yet",
    "searched": "searched, not ranked yet",
}
"""Status of a candidate -> in words, as the table of those that are not shown has it."""


def not_shown(every: Overview) -> dict[str, Any] | None:
    """The candidates that have no line of their own, counted; None if all are shown."""
    if not every.not_shown:
        return None
    systems = sorted(
        (system for system in every.systems.values() if system.not_shown),
        key=lambda system: (
            system.lowest is None or system.lowest.get("phase_separation_energy") is None,
            (system.lowest or {}).get("phase_separation_energy") or 0.0,
            system.name,
        ),
    )
    left_out = systems[MOST_SYSTEMS:]
    return {
        "count": every.not_shown,
        "total": every.total,
        "statuses": [(STATUSES.get(name, reason_text(name)), n) for name, n in every.statuses.most_common()],
        "systems": systems[:MOST_SYSTEMS],
        "more_systems": len(left_out),
        "more_candidates": sum(system.not_shown for system in left_out),
    }


def system_section(
    name: str,
    every: Overview,
    references: list[dict[str, Any]],
    shown_ids: set[str],
    candidates_compete: bool,
    methods: Sequence[str] = (),
) -> dict[str, Any]:
    """A chemical system: its picture, or why there is none, and which ternaries compete in it.

    Args:
        name: Its elements, joined by dashes.
        every: All candidates.
        references: Of every method.
        shown_ids: Candidates that the page has a section of.
        candidates_compete: Whether candidates carry the hull.
        methods: Ids, by rising trust. The picture is of one method: the most trusted one with a hull distance here.
    """
    elements = name.split("-")
    method = _most_trusted(every.by_system.get(name, []), methods)
    within = [
        row
        for system, rows in every.by_system.items()
        if set(system.split("-")) <= set(elements)
        for row in rows
        if row.get("method") == method
    ]
    references = [reference for reference in references if reference.get("method") == method or method is None]
    of_system = [row for row in every.by_system.get(name, []) if row.get("is_best") is not False]
    members = [row for row in of_system if row["id"] in shown_ids]
    entry: dict[str, Any] = {
        "name": name, "candidates": members, "picture": None, "reason": "", "drawn": None,
        "ternaries": _ternaries(elements, references),
        "engine": next((row["engine"] for row in within), None) if len(methods) > 1 else None,
        "of_another_method": [row for row in of_system if row.get("method") != method],
    }  # fmt: skip
    if not every.systems[name].with_energy:
        entry["reason"] = "no candidate of this system has an energy"
    elif len(elements) > 3:
        entry["reason"] = f"a system of {len(elements)} elements has no picture in the plane; a table stands here"
    else:
        phases = [
            phase if phase.key in shown_ids else replace(phase, key="")
            for phase in phases_of(elements, within, references, candidates_compete=candidates_compete)
        ]
        try:
            hull = build_phase_diagram(elements, phases)
        except ValueError as error:
            entry["reason"] = f"no hull: {error}"
        else:
            entry["name"] = "–".join(hull.elements)
            entry["picture"] = hull_svg(hull, f"Convex hull of the system {name}, seen along the energy")
            if len(within) > MOST_MARKS:
                entry["drawn"] = (MOST_MARKS, len(within))
    return entry


def _most_trusted(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> str | None:
    """The method of a system's picture; None where no row has an energy."""
    trust = {method: place for place, method in enumerate(methods)}

    def key(row: Mapping[str, Any]) -> tuple[bool, int, str]:
        method = row.get("method") or ""
        return row.get("phase_separation_energy") is not None, trust.get(method, -1), method

    return max(rows, key=key).get("method") if rows else None


def methods_used(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Which candidates' hull distances are by which method, the most trusted first; empty where one made all.

    Args:
        rows: Of all candidates; those without an energy are left out.
        methods: Ids, by rising trust.
    """
    trust = {method: place for place, method in enumerate(methods)}
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row.get("energy_per_atom") is not None and row.get("method"):
            found.setdefault(row["method"], []).append(row)
    if len(found) < 2:
        return []
    order = sorted(found, key=lambda method: (trust.get(method, -1), method), reverse=True)
    return [{"engine": found[method][0]["engine"], "candidates": found[method]} for method in order]


def _ternaries(elements: list[str], references: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Subsystems of three elements or more, each with the competing phases that have all of its elements.

    A hull in which no other ternary competes says little about the stability of one.
    """
    found = []
    for size in range(3, len(elements) + 1):
        for members in combinations(corners(elements), size):
            phases = [reference for reference in references if set(reference["elements"]) == set(members)]
            found.append(("–".join(members), list(dict.fromkeys(_competitor_name(phase) for phase in phases))))
    return found


def _competitor_name(reference: dict[str, Any]) -> str:
    name = str(reference["name"])
    if reference.get("refuted"):
        return f"{name} (not in the hull: {reference['refuted']})"
    return name if reference.get("energy_per_atom") is not None else f"{name} (no energy)"
