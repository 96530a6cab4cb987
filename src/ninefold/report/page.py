"""The report's page: stored documents in, one HTML file out."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import unescape
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import ninefold
from ninefold.flows.funnel import with_units
from ninefold.models.quantities import label
from ninefold.report import verification
from ninefold.report.answer import answer, uncertainty_note
from ninefold.report.below_hull import sorted_by_stability
from ninefold.report.explanation import rule_label
from ninefold.report.hydrogen_tables import under_hydrogen, windows
from ninefold.report.map_svg import map_svg
from ninefold.report.overview import Overview, overview
from ninefold.report.page_candidate import candidate_section, flat_lines
from ninefold.report.page_systems import MOST_SYSTEMS, methods_used, not_shown, system_section
from ninefold.report.palette import BALLS, SCALE_END, TERMS, blend, distance_colour, ink_on, scale_stops
from ninefold.report.periodic import periodic_style, periodic_svg
from ninefold.report.phase_diagram import signed_distance
from ninefold.report.picture import ball_id
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

if TYPE_CHECKING:
    from jinja2 import Environment

    from ninefold.flows.stored_hulls import SystemMap

FACTS = (
    "anion_class", "electron_count", "oxidation_state", "q", "m", "energy_per_atom", "formation_energy_per_atom",
    "e_above_hull", "phase_separation_energy", "hull_probability", "e_above_hull_uncertainty", "model_error",
    "model_error_source", "search_scatter", "method_disagreement", "e_above_references", "e_above_same_composition",
    "reaction_energy_per_h2", "imaginary_modes", "zero_point_energy", "vibrational_free_energy", "vibrations_engine",
    "vibrations_evidence", "volume_298", "thermal_expansion_298", "bulk_modulus_298", "expansion_engine",
    "expansion_evidence", "volume_at_zero_pressure", "bulk_modulus", "bulk_modulus_derivative", "compression_engine",
    "compression_evidence", "lowest_pressure", "lowest_pressure_uncertainty", "window_width",
    "synthesis_separation", "ambient_separation", "survives_ambient", "decomposition_temperature",
    "pseudorotation_barrier", "pseudorotation_barrier_low", "pseudorotation_barrier_high", "pseudorotation_rate_300",
    "pseudorotation_rate_300_high", "site_exchange_barrier", "site_exchange_barrier_low", "site_exchange_barrier_high",
    "site_exchange_rate_300", "site_exchange_rate_300_high",
    "cation_diffusion_300", "cation_diffusion_300_high", "cation_jump_barrier",
    "cation_jump_barrier_low", "cation_jump_barrier_high", "cation_jump_rate_300", "cation_jump_rate_300_high",
    "paddle_wheel_p", "dynamics_length", "dynamics_engine", "dynamics_evidence", "dynamics_rung",
    "nsites", "volume_per_formula_unit", "volume_ratio", "shortest_m_h", "shortest_h_h",
    "is_converged", "max_force", "structure_type", "source", "relaxations", "search_rounds", "search_spread",
    "is_pareto",
)  # fmt: skip
"""Scalars of a candidate's detail section, in order; score and evidence stand above them."""


def render_report(
    campaign: dict[str, Any],
    funnel: list[dict[str, Any]],
    candidates: list[dict[str, Any]],
    references: list[dict[str, Any]],
    rest: Iterable[dict[str, Any]] = (),
    *,
    store: str = "",
    maps: Mapping[str, SystemMap] | None = None,
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
        store: What tells its store from another, as the page is to say it; empty to say nothing.
        maps: Of chemical systems over temperature and hydrogen pressure, see `ninefold.flows.stored_hulls`.

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
    methods = campaign.get("methods") or []
    systems = list(dict.fromkeys(candidate["chemical_system"] for candidate in ranked))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            campaign=campaign,
            title=f"{campaign['name']}: ninefold report",
            answer=_without_dead_links(answer(campaign, funnel, every.rows), shown_ids),
            under_hydrogen=under_hydrogen(ranked),
            windows=windows(ranked),
            uncertainty_note=uncertainty_note(every.rows),
            tiles=_tiles(funnel, every),
            funnel=[_stage(row) for row in with_units(funnel)],
            hardware=sorted({row["hardware"] for row in funnel}),
            periodic=periodic_svg(every.survivors) if every.total else None,
            terms={name: TERMS[place % len(TERMS)] for place, name in enumerate(terms)},
            verification=verification.on_page(ranked),
            candidates=[candidate_section(candidate, provenance) for candidate in ranked],
            not_shown=not_shown(every),
            methods=methods_used(every.rows, methods),
            shown_ids=shown_ids,
            has_methods=len({reference.get("method") for reference in references}) > 1,
            systems=[
                system_section(name, every, references, shown_ids, _candidates_compete(campaign), methods)
                for name in systems[:MOST_SYSTEMS]
            ],
            maps=[
                {
                    "name": name,
                    "picture": map_svg(one.phases, predicted=one.predicted),
                    "engine": one.engine,
                    "notes": one.notes,
                }
                for name, one in (maps or {}).items()
            ],
            systems_left_out=len(every.systems) - len(systems[:MOST_SYSTEMS]),
            references=sorted(references, key=lambda r: (r["chemical_system"].count("-"), r["formula"], r["name"])),
            rules=_rules(ranked),
            provenance=list(provenance.items()),
            scale=scale_stops(),
            balls=[(ball_id(c), blend(c, "#ffffff", 0.6), c, blend(c, "#000000", 0.3)) for c in BALLS],
            version=ninefold.__version__,
            store=store,
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
        "rule_label": rule_label,
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
    stable, undecided = sorted_by_stability(every.rows)
    counted_ones = sum(not row.get("is_competitor") for row in every.rows)
    seconds = sum(row.get("core_seconds") or 0.0 for row in funnel)
    return [
        {
            "value": thousands(len(stable)),
            "meaning": f"below the hull beyond their uncertainty, of {count(counted_ones, 'candidate')}",
        },
        {"value": thousands(sum(not c.get("is_known") for c in stable)), "meaning": "of these not in ninefold's list"},
        {"value": thousands(len(undecided)), "meaning": "left open by the uncertainty"},
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


def _rules(candidates: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The rules that judged the candidates, each with its source; they are the same for all of them."""
    sources: dict[str, dict[str, None]] = {}
    for candidate in candidates:
        for verdict in candidate.get("verdicts") or []:
            sources.setdefault(str(verdict["rule"]), {})[str(verdict.get("source") or "")] = None
    return [(rule, "; ".join(filter(None, texts))) for rule, texts in sources.items()]


def _candidates_compete(campaign: dict[str, Any]) -> bool:
    settings = (campaign.get("settings") or {}).get("stability") or {}
    return bool(settings.get("candidates_compete", True))


def _provenance(campaign: dict[str, Any], candidates: list[dict[str, Any]]) -> dict[str, str]:
    """What the numbers rest on: what every candidate states alike, then the campaign's own facts."""
    facts: dict[str, str] = {}
    engines = sorted({candidate["engine"] for candidate in candidates if candidate.get("engine")})
    if engines:
        facts["engine"] = ", ".join(engines)
    levels = sorted({candidate["evidence"] for candidate in candidates if candidate.get("evidence")})
    if levels:
        facts["evidence"] = ", ".join(levels)
    stated = [
        dict(flat_lines(candidate.get("provenance") or {})) for candidate in candidates if candidate.get("engine")
    ]
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
