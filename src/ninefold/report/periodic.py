"""A periodic table that counts what survives: by centre, and by counter-cation."""

from __future__ import annotations

from collections import Counter
from typing import Any

from markupsafe import Markup, escape

from ninefold.report.palette import blend, ink_on
from ninefold.report.text import count, formula_plain, with_unit

_ROWS = (
    "H . . . . . . . . . . . . . . . . He",
    "Li Be . . . . . . . . . . B C N O F Ne",
    "Na Mg . . . . . . . . . . Al Si P S Cl Ar",
    "K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr",
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe",
    "Cs Ba La Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn",
)
_CELL, _GAP = 44, 4
_BLUES = ("#d6e6f3", "#08519c")
_ORANGES = ("#fde3c8", "#be4a02")


def periodic_svg(candidates: list[dict[str, Any]]) -> Markup:
    """Count candidates with a structure, by centre (blue) and by counter-cation (orange).

    Args:
        candidates: Stored candidates; one without an energy counts as not surviving.
    """
    centres: Counter[str] = Counter()
    cations: Counter[str] = Counter()
    best: dict[tuple[str, str], dict[str, Any]] = {}
    asked: Counter[tuple[str, str]] = Counter()
    for candidate in candidates:
        members = [("centre", candidate["centre"]), *(("cation", symbol) for symbol in candidate["cations"])]
        asked.update(members)
        if candidate.get("energy_per_atom") is None:
            continue
        centres[candidate["centre"]] += 1
        cations.update(candidate["cations"])
        for member in members:
            if _distance(candidate) < _distance(best.get(member)):
                best[member] = candidate
    width, height = 18 * (_CELL + _GAP), len(_ROWS) * (_CELL + _GAP)
    cells = []
    for row, line in enumerate(_ROWS):
        for column, symbol in enumerate(line.split()):
            if symbol == ".":
                continue
            x, y = column * (_CELL + _GAP), row * (_CELL + _GAP)
            roles = [
                (role, counts[symbol], max(counts.values(), default=0), colours)
                for role, counts, colours in (("centre", centres, _BLUES), ("cation", cations, _ORANGES))
                if (role, symbol) in asked
            ]
            cells.append(_cell(symbol, x, y, roles, best))
    return Markup(
        f'<svg class="periodic" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Candidates with a structure, by centre and by counter-cation">{"".join(cells)}</svg>'
    )


def _cell(symbol: str, x: int, y: int, roles: list[Any], best: dict[tuple[str, str], dict[str, Any]]) -> str:
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
        words = f"{symbol} as {role}: {count(amount, 'candidate')} with a structure"
        lowest = best.get((role, symbol))
        if lowest and lowest.get("e_above_hull") is not None:
            distance = with_unit("e_above_hull", lowest["e_above_hull"])
            words += f"; lowest {formula_plain(lowest['formula'])} at {distance}"
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
