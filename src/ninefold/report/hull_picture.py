"""Pictures of a hull: the composition triangle seen from above, or the line of a binary system."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from ninefold.chemistry.quantities import label
from ninefold.report.hull import Hull
from ninefold.report.palette import SCALE_END, distance_colour
from ninefold.report.text import formula_plain, number

_WIDTH, _HEIGHT = 860, 580
_SIDE = 540.0
_LEFT, _TOP = (_WIDTH - _SIDE) / 2, 46.0
_RISE = _SIDE * np.sqrt(3) / 2
_LINE = 21.0
"""Distance between labels in a column, px."""
_LETTER = 7.0
"""Width of a letter of a label, px, on the wide side."""

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


def triangle_places(hull: Hull) -> list[tuple[float, float]]:
    """Where each phase of a ternary system lies in the picture, px; hydrogen is at the top."""
    corners = np.array([[_LEFT, _TOP + _RISE], [_LEFT + _SIDE, _TOP + _RISE], [_LEFT + _SIDE / 2, _TOP]])
    return [(float(x), float(y)) for x, y in hull.fractions @ corners]


def _triangle(hull: Hull) -> str:
    places = triangle_places(hull)
    corners = [_corner(hull, places, column) for column in range(3)]
    parts = [_grid(corners)]
    for facet in hull.facets:
        points = " ".join(f"{places[i][0]:.1f},{places[i][1]:.1f}" for i in facet)
        parts.append(f'<polygon class="facet" points="{points}"/>')
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    for symbol, (x, y), (dx, dy, anchor) in zip(
        hull.elements, corners, ((-16, 20, "middle"), (16, 20, "middle"), (0, -18, "middle")), strict=True
    ):
        parts.append(f'<text class="corner" x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">{symbol}</text>')
        taken.append((x + dx - 14, y + dy - 16, x + dx + 14, y + dy + 4))
    candidates = [index for index, phase in enumerate(hull.phases) if phase.kind == "candidate"]
    parts += _columns(hull, places, _shown(hull, candidates), taken)
    parts += _near_labels(hull, places, taken)
    parts += _marks(hull, places)
    return "".join(parts)


def _line(hull: Hull) -> str:
    """Formation energy against composition, with the convex line."""
    left, right, top, bottom = 90.0, _WIDTH - 50.0, 60.0, _HEIGHT - 110.0
    energies = hull.formation_energies
    low = min(float(energies.min()), -0.05) * 1.12
    high = max(0.05, float(energies[[i for i, p in enumerate(hull.phases) if p.kind == "candidate"] or [0]].max()) * 1.1)

    def at(fraction: float, energy: float) -> tuple[float, float]:
        return left + fraction * (right - left), bottom - (min(energy, high) - low) / (high - low) * (bottom - top)

    places = [at(float(hull.fractions[i, 1]), float(energies[i])) for i in range(len(hull.phases))]
    parts = [f'<rect class="frame" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>']
    (x1, zero), (x2, _) = at(0, 0), at(1, 0)
    parts.append(f'<path class="grid" d="M{x1:.1f} {zero:.1f}H{x2:.1f}"/>')
    for energy in np.linspace(low, high, 5):
        y = at(0, float(energy))[1]
        parts.append(f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{number(float(energy), 2)}</text>')
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = at(fraction, low)[0]
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{fraction:g}</text>')
    axis = escape(label("formation_energy_per_atom"))
    parts.append(f'<text class="axis" x="{left}" y="{top - 14}">{axis}</text>')
    parts.append(
        f'<text class="axis" x="{(left + right) / 2}" y="{bottom + 38}" text-anchor="middle">'
        f"{hull.elements[0]} → {hull.elements[1]}, fraction of atoms</text>"
    )
    for a, b in hull.facets:
        parts.append(
            f'<path class="tie" d="M{places[a][0]:.1f} {places[a][1]:.1f}L{places[b][0]:.1f} {places[b][1]:.1f}"/>'
        )
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    parts += _near_labels(hull, places, taken, with_candidates=True)
    parts += _marks(hull, places)
    return "".join(parts)


def _corner(hull: Hull, places: Sequence[tuple[float, float]], column: int) -> tuple[float, float]:
    return places[int(np.argmax(hull.fractions[:, column]))]


def _grid(corners: list[tuple[float, float]]) -> str:
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    lines = []
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        for part in (0.2, 0.4, 0.6, 0.8):
            (x1, y1), (x2, y2) = (
                tuple(corners[a][k] + part * (corners[end][k] - corners[a][k]) for k in (0, 1)) for end in (b, c)
            )
            lines.append(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}")
    return f'<polygon class="frame" points="{outline}"/><path class="grid" d="{"".join(lines)}"/>'


def _shown(hull: Hull, candidates: list[int]) -> list[int]:
    """At most a column's worth on each side: the lowest candidates carry labels, all carry marks."""
    most = 2 * int((_RISE + _TOP - 90) // _LINE)
    return sorted(candidates, key=lambda index: hull.distances[index])[:most]


def _columns(
    hull: Hull, places: Sequence[tuple[float, float]], chosen: Sequence[int], taken: list[Box]
) -> list[str]:
    """Labels of the candidates in a column on either side, joined to their points by a thin line."""
    middle = _LEFT + _SIDE / 2
    by_x = sorted(chosen, key=lambda index: (places[index][0], index))
    left = [index for index in by_x if places[index][0] < middle - 1]
    right = [index for index in by_x if index not in left]
    parts = []
    for side, members in (("left", left), ("right", right)):
        members = sorted(members, key=lambda index: (places[index][1], places[index][0]))
        heights = _spread([places[index][1] - 30 for index in members], 70.0, _TOP + _RISE - 60)
        for index, y in zip(members, heights, strict=True):
            phase = hull.phases[index]
            distance = phase.distance if phase.distance is not None else float(hull.distances[index])
            text = f"{formula_plain(phase.formula)}"
            note = number(distance, 3, signed=True)
            px, py = places[index]
            # the column leans with the triangle's side, so that the lines stay short
            lean = (y - _TOP) / _RISE * _SIDE / 2
            reach = max(lean + 58.0, 120.0)
            x = max(middle - reach, 168.0) if side == "left" else min(middle + reach, _WIDTH - 168.0)
            knee = x + 5 if side == "left" else x - 5
            parts.append(f'<path class="leader" d="M{px:.1f} {py:.1f}L{knee:.1f} {y:.1f}"/>')
            anchor = "end" if side == "left" else "start"
            parts.append(
                f'<a href="#{escape(phase.key)}"><text class="name" x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="{anchor}">'
                f'<tspan class="formula">{escape(text)}</tspan><tspan class="value" dx="7">{note}</tspan></text></a>'
            )
            width = (len(text) + len(note) + 1) * _LETTER
            taken.append((x - width, y - 9, x, y + 9) if side == "left" else (x, y - 9, x + width, y + 9))
    return parts


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


def _near_labels(
    hull: Hull, places: Sequence[tuple[float, float]], taken: list[Box], *, with_candidates: bool = False
) -> list[str]:
    """Labels beside points, in the first of eight places that is free; stable phases choose first."""
    parts, named = [], set(hull.elements)
    if not with_candidates:
        named |= {phase.formula for phase in hull.phases if phase.kind == "candidate"}
    for index in sorted(range(len(hull.phases)), key=lambda i: (hull.distances[i], i)):
        phase = hull.phases[index]
        if phase.formula in named or hull.fractions[index].max() > 1 - 1e-9:
            continue
        named.add(phase.formula)
        text = formula_plain(phase.formula)
        x, y = places[index]
        width = len(text) * _LETTER + 4
        for dx, dy, anchor in (
            (12, 4, "start"), (-12, 4, "end"), (0, -14, "middle"), (0, 22, "middle"),
            (10, -10, "start"), (-10, -10, "end"), (10, 18, "start"), (-10, 18, "end"),
        ):  # fmt: skip
            start = {"start": x + dx, "end": x + dx - width, "middle": x + dx - width / 2}[anchor]
            box = (start, y + dy - 12, start + width, y + dy + 4)
            if not any(_overlap(box, other) for other in taken if other != (x - 8, y - 8, x + 8, y + 8)):
                taken.append(box)
                kind = "stable" if index in hull.stable else "unstable"
                parts.append(
                    f'<text class="name {kind}" x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">'
                    f"{escape(text)}</text>"
                )
                break
    return parts


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _marks(hull: Hull, places: Sequence[tuple[float, float]]) -> list[str]:
    """References as circles, candidates as diamonds; a stable phase has a heavy rim. Lowest drawn last."""
    parts = []
    for index in sorted(range(len(hull.phases)), key=lambda i: (hull.phases[i].kind == "candidate", -hull.distances[i])):
        phase, (x, y) = hull.phases[index], places[index]
        is_candidate = phase.kind == "candidate"
        distance = float(hull.distances[index])
        if is_candidate and phase.distance is not None:
            distance = phase.distance
        stable = " stable" if index in hull.stable else ""
        fill = distance_colour(distance)
        name = f"{phase.name or phase.formula}: {number(distance, 3, signed=True)}"
        if is_candidate:
            shape = f'<path class="mark candidate{stable}" fill="{fill}" d="M{x:.1f} {y - 9:.1f}l9 9l-9 9l-9 -9Z">'
            mark = f"{shape}<title>{escape(name)}</title></path>"
            parts.append(f'<a href="#{escape(phase.key)}">{mark}</a>')
        else:
            radius = 5.5 if stable else 3.8
            parts.append(
                f'<circle class="mark{stable}" fill="{fill}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">'
                f"<title>{escape(name)}</title></circle>"
            )
    return parts


def _scale() -> str:
    """The colour scale of hull distances, with what the marks mean."""
    left, width, y = 200.0, 200.0, _HEIGHT - 26.0
    ticks = "".join(
        f'<text class="tick" x="{left + width * part:.1f}" y="{y + 22:.1f}" text-anchor="middle">{text}</text>'
        for part, text in (
            (0, "≤ 0"), (0.5, number(SCALE_END / 2, 1)), (1, f"≥ {number(SCALE_END, 1)}"),
        )  # fmt: skip
    )
    return (
        f'<g class="legend"><text class="axis" x="{left - 22}" y="{y + 9:.1f}" text-anchor="end">'
        f'{escape(label("e_above_hull"))}</text>'
        f'<rect x="{left}" y="{y}" width="{width}" height="9" fill="url(#distance-scale)"/>{ticks}'
        f'<path class="mark candidate" fill="none" d="M450 {y - 4}l9 9l-9 9l-9 -9Z"/>'
        f'<text class="axis" x="466" y="{y + 9:.1f}">candidate</text>'
        f'<circle class="mark" fill="none" cx="560" cy="{y + 5}" r="4.5"/>'
        f'<text class="axis" x="572" y="{y + 9:.1f}">competing phase</text>'
        f'<circle class="mark stable" fill="none" cx="706" cy="{y + 5}" r="5.5"/>'
        f'<text class="axis" x="719" y="{y + 9:.1f}">on the hull</text></g>'
    )


