"""All of one candidate for the terminal. It reads well at 80 columns; `rich` is imported when one is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.chemistry.formula import parse_formula
from ninefold.models.quantities import QUANTITIES
from ninefold.report.dynamics_text import dynamics_facts, dynamics_rows
from ninefold.report.explanation import verdict_lines
from ninefold.report.formation import formation_sentence
from ninefold.report.history import history_lines
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
from ninefold.report.terminal_diffraction import disorder_lines, powder_view
from ninefold.report.terminal_parts import cell, heading, plain, section, table_of
from ninefold.report.text import (
    MISSING,
    number,
    quantity_of,
    shown,
    uncertainty_text,
    unit_of,
    with_unit,
)

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_SITES = 24
"""Wyckoff positions that are printed; structures without symmetry have one for each atom."""


def candidate_view(candidate: Mapping[str, Any], *, with_campaign: bool = False) -> Group:
    """All of one candidate: hull distance, structures, competitors, conditions, published structures, verdicts.

    Args:
        candidate: As `ninefold.store.details` gives it; with `history`, where the structure that stands for it comes
            from (see `history_lines`), if that is to be shown.
        with_campaign: Whether the heading names its campaign.
    """
    from rich.console import Group
    from rich.text import Text

    from ninefold.structures.description import describe

    rank = f"rank {candidate['rank']}" if candidate.get("rank") is not None else candidate["status"].replace("_", " ")
    known = ", in ninefold's list of made compounds" if candidate.get("is_known") else ""
    of_campaign = f", campaign {candidate['campaign']}" if with_campaign else ""
    headline = Text.assemble((str(candidate["label"]), "bold"), f"   {rank}{known}{of_campaign}")
    parts: list[Any] = [headline, _facts(candidate)]
    if candidate.get("model_error_source"):
        parts.append(plain(f"Model error from: {candidate['model_error_source']}"))
    if (candidate.get("provenance") or {}).get("hydrogen_reference"):
        parts.append(plain(f"Hydrogen gas: {candidate['provenance']['hydrogen_reference']}"))
    if candidate.get("other_assignments"):
        parts.append(plain(f"Other assignments of the formula: {'; '.join(candidate['other_assignments'])}"))
    if candidate.get("neighbour_of"):
        parts.append(plain(f"Carried along as a neighbour of {candidate['neighbour_of']}"))
    parts += [plain(line) for line in _made(candidate)]
    if candidate.get("methods"):
        parts += section("Methods", _methods(candidate))
    if candidate.get("terms"):
        parts += section("Score", _terms(candidate))
    if candidate.get("flags"):
        parts += section("To know before believing it", plain("\n".join(f"- {text}" for text in candidate["flags"])))
    if candidate.get("decomposition"):
        parts += section("Competing phases", _competitors(candidate))
        parts.append(plain(_decomposition(candidate)))
        parts.append(plain(f"Competing compounds of three elements or more: {_ternaries(candidate)}"))
    if reaction := (candidate.get("provenance") or {}).get("reaction"):
        energy = candidate.get("reaction_energy_per_h2")
        told = "" if energy is None else f", {with_unit('reaction_energy_per_h2', energy)}, static"
        parts.append(plain(f"Formation under hydrogen: {reaction}{told}"))
    if candidate.get("known") or candidate.get("failed_references"):
        published = _known(candidate.get("known") or [], candidate.get("failed_references") or [])
        parts += section("Reference structures of this composition", published)
    if candidate.get("conditions"):
        parts += section("Under hydrogen", _conditions(candidate))
        if where := formation_sentence(candidate):
            parts.append(plain(where))
    if candidate.get("dynamics"):
        parts += section("Dynamics", _dynamics(candidate["dynamics"]))
    if candidate.get("structures"):
        descriptions = [describe(found["structure"]).as_dict() for found in candidate["structures"]]
        shown_first = next((place for place, found in enumerate(candidate["structures"]) if found["is_valid"]), 0)
        is_valid = candidate["structures"][shown_first]["is_valid"]
        title = "Structure" if is_valid else "No structure of this anion was found; the lowest that was"
        parts += section(title, structure_view(descriptions[shown_first]))
        if candidate.get("history"):
            parts += section("Where it comes from", plain("\n".join(history_lines(candidate["history"]))))
        parts += section("Structures found", _structures(candidate, descriptions))
        if rows := vibration_rows(candidate):
            parts += section("Vibrations", _told(VIBRATION_COLUMNS, rows, vibration_notes(candidate)))
        if rows := expansion_rows(candidate):
            parts += section("Thermal expansion", _told(EXPANSION_COLUMNS, rows, expansion_notes(candidate)))
        if rows := state_rows(candidate):
            parts += section("Compression", _told(STATE_COLUMNS, rows, state_notes(candidate)))
        if is_valid:
            parts += section("Powder pattern", powder_view(candidate["structures"][shown_first]["structure"]))
            if disorder := disorder_lines(candidate):
                parts += section("Disorder", plain("\n".join(disorder)))
    if candidate.get("reasons"):
        lost = ", ".join(f"{reason} ({amount})" for reason, amount in candidate["reasons"].items())
        parts.append(plain(f"Structures rejected: {lost}"))
    if candidate.get("verdicts"):
        lines = [
            *verdict_lines(candidate["verdicts"], 80),
            "  Reasons and sources: ninefold explain FORMULA --why, ninefold rules list",
        ]
        parts += section("Verdicts of the rules", plain("\n".join(lines)))
    return Group(*parts)


def structure_view(description: Mapping[str, Any]) -> Group:
    """Space groups, conventional cell and occupied Wyckoff positions.

    Args:
        description: A `StructureDescription` as plain values.
    """
    from rich.console import Group

    from ninefold.structures.symmetry import SYMPREC

    d = description
    groups = (
        f"Space group {d['space_group_symbol']} ({d['space_group_number']}); metal lattice (without H) "
        f"{d['metal_space_group_symbol']} ({d['metal_space_group_number']}); within {SYMPREC} Å"
    )
    cell = (
        f"a {d['a']:.3f}  b {d['b']:.3f}  c {d['c']:.3f} Å   α {d['alpha']:.2f}  β {d['beta']:.2f}  "
        f"γ {d['gamma']:.2f}°\nConventional cell of {d['volume']:.1f} Å³ with {d['nsites']} atoms:"
    )
    table = table_of("element", "site", "symmetry", ">x", ">y", ">z")
    for site in d["sites"][:_SITES]:
        label = f"{site['multiplicity']}{site['letter']}"
        position = (f"{value:.4f}" for value in site["position"])
        table.add_row(site["element"], label, plain(site["site_symmetry"]), *position)
    if (more := len(d["sites"]) - _SITES) > 0:
        return Group(plain(groups), plain(cell), table, plain(f"{more} more sites: --json"))
    return Group(plain(groups), plain(cell), table)


def _facts(candidate: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for _ in range(2):
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
    uncertainty = candidate.get("e_above_hull_uncertainty")
    separation = with_unit("phase_separation_energy", candidate.get("phase_separation_energy"))
    if candidate.get("phase_separation_energy") is not None:
        value = number(candidate["phase_separation_energy"], 3, signed=True)
        error = "(uncertainty not measured)" if uncertainty is None else f"± {uncertainty_text(uncertainty)}"
        separation = f"{value} {error} {quantity_of('phase_separation_energy').unit}"
    pairs = [
        (quantity_of("e_above_hull").symbol, with_unit("e_above_hull", candidate.get("e_above_hull"))),
        (quantity_of("phase_separation_energy").symbol, separation),
    ]
    pairs += [
        (quantity_of(key).symbol, f"{cell(key, candidate)} {quantity_of(key).unit}".rstrip())
        for key in (
            "hull_probability", "model_error", "search_scatter", "method_disagreement",
            "evidence", "e_above_references", "engine", "formation_energy_per_atom", "space_group_symbol",
            "reaction_energy_per_h2", "nsites", "shortest_m_h", "shortest_h_h", "shortest_m_m",
            "volume_per_formula_unit", "volume_ratio", "is_coordination_kept", "is_converged", "prior",
            "structure_type", "source", "relaxations", "search_rounds", "search_spread",
        )
        if candidate.get(key) is not None
    ]  # fmt: skip
    if len(pairs) % 2:
        pairs.append(("", ""))
    for (name, value), (other, beside) in zip(pairs[::2], pairs[1::2], strict=True):
        table.add_row(name, plain(value), other, plain(beside))
    return table


def _methods(candidate: Mapping[str, Any]) -> Group:
    """What each method says, by rising trust, and which one's row stands for the composition."""
    from rich.console import Group

    table = table_of(
        "engine", "evidence", f">{heading('e_above_hull')}", f">{heading('phase_separation_energy')}",
        f">{heading('e_above_hull_uncertainty')}", f">{quantity_of('hull_probability').symbol}", "SG", "stands for it",
    )  # fmt: skip
    for row in candidate["methods"]:
        is_placed = row["phase_separation_energy"] is not None
        table.add_row(
            plain(row["engine"] or MISSING), row["evidence"], number(row["e_above_hull"], 3),
            number(row["phase_separation_energy"], 3, signed=True),
            number(row.get("e_above_hull_uncertainty") if is_placed else None, 3),
            shown("hull_probability", row.get("hull_probability")), plain(row["space_group_symbol"] or MISSING),
            "yes" if row["is_best"] else MISSING,
        )  # fmt: skip
    told = [f"{row['engine']}: {row['reason']}" for row in candidate["methods"] if row.get("reason")]
    if (spread := candidate.get("method_spread")) is not None:
        symbol = quantity_of("phase_separation_energy").symbol
        told.append(f"Their {symbol} differ by {with_unit('method_spread', spread)}.")
    return Group(table, *map(plain, told))


