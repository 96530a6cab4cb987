"""Colours that people with any colour vision can tell apart, on light and on dark.

Categories are from Okabe and Ito (https://jfly.uni-koeln.de/color/); the scale of hull distances
runs from blue to vermilion through a pale middle, which stays ordered in every form of colour
blindness.
"""

from __future__ import annotations

from itertools import pairwise

TERMS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#b8a900")
"""Ranking terms, in the order in which they are met."""

CENTRE = "#1f78b4"
CATIONS = ("#9a70c8", "#2f9e6e", "#d9772b", "#8a8f98")
LIGAND = "#e8edf3"
HYDRIDE = "#f2b82e"
BALLS = (CENTRE, *CATIONS, LIGAND, HYDRIDE)
"""Roles in a structure picture: centre, counter-cations in turn, hydrogen on the centre, interstitial hydride."""

_SCALE = (
    (0.0, (11, 95, 165)), (0.35, (108, 176, 214)), (0.55, (242, 230, 184)), (0.8, (232, 140, 66)), (1.0, (176, 60, 8)),
)  # fmt: skip

SCALE_END = 0.2
"""Hull distance at the far end of the colour scale, in the unit of `e_above_hull`."""


def distance_colour(value: float | None) -> str:
    """Colour of a hull distance; on or below the hull is the blue end, None is grey."""
    if value is None:
        return "#9aa0a6"
    place = min(max(value / SCALE_END, 0.0), 1.0)
    for (start, low), (end, high) in pairwise(_SCALE):
        if place <= end:
            return _mixed(low, high, (place - start) / (end - start))
    return _mixed(_SCALE[-1][1], _SCALE[-1][1], 0.0)


def blend(colour: str, other: str, part: float) -> str:
    """A colour moved towards another by a fraction, 0 to 1."""
    return _mixed(_channels(colour), _channels(other), part)


def scale_stops() -> list[tuple[float, str]]:
    """Gradient stops of the scale: fraction, colour."""
    return [(fraction, distance_colour(fraction * SCALE_END)) for fraction, _ in _SCALE]


def ink_on(colour: str) -> str:
    """Black or white, whichever is read more easily on a colour (WCAG relative luminance)."""
    channels = [channel / 255 for channel in _channels(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(low: tuple[int, int, int], high: tuple[int, int, int], part: float) -> str:
    return "#" + "".join(f"{round(a + part * (b - a)):02x}" for a, b in zip(low, high, strict=True))
