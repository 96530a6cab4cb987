"""The report's page: stored documents in, one HTML file out."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from html import unescape
from importlib import resources
from itertools import combinations
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import ninefold
from ninefold.chemistry.compounds import KnownCompound, known_compounds
from ninefold.chemistry.equations import decomposition
from ninefold.chemistry.quantities import label
from ninefold.errors import InputError
from ninefold.flows.funnel import with_units
from ninefold.report import answer as words
from ninefold.report.hull import build_hull, corners, phases_of, signed_distance
from ninefold.report.hull_picture import MOST_MARKS, hull_svg
from ninefold.report.overview import Overview, overview
from ninefold.report.palette import BALLS, SCALE_END, TERMS, blend, distance_colour, ink_on, scale_stops
from ninefold.report.periodic import periodic_style, periodic_svg
from ninefold.report.picture import ball_id, colours, structure_svg, viewer_data
from ninefold.report.scene import make_scene
from ninefold.report.text import (
    MISSING,
    count,
    counted,
    duration,
    formula_html,
    formula_plain,
    linked,
    number,
    quantity_of,
    reason_text,
    shown,
    space_group_html,
    thousands,
    unit_of,
    with_unit,
)
from ninefold.structures.description import describe

if TYPE_CHECKING:
    from jinja2 import Environment

FACTS = (
    "anion_class", "electron_count", "oxidation_state", "q", "m", "energy_per_atom", "formation_energy_per_atom",
    "e_above_hull", "phase_separation_energy", "e_above_references", "e_above_same_composition",
    "reaction_energy_per_h2", "nsites", "volume_per_formula_unit", "volume_ratio", "shortest_m_h", "shortest_h_h",
    "is_converged", "max_force", "structure_type", "source", "relaxations", "search_rounds", "search_spread",
    "is_pareto",
)  # fmt: skip
"""Scalars of a candidate's detail section, in order; score and evidence stand above them."""

MOST_SYSTEMS = 30
"""Chemical systems with a picture, those of the best candidates first, and lines of the table of systems."""


def render_report(
    campaign: dict[str, Any],
    funnel: list[dict[str, Any]],
    candidates: list[dict[str, Any]],
    references: list[dict[str, Any]],
    rest: Iterable[dict[str, Any]] = (),
) -> str:
    """Make the report of a campaign.

    Args:
        campaign: A campaign document, as a plain dictionary (`ninefold.models.campaign`).
        funnel: Its funnel, one entry per stage, in the order of the data.
        candidates: Its candidates, those to show; all of them unless there are many.
        references: Its reference phases.
        rest: Flat rows of the candidates that are not shown, with the fields `ROW_FIELDS` of
            `ninefold.report.overview`; they are counted, and their energies take part in the hulls. Read once, so an
            iterator that pages through a store will do.

    Returns:
        One HTML file that needs nothing else: no network, no other file. Its tables and pictures work without a
        script; sorting, filtering and turning structures need one.
    """
    ranked = sorted(candidates, key=lambda c: (c.get("rank") is None, c.get("rank") or 0, c["formula"]))
    every = overview(ranked, rest)
    terms = list(dict.fromkeys(name for candidate in ranked for name in candidate.get("terms") or {}))
    shown_ids = {candidate["id"] for candidate in ranked}
    provenance = _provenance(campaign, ranked)
    styles = f"{_resource('report.css')}\n{periodic_style()}"
    scripts = _resource("viewer.js") + "\n" + _resource("report.js")
    systems = list(dict.fromkeys(candidate["chemical_system"] for candidate in ranked))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            campaign=campaign,
            title=f"{campaign['name']}: ninefold report",
            answer=_without_dead_links(words.answer(campaign, funnel, every.rows), shown_ids),
            under_hydrogen=words.under_hydrogen(ranked),
            windows=words.windows(ranked),
            uncertainty_note=words.uncertainty_note(every.rows),
            tiles=_tiles(funnel, every),
            funnel=[_stage(row) for row in with_units(funnel)],
            hardware=sorted({row["hardware"] for row in funnel}),
            periodic=periodic_svg(every.survivors) if every.total else None,
            terms={name: TERMS[place % len(TERMS)] for place, name in enumerate(terms)},
            candidates=[_candidate(candidate, provenance) for candidate in ranked],
            not_shown=_not_shown(every),
            systems=[
                _system(name, every, references, shown_ids, _candidates_compete(campaign))
                for name in systems[:MOST_SYSTEMS]
            ],
            systems_left_out=len(every.systems) - len(systems[:MOST_SYSTEMS]),
            references=sorted(references, key=lambda r: (r["chemical_system"].count("-"), r["formula"], r["name"])),
            rules=_rules(ranked),
            provenance=list(provenance.items()),
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
        "thousands": thousands, "linked": linked, "reason_text": reason_text, "signed_distance": signed_distance,
    }  # fmt: skip
    environment.globals |= {
        "label": label, "shown": shown, "with_unit": with_unit, "unit_of": unit_of, "quantity_of": quantity_of,
        "count": count, "counted": counted, "with_plain": _with_plain, "MISSING": MISSING,
        "SCALE_END": SCALE_END, "FACTS": FACTS,
    }  # fmt: skip
    return environment


