"""The report's page: stored documents in, one HTML file out."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import ninefold
from ninefold.chemistry.quantities import label
from ninefold.report import answer as words
from ninefold.report.hull import build_hull, phases_of
from ninefold.report.hull_picture import hull_svg
from ninefold.report.palette import BALLS, SCALE_END, TERMS, blend, distance_colour, ink_on, scale_stops
from ninefold.report.periodic import of_candidates, periodic_svg
from ninefold.report.picture import ball_id, colours, structure_svg, viewer_data
from ninefold.report.scene import make_scene
from ninefold.report.text import (
    MISSING,
    count,
    duration,
    formula_html,
    formula_plain,
    number,
    quantity_of,
    shown,
    space_group_html,
    thousands,
    unit_of,
    with_unit,
)

if TYPE_CHECKING:
    from jinja2 import Environment

FACTS = (
    "anion_class", "electron_count", "oxidation_state", "q", "m", "energy_per_atom", "formation_energy_per_atom",
    "e_above_references", "reaction_energy_per_h2", "space_group_number", "nsites", "volume_per_formula_unit",
    "volume_ratio", "shortest_m_h", "shortest_h_h", "is_converged", "max_force", "structure_type", "source",
    "relaxations", "search_rounds", "search_spread", "is_pareto",
)  # fmt: skip
"""Scalars of a candidate's detail section, in order; hull distance, score and evidence stand above them."""

MOST_DETAILS = 150
"""Candidates with a section of their own, about 30 kB each; the ranking holds all."""
MOST_SYSTEMS = 30
"""Chemical systems with a picture, those of the best candidates first."""


def render_report(
    campaign: dict[str, Any],
    funnel: list[dict[str, Any]],
    candidates: list[dict[str, Any]],
    references: list[dict[str, Any]],
) -> str:
    """Make the report of a campaign.

    Args:
        campaign: A campaign document, as a plain dictionary (`ninefold.store.documents`).
        funnel: Its funnel, one entry per stage, in the order of the data.
        candidates: Its candidates.
        references: Its reference phases.

    Returns:
        One HTML file that needs nothing else: no network, no other file. Its tables and pictures work without a
        script; sorting, filtering and turning structures need one.
    """
    ranked = sorted(candidates, key=lambda c: (c.get("rank") is None, c.get("rank") or 0, c["formula"]))
    terms = list(dict.fromkeys(name for candidate in ranked for name in candidate.get("terms") or {}))
    styles, scripts = _resource("report.css"), _resource("viewer.js") + "\n" + _resource("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            campaign=campaign,
            title=f"{campaign['name']}: ninefold report",
            answer=words.answer(campaign, funnel, ranked),
            under_hydrogen=words.under_hydrogen(ranked),
            windows=words.windows(ranked),
            uncertainty_note=words.uncertainty_note(ranked),
            tiles=_tiles(funnel, ranked),
            funnel=[_stage(row) for row in funnel],
            hardware=sorted({row["hardware"] for row in funnel}),
            periodic=periodic_svg(of_candidates(ranked)) if ranked else None,
            terms={name: TERMS[place % len(TERMS)] for place, name in enumerate(terms)},
            candidates=[_candidate(candidate, place < MOST_DETAILS) for place, candidate in enumerate(ranked)],
            systems=_systems(ranked, references),
            systems_left_out=max(0, len({candidate["chemical_system"] for candidate in ranked}) - MOST_SYSTEMS),
            references=sorted(references, key=lambda r: (r["chemical_system"].count("-"), r["formula"], r["name"])),
            provenance=_provenance(campaign, ranked),
            scale=scale_stops(),
            balls=[(ball_id(c), blend(c, "#ffffff", 0.6), c, blend(c, "#000000", 0.3)) for c in BALLS],
            version=ninefold.__version__,
            styles=Markup(styles),
            scripts=Markup(scripts),
            script_hash=base64.b64encode(hashlib.sha256(scripts.encode()).digest()).decode(),
        )
    )


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ninefold.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "formula": formula_html, "plain_formula": formula_plain, "space_group": space_group_html, "duration": duration,
        "number": number, "script_json": _script_json, "distance_colour": distance_colour, "ink_on": ink_on,
        "thousands": thousands,
    }  # fmt: skip
    environment.globals |= {
        "label": label, "shown": shown, "with_unit": with_unit, "unit_of": unit_of, "quantity_of": quantity_of,
        "count": count, "MISSING": MISSING, "SCALE_END": SCALE_END, "FACTS": FACTS,
    }  # fmt: skip
    return environment


@functools.cache
def _resource(name: str) -> str:
    return resources.files("ninefold.report").joinpath("templates", name).read_text(encoding="utf-8")


