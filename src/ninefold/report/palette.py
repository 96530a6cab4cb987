"""Colours that people with any colour vision can tell apart, on light and on dark.

Categories are from Okabe and Ito (https://jfly.uni-koeln.de/color/). Counts are drawn on viridis, whose lightness
rises evenly (https://bids.github.io/colormap/). Signed hull distances are drawn on two arms, blue below the hull and
orange above it, that grow darker from a pale middle at the hull itself: lightness tells the distance, hue the side,
and blue against orange can be distinguished in every form of colour blindness.
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
    (-1.0, (8, 48, 107)), (-0.5, (66, 133, 190)), (0.0, (247, 242, 228)), (0.5, (224, 130, 50)), (1.0, (127, 39, 4)),
)  # fmt: skip
"""Place from -1 (as far below the hull as the scale goes) over 0 (on it) to 1 -> red, green, blue."""

SCALE_END = 0.2
"""Hull distance at either end of the colour scale, in the unit of `e_above_hull`."""

COUNTS = ("#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#fde725")
"""Viridis at sevenths, darkest first: few to many on a dark page, many to few on a light one."""


def distance_colour(value: float | None) -> str:
    """Colour of a signed hull distance: blue below the hull, orange above it; None is grey."""
    if value is None:
        return "#9aa0a6"
    place = min(max(value / SCALE_END, -1.0), 1.0)
    for (start, low), (end, high) in pairwise(_SCALE):
        if place <= end:
            return _mixed(low, high, (place - start) / (end - start))
    raise AssertionError(place)


def blend(colour: str, other: str, part: float) -> str:
    """A colour moved towards another by a fraction, 0 to 1."""
    return _mixed(_channels(colour), _channels(other), part)


def scale_stops() -> list[tuple[float, str]]:
    """Gradient stops of the scale of hull distances: fraction of its length, colour."""
    return [((place + 1) / 2, distance_colour(place * SCALE_END)) for place, _ in _SCALE]


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
