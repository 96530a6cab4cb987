"""Tables for the terminal. They read well at 80 columns; `rich` is imported when one is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.report.terminal_parts import cell, plain, table_of
from ninefold.report.text import (
    MISSING,
    NO_COLUMNS,
    counted,
    duration,
    quantity_of,
    reason_text,
    thousands,
)

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from ninefold.models.quantities import Quantity

RANKED_FIELDS = (
    "rank", "formula", "anion", "m", "e_above_hull", "phase_separation_energy", "e_above_hull_uncertainty",
    "hull_probability", "space_group_symbol", "evidence", "is_known",
)  # fmt: skip
"""Columns of the ranked table where none are asked for."""

_SHRINK = {"label", "source", "chemical_system", "engine", "campaign", "id"}
"""Text columns that wrap on a narrow terminal, so that the others need not."""

_REASONS = 4
_NAMED = 12
"""Candidates of a method up to which a sentence names each."""
OF_ENGINE = ("formula", "method", "engine", "energy_per_atom")
"""Of a row, what says whose energies it has."""


def funnel_table(funnel: Iterable[Mapping[str, Any]]) -> Table:
    """What each stage let through, each number with its unit, and why the rest was rejected.

    Args:
        funnel: Funnel documents, one per stage, in the order of the data.
    """
    from ninefold.flows.funnel import with_units

    table = table_of("stage", ">in -> out", ">core time", "rejected, not made or to note")
    for row in with_units(dict(stage) for stage in funnel):
        reasons = sorted((row.get("reasons") or {}).items(), key=lambda item: (-item[1], item[0]))
        lines = [f"{thousands(amount)} {reason_text(reason)}" for reason, amount in reasons[:_REASONS]]
        if len(reasons) > _REASONS:
            lines.append(f"{len(reasons) - _REASONS} more reasons")
        steps = [counted(row["count_in"], row["unit_in"]), counted(row["count_out"], row["unit_out"])]
        if taken := row["taken_from"]:
            steps.insert(0, counted(taken["count"], taken["unit"]))
        table.add_row(
            plain(row["stage"]), " ->\n".join(steps), duration(row.get("core_seconds")), plain("\n".join(lines))
        )
    return table


def ranked_table(
    candidates: Iterable[Mapping[str, Any]],
    fields: Sequence[str] | None = None,
    columns: Mapping[str, Quantity] = NO_COLUMNS,
) -> Table:
    """Candidates, one a line, in the order given.

    Args:
        candidates: Stored candidates, or rows with some of their fields.
        fields: Columns by key; default `RANKED_FIELDS`.
        columns: Unit of what is none of ninefold's quantities: columns of a user's stages.
    """
    keys = list(fields or RANKED_FIELDS)
    table = table_of()
    table.padding = (0, 0, 0, 0)  # the default columns fit 80 characters
    for key in keys:
        quantity = quantity_of(key, columns)
        table.add_column(
            f"{quantity.symbol}\n{quantity.unit}" if quantity.unit else quantity.symbol,
            justify="right" if quantity.kind in ("float", "integer") else "left",
            no_wrap=key not in _SHRINK,
            overflow="ellipsis",
        )
    for candidate in candidates:
        table.add_row(*(cell(key, candidate) for key in keys))
    return table


def engines_note(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """One sentence: whose energies rows have; None where all are of one method.

    Args:
        rows: With `OF_ENGINE`; those without an energy are left out.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row.get("energy_per_atom") is not None:
            found.setdefault(str(row["method"]), []).append(row)
    if len(found) < 2:
        return None
    some = sorted(found.values(), key=lambda of_one: (-len(of_one), str(of_one[0]["engine"])))
    told = (
        f"{of_one[0]['engine']}: "
        + (counted(len(of_one), "candidates") if len(of_one) > _NAMED else ", ".join(row["formula"] for row in of_one))
        for of_one in some
    )
    return f"Energies are of {len(found)} methods, which never share a hull. {'; '.join(told)}."


def candidate_rows(
    candidates: Sequence[Mapping[str, Any]],
    fields: Sequence[str],
    width: int,
    columns: Mapping[str, Quantity] = NO_COLUMNS,
) -> Table | Group:
    """Candidates as a table, or one field a line where the columns would not fit.

    Args:
        candidates: Stored candidates, or rows with some of their fields.
        fields: Columns by key.
        width: Columns of the terminal.
        columns: As in `ranked_table`.
    """
    from rich.console import Console, Group

    table = ranked_table(candidates, fields, columns)
    printer = Console(width=10_000)
    if printer.measure(table).minimum <= width:
        return table
    return Group(*(_card(candidate, fields, place, columns) for place, candidate in enumerate(candidates, start=1)))


def _card(candidate: Mapping[str, Any], fields: Sequence[str], place: int, columns: Mapping[str, Quantity]) -> Group:
    """One candidate, one field a line; those without a value in one line at the end."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    missing = []
    for key in fields:
        text = cell(key, candidate)
        if text.plain == MISSING and candidate.get(key) is None:
            missing.append(key)
            continue
        unit = quantity_of(key, columns).unit
        grid.add_row(key, plain(f"{text.plain} {unit}".rstrip()))
    name = str(candidate.get("label") or candidate.get("formula") or candidate.get("id") or f"candidate {place}")
    parts: list[Any] = [Text(f"{place}. {name}", style="bold"), grid]
    if missing:
        parts.append(Text(f"no value: {', '.join(missing)}", style="dim"))
    return Group(*parts, Text(""))
