"""Curves and points with intervals on linear or logarithmic axes, as SVG or PNG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 860, 460, 84, 640, 44, 400
_FONT = "font-family='Helvetica, Arial, sans-serif' font-size='13'"
_MOST_TICKS = 8


@dataclass(frozen=True)
class Line:
    """Points of a picture, joined or marked."""

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    """None leaves a gap in a line; of marks with a bound it is none that is known."""
    colour: str
    low: Sequence[float] | None = None
    """Lower ends of intervals of marks."""
    high: Sequence[float] | None = None
    """Upper ends; of a mark without a value a bound, drawn as an arrow down."""
    is_marked: bool = False
    """Marks in place of a line."""
    is_dashed: bool = False


@dataclass(frozen=True)
class LineFigure:
    """What a picture shows."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line] = field(default_factory=tuple)
    is_x_log: bool = False
    is_y_log: bool = False


def line_svg(figure: LineFigure) -> str:
    """The picture as SVG."""
    xs, ys = _values(figure)
    x, x_ticks = _axis(xs, figure.is_x_log, _LEFT, _RIGHT)
    y, y_ticks = _axis(ys, figure.is_y_log, _BOTTOM, _TOP)
    parts = []
    for tick in x_ticks:
        parts.append(f"<path d='M{x(tick):.1f} {_TOP}V{_BOTTOM}' stroke='#e8e8e8'/>")
        parts.append(_text(x(tick), _BOTTOM + 18, f"{tick:g}", "middle"))
    for tick in y_ticks:
        parts.append(f"<path d='M{_LEFT} {y(tick):.1f}H{_RIGHT}' stroke='#e8e8e8'/>")
        parts.append(_text(_LEFT - 6, y(tick) + 4, f"{tick:g}", "end"))
    parts.append(f"<path d='M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}' stroke='#888' fill='none'/>")
    for place, line in enumerate(figure.lines):
        parts += _marks(line, x, y, figure) if line.is_marked else _curve(line, x, y, figure)
        key = _TOP + 8 + 18 * place
        dash = " stroke-dasharray='5 4'" if line.is_dashed else ""
        parts.append(f"<path d='M{_RIGHT + 14} {key}h22' stroke='{line.colour}' stroke-width='2'{dash}/>")
        parts.append(_text(_RIGHT + 42, key + 4, line.label, "start"))
    parts.append(_text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, figure.x_label, "middle"))
    parts.append(_text(_LEFT, _TOP - 10, figure.y_label, "start"))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' {_FONT}>"
        f"<title>{escape(figure.title)}</title><rect width='{_WIDTH}' height='{_HEIGHT}' fill='#ffffff'/>"
        f"{_text(8, 18, figure.title, 'start', 'bold')}{''.join(parts)}</svg>\n"
    )


def line_png(figure: LineFigure) -> bytes:
    """The picture as PNG, by matplotlib.

    Raises:
        MissingDependencyError: if it is not installed.
    """
    import io

    from ninefold.errors import MissingDependencyError

    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError("--format", "png", "matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    plot, axes = pyplot.subplots(figsize=(9, 4.8))
    for line in figure.lines:
        values = [math.nan if value is None else value for value in line.y]
        if not line.is_marked:
            axes.plot(line.x, values, "--" if line.is_dashed else "-", color=line.colour, label=line.label)
            continue
        axes.plot(line.x, values, "o", color=line.colour, label=line.label)
        for at, value, low, high in zip(line.x, line.y, line.low or line.y, line.high or line.y, strict=True):
            if value is not None:
                axes.plot([at, at], [low, high], "-", color=line.colour)
            elif high is not None:
                axes.plot([at], [high], "v", color=line.colour, markerfacecolor="white")
    axes.set(title=figure.title, xlabel=figure.x_label, ylabel=figure.y_label)
    if figure.is_x_log:
        axes.set_xscale("log")
    if figure.is_y_log:
        axes.set_yscale("log")
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    out = io.BytesIO()
    plot.savefig(out, format="png", dpi=150, bbox_inches="tight")
    pyplot.close(plot)
    return out.getvalue()


def _values(figure: LineFigure) -> tuple[list[float], list[float]]:
    """Everything that the axes must hold; what a logarithmic one cannot show is left out."""
    xs = [value for line in figure.lines for value in line.x if not figure.is_x_log or value > 0]
    every = [
        value
        for line in figure.lines
        for values in (line.y, line.low, line.high)
        for value in values or ()
        if value is not None
    ]
    return xs, [value for value in every if not figure.is_y_log or value > 0]


def _axis(
    values: Sequence[float], is_log: bool, start: float, end: float
) -> tuple[Callable[[float], float], list[float]]:  # fmt: skip
    """From a value to its place, and where ticks stand."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if is_log:
        first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
        last = max(last, first + 1)
        step = max(1, math.ceil((last - first) / _MOST_TICKS))

        def logarithmic(value: float) -> float:
            return start + (math.log10(value) - first) / (last - first) * (end - start)

        return logarithmic, [10.0**power for power in range(first, last + 1, step)]
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / _MOST_TICKS
    unit = 10.0 ** math.floor(math.log10(raw))
    step_size = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
    below, above = math.floor(low / step_size + 1e-9), math.ceil(high / step_size - 1e-9)

    def linear(value: float) -> float:
        return start + (value / step_size - below) / (above - below) * (end - start)

    return linear, [round(place * step_size, 12) for place in range(below, above + 1)]


def _curve(
    line: Line, x: Callable[[float], float], y: Callable[[float], float], figure: LineFigure
) -> list[str]:  # fmt: skip
    dash = " stroke-dasharray='5 4'" if line.is_dashed else ""
    parts: list[str] = []
    points: list[str] = []
    for at, value in [*zip(line.x, line.y, strict=True), (math.nan, None)]:
        if value is None or (figure.is_y_log and value <= 0) or (figure.is_x_log and at <= 0):
            if points:
                parts.append(
                    f"<polyline points='{' '.join(points)}' fill='none' stroke='{line.colour}' stroke-width='1.6'"
                    f"{dash}/>"
                )
            points = []
            continue
        points.append(f"{x(at):.1f},{y(value):.1f}")
    return parts


def _marks(
    line: Line, x: Callable[[float], float], y: Callable[[float], float], figure: LineFigure
) -> list[str]:  # fmt: skip
    parts = []
    for at, value, low, high in zip(line.x, line.y, line.low or line.y, line.high or line.y, strict=True):
        across = x(at)
        if value is None:
            if high is not None:  # the arrow says that it lies below
                top = y(high)
                parts.append(
                    f"<path d='M{across - 6:.1f} {top:.1f}h12M{across:.1f} {top:.1f}v18m-4 -6l4 6l4 -6' fill='none' "
                    f"stroke='{line.colour}'/>"
                )
            continue
        if low is not None and high is not None and (low > 0 or not figure.is_y_log):
            parts.append(
                f"<path d='M{across - 5:.1f} {y(low):.1f}h10M{across - 5:.1f} {y(high):.1f}h10M{across:.1f} "
                f"{y(low):.1f}V{y(high):.1f}' fill='none' stroke='{line.colour}'/>"
            )
        parts.append(f"<circle cx='{across:.1f}' cy='{y(value):.1f}' r='4' fill='{line.colour}'/>")
    return parts


def _text(x: float, y: float, text: str, anchor: str, weight: str = "normal") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}' fill='#222'>{escape(text)}</text>"
    )
