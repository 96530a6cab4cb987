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
    """Candidates on, below or within the noise of the hull; lowest first."""
    near = [c for c in candidates if c.get("e_above_hull") is not None and c["e_above_hull"] <= noise]
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
    under_gas = [c for c in placed if c not in near and gentlest(c, noise)]
    if under_gas:
        sentences.append(
            Markup("Under hydrogen pressure {} more come within it: {}.").format(
                len(under_gas), _names(under_gas, distance=False)
            )
        )
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


def windows(candidates: list[dict[str, Any]], noise: float) -> dict[str, Any] | None:
    """The table under the answer: lowest pressure by temperature for the best candidates; None without conditions."""
    rows = [(c, gentlest(c, noise)) for c in candidates if c.get("rank") is not None]
    rows = [(c, found) for c, found in rows if found][:10]
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