def _told(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> Group:
    """A table with sentences below; a unit stands on a line of its own."""
    from rich.console import Group

    table = table_of(*(f"{'>' if is_number else ''}{name.replace(', ', chr(10))}" for name, is_number in columns))
    for row in rows:
        table.add_row(*map(plain, row))
    return Group(table, *map(plain, notes))


def _terms(candidate: Mapping[str, Any]) -> Table:
    table = table_of("term", ">value", ">weight", ">contribution")
    for name, term in candidate["terms"].items():
        table.add_row(name, number(term["value"], 2), number(term["weight"], 2), number(term["contribution"], 3))
    table.add_row("score", "", "", number(candidate.get("score"), 3), style="bold")
    return table


def _competitors(candidate: Mapping[str, Any]) -> Table:
    from ninefold.thermo.window import marked

    predicted = candidate.get("predicted_phases") or ()
    table = table_of(QUANTITIES["formula"].symbol, ">share of atoms", f">{heading('energy_per_atom')}", "kind", "name")
    for part in candidate["decomposition"]:
        kind = part.get("kind") or MISSING
        table.add_row(
            part["formula"], number(part.get("fraction"), 3), shown("energy_per_atom", part.get("energy_per_atom")),
            marked(kind, [kind] if part["formula"] in predicted else ()), plain(str(part.get("name") or MISSING)),
        )  # fmt: skip
    return table


def _decomposition(candidate: Mapping[str, Any]) -> str:
    """The equation; for a phase below the hull it says what decomposing would cost."""
    from ninefold.chemistry.equations import decomposition
    from ninefold.thermo.window import marked

    products = [str(part["formula"]) for part in candidate["decomposition"]]
    equation = decomposition(str(candidate["formula"]), products)
    distance = candidate.get("phase_separation_energy")
    if equation is None or distance is None:
        named = (marked(formula, candidate.get("predicted_phases") or ()) for formula in products)
        return f"Decomposition products: {', '.join(named)}"
    if distance < 0:
        return f"Stable against: {equation}, which would need {with_unit('energy_per_atom', -distance)}"
    return f"Decomposition: {equation}, which releases {with_unit('energy_per_atom', distance)}"


def _made(candidate: Mapping[str, Any]) -> list[str]:
    """Reference and synthesis of what ninefold's list holds of this formula."""
    from ninefold.chemistry.compounds import known_compounds
    from ninefold.report.explanation import WIDEST, made_lines

    made = [compound for compound in known_compounds() if compound.formula == candidate["formula"]]
    return made_lines(made, str(candidate["label"]), WIDEST)


def _ternaries(candidate: Mapping[str, Any]) -> str:
    names = candidate.get("ternaries") or []
    system = "-".join(parse_formula(str(candidate["formula"])))
    return "; ".join(names) if names else f"{system}: no other in ninefold's list"


def _known(rows: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, Any]]) -> Text:
    """A sentence for each: is the published structure among the minima, where does it lie, where was it published.

    Args:
        rows: Published structures with an energy.
        failed: Those without: `name`, `engine`, `reason`.
    """
    lines = [
        f"{one['name']}: no energy with {one['engine']}, so it does not compete: {one['reason']}" for one in failed
    ]
    for row in rows:
        symbol = f" ({row['space_group_symbol']})" if row.get("space_group_symbol") else ""
        difference = row.get("difference")
        kind = "assumed structure" if row.get("refuted") else "published structure"
        if row.get("found_space_group_symbol"):
            above = number(row["found_above_lowest"] * 1000, 1, signed=True)
            found = f"{kind} found, {above} meV/atom above the lowest minimum"
        else:
            found = f"{kind} not among the minima found"
        if difference is not None:
            side = "below" if difference < 0 else "above"
            found += f"; this candidate lies {number(abs(difference) * 1000, 1)} meV/atom {side} it"
        lines.append(f"{row['name']}{symbol}: {found}")
        if row.get("refuted"):
            lines.append(f"  not in the hull: {row['refuted']}")
        lines.append(f"  {row.get('source') or MISSING} [{row.get('provenance') or MISSING}]")
    return plain("\n".join(lines))


