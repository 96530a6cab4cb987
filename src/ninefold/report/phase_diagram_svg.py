"""Pictures of a hull: the composition triangle seen from above, or the line of a binary system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from ninefold.models.quantities import QUANTITIES, label
from ninefold.report.palette import SCALE_END, distance_colour
from ninefold.report.phase_diagram import PhaseDiagram
from ninefold.report.svg_labels import (
    PANEL,
    Box,
    Point,
    distance_of,
    label_columns,
    labelled,
    linked_mark,
    near_labels,
    text_element,
)
from ninefold.report.text import number

_WIDTH, _HEIGHT = 980, 500
_SIDE, _LEFT, _TOP = 262.0, 24.0, 74.0
"""The whole triangle: side and upper left corner, px."""
_UP = np.sqrt(3) / 2
MOST_MARKS = 80
"""Candidates of a system that are drawn, the lowest of them."""
_SMALLEST = 0.09
"""The enlarged part is never narrower than this, as a fraction of the triangle's side."""


def hull_svg(hull: PhaseDiagram, title: str) -> Markup:
    """Draw a system of two or three elements.

    Args:
        hull: From `build_phase_diagram`.
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


def unit_places(hull: PhaseDiagram) -> NDArray[np.float64]:
    """Where each phase of a ternary system lies in a triangle of side 1, hydrogen at the top; shape (n_phases, 2)."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, _UP]])
    return np.asarray(hull.fractions @ corners)


def _triangle(hull: PhaseDiagram) -> str:
    places, candidates = unit_places(hull), _drawn(hull)
    if not candidates:
        return _overview(hull, places, None, [])
    window = _window(places[candidates])
    return _overview(hull, places, window, candidates) + _enlarged(hull, places, window, candidates)


def _drawn(hull: PhaseDiagram) -> list[int]:
    """The candidates that get a mark, in the order of the phases."""
    candidates = [index for index, phase in enumerate(hull.phases) if phase.kind == "candidate"]
    return sorted(sorted(candidates, key=lambda index: (hull.distances[index], index))[:MOST_MARKS])


def _overview(hull: PhaseDiagram, unit: NDArray[np.float64], window: Box | None, candidates: list[int]) -> str:
    """The whole triangle, small: what is stable, and which part is enlarged."""

    def at(x: float, y: float) -> Point:
        return _LEFT + _SIDE * x, _TOP + _SIDE * (_UP - y)

    places = [at(x, y) for x, y in unit.tolist()]
    corners = [at(0, 0), at(1, 0), at(0.5, _UP)]
    parts = [_polygon("frame", corners)]
    parts += [_polygon("facet", [places[corner] for corner in facet]) for facet in hull.facets]
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    for symbol, (x, y), (dx, dy) in zip(hull.elements, corners, ((-8, 24), (8, 24), (0, -14)), strict=True):
        parts.append(text_element("corner", x + dx, y + dy, "middle", symbol))
        taken.append((x + dx - 14, y + dy - 16, x + dx + 14, y + dy + 4))
    if window:
        (x1, y1), (x2, y2) = at(window[0], window[3]), at(window[2], window[1])
        left, top, bottom = PANEL[0], PANEL[1], PANEL[1] + PANEL[3]
        parts.append(f'<path class="lens" d="M{x2:.1f} {y1:.1f}L{left} {top}M{x2:.1f} {y2:.1f}L{left} {bottom}"/>')
        parts.append(f'<rect class="lens" x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"/>')
        taken.append((x1, y1, x2, y2))
    outside = [i for i, p in enumerate(hull.phases) if not window or not _inside(unit[i], window)]
    references = [i for i, phase in enumerate(hull.phases) if phase.kind != "candidate"]
    parts += near_labels(hull, places, [i for i in outside if hull.phases[i].kind != "candidate"], taken)
    parts += _marks(hull, places, [*references, *candidates], size=0.6)
    return "".join(parts)


def _enlarged(hull: PhaseDiagram, unit: NDArray[np.float64], window: Box, candidates: list[int]) -> str:
    """The part around the candidates, with a name and a distance for each."""
    left, top, width, height = PANEL
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
            ticks.append(text_element("tick", left + width - 4, y - 3, "end", f"{percent} % {hull.elements[-1]}"))
    parts.append("</g>")
    parts.append(f'<rect class="lens" x="{left}" y="{top}" width="{width}" height="{height}"/>')
    taken: list[Box] = [(x - 9, y - 9, x + 9, y + 9) for x, y in places]
    parts += label_columns(hull, places, labelled(hull, candidates))
    seen = [i for i, p in enumerate(hull.phases) if p.kind != "candidate" and _inside(unit[i], window)]
    parts += ticks
    named = {hull.phases[index].formula for index in candidates}
    parts += near_labels(hull, places, [i for i in seen if hull.phases[i].formula not in named], taken)
    parts += _marks(hull, places, [*seen, *candidates])
    return "".join(parts)


