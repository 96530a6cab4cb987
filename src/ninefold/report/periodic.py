"""A periodic table that counts what survives, by centre and by counter-cation: a picture, or for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.table import NO_CATION, CandidateTable
from ninefold.report.palette import COUNTS, ink_on
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
_HEAVY = "Fr Ra Ac Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
_LANTHANIDES = ". . . Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu ."
_ACTINIDES = ". . . Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr ."
"""Rows that are drawn where one of their elements is allowed in a role, or counted."""

CENTRE, CATION = "centre", "cation"
ROLES = {CENTRE: ("centre", "Centres"), CATION: ("counter-cation", "Counter-cations")}
"""Role -> noun, heading."""
_ALLOWED = {CENTRE: frozenset(GROUP), CATION: frozenset(CATION_CHARGES)}
_CELL, _GAP = 44, 4
_STEP = _CELL + _GAP
_MOST_CLASSES = len(COUNTS)


def periodic_style() -> str:
    """The style sheet of the picture: counts on viridis, lighter for more on a dark page and darker on a light one."""

    def colours(order: Sequence[str]) -> str:
        return "".join(
            f".periodic .n{place} rect{{fill:{colour}}}.periodic .n{place} text{{fill:{ink_on(colour)}}}"
            for place, colour in enumerate(order)
        )

    return (
        ".periodic text{font-size:14px}.periodic .symbol{font-weight:650;font-size:15px}"
        ".periodic .heading{font-size:19px;font-weight:650}"
        f"{colours(COUNTS[::-1])}@media (prefers-color-scheme:dark){{{colours(COUNTS)}}}"
        f"@media print{{{colours(COUNTS[::-1])}}}"
    )


_STANDALONE = (
    ".periodic text{font-family:sans-serif;fill:#16202a}.periodic .absent rect{fill:#f0f0f0}"
    ".periodic .absent text{fill:#6b7580}.periodic .zero rect{fill:none;stroke:#6b7580;stroke-dasharray:3 3}"
    "@media (prefers-color-scheme:dark){.periodic text{fill:#e8edf2}.periodic .absent rect{fill:#202932}}"
)
"""What a page's own style sheet says otherwise."""


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


class SurvivorCounter:
    """Counts candidates one at a time; one without an energy counts as not surviving."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {CENTRE: Counter(), CATION: Counter()}
        self._lowest: dict[tuple[str, str], tuple[float, str]] = {}

    def add(self, candidate: Mapping[str, Any]) -> None:
        """Count a stored candidate."""
        survives = candidate.get("energy_per_atom") is not None
        value = candidate.get("e_above_hull")
        for role, symbol in [(CENTRE, candidate["centre"]), *((CATION, symbol) for symbol in candidate["cations"])]:
            self._counts[role][symbol] += int(survives)
            if value is not None and value < self._lowest.get((role, symbol), (float("inf"), ""))[0]:
                self._lowest[role, symbol] = (value, candidate["formula"])

    def result(self) -> Survivors:
        """The counts so far."""
        notes = {
            member: f"lowest {formula_plain(formula)} at {with_unit('e_above_hull', value)}"
            for member, (value, formula) in self._lowest.items()
        }
        return Survivors("candidates with a structure", self._counts, notes)


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


def count_classes(counts: Iterable[int]) -> list[tuple[int, int]]:
    """Ranges of counts that share a colour, lowest first; zero is in none of them.

    At most seven. Of equal width where the largest count is less than 30 times the smallest, else each three or
    ten times as wide as the one before.

    Args:
        counts: What is to be coloured.
    """
    present = sorted({count for count in counts if count > 0})
    if not present:
        return []
    low, high = present[0], present[-1]
    if len(present) <= _MOST_CLASSES and high - low < _MOST_CLASSES:
        return [(count, count) for count in range(low, high + 1)]
    starts = [low]
    if high < 30 * low:
        step = _round_step((high - low + 1) / _MOST_CLASSES)
        starts += [edge for edge in range(step, high + 1, step) if edge > low]
    else:
        edges = [factor * 10**power for power in range(13) for factor in (1, 3) if low < factor * 10**power <= high]
        starts += edges if len(edges) < _MOST_CLASSES else [edge for edge in edges if str(edge)[0] == "1"]
    starts = starts[-_MOST_CLASSES:]
    starts[0] = low
    return [(start, end - 1) for start, end in zip(starts, [*starts[1:], high + 1], strict=True)]


def _round_step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, ... that is not less."""
    return next(factor * 10**power for power in range(13) for factor in (1, 2, 5) if factor * 10**power >= least)


def _shade(place: int, classes: int) -> int:
    """Which of the colours a class has: the classes that there are span the whole scale."""
    return round(place * (_MOST_CLASSES - 1) / (classes - 1)) if classes > 1 else _MOST_CLASSES // 2


def periodic_svg(survivors: Survivors, *, is_standalone: bool = False) -> Markup:
    """A heat map for each role, with its scale; an element that was asked for and lost all has a dashed rim.

    Args:
        survivors: The counts.
        is_standalone: Carry the styles along, for a file of its own; a page has them already.
    """
    parts, top = [], 0
    for role, counts in survivors.counts.items():
        body, height = _one_table(survivors, role, counts, top)
        parts.append(body)
        top += height + 22
    width, height = 18 * _STEP, max(top - 22, 0)
    name = f"{survivors.what.capitalize()}, by centre and by counter-cation"
    style = (
        f' xmlns="http://www.w3.org/2000/svg" width="{width}"><style>{_STANDALONE}{periodic_style()}</style>'
        if is_standalone
        else ">"
    )
    return Markup(
        f'<svg class="periodic" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name)}"'
        f"{style}{''.join(parts)}</svg>"
    )


