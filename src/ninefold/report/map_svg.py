"""Picture of a map over temperature and hydrogen pressure: stable assemblages as areas, what is uncertain hatched."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from ninefold.report.palette import TERMS, blend
from ninefold.report.text import formula_plain
from ninefold.thermo.phase_map import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ninefold.thermo.phase_map import PhaseMap

_WIDTH, _LEFT, _TOP, _PLOT, _HEIGHT, _ROW = 860, 76, 46, 470, 340, 22
_FONT = 'font-family="Helvetica, Arial, sans-serif" font-size="13"'
_COLOURS = tuple(colour for colour in TERMS if colour != "#999999")
"""Without grey, which stands for what has no colour of its own."""
MOST_AREAS = len(_COLOURS)
"""Assemblages with a colour of their own, those with the largest areas; the others are grey."""
_HATCHING = (
    '<defs><pattern id="uncertain" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path d="M0 0V6" stroke="#000" stroke-width="1.2" opacity="0.45"/></pattern></defs>'
)
_OTHER, _EMPTY = "#c4c4c4", "#f0f0f0"
"""Colours of the assemblages that have none of their own, and of none at all."""
_MARK = "*"


def map_svg(found: PhaseMap, uncertainty: float | None = None, predicted: Container[str] = frozenset()) -> Markup:
    """Draw a map.

    Args:
        found: From `composition_map` or `system_map`.
        uncertainty: Of the composition's distance to the hull, eV/atom: where the distance is smaller, the area is
            hatched.
        predicted: Formulas that nobody has made, marked in the legend.
    """
    colours = _colours(found)
    xs, ys = _edges(found.temperatures), _edges(np.log10(found.pressures))
    title = f"{formula_plain(found.title)}: stable solids under hydrogen"
    bottom = _TOP + _HEIGHT

    def x_of(value: float) -> float:
        return _LEFT + (value - xs[0]) / (xs[-1] - xs[0]) * _PLOT

    def y_of(value: float) -> float:
        return bottom - (value - ys[0]) / (ys[-1] - ys[0]) * _HEIGHT

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map" viewBox="0 0 {_WIDTH} {bottom + 60}" role="img" {_FONT} '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>',
        _HATCHING if uncertainty is not None else "",
        f'<rect width="{_WIDTH}" height="{bottom + 60}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
    ]
    for row in range(len(found.temperatures)):
        left, width = x_of(xs[row]), x_of(xs[row + 1]) - x_of(xs[row])
        for index, first, last in _runs(found.indices[row]):
            top, end = y_of(ys[last + 1]), y_of(ys[first])
            name = escape(found.assemblages[index])
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{width + 0.3:.1f}" height="{end - top + 0.3:.1f}" '
                f'fill="{colours[index]}" shape-rendering="crispEdges"><title>{name}</title></rect>'
            )
        if uncertainty is not None and found.distances is not None:
            for is_near, first, last in _runs((np.abs(found.distances[row]) <= uncertainty).astype(int)):
                if is_near:
                    top, end = y_of(ys[last + 1]), y_of(ys[first])
                    parts.append(
                        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{end - top:.1f}" '
                        'fill="url(#uncertain)"/>'
                    )
    parts += _axes(found, x_of, y_of, bottom)
    parts += _legend(found, colours, uncertainty, predicted)
    return Markup("".join(parts) + "</svg>")


def _colours(found: PhaseMap) -> list[str]:
    """Of each assemblage, by the size of its area; paler where the composition itself is not in it."""
    sizes = np.bincount(found.indices.ravel(), minlength=len(found.assemblages))
    order = [int(index) for index in np.argsort(-sizes, kind="stable") if found.assemblages[index] != NONE]
    colours = [_OTHER] * len(found.assemblages)
    for colour, index in zip(_COLOURS, order, strict=False):
        is_own = found.distances is None or found.assemblages[index] == found.title
        colours[index] = colour if is_own else blend(colour, "#ffffff", 0.45)
    if NONE in found.assemblages:
        colours[found.assemblages.index(NONE)] = _EMPTY
    return colours


def _runs(values: NDArray[np.int_]) -> Iterator[tuple[int, int, int]]:
    """Value, first and last place of each run of equal ones."""
    for value, group in groupby(enumerate(values.tolist()), key=lambda pair: pair[1]):
        places = [place for place, _ in group]
        yield value, places[0], places[-1]


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of cells around the points of a grid, cut at its ends."""
    if len(values) == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    return np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, values[-1:]])


def _axes(found: PhaseMap, x_of, y_of, bottom: float) -> list[str]:  # type: ignore[no-untyped-def]
    parts = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_PLOT}" height="{_HEIGHT}" fill="none" stroke="#333"/>',
        f'<text x="{_LEFT + _PLOT / 2}" y="{bottom + 44}" text-anchor="middle">temperature (K)</text>',
        f'<text transform="translate(18 {_TOP + _HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        "hydrogen pressure (GPa)</text>",
    ]
    low, high = float(found.temperatures[0]), float(found.temperatures[-1])
    step = 100 * max(1, round((high - low) / 800))
    for value in range(int(np.ceil(low / step) * step), int(high) + 1, step):
        x = x_of(value)
        parts.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#333"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{value}</text>')
    first, last = np.log10(found.pressures[0]), np.log10(found.pressures[-1])
    for power in range(int(np.ceil(first - 1e-9)), int(np.floor(last + 1e-9)) + 1):
        y = y_of(power)
        parts.append(f'<path d="M{_LEFT - 5} {y:.1f}h5" stroke="#333"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    return parts


def _legend(found: PhaseMap, colours: list[str], uncertainty: float | None, predicted: Container[str]) -> list[str]:
    x, y = _LEFT + _PLOT + 24, _TOP + 8
    parts = []
    order = sorted(range(len(colours)), key=lambda index: found.assemblages[index] == NONE)
    shown = [index for index in order if colours[index] != _OTHER]
    lines = [(colours[index], _assemblage(found.assemblages[index], predicted)) for index in shown]
    if others := len(colours) - len(shown):
        lines.append((_OTHER, "1 other" if others == 1 else f"{others} others"))
    if uncertainty is not None and found.distances is not None:
        lines.append(("url(#uncertain)", f"closer than ± {uncertainty:.3f} eV/atom"))
    if any(_MARK in text for _, text in lines):
        lines.append(("none", f"{_MARK} predicted: nobody has made it"))
    for place, (colour, text) in enumerate(lines):
        top = y + _ROW * place
        if colour != "none":
            parts.append(f'<rect x="{x}" y="{top}" width="14" height="14" fill="{colour}" stroke="#666"/>')
        parts.append(f'<text x="{x + 22}" y="{top + 12}">{escape(text)}</text>')
    return parts


def _assemblage(names: str, predicted: Container[str]) -> str:
    phases = names.split(" + ")
    return " + ".join(formula_plain(name) + (_MARK if name in predicted else "") for name in phases)
