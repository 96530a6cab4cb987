"""Where a run has come to equilibrium, how many independent values it holds, and whether its energy drifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TRIED = 21
"""Starts that are compared, from the first frame to the middle of the run."""
LARGEST_ERROR = 0.05
"""Of a species' mean temperature, relative."""
LARGEST_DRIFT = 0.001
"""eV/atom over a run."""
BLOCKS = 10
"""Of a run, whose means are taken for independent of each other."""

_QUANTILE = 4.0
"""Student's t of nine degrees of freedom at 99.7 %, both sides."""


class Drift(NamedTuple):
    """Slope of a quantity with time."""

    per_ps: float
    error_per_ps: float
    """Standard error, from the scatter of block means about the line."""

    @property
    def is_significant(self) -> bool:
        """Beyond three standard errors."""
        return abs(self.per_ps) > 3 * self.error_per_ps


def inefficiency(values: np.ndarray) -> float:
    """Frames that make one independent value: 1 + 2 times the sum of the autocorrelation, up to its first zero.

    Args:
        values: shape (f,).
    """
    frames = len(values)
    away = np.asarray(values, dtype=float) - np.mean(values)
    if frames < 4 or not away.any():
        return 1.0
    spectrum = np.fft.rfft(away, 1 << (2 * frames - 1).bit_length())
    correlation = np.fft.irfft(spectrum * spectrum.conj())[:frames] / (frames - np.arange(frames))
    normal = correlation / correlation[0]
    negative = np.flatnonzero(normal <= 0)
    end = int(negative[0]) if len(negative) else frames
    lags = np.arange(1, end)
    return float(max(1.0, 1 + 2 * ((1 - lags / frames) * normal[1:end]).sum()))


def equilibrated(values: np.ndarray) -> int:
    """Frames to leave out, so that most independent values are left; half of the run at most.

    J. D. Chodera, J. Chem. Theory Comput. 12, 1799 (2016), doi:10.1021/acs.jctc.5b00784.

    Args:
        values: shape (f,), a quantity that relaxes slowly: the potential energy.
    """
    starts = np.unique(np.linspace(0, len(values) // 2, TRIED).astype(int))
    left = [(len(values) - start) / inefficiency(values[start:]) for start in starts]
    return int(starts[int(np.argmax(left))])


def thermostat_notes(
    species: Sequence[str], temperatures: np.ndarray, thermostat_K: float, energies: np.ndarray, step_ps: float,
    n_atoms: int,
) -> list[str]:  # fmt: skip
    """Temperatures that are not the thermostat's, and an energy that drifts, for people.

    A temperature is told where it is off by more than chance in 99.7 % of all runs, by Student's t of block means.

    Args:
        species: Of the columns of `temperatures`.
        temperatures: shape (f, n_species), K.
        thermostat_K: Of the thermostat.
        energies: shape (f,), eV, of all atoms.
        step_ps: Between two frames.
        n_atoms: Of the system.
    """
    notes = []
    for name, values in zip(species, temperatures.T, strict=True):
        off = float(values.mean()) / thermostat_K - 1
        if abs(off) > max(LARGEST_ERROR, _QUANTILE * _error_of_mean(values) / thermostat_K):
            notes.append(f"{name} has {values.mean():.0f} K, {off:+.0%} of the thermostat's")
    found = drift(energies, step_ps)
    change = 0.0 if found is None else found.per_ps * len(energies) * step_ps / n_atoms
    if found is not None and found.is_significant and abs(change) > LARGEST_DRIFT:
        notes.append(f"the energy drifts by {change * 1000:+.1f} meV/atom in the run: not in equilibrium")
    return notes


def _error_of_mean(values: np.ndarray) -> float:
    """Standard error by the scatter of block means; by the inefficiency where blocks would be too short."""
    length = len(values) // BLOCKS
    if length < 3:
        return float(values.std() * np.sqrt(inefficiency(values) / len(values)))
    means = values[: BLOCKS * length].reshape(BLOCKS, length).mean(axis=1)
    return float(means.std(ddof=1) / np.sqrt(BLOCKS))


def drift(values: np.ndarray, time_step_ps: float) -> Drift | None:
    """Slope by least squares through the means of blocks; None for fewer than three frames in each.

    Args:
        values: shape (f,).
        time_step_ps: Between two of them.
    """
    length = len(values) // BLOCKS
    if length < 3:
        return None
    means = np.asarray(values[: BLOCKS * length], dtype=float).reshape(BLOCKS, length).mean(axis=1)
    times = (np.arange(BLOCKS) - (BLOCKS - 1) / 2) * length * time_step_ps
    slope = float((times * means).sum() / (times**2).sum())
    left = means - means.mean() - slope * times
    return Drift(slope, float(np.sqrt((left**2).sum() / (BLOCKS - 2) / (times**2).sum())))
