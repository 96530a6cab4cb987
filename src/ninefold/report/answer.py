"""The answer in words: what can be made, how sure that is, and at what temperature and pressure."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from ninefold.report.text import count, formula_html, listing, number, shown, unit_of, with_unit

DEFAULT_NOISE = 0.02
"""Search noise of a hull distance where the documents state none, in the unit of `e_above_hull`.

Pools of one budget and different seeds scatter by this much in our prototypes.
"""

_MANY = 6
"""Names in a sentence."""
_FEW = 6
"""Conditions that have a column each; more are summed up as the lowest pressure."""
_ROWS = 10
"""Candidates in the table under the answer."""


def noise_of(campaign: dict[str, Any], candidates: list[dict[str, Any]]) -> float:
    """The search noise that the results state: of the candidates, else of the campaign's settings."""
    stated = [c["e_above_hull_uncertainty"] for c in candidates if c.get("e_above_hull_uncertainty") is not None]
    if stated:
        return float(max(stated))
    stability = campaign.get("settings", {}).get("stability") or {}
    return float(stability.get("noise_eV_per_atom") or DEFAULT_NOISE)


def noise_warning(noise: float) -> str:
    """The sentence that stands beside every table of hull distances."""
    return (
        f"Differences under {with_unit('e_above_hull', noise)} between hull distances are search noise: "
        "they order nothing."
    )


def within_noise(candidates: list[dict[str, Any]], noise: float) -> list[dict[str, Any]]:
    """Candidates on, below or within the noise of the hull; lowest first.

    H2-ligand complexes, neighbours outside the electron count, what a rule rejects and what lies above
    a lower structure of its own composition are not counted among them.
    """
    near = [
        c
        for c in candidates
        if c.get("e_above_hull") is not None
        and c["e_above_hull"] <= noise
        and (c.get("e_above_same_composition") or 0.0) <= noise
        and c.get("anion_class") != "h2_ligand"
        and c.get("status") != "rejected"
        and not c.get("is_neighbour")
    ]
    return sorted(near, key=lambda c: c["e_above_hull"])


def answer(campaign: dict[str, Any], funnel: list[dict[str, Any]], candidates: list[dict[str, Any]]) -> Markup:
    """One paragraph: what was asked, what can be made, what is new, and on what evidence."""
    noise = noise_of(campaign, candidates)
    placed = [c for c in candidates if c.get("e_above_hull") is not None]
    sentences = [_counts(funnel, candidates)]
    if not placed:
        sentences.append(Markup("No candidate has a hull distance yet, so nothing can be said about what can be made."))
        return Markup(" ").join(sentences)
    near = within_noise(candidates, noise)
    if near:
        verb = "lies" if len(near) == 1 else "lie"
        sentences.append(
            Markup(
                "<strong>{} {} on the hull of all other phases or within the search noise of {} above it</strong>: {}."
            ).format(count(len(near), "composition"), verb, with_unit("e_above_hull", noise), _names(near))
        )
        known = [c for c in near if c.get("is_known")]
        new = [c for c in near if not c.get("is_known")]
        if known:
            sentences.append(
                Markup("{} {} known to have been made.").format(
                    listing(_name(c) for c in known), "is" if len(known) == 1 else "are"
                )
            )
        if new:
            sentences.append(
                Markup("{} {} not among the known compounds that ninefold carries.").format(
                    listing(_name(c) for c in new[:_MANY]), "is" if len(new[:_MANY]) == 1 else "are"
                )
            )
    else:
        lowest = min(placed, key=lambda c: c["e_above_hull"])
        sentences.append(
            Markup(
                "<strong>No composition lies within {} of the hull, the search noise</strong>; the nearest is {} at {}."
            ).format(with_unit("e_above_hull", noise), _name(lowest), with_unit("e_above_hull", lowest["e_above_hull"]))
        )
    sentences += _under_hydrogen(placed, near, noise)
    sentences.append(_evidence(placed))
    return Markup(" ").join(sentences)


def gentlest(candidate: dict[str, Any], noise: float) -> dict[float, float | None]:
    """Lowest hydrogen pressure within the noise of the hull, for each temperature computed.

    Args:
        candidate: Stored candidate.
        noise: Search noise in the unit of `e_above_hull`.

    Returns:
        Temperature -> pressure (None where no pressure computed is enough), in the stored units; empty if no
        condition is within the noise.
    """
    found: dict[float, float | None] = {}
    for row in candidate.get("conditions") or []:
        temperature, pressure = row["temperature_K"], row["pressure_GPa"]
        found.setdefault(temperature, None)
        if row.get("e_above_hull") is not None and row["e_above_hull"] <= noise:
            best = found[temperature]
            found[temperature] = pressure if best is None else min(best, pressure)
    return dict(sorted(found.items())) if any(value is not None for value in found.values()) else {}


