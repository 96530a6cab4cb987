"""`ninefold map`: where a candidate forms under hydrogen, and what is stable over temperature and pressure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json
from ninefold.cli.outputs import ForceOption, check_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.flows.stored_hulls import StoredHulls
    from ninefold.models.candidate import Candidate
    from ninefold.thermo.phase_map import PhaseMap

TEMPERATURES = "300,500,700,973,1200"
TOP = 5
"""Candidates of a system that a sentence is printed of, the nearest to the hull first."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="map")(map_)


def map_(
    what: Annotated[str, typer.Argument(help="A candidate's formula (K2ReH9) or a chemical system (K-Re-H).")],
    temperatures: Annotated[
        str, typer.Option("--temperatures", help="K, commas between: for the table of lowest pressures.")
    ] = TEMPERATURES,
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE.svg", help="Draw the map.")] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="A method's hulls: label, name or id. Default: the most trusted.")
    ] = None,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Show where a candidate forms: lowest pressure by temperature, what it forms from, whether it survives."""
    from ninefold.cli.locate import campaign_document, input_files, store_for_reading
    from ninefold.flows.stored_hulls import stored_hulls
    from ninefold.output.target import write_whole
    from ninefold.store import open_store, store_file
    from ninefold.store.listing import find_method, method_ids

    Ts = _numbers("--temperatures", temperatures)
    address, name = store_for_reading(store, campaign)
    if picture is not None:
        if picture.suffix != ".svg":
            from ninefold.errors import InputError

            raise InputError("--picture", str(picture), problem="is a picture of another kind", allowed="FILE.svg")
        picture = check_output(
            picture, "--picture", force=force, store=store_file(address), inputs=input_files(campaign)
        )
    with open_store(address) as repository:
        document = campaign_document(repository, name)
        chosen = None if method is None else find_method(repository, method, method_ids(repository, [document]))
        found = stored_hulls(repository, document["name"], chosen, _systems_of(what))
    rows, drawn = _wanted(found, what)
    told = [_told(found, row, Ts) for row in rows]
    elements = what.split("-") if drawn is None else rows[0].elements
    about = _about(found, elements, Ts, is_drawn=picture is not None)
    if picture is not None:
        from ninefold.report.map_svg import map_svg

        uncertainty = None if drawn is None else drawn.e_above_hull_uncertainty
        drawing = map_svg(_map(found, what, drawn), uncertainty, found.predicted)
        write_whole(picture, str(drawing).encode(), "--picture")
    if json:
        print_json({"campaign": document["name"], "method": found.method.label, "candidates": told, **about})
        return
    _show(found, told, about)


def _systems_of(what: str) -> list[str] | None:
    """The chemical system that is meant; None where only the candidates tell.

    Raises:
        InputError: if it is of something that is no element.
    """
    from ninefold.chemistry.elements import SYMBOLS
    from ninefold.chemistry.formula import LONGEST, parse_formula
    from ninefold.errors import InputError

    if "-" in what and "[" not in what:
        if unknown := [symbol for symbol in what.split("-") if symbol not in SYMBOLS]:
            raise InputError(
                "system", what, problem=f"names {unknown[0]!r}, which is no element",
                allowed="symbols joined by dashes, like K-Re-H",
            )  # fmt: skip
        return ["-".join(sorted(what.split("-")))]
    try:
        return ["-".join(sorted(parse_formula(what)))]
    except InputError:
        if what.isalnum() and what[:1].isupper() and len(what) <= LONGEST:
            raise  # no label or id of a candidate looks like that: it is a formula with a mistake
        return None


def _numbers(option: str, text: str) -> list[float]:
    from ninefold.errors import InputError
    from ninefold.thermo.settings import TEMPERATURE_RANGE

    low, high = TEMPERATURE_RANGE
    values = []
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise InputError(
                option, part.strip(), problem="is no temperature in range", allowed=f"{low:g} to {high:g} K"
            )
        values.append(value)
    return values


def _wanted(found: StoredHulls, what: str) -> tuple[list[Candidate], Candidate | None]:
    """Candidates to tell of, and the one that was asked for; None where it is a system."""
    from ninefold.errors import InputError

    if "-" not in what or "[" in what:
        row, _ = found.candidate(what)
        return [row], row
    elements = frozenset(what.split("-"))
    rows = [row for row in found.rows.values() if frozenset(row.elements) == elements]
    if not rows:
        raise InputError(
            "system", what, problem=f"has no candidate with a structure by {found.method.label}",
            allowed=", ".join(found.systems()),
        )  # fmt: skip
    able = [row for row in rows if row.synthesis_separation is not None or row.phase_separation_energy is not None]
    able.sort(key=lambda row: (_height(row), row.id))
    return able[:TOP], None


def _height(row: Candidate) -> float:
    known = [value for value in (row.synthesis_separation, row.phase_separation_energy) if value is not None]
    return min(known)


def _told(found: StoredHulls, row: Candidate, temperatures: list[float]) -> dict[str, Any]:
    from dataclasses import asdict, replace

    from ninefold.errors import InputError
    from ninefold.thermo.settings import Condition
    from ninefold.thermo.window import (
        CONFIDENCE,
        formation_of,
        known_interval,
        lowest_pressures,
        sentence,
        stable_ranges,
    )

    system, phase = found.system(row.elements), found.hulls.phase_of(row)
    if system.missing:
        raise InputError(
            "system", row.chemical_system, problem=f"has no reference phase of {', '.join(system.missing)}"
        )
    assert phase is not None
    synthesis = found.campaign.synthesis
    own = formation_of(system, phase, synthesis)
    sigma = row.e_above_hull_uncertainty

    def width(slope: float | None) -> float | None:
        return None if sigma is None or not slope else sigma / abs(slope)

    is_as_stored = row.formation.get("lowest_pressure_GPa") == own.lowest_pressure_GPa  # the hull has not changed since
    known = known_interval(row.formation, sigma) if is_as_stored else None

    def between(temperature: float) -> tuple[float | None, float | None] | None:
        if known is not None and temperature == own.temperature_K:
            return known
        return None if sigma is None else lowest_pressures(system, phase, temperature, CONFIDENCE * sigma)

    own_range = between(own.temperature_K)
    own = replace(own, lowest_between_GPa=own_range, between_uncertainty=None if own_range is None else sigma)
    predicted = found.predicted
    lines = []
    for temperature in temperatures:
        at = formation_of(system, phase, Condition(temperature_K=temperature, pressure_GPa=synthesis.pressure_GPa))
        lines.append(
            {
                "temperature_K": temperature, "lowest_pressure_GPa": at.lowest_pressure_GPa,
                "highest_pressure_GPa": at.highest_pressure_GPa, "uncertainty_GPa": width(at.pressure_slope),
                "between_GPa": between(temperature),
                "formed_from": at.formed_from,
                "predicted_phases": sorted(predicted.intersection(at.formed_from)),
                "reaction": at.reaction, "is_monotone": at.is_monotone,
                "stable_between_GPa": stable_ranges(system, phase, temperature),
            }
        )  # fmt: skip
        system.forget()
    return {
        "formula": row.formula, "label": row.label, "rank": row.rank, "is_low_budget": row.is_low_budget,
        "sentence": sentence(own, row.formula, width(own.pressure_slope), own_range, predicted),
        "uncertainty_eV_per_atom": sigma,
        **asdict(own), "by_temperature": lines,
    }  # fmt: skip


def _map(found: StoredHulls, what: str, drawn: Candidate | None) -> PhaseMap:
    from ninefold.thermo.phase_map import composition_map, system_map

    if drawn is None:
        return system_map(found.system(what.split("-")))
    phase = found.hulls.phase_of(drawn)
    assert phase is not None
    return composition_map(found.system(drawn.elements), phase)


def _about(found: StoredHulls, elements: list[str], temperatures: list[float], is_drawn: bool) -> dict[str, Any]:
    """What the hulls rest on."""
    from ninefold.thermo.phase_map import GRID_TEMPERATURES
    from ninefold.thermo.window import melting_note

    shown = [*temperatures, *(GRID_TEMPERATURES if is_drawn else [])]
    searched = found.searched(elements)
    notes = [*filter(None, [found.unfinished()]), *found.notes(elements), *filter(None, [melting_note(shown)])]
    return {
        "system": "-".join(sorted(elements)), "notes": notes,
        "is_completely_searched": searched.is_complete, "compositions": len(searched.wanted),
        "searched": len(searched.searched), "searched_at_low_budget": len(searched.low_budget),
    }  # fmt: skip


def further_windows(ranges: Sequence[tuple[float, float]]) -> str:
    """A note on the ranges of stability beyond the first, which has columns of its own; empty without.

    Args:
        ranges: From where to where a candidate is stable, GPa, rising.
    """
    from ninefold.thermo.window import range_text

    if len(ranges) <= 1:
        return ""
    return f"more than one window: also {', '.join(range_text(each) for each in ranges[1:])} GPa"


def _show(found: StoredHulls, told: list[dict[str, Any]], about: dict[str, Any]) -> None:
    from ninefold.report.terminal_parts import plain, table_of
    from ninefold.thermo.window import phases_text, pressure_text, range_text

    out = console()
    for each in told:
        how = " (a competitor, searched at low budget)" if each["is_low_budget"] else ""
        out.print(plain(f"{each['sentence']}{how}."), soft_wrap=True)
        if each["reaction"]:
            out.print(plain(f"  {each['reaction']}"), soft_wrap=True)
        table = table_of(">T (K)", ">p min (GPa)", ">90 % (GPa)", ">to (GPa)", "from", "note")
        for line in each["by_temperature"]:
            lowest, highest = (
                "–" if line[key] is None else pressure_text(line[key])
                for key in ("lowest_pressure_GPa", "highest_pressure_GPa")
            )
            width = "–" if line["between_GPa"] is None else range_text(line["between_GPa"])
            table.add_row(
                f"{line['temperature_K']:g}", lowest, width, highest,
                phases_text(line["formed_from"], line["predicted_phases"]),
                further_windows(line["stable_between_GPa"]),
            )  # fmt: skip
        out.print(table)
    out.print(f"{found.method.label}; {about['system']}")
    for line in about["notes"]:
        out.print(plain(f"- {line}"), soft_wrap=True)
