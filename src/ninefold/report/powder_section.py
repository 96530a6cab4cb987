"""The powder pattern of a candidate, for the report and the terminal."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ninefold.report.powder_figure import pattern_figure, powder_svg
from ninefold.report.text import formula_plain

if TYPE_CHECKING:
    from markupsafe import Markup

    from ninefold.diffraction.pattern import Peak

RADIATION = "CuKa1"
"""Of the pictures; any other by `ninefold xrd`."""
TWO_THETA = (8.0, 70.0)
"""Degrees."""
WEAKEST = 1.0
"""% of the strongest reflection; weaker ones are not drawn."""
COMPETITORS = 6
"""Competing phases whose reflections are marked."""
NOTE = "Calculated for Cu Kα1; hydrogen hardly scatters X-rays, so this is the pattern of the other elements' lattice."


def candidate_peaks(structure: Mapping[str, Any]) -> list[Peak]:
    """Reflections of a stored structure within `TWO_THETA`.

    Args:
        structure: pymatgen's `Structure.as_dict()`.
    """
    return list(_peaks(json.dumps(structure)))


def powder_picture(candidate: Mapping[str, Any], structure: Mapping[str, Any]) -> Markup:
    """Sticks of a candidate, and ticks of what it competes with.

    Args:
        candidate: A whole one; its `competing_structures` (name, structure), if it has any, are marked.
        structure: Of the minimum that is pictured.
    """
    others = [
        (_short(name), [peak for peak in candidate_peaks(each) if peak.intensity >= WEAKEST])
        for name, each in (candidate.get("competing_structures") or [])[:COMPETITORS]
    ]
    peaks = [peak for peak in candidate_peaks(structure) if peak.intensity >= WEAKEST]
    figure = pattern_figure(
        f"{formula_plain(candidate['formula'])}, Cu Kα1 (1.5406 Å), and phases that it competes with", peaks, others
    )
    return powder_svg(figure)


def _short(name: str) -> str:
    """Of a phase whose type is named after its formula, the formula: `K2ReH9 K2ReH9`."""
    formula, _, kind = name.partition(" ")
    return formula_plain(formula if kind == formula else name)


@functools.lru_cache(maxsize=512)
def _peaks(structure: str) -> tuple[Peak, ...]:
    """A competitor stands beside many candidates."""
    from pymatgen.core import Structure

    from ninefold.diffraction.pattern import powder_pattern
    from ninefold.diffraction.radiation import radiation

    found = powder_pattern(Structure.from_dict(json.loads(structure)), radiation(RADIATION), TWO_THETA)
    return tuple(found.peaks(WEAKEST))
