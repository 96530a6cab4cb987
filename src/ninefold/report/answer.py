"""The answer in words: what can be made, how sure that is, and at what temperature and pressure."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from ninefold.report.below_hull import (
    condition_name,
    conditions_of,
    is_counted,
    is_stable,
    lowest_pressures,
    sorted_by_stability,
)
from ninefold.report.disagreement import disputed
from ninefold.report.hydrogen_tables import MOST_COLUMNS
from ninefold.report.text import (
    count,
    formula_html,
    listing,
    number,
    percent,
    quantity_of,
    shown,
    uncertainty_text,
    unit_of,
)

MODEL_ERROR = (
    "The error of the energy model is not in these uncertainties: against DFT it is 30 to 150 "
    "meV/atom for such hydrides."
)
"""Beside what rests on machine-learned energies of an earlier version, whose rows have no model error; measured on nine
complex hydrides, static PBE."""

_MANY = 6
"""Names in a sentence."""
_MOST_PROBABLE = 3
"""Candidates whose probability the answer tells."""


def uncertainty_note(candidates: list[dict[str, Any]]) -> str:
    """The sentence that stands beside every table of hull distances: what the uncertainties are, as measured."""
    candidates = [c for c in candidates if not c.get("is_competitor")]
    if any(c.get("model_error") is not None for c in candidates):
        return _note_of_parts(candidates)
    measured = sorted(
        c["e_above_hull_uncertainty"] for c in candidates if c.get("e_above_hull_uncertainty") is not None
    )
    placed = sum(c.get("phase_separation_energy") is not None for c in candidates)
    if not measured:
        text = "No composition was searched twice, so that no uncertainty of a hull distance was measured."
    else:
        middle = measured[len(measured) // 2]
        text = (
            f"Uncertainties are the scatter of repeated searches: measured for {len(measured)} of "
            f"{count(placed, 'composition')}, median {uncertainty_text(middle)}, largest "
            f"{uncertainty_text(measured[-1])} {unit_of('e_above_hull')}."
        )
    evidence = {c.get("evidence") for c in candidates}
    return f"{text} {MODEL_ERROR}" if "ML" in evidence else text


def _note_of_parts(candidates: list[dict[str, Any]]) -> str:
    """Of what the uncertainties consist, where the error of the energy model is among them."""
    every = sorted(c["e_above_hull_uncertainty"] for c in candidates if c.get("model_error") is not None)
    sources = dict.fromkeys(str(c["model_error_source"]) for c in candidates if c.get("model_error_source"))
    searched = sum(c.get("search_scatter") is not None for c in candidates)
    compared = sum(c.get("method_disagreement") is not None for c in candidates)
    return (
        "Uncertainties are standard deviations, in quadrature of: error of the energy model "
        f"({'; '.join(sources)}), scatter of repeated searches (measured for {searched} of "
        f"{count(len(every), 'composition')}), disagreement of methods beyond their errors (compared for {compared}). "
        f"Median {uncertainty_text(every[len(every) // 2])}, largest {uncertainty_text(every[-1])} "
        f"{unit_of('e_above_hull')}. {quantity_of('hull_probability').symbol}: probability to lie on the hull, by a "
        "normal error of that size."
    )


def answer(campaign: dict[str, Any], funnel: list[dict[str, Any]], candidates: list[dict[str, Any]]) -> Markup:
    """One paragraph: what was asked, what can be made, what is new, and on what evidence."""
    placed = [c for c in candidates if c.get("phase_separation_energy") is not None]
    sentences = [_counts(funnel, candidates)]
    if not placed:
        sentences.append(Markup("No candidate has a hull distance yet, so nothing can be said about what can be made."))
        return Markup(" ").join(sentences)
    stable, undecided = sorted_by_stability(candidates)
    has_model_error = any(c.get("model_error") is not None for c in placed)
    if stable:
        verb = "lies" if len(stable) == 1 else "lie"
        sentences.append(
            Markup(
                "<strong>Without hydrogen gas, {} {} below the hull of all other compositions by more than the "
                "uncertainty {} {}</strong>: {}."
            ).format(
                count(len(stable), "composition"), verb, "of" if has_model_error else "measured for",
                "it" if len(stable) == 1 else "each", _names(stable),
            )
        )  # fmt: skip
        listed = [c for c in stable if c.get("is_known")]
        new = [c for c in stable if not c.get("is_known")]
        if listed:
            sentences.append(
                Markup("{} {} in ninefold's list of made compounds.").format(
                    listing(_name(c) for c in listed), "is" if len(listed) == 1 else "are"
                )
            )
        if new:
            named: list[str | Markup] = [_name(c) for c in new[:_MANY]]
            if len(new) > _MANY:
                named.append(f"{len(new) - _MANY} more")
            sentences.append(Markup("{} {} not in that list.").format(listing(named), "is" if len(new) == 1 else "are"))
    else:
        lowest = min(placed, key=lambda c: c["phase_separation_energy"])
        sentences.append(
            Markup(
                "<strong>No composition lies below the hull of all other compositions by more than its uncertainty"
                "</strong>; the lowest is {} at {}."
            ).format(_name(lowest), _with_uncertainty(lowest))
        )
    sentences += _made_as_a_test(candidates, stable)
    if undecided:
        sentences.append(
            Markup("For {} more the {} it open: {}.").format(
                len(undecided), "uncertainties leave" if has_model_error else "searches leave", _names(undecided)
            )
        )
    if has_model_error:
        sentences += _most_probable(placed)
    elif any(c.get("evidence") == "ML" for c in placed):
        sentences.append(escape(MODEL_ERROR))
    sentences += _under_hydrogen(placed)
    sentences += _disputed(placed)
    sentences.append(_evidence(placed))
    return Markup(" ").join(sentences)


def _most_probable(placed: list[dict[str, Any]]) -> list[Markup]:
    """Which candidates lie on the hull with the highest probability."""
    able = [c for c in placed if is_counted(c) and c.get("hull_probability") is not None]
    best = sorted(able, key=lambda c: (-c["hull_probability"], c["formula"]))[:_MOST_PROBABLE]
    if not best:
        return []
    names = listing(Markup("{} ({} %)").format(_name(c), percent(c["hull_probability"])) for c in best)
    return [Markup("Most probably on the hull: {}.").format(names)]


def _disputed(placed: list[dict[str, Any]]) -> list[Markup]:
    """Where the campaign's methods disagree by more than the window, and DFT is asked first."""
    found = disputed(placed)
    if not found:
        return []
    parts: list[str | Markup] = [
        Markup("{} (by {} {})").format(_name(c), number(c["method_spread"], 3), unit_of("method_spread"))
        for c in found[:_MANY]
    ]
    if len(found) > _MANY:
        parts.append(f"{len(found) - _MANY} more")
    text = "The methods disagree by more than the window on {}, which DFT (ninefold verify) is asked for first."
    return [Markup(text).format(listing(parts))]


