"""Pictures of a hull: the composition triangle seen from above, or the line of a binary system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from ninefold.chemistry.quantities import QUANTITIES, label
from ninefold.report.hull import Hull, Phase
from ninefold.report.palette import SCALE_END, distance_colour
from ninefold.report.text import formula_plain, number

_WIDTH, _HEIGHT = 980, 500
_SIDE, _LEFT, _TOP = 262.0, 24.0, 74.0
"""The whole triangle: side and upper left corner, px."""
_UP = np.sqrt(3) / 2
_PANEL = (452.0, 30.0, 350.0, 390.0)
"""The enlarged part around the candidates: left, top, width, height, px."""
_LINE = 21.0
"""Distance between labels in a column, px."""
_LETTER = 7.2
"""Width of a letter of a label, px, on the wide side."""
MOST_MARKS = 80
"""Candidates of a system that are drawn, the lowest of them."""
_SMALLEST = 0.09
"""The enlarged part is never narrower than this, as a fraction of the triangle's side."""

Point = tuple[float, float]
Box = tuple[float, float, float, float]


def hull_svg(hull: Hull, title: str) -> Markup:
    """Draw a system of two or three elements.

    Args:
        hull: From `build_hull`.
        title: For screen readers.

    Raises:
        ValueError: for any other number of elements.
    """
    if len(hull.elements) == 3:
        body = _triangle(hull)
    elif len(hull.elements) == 2:
        body = _line(hull)
    else:
        raise ValueError(f"a hull of {len(hull.elements)} elements has no picture in the plane")
    return Markup(
        f'<svg class="hull" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}{_scale()}</svg>"
    )


def unit_places(hull: Hull) -> NDArray[np.float64]:
    """Where each phase of a ternary system lies in a triangle of side 1, hydrogen at the top; shape (n_phases, 2)."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, _UP]])
    return np.asarray(hull.fractions @ corners)


def _triangle(hull: Hull) -> str:
    places, candidates = unit_places(hull), _drawn(hull)
    if not candidates:
        return _overview(hull, places, None, [])
    window = _window(places[candidates])
    return _overview(hull, places, window, candidates) + _enlarged(hull, places, window, candidates)


def _drawn(hull: Hull) -> list[int]:
    """The candidates that get a mark, in the order of the phases."""
    candidates = [index for index, phase in enumerate(hull.phases) if phase.kind == "candidate"]
    return sorted(sorted(candidates, key=lambda index: (hull.distances[index], index))[:MOST_MARKS])


def _overview(hull: Hull, unit: NDArray[np.float64], window: Box | None, candidates: list[int]) -> str:
    """The whole triangle, small: what is stable, and which part is enlarged."""

    def at(x: float, y: float) -> Point:
        return _LEFT + _SIDE * x, _TOP + _SIDE * (_UP - y)

    places = [at(x, y) for x, y in unit.tolist()]
    corners = [at(0, 0), at(1, 0), at(0.5, _UP)]
    parts = [_polygon("frame", corners)]
    parts += [_polygon("facet", [places[corner] for corner in facet]) for facet in hull.facets]
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    for symbol, (x, y), (dx, dy) in zip(hull.elements, corners, ((-8, 24), (8, 24), (0, -14)), strict=True):
        parts.append(_text("corner", x + dx, y + dy, "middle", symbol))
        taken.append((x + dx - 14, y + dy - 16, x + dx + 14, y + dy + 4))
    if window:
        (x1, y1), (x2, y2) = at(window[0], window[3]), at(window[2], window[1])
        left, top, bottom = _PANEL[0], _PANEL[1], _PANEL[1] + _PANEL[3]
        parts.append(f'<path class="lens" d="M{x2:.1f} {y1:.1f}L{left} {top}M{x2:.1f} {y2:.1f}L{left} {bottom}"/>')
        parts.append(f'<rect class="lens" x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"/>')
        taken.append((x1, y1, x2, y2))
    outside = [i for i, p in enumerate(hull.phases) if not window or not _inside(unit[i], window)]
    references = [i for i, phase in enumerate(hull.phases) if phase.kind != "candidate"]
    parts += _near_labels(hull, places, [i for i in outside if hull.phases[i].kind != "candidate"], taken)
    parts += _marks(hull, places, [*references, *candidates], size=0.6)
    return "".join(parts)


def _enlarged(hull: Hull, unit: NDArray[np.float64], window: Box, candidates: list[int]) -> str:
    """The part around the candidates, with a name and a distance for each."""
    left, top, width, height = _PANEL
    scale = width / (window[2] - window[0])

    def at(x: float, y: float) -> Point:
        return left + scale * (x - window[0]), top + scale * (window[3] - y)

    places = [at(x, y) for x, y in unit.tolist()]
    clip = f"part-{'-'.join(hull.elements)}"
    parts = [
        f'<clipPath id="{clip}"><rect x="{left}" y="{top}" width="{width}" height="{height}"/></clipPath>'
        f'<g clip-path="url(#{clip})">'
    ]
    parts += [_polygon("facet", [places[corner] for corner in facet]) for facet in hull.facets]
    ticks = []
    for percent in range(0, 100, 5):
        y = at(0, percent / 100 * _UP)[1]
        if top + 6 < y < top + height - 6:
            parts.append(f'<path class="grid" d="M{left} {y:.1f}h{width}"/>')
            ticks.append(_text("tick", left + width - 4, y - 3, "end", f"{percent} % {hull.elements[-1]}"))
    parts.append("</g>")
    parts.append(f'<rect class="lens" x="{left}" y="{top}" width="{width}" height="{height}"/>')
    taken: list[Box] = [(x - 9, y - 9, x + 9, y + 9) for x, y in places]
    parts += _columns(hull, places, _labelled(hull, candidates))
    seen = [i for i, p in enumerate(hull.phases) if p.kind != "candidate" and _inside(unit[i], window)]
    parts += ticks
    named = {hull.phases[index].formula for index in candidates}
    parts += _near_labels(hull, places, [i for i in seen if hull.phases[i].formula not in named], taken)
    parts += _marks(hull, places, [*seen, *candidates])
    return "".join(parts)


def _window(places: NDArray[np.float64]) -> Box:
    """The part of the triangle to enlarge, in the panel's proportions: x and y from, x and y to."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle = (low + high) / 2
    span = high - low
    wide = max(_SMALLEST, 1.3 * span[0], 1.3 * span[1] * _PANEL[2] / _PANEL[3])
    tall = wide * _PANEL[3] / _PANEL[2]
    x, y = float(middle[0]), float(middle[1])
    return (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)