def _one_table(survivors: Survivors, role: str, counts: Mapping[str, int], top: int) -> tuple[str, int]:
    """The periodic table of one role from a height on, and how high it is."""
    classes = count_classes(counts.values())
    parts = [_legend(survivors.what, role, classes, top, 0 in counts.values())]
    rows = _rows_of(role, counts)
    y = top
    for place, line in enumerate(rows):
        if line in (_LANTHANIDES, _ACTINIDES) and rows[place - 1] not in (_LANTHANIDES, _ACTINIDES):
            y += 12
        for column, symbol in enumerate(line.split()):
            if symbol != ".":
                parts.append(_cell(symbol, column * _STEP, y, role, counts.get(symbol), classes, survivors))
        y += _STEP
    return "".join(parts), y - top - _GAP


def _rows_of(role: str, counts: Mapping[str, int]) -> list[str]:
    def is_drawn(line: str) -> bool:
        return any(symbol in counts or symbol in _ALLOWED[role] for symbol in line.split())

    heavy = [_HEAVY] if is_drawn(_HEAVY) or is_drawn(_ACTINIDES) else []
    return [*_ROWS, *heavy, *(line for line in (_LANTHANIDES, _ACTINIDES) if is_drawn(line))]


def _legend(what: str, role: str, classes: Sequence[tuple[int, int]], top: int, has_zero: bool) -> str:
    """Heading and scale, in the gap that the table has between groups 2 and 13."""
    left, y = 2 * _STEP + 14, top + 22
    parts = [
        f'<text class="heading" x="{left}" y="{y}">{ROLES[role][1]}</text>'
        f'<text x="{left}" y="{y + 22}">{escape(what)}, by {ROLES[role][0]}</text>'
    ]
    shades = [(f"n{_shade(place, len(classes))}", low, high) for place, (low, high) in enumerate(classes)]
    if has_zero:
        shades.insert(0, ("zero", 0, 0))
    wide = 58
    for place, (shade, low, high) in enumerate(shades):
        text = _short(low) if low == high else f"{_short(low)}\N{EN DASH}{_short(high)}"
        x = left + place * wide
        parts.append(
            f'<g class="{shade}"><rect x="{x}" y="{y + 36}" width="{wide - 2}" height="16"/></g>'
            f'<text x="{x + wide / 2 - 1}" y="{y + 68}" text-anchor="middle">{text}</text>'
        )
    return "".join(parts)


def periodic_tables(survivors: Survivors) -> list[Table]:
    """The same for a terminal: one grid for the centres, one for the counter-cations."""
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

    grids = []
    for role, counts in survivors.counts.items():
        classes = count_classes(counts.values())
        grid = Table(
            box=None, show_header=False, padding=0, pad_edge=False, title=f"{survivors.what} by {ROLES[role][0]}"
        )
        for _ in range(18):
            grid.add_column(width=4, justify="center")
        for line in _rows_of(role, counts):
            symbols = line.split()
            if not any(symbol in counts for symbol in symbols):
                continue
            cells = []
            for symbol in symbols:
                amount = counts.get(symbol)
                if not amount:
                    text = f"{'' if symbol == '.' else symbol:^4}" + ("" if amount is None else f"\n{0:^4}")
                    cells.append(Text(text, style="dim"))
                    continue
                colour = COUNTS[_shade(_class_of(amount, classes), len(classes))]
                style = Style(color=ink_on(colour), bgcolor=colour)
                cells.append(Text(f"{symbol:^4}\n{_short(amount):^4}", style=style))
            grid.add_row(*cells)
        grids.append(grid)
    return grids


def _class_of(amount: int, classes: Sequence[tuple[int, int]]) -> int:
    return next(place for place, (low, high) in enumerate(classes) if low <= amount <= high)


def _short(number: int) -> str:
    """A count in three or four places: 999, 38k, 2M."""
    for limit, divisor, suffix in ((1_000, 1, ""), (1_000_000, 1_000, "k"), (10**9, 10**6, "M")):
        if number < limit:
            return f"{number // divisor}{suffix}"
    return f"{number // 10**9}G"


def _cell(
    symbol: str, x: int, y: int, role: str, amount: int | None, classes: Sequence[tuple[int, int]], survivors: Survivors
) -> str:
    middle = x + _CELL / 2
    if amount is None:
        return (
            f'<g class="absent"><rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="3"/>'
            f'<text x="{middle}" y="{y + 27}" text-anchor="middle">{symbol}</text></g>'
        )
    words = f"{symbol} as {ROLES[role][0]}: {thousands(amount)} {survivors.what}"
    if note := survivors.notes.get((role, symbol)):
        words += f"; {note}"
    shade = f"n{_shade(_class_of(amount, classes), len(classes))}" if amount else "zero"
    return (
        f'<g class="{shade}"><title>{escape(words)}</title>'
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="3"/>'
        f'<text class="symbol" x="{middle}" y="{y + 20}" text-anchor="middle">{symbol}</text>'
        f'<text class="amount" x="{middle}" y="{y + 37}" text-anchor="middle">{_short(amount)}</text></g>'
    )
