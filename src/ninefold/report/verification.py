"""Candidates whose energies another method has verified: both hulls beside each other, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.report.text import MISSING, duration

if TYPE_CHECKING:
    from rich.table import Table


def verified(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Plain values of each verified candidate, in the order of their ranks.

    Args:
        rows: Stored documents of candidates.

    Returns:
        id, formula, label, evidence, engine, rank, distance (eV/atom) and verification of those that have one.
    """
    keys = (
        "id",
        "formula",
        "label",
        "evidence",
        "engine",
        "rank",
        "is_best",
        "is_competitor",
        "stability_notes",
        "reasons",
    )
    found = [
        {key: row.get(key) for key in keys}
        | {"distance": row.get("phase_separation_energy"), **(row.get("verification") or {})}
        for row in rows
        if row.get("verification")
    ]
    return sorted(found, key=lambda row: (row["rank"] is None, row["rank"] or 0, row["label"]))


COLUMNS = (
    "candidate", ">potential\nmeV/atom", ">here\nmeV/atom", ">change\nmeV/atom", ">rank", "decomposes into", "evidence",
    ">force\neV/Å", ">pressure\nGPa",
)  # fmt: skip
"""Of the table; > before those of numbers."""


def cells(row: Mapping[str, Any]) -> list[str]:
    """One candidate's line of the table, from what `verified` gives; distances to the hull in meV/atom."""
    mode = "static" if row.get("mode") == "static" else "relaxed" if row.get("is_converged") else "cut"
    return [
        _name(row), _millis(row.get("distance_before")), _millis(row["distance"]),
        _millis(row.get("change")) + ("!" if row.get("disagrees") else ""), _ranks(row), _products(row.get("reaction")),
        f"{row['evidence']}, {mode}", _number(row.get("max_force"), 2), _number(row.get("pressure"), 1),
    ]  # fmt: skip


def verification_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What `verified` gives, one candidate a line."""
    from ninefold.report.terminal_parts import plain, table_of

    table = table_of(*(column.replace("potential\nmeV/atom", "potential") for column in COLUMNS))
    for row in rows:
        table.add_row(*map(plain, cells(row)))
    return table


def on_page(candidates: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The section of the report; None where nothing was verified."""
    rows = verified(candidates)
    if not rows:
        return None
    engines = ", ".join(dict.fromkeys(str(row["engine"]) for row in rows))
    columns = [(column.lstrip(">"), column.startswith(">")) for column in COLUMNS]
    lines = [
        {"id": row["id"], "cells": list(zip(cells(row), (is_number for _, is_number in columns), strict=True))}
        for row in rows
    ]
    return {"engines": engines, "columns": columns, "lines": lines, "sentences": sentences(rows)}


def sentences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What changed, said plainly: ranks, disagreements, what is missing."""
    told = []
    moved = [
        row for row in rows
        if row["is_best"] and row.get("rank_before") != row["rank"] and not row["is_competitor"]
    ]  # fmt: skip
    if rows:
        told.append(
            "Ranks that changed: " + ("; ".join(f"{_name(row)} {_ranks(row)}" for row in moved) or "none") + "."
        )
    signs = [
        row for row in rows
        if row.get("distance_before") is not None and row["distance"] is not None
        and (row["distance_before"] <= 0) != (row["distance"] <= 0)
    ]  # fmt: skip
    for row in signs:
        side = "below" if row["distance"] <= 0 else "above"
        told.append(f"{_name(row)} is {side} the hull now, by {1000 * abs(row['distance']):.0f} meV/atom.")
    for row in rows:
        if row.get("disagrees"):
            told.append(
                f"{_name(row)}: {row.get('geometry_engine')} and {row['engine']} disagree by "
                f"{1000 * abs(row['change']):.0f} meV/atom, more than the window of {1000 * row['window']:.0f}."
            )
        if row["distance"] is None:
            why = [*row["stability_notes"], *row.get("errors", ()), *row["reasons"]]
            told.append(f"{_name(row)} has no distance: {'; '.join(dict.fromkeys(why)) or 'no hull'}.")
    every = (note for row in rows for note in row["stability_notes"])
    notes = dict.fromkeys(note for note in every if note.startswith("not in this hull"))
    cut = [row for row in rows if row.get("mode") == "relax" and not row.get("is_converged")]
    if cut:
        told.append(f"Not relaxed to the end: {', '.join(map(_name, cut))}; the same command goes on.")
    return [*told, *(f"{note[0].upper()}{note[1:]}." for note in notes)]


def cost_line(seconds: float | None, count: int) -> str:
    """How long phases will take."""
    phases = f"{count} phase{'' if count == 1 else 's'}"
    if seconds is None:
        return f"{phases}; the cost of this engine is not known."
    return f"{phases}, about {duration(seconds)} of core time; what is in the store already costs nothing."


def _name(row: Mapping[str, Any]) -> str:
    return str(row["label"]).split()[0]


def _place(rank: int | None) -> str:
    return "none" if rank is None else str(rank)


def _ranks(row: Mapping[str, Any]) -> str:
    before, after = _place(row.get("rank_before")), _place(row["rank"])
    if not row["is_best"]:  # the potential's row stands, with a rank of its own
        return MISSING
    return after if before == after else f"{before} -> {after}"


def _products(reaction: str | None) -> str:
    return MISSING if reaction is None else reaction.partition(" -> ")[2]


def _millis(value: float | None) -> str:
    return MISSING if value is None else f"{1000 * value:+.0f}"


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"