def conditions_of(candidates: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Every (temperature, pressure) that the candidates were judged at, in the stored units; sorted."""
    return sorted(
        {(row["temperature_K"], row["pressure_GPa"]) for c in candidates for row in c.get("conditions") or []}
    )


def condition_name(temperature: float, pressure: float) -> str:
    """`973 K, 5 GPa`."""
    return f"{temperature:g} {unit_of('temperature_K')}, {pressure:g} {unit_of('pressure_GPa')}"


def under_hydrogen(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Hull distance of the best candidates at each of a few conditions; None without conditions or with many."""
    places = conditions_of(candidates)
    if not places or len(places) > _FEW:
        return None
    rows = []
    for candidate in [c for c in candidates if c.get("rank") is not None][:_ROWS]:
        found = {(row["temperature_K"], row["pressure_GPa"]): row for row in candidate.get("conditions") or []}
        values = [found[place].get("e_above_hull") if place in found else None for place in places]
        rows.append({"candidate": candidate, "values": [candidate.get("e_above_hull"), *values]})
    return {"conditions": [condition_name(*place) for place in places], "rows": rows}


def windows(candidates: list[dict[str, Any]], noise: float) -> dict[str, Any] | None:
    """Lowest pressure by temperature for the best candidates; None without conditions or with few."""
    if len(conditions_of(candidates)) <= _FEW:
        return None
    rows = [(c, gentlest(c, noise)) for c in candidates if c.get("rank") is not None]
    rows = [(c, found) for c, found in rows if found][:_ROWS]
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


def _under_hydrogen(placed: list[dict[str, Any]], near: list[dict[str, Any]], noise: float) -> list[Markup]:
    places = conditions_of(placed)
    if not places:
        return []
    if len(places) > _FEW:
        more = [c for c in placed if c not in near and gentlest(c, noise)]
        names = _names(more, distance=False)
        return [Markup("Under hydrogen pressure {} more come within it: {}.").format(len(more), names)] if more else []
    parts = []
    for temperature, pressure in places:
        here = [
            c
            for c in placed
            for row in c.get("conditions") or []
            if (row["temperature_K"], row["pressure_GPa"]) == (temperature, pressure)
            and row.get("e_above_hull") is not None
            and row["e_above_hull"] <= noise
        ]
        where = condition_name(temperature, pressure)
        if here:
            parts.append(Markup("for {} at {} ({})").format(len(here), where, _names(here, distance=False)))
        else:
            parts.append(Markup("for none at {}").format(where))
    return [Markup("With hydrogen gas the same holds {}.").format(Markup("; ").join(parts))]


def _counts(funnel: list[dict[str, Any]], candidates: list[dict[str, Any]]) -> Markup:
    stages = {row["stage"]: row for row in funnel}
    searched = [c for c in candidates if c.get("energy_per_atom") is not None]
    asked = stages["enumerate"]["count_out"] if "enumerate" in stages else None
    if asked is None:
        opening = f"{count(len(candidates), 'composition')} passed the rules"
    else:
        opening = f"Of {count(asked, 'composition')} that satisfy both equations, {len(candidates)} passed the rules"
    return escape(f"{opening}, and {len(searched)} gave a structure in which every centre keeps its hydrogens.")


def _evidence(placed: list[dict[str, Any]]) -> Markup:
    engines = sorted({c["engine"] for c in placed if c.get("engine")})
    levels = sorted({c["evidence"] for c in placed if c.get("evidence")})
    text = f"Evidence: {', '.join(levels) or shown('evidence', None)}"
    if engines:
        text += f", static energies by {' and '.join(engines)}"
    if set(levels) <= {"rule", "ML"}:
        text += "; no DFT has checked them"
    return escape(text + ".")


def _names(candidates: list[dict[str, Any]], *, distance: bool = True) -> Markup:
    parts: list[str | Markup] = [
        Markup("{} ({})").format(_name(c), number(c["e_above_hull"], 3, signed=True)) if distance else _name(c)
        for c in candidates[:_MANY]
    ]
    if len(candidates) > _MANY:
        parts.append(f"{len(candidates) - _MANY} more")
    return listing(parts)


def _name(candidate: dict[str, Any]) -> Markup:
    return Markup('<a href="#{}">{}</a>').format(candidate["id"], formula_html(candidate["formula"]))
