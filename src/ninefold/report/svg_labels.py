"""Labels of phases in a picture, placed so that none covers another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import escape

from ninefold.report.phase_diagram import DiagramPhase, PhaseDiagram
from ninefold.report.text import formula_plain, number

PANEL = (452.0, 30.0, 350.0, 390.0)
"""The enlarged part around the candidates: left, top, width, height, px."""

LINE_HEIGHT = 21.0
"""Distance between labels in a column, px."""

_LETTER = 7.2
"""Width of a letter of a label, px, on the wide side."""

Point = tuple[float, float]

Box = tuple[float, float, float, float]


def labelled(hull: PhaseDiagram, candidates: list[int]) -> list[int]:
    """At most what two columns hold: the lowest candidates carry labels, all carry marks."""
    most = 2 * int(PANEL[3] // LINE_HEIGHT)
    return sorted(candidates, key=lambda index: hull.distances[index])[:most]


def label_columns(hull: PhaseDiagram, places: Sequence[Point], chosen: Sequence[int]) -> list[str]:
    """Labels of the candidates in a column on either side of the panel, joined to their points by a thin line."""
    left, top, width, height = PANEL
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
            (px, py), note = places[index], number(distance_of(hull, index), 3, signed=True)
            name = linked_mark(
                phase,
                f'<text class="name" x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="{anchor}"><tspan class="formula">'
                f'{escape(formula_plain(phase.formula))}</tspan><tspan class="value" dx="7">{note}</tspan></text>',
            )
            parts.append(f'<path class="leader" d="M{px:.1f} {py:.1f}L{knee:.1f} {y:.1f}"/>{name}')
    return parts


def distance_of(hull: PhaseDiagram, index: int) -> float:
    """The stored distance of a candidate; of a reference, its distance to the hull drawn."""
    stored = hull.phases[index].distance
    return float(hull.distances[index]) if stored is None else stored


def text_element(kind: str, x: float, y: float, anchor: str, text: str) -> str:
    """A line of text at a point, px."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Heights as near as possible to the wanted ones (rising), at least a line apart, within bounds."""
    heights: list[float] = []
    for want in wanted:
        heights.append(max(want, top, heights[-1] + LINE_HEIGHT if heights else top))
    limit = bottom
    for index in range(len(heights) - 1, -1, -1):
        heights[index] = min(heights[index], limit)
        limit = heights[index] - LINE_HEIGHT
    return heights


def near_labels(hull: PhaseDiagram, places: Sequence[Point], chosen: Iterable[int], taken: list[Box]) -> list[str]:
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
                parts.append(text_element(kind, x + dx, y + dy, anchor, text))
                break
    return parts


_AROUND = (
    (12.0, 4.0, "start"), (-12.0, 4.0, "end"), (0.0, -14.0, "middle"), (0.0, 23.0, "middle"),
    (11.0, -11.0, "start"), (-11.0, -11.0, "end"), (11.0, 21.0, "start"), (-11.0, 21.0, "end"),
)  # fmt: skip


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def linked_mark(phase: DiagramPhase, mark: str) -> str:
    """A mark that leads to the candidate's section, if the page has one."""
    return f'<a href="#{escape(phase.key)}">{mark}</a>' if phase.key else mark
