"""Cells, headings and tables of the terminal, as every view of it has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ninefold.models.quantities import QUANTITIES
from ninefold.report.text import (
    MISSING,
    number,
    shown,
    uncertainty_text,
)

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


_SIGNED = ("phase_separation_energy", "e_above_references", "synthesis_separation", "ambient_separation")
"""Distances that are shown with their sign."""


def section(title: str, body: Any) -> list[Any]:
    """A title with what stands under it."""
    from rich.text import Text

    return [Text(f"\n{title}", style="bold"), body]


def table_of(*headings: str) -> Table:
    """A plain table; a heading that begins with > is a column of numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        is_number = heading.startswith(">")
        table.add_column(heading.removeprefix(">"), justify="right" if is_number else "left", no_wrap=is_number)
    return table


def cell(key: str, candidate: Mapping[str, Any]) -> Text:
    """A candidate's value of a quantity, without its unit."""
    value = candidate.get(key)
    if key == "is_known":
        return plain("yes" if value else MISSING)
    if key == "e_above_hull_uncertainty" and value is not None:
        return plain(uncertainty_text(value))
    if key in _SIGNED and value is not None:
        return plain(number(value, 3, signed=True))
    return plain(shown(key, value))


def heading(key: str) -> str:
    """A quantity's symbol, its unit below."""
    quantity = QUANTITIES[key]
    return f"{quantity.symbol}\n{quantity.unit}"


def plain(text: str) -> Text:
    """Text as it is: brackets of an anion are not markup."""
    from rich.text import Text

    return Text(text)