def _inside(place: NDArray[np.float64], window: Box) -> bool:
    return bool(window[0] < place[0] < window[2] and window[1] < place[1] < window[3])


def _line(hull: Hull) -> str:
    """Formation energy against composition, with the convex line."""
    left, right, top, bottom = 90.0, _WIDTH - 50.0, 60.0, _HEIGHT - 110.0
    energies = hull.formation_energies
    candidates = _drawn(hull)
    measured = candidates or [0]
    drawn = [i for i, phase in enumerate(hull.phases) if phase.kind != "candidate"] + candidates
    low = min(float(energies.min()), -0.05) * 1.12
    high = max(0.05, float(energies[measured].max()) * 1.1)

    def at(fraction: float, energy: float) -> tuple[float, float]:
        return left + fraction * (right - left), bottom - (min(energy, high) - low) / (high - low) * (bottom - top)

    places = [at(float(hull.fractions[i, 1]), float(energies[i])) for i in range(len(hull.phases))]
    parts = [f'<rect class="frame" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>']
    (x1, zero), (x2, _end) = at(0, 0), at(1, 0)
    parts.append(f'<path class="grid" d="M{x1:.1f} {zero:.1f}H{x2:.1f}"/>')
    for energy in np.linspace(low, high, 5):
        y = at(0, float(energy))[1]
        parts.append(_text("tick", left - 8, y + 4, "end", number(float(energy), 2)))
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = at(fraction, low)[0]
        parts.append(_text("tick", x, bottom + 18, "middle", f"{fraction:g}"))
    parts.append(_text("axis", left, top - 14, "start", label("formation_energy_per_atom")))
    axis = f"{hull.elements[0]} → {hull.elements[1]}, fraction of atoms"
    parts.append(_text("axis", (left + right) / 2, bottom + 38, "middle", axis))
    for a, b in hull.facets:
        parts.append(
            f'<path class="tie" d="M{places[a][0]:.1f} {places[a][1]:.1f}L{places[b][0]:.1f} {places[b][1]:.1f}"/>'
        )
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    parts += _near_labels(hull, places, drawn, taken)
    parts += _marks(hull, places, drawn)
    return "".join(parts)


