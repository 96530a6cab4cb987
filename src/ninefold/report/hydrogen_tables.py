"""Tables of the best candidates under hydrogen."""

from __future__ import annotations

from typing import Any

from ninefold.report.below_hull import (
    condition_name,
    conditions_of,
    lowest_pressures,
)
from ninefold.report.text import unit_of

MOST_COLUMNS = 6
"""Conditions that have a column each; more are summed up as the lowest pressure."""

MOST_ROWS = 10
"""Candidates in the table under the answer."""


def under_hydrogen(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Hull distance of the best candidates at each of a few conditions; None without conditions or with many."""
    places = conditions_of(candidates)
    if not places or len(places) > MOST_COLUMNS:
        return None
    rows = []
    for candidate in [c for c in candidates if c.get("rank") is not None][:MOST_ROWS]:
        found = {(row["temperature_K"], row["pressure_GPa"]): row for row in candidate.get("conditions") or []}
        values = [found[place].get("phase_separation_energy") if place in found else None for place in places]
        rows.append({"candidate": candidate, "values": [candidate.get("phase_separation_energy"), *values]})
    return {"conditions": [condition_name(*place) for place in places], "rows": rows}


def windows(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Lowest pressure by temperature for the best candidates; None without conditions or with few."""
    if len(conditions_of(candidates)) <= MOST_COLUMNS:
        return None
    rows = [(c, lowest_pressures(c)) for c in candidates if c.get("rank") is not None]
    rows = [(c, found) for c, found in rows if found][:MOST_ROWS]
    if not rows:
        return None
    temperatures = sorted({temperature for _, found in rows for temperature in found})
    return {
        "temperatures": [f"{temperature:g} {unit_of('temperature_K')}" for temperature in temperatures],
        "pressure_unit": unit_of("pressure_GPa"),
        "rows": [
            {
                "candidate": candidate,
                "pressures": [
                    None if (pressure := found.get(temperature)) is None else f"{pressure:g}"
                    for temperature in temperatures
                ],
            }
            for candidate, found in rows
        ],
    }