def _script_json(value: Any) -> Markup:
    """JSON that may stand in a script element: no character of it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _tiles(funnel: list[dict[str, Any]], candidates: list[dict[str, Any]]) -> list[dict[str, str]]:
    stable, undecided = words.sorted_by_stability(candidates)
    counted = sum(not candidate.get("is_competitor") for candidate in candidates)
    relaxations = sum(candidate.get("relaxations") or 0 for candidate in candidates)
    seconds = sum(row.get("core_seconds") or 0.0 for row in funnel)
    return [
        {
            "value": str(len(stable)),
            "meaning": f"below the hull beyond their uncertainty, of {counted} candidates",
        },
        {"value": str(sum(not c.get("is_known") for c in stable)), "meaning": "of these not in ninefold's list"},
        {"value": str(len(undecided)), "meaning": "left open by the searches"},
        {"value": thousands(relaxations), "meaning": "relaxations with the engine"},
        {"value": duration(seconds), "meaning": "core time in all"},
    ]


def _stage(row: dict[str, Any]) -> dict[str, Any]:
    share = row["count_out"] / row["count_in"] if row["count_in"] else 0.0
    reasons = sorted((row.get("reasons") or {}).items(), key=lambda item: -item[1])
    return {**row, "share": min(share, 1.0), "reasons": reasons}


def _candidate(candidate: dict[str, Any], is_detailed: bool) -> dict[str, Any]:
    structures = candidate.get("structures") or []
    best = next((found for found in structures if found.get("is_valid")), None)
    seen = best or (structures[0] if structures else None)
    scene = make_scene(seen["structure"], candidate["centre"]) if seen and is_detailed else None
    lowest = candidate.get("energy_per_atom")
    searched = (
        candidate["formula"], candidate["label"], candidate["chemical_system"], candidate["centre"],
        *candidate["cations"], candidate.get("space_group_symbol") or "", candidate.get("evidence") or "",
        candidate["status"], "in list" if candidate.get("is_known") else "",
    )  # fmt: skip
    return {
        "document": candidate,
        "is_detailed": is_detailed,
        "search_text": " ".join(searched).lower(),
        "picture": structure_svg(scene, f"Structure of {candidate['formula']}") if scene else None,
        "viewer": viewer_data(scene) if scene else None,
        "legend": colours(scene) if scene else {},
        "pictured": seen,
        "structures": [
            {**found, "difference": None if lowest is None else found["energy_per_atom"] - lowest}
            for found in structures
        ],
        "conditions": _conditions(candidate.get("conditions") or []),
        "segments": [
            {"name": name, "width": max(0.0, 100 * term["contribution"]), **term}
            for name, term in (candidate.get("terms") or {}).items()
        ],
        "decomposition": candidate.get("decomposition") or [],
        "provenance": list(_flat(candidate.get("provenance") or {})),
    }


def _conditions(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Conditions as a grid of temperature against pressure where every place of it is filled, else as a list."""
    if not rows:
        return None
    temperatures = sorted({row["temperature_K"] for row in rows})
    pressures = sorted({row["pressure_GPa"] for row in rows})
    by_place = {(row["temperature_K"], row["pressure_GPa"]): _condition(row) for row in rows}
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


def _condition(row: dict[str, Any]) -> dict[str, Any]:
    competitors = row.get("decomposition") or []
    phases = [part["formula"] if isinstance(part, dict) else str(part) for part in competitors]
    return {
        "temperature": f"{row['temperature_K']:g}",
        "pressure": f"{row['pressure_GPa']:g}",
        "value": row.get("e_above_hull"),
        "competitors": " + ".join(formula_plain(phase) for phase in phases),
        "notes": "; ".join(row.get("notes") or []),
    }


def _systems(candidates: list[dict[str, Any]], references: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An entry for each of the first systems, best candidate first: its picture, or why there is none."""
    systems = []
    names = list(dict.fromkeys(candidate["chemical_system"] for candidate in candidates))
    for name in names[:MOST_SYSTEMS]:
        members = [candidate for candidate in candidates if candidate["chemical_system"] == name]
        elements = name.split("-")
        entry: dict[str, Any] = {"name": name, "candidates": members, "picture": None, "reason": ""}
        if all(candidate.get("energy_per_atom") is None for candidate in members):
            entry["reason"] = "no candidate of this system has an energy"
        elif len(elements) > 3:
            entry["reason"] = f"a system of {len(elements)} elements has no picture in the plane; the table tells"
        else:
            try:
                hull = build_hull(elements, phases_of(elements, candidates, references))
            except ValueError as error:
                entry["reason"] = f"no hull: {error}"
            else:
                entry["name"] = "–".join(hull.elements)
                entry["picture"] = hull_svg(hull, f"Convex hull of the system {name}, seen along the energy")
        systems.append(entry)
    return systems


def _provenance(campaign: dict[str, Any], candidates: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What the numbers rest on: what every candidate states alike, then the campaign's own facts."""
    facts: dict[str, str] = {}
    engines = sorted({candidate["engine"] for candidate in candidates if candidate.get("engine")})
    if engines:
        facts["engine"] = ", ".join(engines)
    levels = sorted({candidate["evidence"] for candidate in candidates if candidate.get("evidence")})
    if levels:
        facts["evidence"] = ", ".join(levels)
    stated = [dict(_flat(candidate.get("provenance") or {})) for candidate in candidates if candidate.get("engine")]
    if stated:
        facts |= {key: value for key, value in stated[0].items() if all(other.get(key) == value for other in stated)}
    if (seed := campaign.get("settings", {}).get("seed")) is not None:
        facts["seed"] = str(seed)
    facts["campaign fingerprint"] = campaign["fingerprint"]
    facts["status"] = campaign["status"]
    facts["started"] = campaign["created"]
    if campaign.get("finished"):
        facts["finished"] = campaign["finished"]
    for package, version in campaign.get("versions", {}).items():
        facts[f"version of {package}"] = version
    return list(facts.items())


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested dictionary as lines: path of names, value."""
    lines = []
    for key, item in value.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(item, dict):
            lines += _flat(item, f"{name}, ")
        elif isinstance(item, list):
            lines.append((name, ", ".join(map(str, item)) or MISSING))
        else:
            lines.append((name, MISSING if item is None else f"{item:g}" if isinstance(item, float) else str(item)))
    return lines