def _labelled(hull: Hull, candidates: list[int]) -> list[int]:
    """At most what two columns hold: the lowest candidates carry labels, all carry marks."""
    most = 2 * int(_PANEL[3] // _LINE)
    return sorted(candidates, key=lambda index: hull.distances[index])[:most]


def _columns(hull: Hull, places: Sequence[Point], chosen: Sequence[int]) -> list[str]:
    """Labels of the candidates in a column on either side of the panel, joined to their points by a thin line."""
    left, top, width, height = _PANEL
    by_x = sorted(chosen, key=lambda index: (places[index][0], index))
    half = (len(by_x) + 1) // 2
    parts = []
    for members, x, knee, anchor in (
        (by_x[:half], left - 12, left - 7, "end"),
        (by_x[half:], left + width + 12, left + width + 7, "start"),
    ):
        rows = sorted(members, key=lambda index: (places[index][1], places[index][0]))
        heights = _spread([places[index][1] for index in rows], top + 10, top + height - 10)
        for index, y in zip(rows, heights, strict=True):
            phase = hull.phases[index]
            (px, py), note = places[index], number(_distance(hull, index), 3, signed=True)
            name = _linked(
                phase,
                f'<text class="name" x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="{anchor}"><tspan class="formula">'
                f'{escape(formula_plain(phase.formula))}</tspan><tspan class="value" dx="7">{note}</tspan></text>',
            )
            parts.append(f'<path class="leader" d="M{px:.1f} {py:.1f}L{knee:.1f} {y:.1f}"/>{name}')
    return parts


def _distance(hull: Hull, index: int) -> float:
    """The stored distance of a candidate; of a reference, its distance to the hull drawn."""
    stored = hull.phases[index].distance
    return float(hull.distances[index]) if stored is None else stored


def _polygon(kind: str, corners: Sequence[Point]) -> str:
    return f'<polygon class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"/>'


def _text(kind: str, x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Heights as near as possible to the wanted ones (rising), at least a line apart, within bounds."""
    heights: list[float] = []
    for want in wanted:
        heights.append(max(want, top, heights[-1] + _LINE if heights else top))
    limit = bottom
    for index in range(len(heights) - 1, -1, -1):
        heights[index] = min(heights[index], limit)
        limit = heights[index] - _LINE
    return heights


def _near_labels(hull: Hull, places: Sequence[Point], chosen: Iterable[int], taken: list[Box]) -> list[str]:
    """Labels beside points, in the first of eight places that is free; stable phases choose first."""
    parts, named = [], set()
    for index in sorted(chosen, key=lambda i: (hull.distances[i], i)):
        phase = hull.phases[index]
        if phase.formula in named or hull.fractions[index].max() > 1 - 1e-9:
            continue  # elements stand at the corners
        named.add(phase.formula)
        text = formula_plain(phase.formula)
        (x, y), width = places[index], len(text) * _LETTER + 2
        for dx, dy, anchor in _AROUND:
            start = {"start": x + dx, "end": x + dx - width, "middle": x + dx - width / 2}[anchor]
            box = (start, y + dy - 11, start + width, y + dy + 3)
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                kind = "name" if index in hull.stable else "name unstable"
                parts.append(_text(kind, x + dx, y + dy, anchor, text))
                break
    return parts


_AROUND = (
    (12.0, 4.0, "start"), (-12.0, 4.0, "end"), (0.0, -14.0, "middle"), (0.0, 23.0, "middle"),
    (11.0, -11.0, "start"), (-11.0, -11.0, "end"), (11.0, 21.0, "start"), (-11.0, 21.0, "end"),
)  # fmt: skip


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _marks(hull: Hull, places: Sequence[Point], chosen: Iterable[int], size: float = 1.0) -> list[str]:
    """References as circles, candidates as diamonds; a stable phase has a heavy rim. Lowest drawn last."""
    parts = []
    for index in sorted(chosen, key=lambda i: (hull.phases[i].kind == "candidate", -hull.distances[i], i)):
        phase, (x, y) = hull.phases[index], places[index]
        distance = _distance(hull, index)
        stable = " stable" if index in hull.stable else ""
        title = f"<title>{escape(phase.name or phase.formula)}: {number(distance, 3, signed=True)}</title>"
        fill = distance_colour(distance)
        if phase.kind == "candidate":
            r = 9 * size
            shape = f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}Z"
            mark = f'<path class="mark{stable}" fill="{fill}" d="{shape}">{title}</path>'
            parts.append(_linked(phase, mark))
        else:
            radius = (6.0 if stable else 4.5) * max(size, 0.75)
            place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
            parts.append(f'<circle class="mark{stable}" fill="{fill}" {place}>{title}</circle>')
    return parts


def _linked(phase: Phase, mark: str) -> str:
    """A mark that leads to the candidate's section, if the page has one."""
    return f'<a href="#{escape(phase.key)}">{mark}</a>' if phase.key else mark


def _scale() -> str:
    """The colour scale of hull distances, with what the marks mean."""
    left, width, y = 150.0, 200.0, _HEIGHT - 36.0
    ticks = [(part, number(SCALE_END * (2 * part - 1), 1, signed=True)) for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts = [
        _text("axis", left - 24, y + 10, "end", f"distance ({QUANTITIES['e_above_hull'].unit})"),
        f'<rect x="{left}" y="{y}" width="{width}" height="10" fill="url(#distance-scale)"/>',
        *(_text("tick", left + width * part, y + 25, "middle", text) for part, text in ticks),
        f'<path class="mark" fill="none" d="M462 {y - 4}l9 9l-9 9l-9 -9Z"/>',
        _text("axis", 478, y + 10, "start", "candidate"),
        f'<circle class="mark" fill="none" cx="573" cy="{y + 5}" r="4.5"/>',
        _text("axis", 585, y + 10, "start", "competing phase"),
        f'<circle class="mark stable" fill="none" cx="723" cy="{y + 5}" r="6"/>',
        _text("axis", 736, y + 10, "start", "heavy rim: on the hull"),
    ]
    return f'<g class="legend">{"".join(parts)}</g>'
