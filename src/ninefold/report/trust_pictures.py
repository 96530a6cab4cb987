"""Pictures of engines beside DFT on the trust set: errors phase by phase, and of complexes along n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import escape

from ninefold.report.palette import TERMS

if TYPE_CHECKING:
    from ninefold.trust.summary import TrustSummary

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 860, 170, 24, 20, 84, 50
_FONT = "font-family='Helvetica, Arial, sans-serif' font-size='13'"
_MARKS = ("circle", "square", "diamond", "triangle", "cross")
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_MOST_TICKS = 9
_MANY = 1000


@dataclass(frozen=True)
class Row:
    """A line of a dot plot: one phase."""

    label: str
    group: str
    values: Sequence[float | None]
    """One for each engine, in the unit of the axis."""


def pictures(summaries: Sequence[TrustSummary]) -> dict[str, str]:
    """Every picture.

    Args:
        summaries: Of the engines, on one trust set.

    Returns:
        Name of a file -> SVG.
    """
    names = [summary.engine for summary in summaries]
    energies = _rows(summaries, "energy")
    return {
        "trust-energies.svg": dot_plot(
            "Error of formation energies (of complexes: reaction energies), engine less DFT",
            "meV/atom",
            names,
            energies,
        ),
        "trust-volumes.svg": dot_plot(
            "Error of volumes at the minimum, engine over DFT less 1", "%", names, _rows(summaries, "volume")
        ),
        "trust-bonds.svg": dot_plot(
            "Error of mean M-H lengths, engine less DFT", "mÅ", names, _rows(summaries, "bond")
        ),
        "trust-by-n.svg": _along_n(summaries),
    }


def _rows(summaries: Sequence[TrustSummary], quantity: str) -> list[Row]:
    from ninefold.trust.summary import TITLES

    rows = []
    for title in TITLES:
        for several in zip(*(summary.fitted.of_class(title) for summary in summaries), strict=True):
            if quantity == "energy":
                wrong = [phase.reaction_error if title == "complex" else phase.formation_error for phase in several]
                values = [None if value is None else 1000 * value for value in wrong]
            elif quantity == "volume":
                values = [None if (value := phase.volume_error) is None else 100 * value for phase in several]
            else:
                values = [None if (value := phase.bond_error) is None else 1000 * value for phase in several]
            if any(value is not None for value in values):
                first = several[0]
                n = f", n = {first.n}" if first.n else ""
                rows.append(Row(f"{first.formula}{n}", TITLES[title], values))
    return rows


def dot_plot(title: str, unit: str, engines: Sequence[str], rows: Sequence[Row]) -> str:
    """Errors from left to right, a phase a line, an engine a colour and a mark.

    Args:
        title: Above the picture.
        unit: Of the axis.
        engines: Names.
        rows: In the order from the top; a new group begins with its name.
    """
    reach = _reach([value for row in rows for value in row.values])
    x = _scale(reach, _LEFT, _WIDTH - _RIGHT)
    parts, y, group = [], _TOP, ""
    for row in rows:
        if row.group != group:
            group = row.group
            parts.append(_text(8, y + 14, group, weight="bold"))
            y += _ROW + 2
        middle = y + _ROW / 2
        parts.append(f"<line x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{middle}' y2='{middle}' stroke='#e8e8e8'/>")
        parts.append(_text(_LEFT - 10, middle + 4, row.label, anchor="end"))
        for place, value in enumerate(row.values):
            if value is not None:
                parts.append(_mark(place, x(max(-reach, min(reach, value))), middle))
        y += _ROW
    height = y + _BOTTOM
    axis = _axis(reach, x, _TOP, y, unit)
    return _whole(title, engines, height, [*axis, *parts])


def _along_n(summaries: Sequence[TrustSummary]) -> str:
    """Errors of reaction energies from below to above, by the number of hydrogens on the centre."""
    points = [
        (place, phase.n, 1000 * phase.reaction_error)
        for place, summary in enumerate(summaries)
        for phase in summary.fitted.of_class("complex")
        if phase.n is not None and phase.reaction_error is not None
    ]
    reach = _reach([value for _, _, value in points])
    top, bottom, names = _TOP, _TOP + 300, [summary.engine for summary in summaries]
    lowest, highest = min((n for _, n, _ in points), default=4), max((n for _, n, _ in points), default=9)
    wide = (_WIDTH - _RIGHT - _LEFT) / (highest - lowest + 1)

    def x(n: float) -> float:
        return _LEFT + (n - lowest + 0.5) * wide

    y = _scale(reach, bottom, top)
    parts = []
    for tick in _ticks(reach):
        colour = "#888" if tick == 0 else "#e8e8e8"
        parts.append(f"<line x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{y(tick)}' y2='{y(tick)}' stroke='{colour}'/>")
        parts.append(_text(_LEFT - 10, y(tick) + 4, _signed(tick), anchor="end"))
    parts += [_text(x(n), bottom + 20, f"n = {n}", anchor="middle") for n in range(lowest, highest + 1)]
    parts.append(_text(8, top - 8, "meV/atom"))
    spread = 0.12 * wide
    for place, summary in enumerate(summaries):
        beside = (place - (len(summaries) - 1) / 2) * spread
        line = [(x(n) + beside, y(1000 * value)) for n, value in summary.by_n.items()]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in line)
        parts.append(
            f"<polyline points='{path}' fill='none' stroke='{TERMS[place % len(TERMS)]}' stroke-opacity='0.5'/>"
        )
        parts += [_mark(place, x(n) + beside, y(value)) for at, n, value in points if at == place]
    title = "Error of reaction energies of complex hydrides along n, engine less DFT; lines join the means"
    return _whole(title, names, bottom + _BOTTOM, parts)


def _whole(title: str, engines: Sequence[str], height: float, parts: Sequence[str]) -> str:
    legend, x = [], 16.0
    for place, name in enumerate(engines):
        legend.append(_mark(place, x, 52))
        legend.append(_text(x + 10, 56, name))
        x += 34 + 7.2 * len(name)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height:.0f}' role='img' {_FONT}>"
        f"<title>{escape(title)}</title><rect width='{_WIDTH}' height='{height:.0f}' fill='#ffffff'/>"
        f"{_text(8, 24, title, weight='bold')}{''.join(legend)}{''.join(parts)}</svg>\n"
    )


def _axis(reach: float, x: _Scale, top: float, bottom: float, unit: str) -> list[str]:
    parts = []
    for tick in _ticks(reach):
        colour = "#888" if tick == 0 else "#e0e0e0"
        parts.append(f"<line x1='{x(tick)}' x2='{x(tick)}' y1='{top}' y2='{bottom}' stroke='{colour}'/>")
        parts.append(_text(x(tick), bottom + 18, _signed(tick), anchor="middle"))
    parts.append(_text(_WIDTH - _RIGHT, bottom + 38, unit, anchor="end"))
    return parts


class _Scale:
    """From -reach to reach onto pixels."""

    def __init__(self, reach: float, start: float, end: float) -> None:
        self._reach, self._start, self._end = reach, start, end

    def __call__(self, value: float) -> float:
        return round(self._start + (value + self._reach) / (2 * self._reach) * (self._end - self._start), 1)


def _scale(reach: float, start: float, end: float) -> _Scale:
    return _Scale(reach, start, end)


def _reach(values: Sequence[float | None]) -> float:
    """End of an axis that is as long to both sides."""
    largest = max((abs(value) for value in values if value is not None), default=1.0)
    step = _step(largest)
    return step * (int(largest / step) + 1)


def _step(largest: float) -> float:
    return next((step for step in _STEPS if 2 * largest / step <= _MOST_TICKS), _MANY)


def _ticks(reach: float) -> list[float]:
    step = _step(reach)
    count = int(reach / step + 1e-9)
    return [place * step for place in range(-count, count + 1)]


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{value:+g}".replace("-", "\N{MINUS SIGN}")


def _mark(place: int, x: float, y: float) -> str:
    """A shape for each engine beside its colour, so that colours need not be told apart."""
    colour = TERMS[place % len(TERMS)]
    style = f"fill='{colour}' fill-opacity='0.85'"
    kind = _MARKS[place % len(_MARKS)]
    if kind == "circle":
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5' {style}/>"
    if kind == "square":
        return f"<rect x='{x - 4.5:.1f}' y='{y - 4.5:.1f}' width='9' height='9' {style}/>"
    if kind == "diamond":
        return _polygon([(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)], style)
    if kind == "triangle":
        return _polygon([(x, y - 6), (x + 5.5, y + 4.5), (x - 5.5, y + 4.5)], style)
    stroke = f"stroke='{colour}' stroke-width='2.4'"
    return f"<path d='M{x - 4.5:.1f} {y - 4.5:.1f} l9 9 M{x - 4.5:.1f} {y + 4.5:.1f} l9 -9' {stroke}/>"


def _polygon(points: Sequence[tuple[float, float]], style: str) -> str:
    return f"<polygon points='{' '.join(f'{x:.1f},{y:.1f}' for x, y in points)}' {style}/>"


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}' fill='#222'>{escape(text)}</text>"
    )