def _dynamics(record: Mapping[str, Any]) -> Group:
    from rich.console import Group

    headings, lines = dynamics_rows(record)
    table = table_of(*(f">{heading}" for heading in headings))
    for line in lines:
        table.add_row(*line)
    sentences = map(plain, dynamics_facts(record))
    return Group(*([table] if lines else []), *sentences)


def _conditions(candidate: Mapping[str, Any]) -> Table:
    from ninefold.chemistry.equations import decomposition

    table = table_of(
        f">{unit_of('temperature_K')}", f">{unit_of('pressure_GPa')}", f">{heading('e_above_hull')}",
        f">{heading('phase_separation_energy')}", f">{heading('e_above_references')}",
        "decomposition products", "notes",
    )  # fmt: skip
    for row in sorted(candidate["conditions"], key=lambda row: (row["temperature_K"], row["pressure_GPa"])):
        products = [str(part["formula"]) for part in row.get("decomposition") or []]
        equation = decomposition(str(candidate["formula"]), products) if products else None
        against = str(equation) if equation else " + ".join(products) or MISSING
        notes = list(row.get("notes") or [])
        if row.get("minimum") and row["minimum"] != candidate.get("label"):
            notes.insert(0, f"structure taken: {row['minimum'].rpartition(', ')[2]}")
        table.add_row(
            f"{row['temperature_K']:g}", f"{row['pressure_GPa']:g}", number(row.get("e_above_hull"), 3),
            number(row.get("phase_separation_energy"), 3, signed=True),
            number(row.get("e_above_references"), 3, signed=True), plain(against), plain("; ".join(notes)),
        )  # fmt: skip
    return table


def _structures(candidate: Mapping[str, Any], descriptions: Sequence[Mapping[str, Any]]) -> Table:
    unit = QUANTITIES["energy_per_atom"].unit
    table = table_of(
        f">above the lowest\n{unit}", "SG", "SG of\nmetals", ">atoms", f">{heading('volume_per_formula_unit')}", "CN",
        "source", "notes",
    )  # fmt: skip
    structures = candidate["structures"]
    # not the first: a minimum of higher symmetry within the precision of a relaxation stands before it
    lowest = min((item["energy_per_atom"] for item in structures if item["is_valid"]), default=None)
    for found, description in zip(structures, descriptions, strict=True):
        above = None if lowest is None else found["energy_per_atom"] - lowest
        coordination = ",".join(map(str, sorted(set(found["coordination_numbers"]))))
        table.add_row(
            number(above, 4), found["space_group_symbol"], description["metal_space_group_symbol"],
            str(found["nsites"]), shown("volume_per_formula_unit", found["volume_per_formula_unit"]), coordination,
            plain(found["source"]), plain("; ".join(found["notes"])), style=None if found["is_valid"] else "dim",
        )  # fmt: skip
    return table
