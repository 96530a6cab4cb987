"""Powder patterns as pictures: curves, ticks of phases below them, and what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from ninefold.report.palette import TERMS

if TYPE_CHECKING:
    from ninefold.diffraction.match_results import Match
    from ninefold.diffraction.pattern import Peak

_WIDTH, _LEFT, _RIGHT, _TOP = 860.0, 56.0, 12.0, 34.0
_CURVES, _DIFFERENCE, _ROW, _BOTTOM = 260.0, 70.0, 27.0, 46.0
_FEWEST_PIXELS = 0.7
"""Between points of a drawn curve."""


@dataclass(frozen=True)
class Curve:
    """A line of a picture."""

    label: str
    y: NDArray[np.float64]
    """shape (n,), on the x of the picture."""
    colour: str


@dataclass(frozen=True)
class Ticks:
    """Where the reflections of a phase stand, or sticks as high as their intensities."""

    label: str
    two_theta: Sequence[float]
    colour: str


@dataclass(frozen=True)
class PowderFigure:
    """What a picture of a pattern shows."""

    title: str
    two_theta_range: tuple[float, float]
    x: NDArray[np.float64] | None = None
    """shape (n,), degrees."""
    curves: Sequence[Curve] = ()
    sticks: Sequence[tuple[float, float]] = ()
    """(angle, intensity) in place of curves."""
    difference: NDArray[np.float64] | None = None
    """shape (n,), on x."""
    ticks: Sequence[Ticks] = ()
    marks: Sequence[float] = field(default_factory=tuple)
    """Angles of peaks that nothing explains."""


def pattern_figure(title: str, peaks: Sequence[Peak], others: Sequence[tuple[str, Sequence[Peak]]]) -> PowderFigure:
    """Sticks of one phase, and ticks of those that it may be mixed with.

    Args:
        title: With the radiation.
        peaks: Of the phase, by rising angle.
        others: Name and peaks of each other phase.
    """
    every = [peak.two_theta for peak in peaks] + [peak.two_theta for _, some in others for peak in some]
    ends = (min(every, default=10.0), max(every, default=90.0))
    ticks = [
        Ticks(name, [peak.two_theta for peak in some], TERMS[(place + 1) % len(TERMS)])
        for place, (name, some) in enumerate(others)
    ]
    sticks = [(peak.two_theta, peak.intensity) for peak in peaks]
    return PowderFigure(title, (ends[0] - 1, ends[1] + 1), sticks=sticks, ticks=ticks)


def match_figure(title: str, found: Match) -> PowderFigure:
    """A measured pattern, the mixture that explains it, their difference, and what is left."""
    from ninefold.diffraction.radiation import two_theta_of

    x, net = found.pattern.two_theta, found.pattern.net
    curves, ticks, difference = [Curve("measured, background taken off", net, "#777777")], [], None
    if found.mixture is not None:
        curves.append(Curve("calculated", found.mixture.calculated, TERMS[0]))
        difference = net - found.mixture.calculated
        order = {id(phase.group): place for place, phase in enumerate(found.phases)}
        for part in sorted(found.mixture.parts, key=lambda part: order[id(part.group)]):
            angles = two_theta_of(part.group.reflections.spacings(part.strain), found.wavelength) + found.zero_shift
            seen = angles[(angles > x[0]) & (angles < x[-1])].tolist()
            ticks.append(Ticks(part.group.first.name, seen, TERMS[(order[id(part.group)] + 1) % len(TERMS)]))
    marks = [peak.two_theta for peak in found.unexplained]
    ends = float(x[0]), float(x[-1])
    return PowderFigure(title, ends, x, curves, difference=difference, ticks=ticks, marks=marks)


def powder_svg(figure: PowderFigure) -> Markup:
    """The picture as SVG, with a title for readers who do not see it."""
    low, high = figure.two_theta_range
    bottom = _TOP + _CURVES
    end = bottom + (_DIFFERENCE if figure.difference is not None else 0)
    height = end + _ROW * len(figure.ticks) + _BOTTOM

    def across(angle: float) -> float:
        return _LEFT + (angle - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' class='powder' viewBox='0 0 {_WIDTH:g} {height:g}' role='img' "
        f"aria-label='{escape(figure.title)}' font-family='sans-serif' font-size='12' "
        f"style='max-width:100%'><title>{escape(figure.title)}</title>",
        _text(_LEFT, 14, figure.title, weight="bold"),
        f"<text transform='translate({_LEFT - 12:g} {_TOP + _CURVES / 2:g}) rotate(-90)' text-anchor='middle'>intensity"
        "</text>",
    ]
    top = max((float(curve.y.max()) for curve in figure.curves), default=1.0) or 1.0
    if figure.sticks:
        path = "".join(
            f"M{across(angle):.1f} {bottom:g}V{bottom - _CURVES * min(share, 100.0) / 100:.1f}"
            for angle, share in figure.sticks
        )
        parts.append(f"<path d='{path}' stroke='{TERMS[0]}' fill='none'/>")
    for place, curve in enumerate(figure.curves):
        if figure.x is not None:
            parts.append(_line(figure.x, curve.y, across, bottom, _CURVES / top, curve.colour, low, high))
        parts.append(_text(_WIDTH - _RIGHT, _TOP + 14 * place, curve.label, "end", colour=curve.colour))
    if figure.difference is not None and figure.x is not None:
        middle = bottom + _DIFFERENCE / 2
        parts.append(f"<path d='M{_LEFT:g} {middle:g}H{_WIDTH - _RIGHT:g}' stroke='#bbbbbb'/>")
        parts.append(
            _line(figure.x, figure.difference, across, middle, _CURVES / top, "#d55e00", low, high, _DIFFERENCE / 2)
        )
    parts += [f"<path d='M{across(mark) - 4:.1f} {_TOP - 8:g}h8l-4 7z' fill='#d55e00'/>" for mark in figure.marks]
    for place, row in enumerate(figure.ticks):
        y = end + _ROW * place
        seen = "".join(f"M{across(angle):.1f} {y + 16:g}v9" for angle in row.two_theta if low <= angle <= high)
        parts.append(f"<path d='{seen}' stroke='{row.colour}' fill='none'/>")
        parts.append(_text(_LEFT, y + 13, row.label))
    floor = end + _ROW * len(figure.ticks) + 4
    parts += _axis(low, high, across, floor)
    parts.append("</svg>")
    return Markup("".join(parts))


def powder_png(figure: PowderFigure) -> bytes:
    """The picture as PNG, by matplotlib."""
    import io

    from ninefold.errors import MissingDependencyError

    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError("--out", ".png", "matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = 0.05 * len(figure.ticks)
    plot, axes = pyplot.subplots(figsize=(9, 4.5 + 0.25 * len(figure.ticks)))
    top = max((float(curve.y.max()) for curve in figure.curves), default=100.0) or 1.0
    for angle, share in figure.sticks:
        axes.vlines(angle, 0, share, color=TERMS[0], linewidth=1)
    for place, curve in enumerate(figure.curves):
        # the measured one as points: a line would lie hidden under the calculated one
        style = {"linestyle": "none", "marker": ".", "markersize": 2} if place == 0 else {"linewidth": 0.8}
        axes.plot(figure.x, curve.y, color=curve.colour, label=curve.label, **style)
    below = 0.0
    if figure.difference is not None:
        below = -0.18 * top
        axes.plot(figure.x, figure.difference + below, color="#d55e00", linewidth=0.7, label="difference")
    for place, row in enumerate(figure.ticks):
        axes.plot(
            row.two_theta, np.full(len(row.two_theta), 1.6 * below - (0.06 * place + 0.05) * top), "|",
            color=row.colour, label=row.label,
        )  # fmt: skip
    if figure.marks:
        axes.plot(figure.marks, np.full(len(figure.marks), 1.03 * top), "v", color="#d55e00", label="unexplained")
    axes.set(title=figure.title, xlabel="2θ (degrees)", ylabel="intensity", xlim=figure.two_theta_range)
    axes.set_ylim(1.6 * below - (rows * 1.2 + 0.05) * top, 1.1 * top)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.1 * top])  # below 0 is no intensity
    if figure.curves or figure.ticks:
        axes.legend(fontsize=7, frameon=False)
    out = io.BytesIO()
    plot.savefig(out, format="png", dpi=150, bbox_inches="tight")
    pyplot.close(plot)
    return out.getvalue()


def _line(
    x: NDArray[np.float64], y: NDArray[np.float64], across: Any, zero: float, scale: float, colour: str, low: float,
    high: float, most: float = 1e9,
) -> str:  # fmt: skip
    """A curve, no finer than pixels: of the points within one, the lowest and the highest."""
    pixels = (_WIDTH - _LEFT - _RIGHT) / _FEWEST_PIXELS
    bunch = max(1, round(2 * len(x) / pixels))
    points = []
    for start in range(0, len(x), bunch):
        own = slice(start, start + bunch)
        places = sorted({start + int(y[own].argmin()), start + int(y[own].argmax())})
        for place in places:
            if low <= x[place] <= high:
                rise = min(most, max(-most, float(y[place]) * scale))
                points.append(f"{across(float(x[place])):.1f},{zero - rise:.1f}")
    return f"<polyline points='{' '.join(points)}' fill='none' stroke='{colour}' stroke-width='1'/>"


def _axis(low: float, high: float, across: Any, y: float) -> list[str]:
    step = next((each for each in (1, 2, 5, 10, 20, 50) if (high - low) / each <= 12), 50)
    ticks = np.arange(np.ceil(low / step) * step, high + 1e-9, step)
    parts = [f"<path d='M{_LEFT:g} {y:g}H{_WIDTH - _RIGHT:g}' stroke='#888888'/>"]
    for tick in ticks:
        parts.append(f"<path d='M{across(tick):.1f} {y:g}v5' stroke='#888888'/>")
        parts.append(_text(across(tick), y + 18, f"{tick:g}", "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, y + 34, "2θ, degrees", "middle"))
    return parts


def _text(
    x: float, y: float, text: str, anchor: str = "start", *, weight: str = "normal", colour: str = ""
) -> str:  # fmt: skip
    style = f" style='fill:{colour}'" if colour else ""
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}'{style}>{escape(text)}</text>"
