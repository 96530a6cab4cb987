"""What the cell of a run at constant pressure does: mean volume, and whether the pressure is the one that was set."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ninefold.dynamics.statistics.equilibration import (
    FEWEST_BLOCKS,
    LENGTH_OF_BLOCK,
    drift,
    equilibrated,
    inefficiency,
    quantile,
)
from ninefold.dynamics.statistics.slopes import Interval

LARGEST_ERROR_GPA = 0.05
"""Of the mean pressure, beyond which it is told where chance does not make as much, too."""


class Breathing(NamedTuple):
    """Without the frames until the volume had settled."""

    volume: Interval
    """Å3, mean."""
    pressure: Interval
    """GPa, mean, with the part of the velocities."""
    set_GPa: float
    """Of the barostat."""
    skipped: int
    """Frames left out."""
    notes: tuple[str, ...]
    """Why the mean volume is not that of this pressure and temperature."""


class CorrelatedMean(NamedTuple):
    """Mean of a correlated series."""

    interval: Interval
    """95 %."""
    error: float
    """Standard."""
    independent: float
    """Values that make the same mean as well."""


def correlated_mean(values: np.ndarray) -> CorrelatedMean:
    """Mean of a correlated series, and how well it is known.

    Args:
        values: shape (f,).
    """
    from scipy.stats import t

    independent = len(values) / inefficiency(values)
    error = float(np.std(values, ddof=1) / np.sqrt(independent)) if len(values) > 1 else float("inf")
    # few independent values do not know their own scatter
    half = error * float(t.ppf(0.975, max(1.0, independent - 1)))
    mean = float(np.mean(values))
    return CorrelatedMean(Interval(mean, mean - half, mean + half), error, independent)


def breathing(cells: np.ndarray, pressures: np.ndarray, set_GPa: float, memory: float) -> Breathing:
    """Mean volume and pressure of a run.

    Args:
        cells: shape (f, 3, 3), Å, of each frame.
        pressures: shape (f,), GPa.
        set_GPa: Of the barostat.
        memory: Frames in which the barostat makes the cell's velocity forget itself.
    """
    volumes = np.abs(np.linalg.det(cells))
    skipped = equilibrated(volumes)
    volume, pressure = correlated_mean(volumes[skipped:]), correlated_mean(pressures[skipped:])
    notes = []
    off = abs(pressure.interval.value - set_GPa)
    if off > max(LARGEST_ERROR_GPA, quantile(max(1.0, pressure.independent - 1)) * pressure.error):
        notes.append(f"the mean pressure is {pressure.interval.value:.2f} GPa instead of {set_GPa:g} GPa")
    found = drift(volumes[skipped:], 1.0, memory)
    if found is None or found.error_per_ps is None:
        notes.append(
            f"too short to tell whether the volume still drifts: {(len(volumes) - skipped) / memory:.2g} times of the "
            f"barostat after it had settled, {FEWEST_BLOCKS * LENGTH_OF_BLOCK:g} are needed"
        )
    elif not found.may_be_chance and abs(found.per_ps) * (len(volumes) - skipped) > 2 * volume.error:
        notes.append("the volume still drifts: the run is too short for its mean")
    return Breathing(volume.interval, pressure.interval, set_GPa, skipped, tuple(notes))
