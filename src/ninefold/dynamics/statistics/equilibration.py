"""Where a run has come to equilibrium, how many independent values it holds, and whether its energy drifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.statistics.rates import BOLTZMANN

TRIED = 21
"""Starts that are compared, from the first frame to the middle of the run."""
LARGEST_ERROR = 0.05
"""Of a species' mean temperature, relative."""
LARGEST_DRIFT = 0.001
"""eV/atom over a run."""
BLOCKS = 10
"""Of a run at most, whose means are taken for independent of each other."""
FEWEST_BLOCKS = 4
"""Below which their scatter is not known."""
LENGTH_OF_BLOCK = 3.0
"""At least, in times in which the thermostat makes energies forget themselves."""
CHANCE = 0.003
"""Of all runs without a fault, the share in which one is told."""


class Drift(NamedTuple):
    """Slope of a quantity with time."""

    per_ps: float
    error_per_ps: float
    """Standard error, from the scatter of block means about the line."""
    blocks: int = BLOCKS

    @property
    def is_significant(self) -> bool:
        """Beyond what chance makes of `CHANCE` of all runs."""
        return abs(self.per_ps) > _quantile(self.blocks - 2) * self.error_per_ps


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
    atoms: Sequence[int], memory_ps: float,
) -> list[str]:  # fmt: skip
    """Temperatures that are not the thermostat's, and an energy that drifts, for people.

    Told is what is off by more than chance in 99.7 % of all runs: by the scatter of block means, and by what the
    energies of so few oscillators do in so short a run.

    Args:
        species: Of the columns of `temperatures`.
        temperatures: shape (f, n_species), K.
        thermostat_K: Of the thermostat.
        energies: shape (f,), eV, of all atoms.
        step_ps: Between two frames.
        atoms: Of each species.
        memory_ps: In which energies forget themselves: the inverse friction of the thermostat.
    """
    notes = []
    for name, count, values in zip(species, atoms, temperatures.T, strict=True):
        off = float(values.mean()) / thermostat_K - 1
        draws = 3 * count * max(1.0, len(values) * step_ps / (2 * memory_ps))
        by_blocks = _chance_of_mean(values, step_ps, memory_ps) / thermostat_K
        if abs(off) > max(LARGEST_ERROR, by_blocks, _chance_of_energy(draws, is_above=off > 0)):
            notes.append(f"{name} has {values.mean():.0f} K, {off:+.0%} of the thermostat's")
    if len(energies) < 2:
        return notes
    found = drift(energies, step_ps, memory_ps)
    times = np.arange(len(energies)) * step_ps
    slope = float(np.polyfit(times, energies, 1)[0]) if found is None else found.per_ps
    change, oscillators = slope * len(energies) * step_ps, 3 * sum(atoms)
    by_oscillators = _chance_of_change(oscillators, thermostat_K, len(energies) * step_ps / memory_ps)
    is_told = abs(change) > by_oscillators and (found is None or found.is_significant)
    if is_told and abs(change) > LARGEST_DRIFT * sum(atoms):
        per_atom = change * 1000 / sum(atoms)
        notes.append(f"the energy drifts by {per_atom:+.1f} meV/atom in the run: not in equilibrium")
    return notes


def drift(values: np.ndarray, step_ps: float, memory_ps: float) -> Drift | None:
    """Slope by least squares through the means of blocks; None for a run that is too short for them.

    Args:
        values: shape (f,).
        step_ps: Between two of them.
        memory_ps: In which they forget themselves.
    """
    means, length = _block_means(values, step_ps, memory_ps)
    if len(means) < FEWEST_BLOCKS:
        return None
    times = (np.arange(len(means)) - (len(means) - 1) / 2) * length * step_ps
    slope = float((times * means).sum() / (times**2).sum())
    left = means - means.mean() - slope * times
    return Drift(slope, float(np.sqrt((left**2).sum() / (len(means) - 2) / (times**2).sum())), len(means))


def _block_means(values: np.ndarray, step_ps: float, memory_ps: float) -> tuple[np.ndarray, int]:
    """Means of blocks of equal length, as many as are independent, and the frames of one."""
    shortest = max(3, int(np.ceil(LENGTH_OF_BLOCK * memory_ps / step_ps)))
    blocks = min(BLOCKS, len(values) // shortest)
    if blocks == 0:
        return np.empty(0), len(values)
    length = len(values) // blocks
    return np.asarray(values[: blocks * length], dtype=float).reshape(blocks, length).mean(axis=1), length


def _chance_of_mean(values: np.ndarray, step_ps: float, memory_ps: float) -> float:
    """How far off chance takes a mean, by the scatter of block means; 0 where too few blocks know nothing of it."""
    means, _ = _block_means(values, step_ps, memory_ps)
    if len(means) < FEWEST_BLOCKS:
        return 0.0
    return float(_quantile(len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means)))


def _chance_of_energy(draws: float, *, is_above: bool) -> float:
    """How far off chance takes a mean of so many independent energies of an oscillator, relative.

    They are exponentially distributed, so that their sum is gamma distributed.
    """
    from scipy.stats import gamma

    return abs(float(gamma.ppf(1 - CHANCE / 2 if is_above else CHANCE / 2, draws)) / draws - 1)


def _chance_of_change(oscillators: int, temperature_K: float, length: float) -> float:
    """How far chance takes the potential energy along a line through a run, eV.

    Of an oscillator's energy, whose scatter is kT, half is potential. The slope of n independent values has the error
    of one of them, times the root of 12 / n, over the length.

    Args:
        oscillators: Their number.
        temperature_K: Of the thermostat.
        length: Of the run, in times in which energies forget themselves.
    """
    from scipy.stats import norm

    of_one = BOLTZMANN * temperature_K * np.sqrt(oscillators) / 2
    return float(norm.ppf(1 - CHANCE / 2) * of_one * np.sqrt(12 / max(1.0, length / 2)))


def _quantile(degrees: int) -> float:
    """Student's t, both sides."""
    from scipy.stats import t

    return float(t.ppf(1 - CHANCE / 2, degrees))