def _window(places: NDArray[np.float64]) -> Box:
    """The part of the triangle to enlarge, in the panel's proportions: x and y from, x and y to."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle = (low + high) / 2
    span = high - low
    wide = max(_SMALLEST, 1.3 * span[0], 1.3 * span[1] * PANEL[2] / PANEL[3])
    tall = wide * PANEL[3] / PANEL[2]
    x, y = float(middle[0]), float(middle[1])
    return (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)


def _inside(place: NDArray[np.float64], window: Box) -> bool:
    return bool(window[0] < place[0] < window[2] and window[1] < place[1] < window[3])


def _line(hull: PhaseDiagram) -> str:
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
        parts.append(text_element("tick", left - 8, y + 4, "end", number(float(energy), 2)))
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = at(fraction, low)[0]
        parts.append(text_element("tick", x, bottom + 18, "middle", f"{fraction:g}"))
    parts.append(text_element("axis", left, top - 14, "start", label("formation_energy_per_atom")))
    axis = f"{hull.elements[0]} → {hull.elements[1]}, fraction of atoms"
    parts.append(text_element("axis", (left + right) / 2, bottom + 38, "middle", axis))
    for a, b in hull.facets:
        parts.append(
            f'<path class="tie" d="M{places[a][0]:.1f} {places[a][1]:.1f}L{places[b][0]:.1f} {places[b][1]:.1f}"/>'
        )
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    parts += near_labels(hull, places, drawn, taken)
    parts += _marks(hull, places, drawn)
    return "".join(parts)


def _polygon(kind: str, corners: Sequence[Point]) -> str:
    return f'<polygon class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"/>'


def _marks(hull: PhaseDiagram, places: Sequence[Point], chosen: Iterable[int], size: float = 1.0) -> list[str]:
    """References as circles, candidates as diamonds; a stable phase has a heavy rim. Lowest drawn last."""
    parts = []
    for index in sorted(chosen, key=lambda i: (hull.phases[i].kind == "candidate", -hull.distances[i], i)):
        phase, (x, y) = hull.phases[index], places[index]
        distance = distance_of(hull, index)
        stable = " stable" if index in hull.stable else ""
        title = f"<title>{escape(phase.name or phase.formula)}: {number(distance, 3, signed=True)}</title>"
        fill = distance_colour(distance)
        if phase.kind == "candidate":
            r = 9 * size
            shape = f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}Z"
            mark = f'<path class="mark{stable}" fill="{fill}" d="{shape}">{title}</path>'
            parts.append(linked_mark(phase, mark))
        else:
            radius = (6.0 if stable else 4.5) * max(size, 0.75)
            place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
            parts.append(f'<circle class="mark{stable}" fill="{fill}" {place}>{title}</circle>')
    return parts


def _scale() -> str:
    """The colour scale of hull distances, with what the marks mean."""
    left, width, y = 150.0, 200.0, _HEIGHT - 36.0
    ticks = [(part, number(SCALE_END * (2 * part - 1), 1, signed=True)) for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts = [
        text_element("axis", left - 24, y + 10, "end", f"distance ({QUANTITIES['e_above_hull'].unit})"),
        f'<rect x="{left}" y="{y}" width="{width}" height="10" fill="url(#distance-scale)"/>',
        *(text_element("tick", left + width * part, y + 25, "middle", text) for part, text in ticks),
        f'<path class="mark" fill="none" d="M462 {y - 4}l9 9l-9 9l-9 -9Z"/>',
        text_element("axis", 478, y + 10, "start", "candidate"),
        f'<circle class="mark" fill="none" cx="573" cy="{y + 5}" r="4.5"/>',
        text_element("axis", 585, y + 10, "start", "competing phase"),
        f'<circle class="mark stable" fill="none" cx="723" cy="{y + 5}" r="6"/>',
        text_element("axis", 736, y + 10, "start", "heavy rim: on the hull"),
    ]
    return f'<g class="legend">{"".join(parts)}</g>'
