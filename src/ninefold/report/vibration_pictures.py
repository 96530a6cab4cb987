"""Pictures of vibrations: dispersion along the usual path through the zone, and the density of states beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import escape

from ninefold.report.palette import TERMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.vibrations.phonons import Phonons

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _SPLIT, _END = 860, 460, 70, 44, 410, 640, 840
_FONT = "font-family='Helvetica, Arial, sans-serif' font-size='13'"
_SMEARING = 1.5
"""meV, of the density of states."""
_MESH_LENGTH = 40.0
"""Å; see `PhononSettings`."""
_STEPS = (5, 10, 20, 25, 50, 100)
_MOST_TICKS = 9


def dispersion_svg(name: str, phonons: Phonons) -> str:
    """Draw frequencies along a path, imaginary ones below zero, and their density.

    Args:
        name: Of the phase.
        phonons: Its.
    """
    from ninefold.vibrations.phonons import dense_path

    points, places, marks = dense_path(phonons.primitive)
    bands = phonons.along(points)
    energies, density = density_of_states(phonons)
    low, high = min(0.0, float(bands.min())) * 1.05, max(float(bands.max()), 1.0) * 1.05

    def x(place: float) -> float:
        return _LEFT + place / places[-1] * (_SPLIT - _LEFT)

    def y(energy: float) -> float:
        return _BOTTOM - (energy - low) / (high - low) * (_BOTTOM - _TOP)

    parts = []
    step = next((one for one in _STEPS if (high - low) / one <= _MOST_TICKS), _STEPS[-1])
    for tick in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
        colour = "#888" if tick == 0 else "#e8e8e8"
        parts.append(_line(_LEFT, y(tick), _END, y(tick), colour))
        label = f"{abs(tick):g}i" if tick < 0 else f"{tick:g}"
        parts.append(_text(_LEFT - 8, y(tick) + 4, label, "end"))
    for place, label in marks:
        parts.append(_line(x(place), _TOP, x(place), _BOTTOM, "#bbb"))
        parts.append(_text(x(place), _BOTTOM + 18, label, "middle"))
    parts += [_polyline([(x(a), y(b)) for a, b in zip(places, band, strict=True)], TERMS[0]) for band in bands.T]
    scale = (_END - _SPLIT - 20) / max(float(density.max()), 1e-9)
    inside = [(e, d) for e, d in zip(energies, density, strict=True) if low <= e <= high]
    parts.append(_polyline([(_SPLIT + 20 + d * scale, y(e)) for e, d in inside], TERMS[5]))
    parts.append(_text(_LEFT, _TOP - 6, "meV", "end"))
    parts.append(_text((_SPLIT + 20 + _END) / 2, _BOTTOM + 18, "density of states", "middle"))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' {_FONT}>"
        f"<title>{escape(name)}: vibrations</title><rect width='{_WIDTH}' height='{_HEIGHT}' fill='#ffffff'/>"
        f"{_text(8, 22, f'{name}: vibrations', 'start', 'bold')}{''.join(parts)}</svg>\n"
    )


def density_of_states(phonons: Phonons) -> tuple[np.ndarray, np.ndarray]:
    """Energies, meV, and modes per atom and meV there, from a mesh with Gaussian smearing; imaginary modes left out."""
    vibrations = phonons.vibrations(_MESH_LENGTH).condensed(0.2)
    energies = np.linspace(0, float(vibrations.frequencies_meV.max()) + 5 * _SMEARING, 400)
    peaks = np.exp(-0.5 * ((energies[:, None] - vibrations.frequencies_meV) / _SMEARING) ** 2)
    return energies, peaks @ vibrations.weights / (_SMEARING * np.sqrt(2 * np.pi))


def _polyline(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='1.2'/>"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'/>"


def _text(x: float, y: float, text: str, anchor: str, weight: str = "normal") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}' fill='#222'>{escape(text)}</text>"
    )
