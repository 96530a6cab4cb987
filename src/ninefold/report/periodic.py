"""A periodic table that counts what survives, by centre and by counter-cation: a picture, or for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from ninefold.chemistry.table import NO_CATION, CandidateTable
from ninefold.report.palette import blend, ink_on
from ninefold.report.text import formula_plain, thousands, with_unit

if TYPE_CHECKING:
    from rich.table import Table

_ROWS = (
    "H . . . . . . . . . . . . . . . . He",
    "Li Be . . . . . . . . . . B C N O F Ne",
    "Na Mg . . . . . . . . . . Al Si P S Cl Ar",
    "K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr",
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe",
    "Cs Ba La Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn",
)
CENTRE, CATION = "centre", "cation"
_CELL, _GAP = 44, 4
_BLUES = ("#d6e6f3", "#08519c")
_ORANGES = ("#fde3c8", "#be4a02")
_STYLE = (
    "text{font:14px sans-serif}.symbol{font-weight:650;font-size:15px}g:not(.absent) text{fill:var(--on)}"
    ".absent rect{fill:#f0f0f0}.absent text{fill:#8a8a8a}"
)


@dataclass(frozen=True)
class Survivors:
    """How many survive, by role and element."""

    what: str
    """What is counted: candidates with a structure, compositions that pass."""
    counts: dict[str, Counter[str]]
    """`centre` and `cation` -> element -> how many; an element that was asked for and lost all is there with 0."""
    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    """(role, element) -> what to add when somebody points at it."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"what": self.what, **{role: dict(counts.most_common()) for role, counts in self.counts.items()}}


def of_candidates(candidates: Iterable[dict[str, Any]]) -> Survivors:
    """Stored candidates; one without an energy counts as not surviving."""
    counts: dict[str, Counter[str]] = {CENTRE: Counter(), CATION: Counter()}
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for candidate in candidates:
        survives = candidate.get("energy_per_atom") is not None
        for role, symbol in [(CENTRE, candidate["centre"]), *((CATION, symbol) for symbol in candidate["cations"])]:
            counts[role][symbol] += int(survives)
            if survives and _distance(candidate) < _distance(best.get((role, symbol))):
                best[role, symbol] = candidate
    notes = {
        member: f"lowest {formula_plain(lowest['formula'])} at {with_unit('e_above_hull', lowest['e_above_hull'])}"
        for member, lowest in best.items()
        if lowest.get("e_above_hull") is not None
    }
    return Survivors("candidates with a structure", counts, notes)


def of_tables(tables: Iterable[tuple[CandidateTable, Sequence[int] | np.ndarray]]) -> Survivors:
    """Rows of candidate tables that were kept; an element of the tables that lost all its rows counts 0."""
    counts: dict[str, Counter[str]] = {CENTRE: Counter(), CATION: Counter()}
    for table, kept in tables:
        for symbol, number in zip(
            table.centres, np.bincount(table.centre[kept], minlength=len(table.centres)), strict=True
        ):
            counts[CENTRE][symbol] += int(number)
        species = table.cation_species[kept]
        numbers = np.bincount(species[species != NO_CATION], minlength=len(table.species))
        for (symbol, _), number in zip(table.species, numbers, strict=True):
            counts[CATION][symbol] += int(number)
    return Survivors("compositions", counts)


def periodic_svg(survivors: Survivors, *, is_standalone: bool = False) -> Markup:
    """A heat map: centres blue, counter-cations orange.

    Args:
        survivors: The counts.
        is_standalone: Carry the styles along, for a file of its own; a page has them already.
    """
    width, height = 18 * (_CELL + _GAP), len(_ROWS) * (_CELL + _GAP)
    cells = []
    for row, line in enumerate(_ROWS):
        for column, symbol in enumerate(line.split()):
            if symbol == ".":
                continue
            roles = [
                (role, counts[symbol], max(counts.values(), default=0), colours)
                for (role, counts), colours in zip(survivors.counts.items(), (_BLUES, _ORANGES), strict=True)
                if symbol in counts
            ]
            cells.append(_cell(symbol, column * (_CELL + _GAP), row * (_CELL + _GAP), roles, survivors))
    name = f"{survivors.what.capitalize()}, by centre (blue) and by counter-cation (orange)"
    style = f' xmlns="http://www.w3.org/2000/svg" width="{width}"><style>{_STYLE}</style>' if is_standalone else ">"
    return Markup(
        f'<svg class="periodic" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name)}"'
        f"{style}{''.join(cells)}</svg>"
    )


def periodic_tables(survivors: Survivors) -> list[Table]:
    """The same for a terminal: one grid for the centres, one for the counter-cations."""
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

    grids = []
    for (role, counts), (low, high) in zip(survivors.counts.items(), (_BLUES, _ORANGES), strict=True):
        most = max(counts.values(), default=0)
        noun = "counter-cation" if role == CATION else role
        grid = Table(box=None, show_header=False, padding=0, pad_edge=False, title=f"{survivors.what} by {noun}")
        for _ in range(18):
            grid.add_column(width=4, justify="center")
        for line in _ROWS:
            symbols = line.split()
            if not any(symbol in counts for symbol in symbols):
                continue
            cells = []
            for symbol in symbols:
                if symbol not in counts:
                    cells.append(Text(f"{'' if symbol == '.' else symbol:^4}", style="dim"))
                    continue
                colour = blend(low, high, counts[symbol] / most if most else 0.0)
                style = Style(color=ink_on(colour), bgcolor=colour)
                cells.append(Text(f"{symbol:^4}\n{_short(counts[symbol]):^4}", style=style))
            grid.add_row(*cells)
        grids.append(grid)
    return grids


def _short(number: int) -> str:
    """A count in three or four places: 999, 38k, 2M."""
    for limit, divisor, suffix in ((1_000, 1, ""), (1_000_000, 1_000, "k"), (10**9, 10**6, "M")):
        if number < limit:
            return f"{number // divisor}{suffix}"
    return f"{number // 10**9}G"


def _cell(symbol: str, x: int, y: int, roles: list[Any], survivors: Survivors) -> str:
    if not roles:
        return (
            f'<g class="absent"><rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="3"/>'
            f'<text x="{x + _CELL / 2}" y="{y + 27}" text-anchor="middle">{symbol}</text></g>'
        )
    parts = []
    wide = _CELL / len(roles)
    for place, (role, amount, most, (low, high)) in enumerate(roles):
        colour = blend(low, high, amount / most if most else 0.0)
        left = x + place * wide
        words = f"{symbol} as {role}: {thousands(amount)} {survivors.what}"
        if note := survivors.notes.get((role, symbol)):
            words += f"; {note}"
        ink = ink_on(colour)
        middle = left + wide / 2
        parts.append(
            f'<g style="--on:{ink}"><title>{escape(words)}</title>'
            f'<rect x="{left}" y="{y}" width="{wide}" height="{_CELL}" rx="3" fill="{colour}"/>'
            f'<text class="symbol" x="{middle}" y="{y + 20}" text-anchor="middle">{symbol}</text>'
            f'<text class="amount" x="{middle}" y="{y + 37}" text-anchor="middle">{amount}</text></g>'
        )
    return "".join(parts)


def _distance(candidate: dict[str, Any] | None) -> float:
    value = candidate.get("e_above_hull") if candidate else None
    return float("inf") if value is None else float(value)
