"""Where a run has come to equilibrium, how many independent values it holds, and whether its energy drifts."""

from __future__ import annotations

from collections import Counter
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
FEWEST_BLOCKS = 7
"""Below which their scatter is known so badly that nothing would be told by it."""
LENGTH_OF_BLOCK = 3.0
"""At least, in times in which the thermostat makes energies forget themselves."""
SHORTEST = 1.0
"""Run of which nothing told means that nothing is wrong, in such times."""
FEWEST_FRAMES = 30
"""Of a slope."""
CHANCE = 0.003
"""With which a mean or a slope without a fault is told."""


class Drift(NamedTuple):
    """Slope of a quantity with time."""

    per_ps: float
    error_per_ps: float | None
    """Standard error, from the scatter of block means about the line; None for a run of fewer than `FEWEST_BLOCKS`."""
    blocks: int = BLOCKS

    @property
    def may_be_chance(self) -> bool:
        """Whether the scatter of block means makes as much of it; False where that is not known."""
        return self.error_per_ps is not None and abs(self.per_ps) <= quantile(self.blocks - 2) * self.error_per_ps


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
    memory_ps: float,
) -> list[str]:  # fmt: skip
    """Temperatures that are not the thermostat's, and an energy that drifts, for people.

    Told is what is off by more than chance in 99.7 % of all runs: by the scatter of block means, and by what the
    energies of so few oscillators do in so short a run.

    Args:
        species: Symbol of each atom.
        temperatures: shape (f, n_species), K, the species in the order in which they first appear.
        thermostat_K: Of the thermostat.
        energies: shape (f,), eV, of all atoms.
        step_ps: Between two frames.
        memory_ps: In which energies forget themselves: the inverse friction of the thermostat.
    """
    if len(energies) == 0:
        return []
    length_ps = len(energies) * step_ps
    notes = []
    independent = _independent(len(energies), step_ps, memory_ps)
    for (name, count), values in zip(Counter(species).items(), temperatures.T, strict=True):
        off = float(values.mean()) / thermostat_K - 1
        by_blocks = _chance_of_mean(values, step_ps, memory_ps) / thermostat_K
        by_oscillators = _chance_of_energy(3 * count * independent, is_above=off > 0)
        if abs(off) > max(LARGEST_ERROR, by_blocks, by_oscillators):
            notes.append(f"{name} has {values.mean():.0f} K, {off:+.0%} of the thermostat's")
    if not notes and length_ps < SHORTEST * memory_ps:
        notes.append(f"{length_ps:.2g} ps are too short to tell whether it has the temperature of its thermostat")
    found = drift(energies, step_ps, memory_ps)
    if found is None or found.may_be_chance:
        return notes
    change = found.per_ps * length_ps
    by_oscillators = _chance_of_change(3 * len(species), thermostat_K, independent)
    if abs(change) > max(LARGEST_DRIFT * len(species), by_oscillators):
        per_atom = change * 1000 / len(species)
        notes.append(f"the energy drifts by {per_atom:+.1f} meV/atom in the run: not in equilibrium")
    return notes


def drift(values: np.ndarray, step_ps: float, memory_ps: float) -> Drift | None:
    """Slope by least squares; None for fewer than `FEWEST_FRAMES`.

    Args:
        values: shape (f,).
        step_ps: Between two of them.
        memory_ps: In which they forget themselves.
    """
    if len(values) < FEWEST_FRAMES:
        return None
    means, length = _block_means(values, step_ps, memory_ps)
    if len(means) < FEWEST_BLOCKS:
        times = np.arange(len(values)) * step_ps
        return Drift(float(np.polyfit(times, values, 1)[0]), None, len(means))
    times = (np.arange(len(means)) - (len(means) - 1) / 2) * length * step_ps
    slope = float((times * means).sum() / (times**2).sum())
    left = means - means.mean() - slope * times
    return Drift(slope, float(np.sqrt((left**2).sum() / (len(means) - 2) / (times**2).sum())), len(means))


def _independent(frames: int, step_ps: float, memory_ps: float) -> float:
    """Values of an oscillator's energy that a run has: one in two times of forgetting, and two frames for one.

    A frame alone has half of one: its kinetic energy scatters twice as much.
    """
    return min(max(1.0, frames * step_ps / (2 * memory_ps)), frames / 2)


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
    return float(quantile(len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means)))


def _chance_of_energy(draws: float, *, is_above: bool) -> float:
    """How far off chance takes a mean of so many independent energies of an oscillator, relative.

    They are exponentially distributed, so that their sum is gamma distributed.
    """
    from scipy.stats import gamma

    return abs(float(gamma.ppf(1 - CHANCE / 2 if is_above else CHANCE / 2, draws)) / draws - 1)


def _chance_of_change(oscillators: int, temperature_K: float, independent: float) -> float:
    """How far chance takes the potential energy along a line through a run, eV.

    Of an oscillator's energy, whose scatter is kT, half is potential. The slope of n independent values has the error
    of one of them, times the root of 12 / n, over the length.

    Args:
        oscillators: Their number.
        temperature_K: Of the thermostat.
        independent: Values of each.
    """
    from scipy.stats import norm

    of_one = BOLTZMANN * temperature_K * np.sqrt(oscillators) / 2
    return float(norm.ppf(1 - CHANCE / 2) * of_one * np.sqrt(12 / independent))


def quantile(degrees: float) -> float:
    """Student's t beyond which chance comes with `CHANCE`, both sides."""
    from scipy.stats import t

    return float(t.ppf(1 - CHANCE / 2, degrees))
