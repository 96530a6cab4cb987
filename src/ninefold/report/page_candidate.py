"""What the report's template needs of one candidate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.chemistry.compounds import KnownCompound, known_compounds
from ninefold.chemistry.equations import decomposition
from ninefold.errors import InputError
from ninefold.report.dynamics_text import dynamics_facts, dynamics_rows
from ninefold.report.formation import formation_sentence
from ninefold.report.phase_diagram import signed_distance
from ninefold.report.picture import colours, structure_svg, viewer_data
from ninefold.report.powder_section import powder_picture
from ninefold.report.scene import make_scene
from ninefold.report.structure_facts import (
    EXPANSION_COLUMNS,
    STATE_COLUMNS,
    VIBRATION_COLUMNS,
    expansion_notes,
    expansion_rows,
    state_notes,
    state_rows,
    vibration_notes,
    vibration_rows,
)
from ninefold.report.text import (
    MISSING,
    unit_of,
)
from ninefold.structures.description import describe

if TYPE_CHECKING:
    pass


def candidate_section(candidate: dict[str, Any], shared: Mapping[str, str]) -> dict[str, Any]:
    """What the template needs of one candidate.

    Args:
        candidate: Stored document.
        shared: Facts that all candidates state alike; they stand once, at the end of the page.
    """
    structures = candidate.get("structures") or []
    best = next((found for found in structures if found.get("is_valid")), None)
    seen = best or (structures[0] if structures else None)
    scene = make_scene(seen["structure"], candidate["centre"]) if seen else None
    # not the first: a minimum of higher symmetry within the precision of a relaxation stands before it
    lowest = min((found["energy_per_atom"] for found in structures if found.get("is_valid")), default=None)
    searched = (
        candidate["formula"], candidate["label"], candidate["chemical_system"], candidate["centre"],
        *candidate["cations"], candidate.get("space_group_symbol") or "", candidate.get("evidence") or "",
        candidate["status"], "in list" if candidate.get("is_known") else "",
    )  # fmt: skip
    provenance = candidate.get("provenance") or {}
    return {
        "document": candidate,
        "search_text": " ".join(searched).lower(),
        "picture": structure_svg(scene, f"Structure of {candidate['formula']}") if scene else None,
        "viewer": viewer_data(scene) if scene else None,
        "legend": colours(scene) if scene else {},
        "powder": powder_picture(candidate, seen["structure"]) if seen and scene else None,
        "pictured": seen,
        "description": describe(seen["structure"]) if seen and scene else None,
        "structures": [
            {**found, "difference": None if lowest is None else found["energy_per_atom"] - lowest}
            for found in structures
        ],
        "vibrations": _told(VIBRATION_COLUMNS, vibration_rows(candidate), vibration_notes(candidate)),
        "expansion": _told(EXPANSION_COLUMNS, expansion_rows(candidate), expansion_notes(candidate)),
        "compression": _told(STATE_COLUMNS, state_rows(candidate), state_notes(candidate)),
        "formation": formation_sentence(candidate),
        "dynamics": _dynamics(candidate.get("dynamics")),
        "conditions": _conditions(candidate.get("conditions") or [], candidate["formula"]),
        "segments": [
            {"name": name, "width": max(0.0, 100 * term["contribution"]), **term}
            for name, term in (candidate.get("terms") or {}).items()
        ],
        "decomposition": candidate.get("decomposition") or [],
        "equation": _equation(candidate["formula"], candidate.get("decomposition") or []),
        "reaction": provenance.get("reaction"),
        "made": _made(candidate["formula"]),
        "provenance": [
            (name, value)
            for name, value in flat_lines({key: item for key, item in provenance.items() if key != "reaction"})
            if shared.get(name) != value
        ],
    }


def _dynamics(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if record is None:
        return None
    headings, lines = dynamics_rows(record)
    return {"headings": headings, "lines": lines, "facts": dynamics_facts(record)}


def _told(columns: Sequence[tuple[str, bool]], rows: list[tuple[str, ...]], notes: list[str]) -> dict[str, Any] | None:
    """A table of the template, or None where it would be empty."""
    return {"columns": columns, "rows": rows, "notes": notes} if rows else None


def _equation(formula: str, products: Iterable[Any]) -> str | None:
    """`K2ReH9 -> 2 KH + Re + 7/2 H2`, or None where the products have no single set of amounts."""
    formulas = [part["formula"] if isinstance(part, dict) else str(part) for part in products]
    try:
        equation = decomposition(formula, list(dict.fromkeys(formulas))) if formulas else None
    except InputError:  # a document of the user's own with something else for a formula
        return None
    return None if equation is None else str(equation)


def _made(formula: str) -> list[KnownCompound]:
    """Entries of ninefold's list of made compounds with a formula."""
    return [compound for compound in known_compounds() if compound.formula == formula]


def _conditions(rows: list[dict[str, Any]], formula: str) -> dict[str, Any] | None:
    """Conditions as a grid of temperature against pressure where every place of it is filled, else as a list."""
    if not rows:
        return None
    temperatures = sorted({row["temperature_K"] for row in rows})
    pressures = sorted({row["pressure_GPa"] for row in rows})
    by_place = {(row["temperature_K"], row["pressure_GPa"]): _condition(row, formula) for row in rows}
    is_grid = min(len(temperatures), len(pressures)) > 1 and len(by_place) == len(temperatures) * len(pressures)
    return {
        "temperature_unit": unit_of("temperature_K"),
        "pressure_unit": unit_of("pressure_GPa"),
        "pressures": [f"{pressure:g}" for pressure in pressures],
        "grid": [
            {"temperature": f"{temperature:g}", "cells": [by_place[temperature, pressure] for pressure in pressures]}
            for temperature in temperatures
        ]
        if is_grid
        else None,
        "list": [by_place[place] for place in sorted(by_place)],
        "notes": list(dict.fromkeys(note for row in rows for note in row.get("notes") or [])),
    }


def _condition(row: dict[str, Any], formula: str) -> dict[str, Any]:
    competitors = row.get("decomposition") or []
    phases = [part["formula"] if isinstance(part, dict) else str(part) for part in competitors]
    return {
        "temperature": f"{row['temperature_K']:g}",
        "pressure": f"{row['pressure_GPa']:g}",
        "value": signed_distance(row),
        "e_above_hull": row.get("e_above_hull"),
        "e_above_references": row.get("e_above_references"),
        "minimum": row.get("minimum"),
        "products": _equation(formula, competitors) or " + ".join(phases),
        "notes": "; ".join(row.get("notes") or []),
    }


def flat_lines(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested dictionary as lines: path of names, value."""
    lines = []
    for key, item in value.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(item, dict):
            lines += flat_lines(item, f"{name}, ")
        elif isinstance(item, list):
            lines.append((name, ", ".join(map(str, item)) or MISSING))
        else:
            lines.append((name, MISSING if item is None else f"{item:g}" if isinstance(item, float) else str(item)))
    return lines