def _made_as_a_test(candidates: list[dict[str, Any]], stable: list[dict[str, Any]]) -> list[Markup]:
    """Made compounds that do not come out stable: what the numbers miss, and by how much at best."""
    missed = [
        c for c in candidates
        if is_counted(c) and c.get("is_known") and c["formula"] not in {other["formula"] for other in stable}
    ]  # fmt: skip
    told = []
    for c in missed:
        distances = [
            (row["phase_separation_energy"], condition_name(row["temperature_K"], row["pressure_GPa"]))
            for row in c.get("conditions") or []
            if row.get("phase_separation_energy") is not None
        ]
        best = Markup("{} ({} static").format(_name(c), _with_uncertainty(c))
        if distances:
            value, where = min(distances)
            best += Markup(", at best {} {} at {}").format(
                number(value, 3, signed=True), unit_of("phase_separation_energy"), where
            )
        told.append(best + Markup(")"))
    if not told:
        return []
    verb = "has been made and does" if len(told) == 1 else "have been made and do"
    return [Markup("As a test of these numbers: {} {} not come out as stable.").format(listing(told), verb)]


def _under_hydrogen(placed: list[dict[str, Any]]) -> list[Markup]:
    places = conditions_of(placed)
    counted = [c for c in placed if is_counted(c)]
    if not places:
        return []
    if len(places) > MOST_COLUMNS:
        able = [c for c in counted if lowest_pressures(c)]
        names = _names(able, distance=False)
        return [Markup("Under hydrogen {} lie below the hull at some condition: {}.").format(len(able), names)]
    parts = []
    for temperature, pressure in places:
        here = [
            c
            for c in counted
            for row in c.get("conditions") or []
            if (row["temperature_K"], row["pressure_GPa"]) == (temperature, pressure)
            and is_stable(row.get("phase_separation_energy"), c.get("e_above_hull_uncertainty"))
        ]
        where = condition_name(temperature, pressure)
        if here:
            parts.append(Markup("for {} at {} ({})").format(len(here), where, _names(here, distance=False)))
        else:
            parts.append(Markup("for none at {}").format(where))
    return [Markup("With hydrogen gas the same holds {}.").format(Markup("; ").join(parts))]


def _counts(funnel: list[dict[str, Any]], candidates: list[dict[str, Any]]) -> Markup:
    stages = {row["stage"]: row for row in funnel}
    candidates = [c for c in candidates if not c.get("is_competitor")]
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
        Markup("{} ({})").format(_name(c), _with_uncertainty(c)) if distance else _name(c) for c in candidates[:_MANY]
    ]
    if len(candidates) > _MANY:
        parts.append(f"{len(candidates) - _MANY} more")
    return listing(parts)


def _with_uncertainty(candidate: dict[str, Any]) -> str:
    """`−0.102 ± 0.003 eV/atom`, or that the uncertainty was not measured."""
    text = number(candidate["phase_separation_energy"], 3, signed=True)
    uncertainty = candidate.get("e_above_hull_uncertainty")
    unit = unit_of("phase_separation_energy")
    if uncertainty is None:
        return f"{text} {unit}, uncertainty not measured"
    return f"{text} ± {uncertainty_text(uncertainty)} {unit}"


def _name(candidate: dict[str, Any]) -> Markup:
    return Markup('<a href="#{}">{}</a>').format(candidate["id"], formula_html(candidate["formula"]))