def _with_plain(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:g} {unit}"


@functools.cache
def _resource(name: str) -> str:
    return resources.files("ninefold.report").joinpath("templates", name).read_text(encoding="utf-8")


def _script_json(value: Any) -> Markup:
    """JSON that may stand in a script element: no character of it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


_LINK = re.compile(r'<a href="#([^"]*)">(.*?)</a>', re.DOTALL)


def _without_dead_links(text: Markup, shown: set[str]) -> Markup:
    """Links to candidates that the page does not show become plain text."""
    return Markup(_LINK.sub(lambda match: match[0] if unescape(match[1]) in shown else match[2], str(text)))


def _tiles(funnel: list[dict[str, Any]], every: Overview) -> list[dict[str, str]]:
    stable, undecided = words.sorted_by_stability(every.rows)
    counted_ones = sum(not row.get("is_competitor") for row in every.rows)
    seconds = sum(row.get("core_seconds") or 0.0 for row in funnel)
    return [
        {
            "value": thousands(len(stable)),
            "meaning": f"below the hull beyond their uncertainty, of {count(counted_ones, 'candidate')}",
        },
        {"value": thousands(sum(not c.get("is_known") for c in stable)), "meaning": "of these not in ninefold's list"},
        {"value": thousands(len(undecided)), "meaning": "left open by the searches"},
        {"value": thousands(every.relaxations), "meaning": "relaxations with the engine"},
        {"value": duration(seconds), "meaning": "core time in all"},
    ]


def _stage(row: dict[str, Any]) -> dict[str, Any]:
    """A stage of the funnel: its counts with their units, and the fraction kept where both have one unit."""
    steps = [counted(row["count_in"], row["unit_in"]), counted(row["count_out"], row["unit_out"])]
    if taken := row["taken_from"]:
        steps.insert(0, counted(taken["count"], taken["unit"]))
    share = None
    if row["count_in"] and row["unit_in"] == row["unit_out"]:
        share = min(row["count_out"] / row["count_in"], 1.0)
    reasons = sorted((row.get("reasons") or {}).items(), key=lambda item: -item[1])
    return {**row, "steps": steps, "share": share, "reasons": reasons}


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


def _not_shown(every: Overview) -> dict[str, Any] | None:
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


def _candidate(candidate: dict[str, Any], shared: Mapping[str, str]) -> dict[str, Any]:
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
        "pictured": seen,
        "description": describe(seen["structure"]) if seen and scene else None,
        "structures": [
            {**found, "difference": None if lowest is None else found["energy_per_atom"] - lowest}
            for found in structures
        ],
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
            for name, value in _flat({key: item for key, item in provenance.items() if key != "reaction"})
            if shared.get(name) != value
        ],
    }


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


def _rules(candidates: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The rules that judged the candidates, each with its source; they are the same for all of them."""
    sources: dict[str, dict[str, None]] = {}
    for candidate in candidates:
        for verdict in candidate.get("verdicts") or []:
            sources.setdefault(str(verdict["rule"]), {})[str(verdict.get("source") or "")] = None
    return [(rule, "; ".join(filter(None, texts))) for rule, texts in sources.items()]


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


def _candidates_compete(campaign: dict[str, Any]) -> bool:
    settings = (campaign.get("settings") or {}).get("stability") or {}
    return bool(settings.get("candidates_compete", True))


def _system(
    name: str, every: Overview, references: list[dict[str, Any]], shown_ids: set[str], candidates_compete: bool
) -> dict[str, Any]:
    """A chemical system: its picture, or why there is none, and which ternaries compete in it."""
    elements = name.split("-")
    within = [
        row for system, rows in every.by_system.items() if set(system.split("-")) <= set(elements) for row in rows
    ]
    members = [row for row in every.by_system.get(name, []) if row["id"] in shown_ids]
    entry: dict[str, Any] = {
        "name": name, "candidates": members, "picture": None, "reason": "", "drawn": None,
        "ternaries": _ternaries(elements, references),
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
            hull = build_hull(elements, phases)
        except ValueError as error:
            entry["reason"] = f"no hull: {error}"
        else:
            entry["name"] = "–".join(hull.elements)
            entry["picture"] = hull_svg(hull, f"Convex hull of the system {name}, seen along the energy")
            if len(within) > MOST_MARKS:
                entry["drawn"] = (MOST_MARKS, len(within))
    return entry


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


def _provenance(campaign: dict[str, Any], candidates: list[dict[str, Any]]) -> dict[str, str]:
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
    return facts


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
