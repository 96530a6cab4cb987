"""Rates of rare events with their intervals, and what their dependence on temperature says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ninefold.errors import InputError

BOLTZMANN = 8.617333262e-5
"""eV/K, CODATA 2018."""
ROOM_K = 300.0
CONFIDENCE = 0.95
FEWEST_EVENTS = 5
"""Events at a temperature below which its rate is an order of magnitude, and no fit rests on it alone."""

ANY = "any"
"""The kind of events of all kinds together."""
CLEAR_SEPARATION = 3.0
"""Half the distance of two arrangements over the vibration's amplitude, below which events are not told from it."""
BLOCKS = 20
"""Parts of a run whose counts tell by how much events scatter."""

SLOW_ATTEMPTS = 10.0
"""Attempts per ps that a bound of a barrier assumes: 330 cm^-1, where librations and the slowest bending modes of these
anions lie. Fitted prefactors of pseudorotations are higher as a rule."""


class Rate(NamedTuple):
    """Events per time, with the interval that holds the true rate in 95 % of all cases."""

    events: int
    time_ps: float
    per_ps: float
    low: float
    high: float
    dispersion: float = 1.0
    """Variance over mean of the counts in parts of the run; 1 of independent events, more of bursts."""


class Arrhenius(NamedTuple):
    """rate = prefactor exp(-barrier / kT)."""

    barrier_eV: float
    low_eV: float
    high_eV: float
    prefactor_per_ps: float

    def rate(self, temperature_K: float) -> float:
        """Events per ps."""
        return self.prefactor_per_ps * math.exp(-self.barrier_eV / BOLTZMANN / temperature_K)


def poisson_rate(events: int, time_ps: float, confidence: float = CONFIDENCE, dispersion: float = 1.0) -> Rate:
    """Rate of events, with Garwood's exact interval (Biometrika 28, 437 (1936)).

    Args:
        events: Seen.
        time_ps: In which they were looked for.
        confidence: Of the interval.
        dispersion: See `dispersion_of`; so many events count as one independent event.
    """
    from scipy.stats import chi2

    if time_ps <= 0:
        return Rate(events, 0.0, math.nan, 0.0, math.inf)
    tail = (1 - confidence) / 2
    independent, time = events / dispersion, time_ps / dispersion
    low = 0.0 if not events else float(chi2.ppf(tail, 2 * independent)) / 2
    high = float(chi2.ppf(1 - tail, 2 * independent + 2)) / 2
    return Rate(events, time_ps, events / time_ps, low / time, high / time, dispersion)


def dispersion_of(times_ps: Sequence[np.ndarray], duration_ps: float) -> float:
    """Variance over mean of the counts of events in twentieths of a run; 1 at least, as of independent events.

    Events that come in bursts, forth and back, scatter by more, and their rate is known less well (quasi-likelihood:
    McCullagh & Nelder, Generalized Linear Models, 2nd ed. (1989), chapter 9).

    Args:
        times_ps: Of the events of each shell, from the start of the run; shells with fewer than `FEWEST_EVENTS` tell
            nothing.
        duration_ps: Of the run.
    """
    edges = np.linspace(0, duration_ps, BLOCKS + 1)
    counts = [np.histogram(times, bins=edges)[0] for times in times_ps if len(times) >= FEWEST_EVENTS]
    if not counts:
        return 1.0
    squares = sum(float(((one - one.mean()) ** 2).sum() / one.mean()) for one in counts)
    return max(1.0, squares / len(counts) / (BLOCKS - 1))


def combined(rates: Sequence[Rate]) -> Rate:
    """The rate of several runs, or kinds of shells, counted as one.

    Args:
        rates: Of events of one kind.
    """
    events = sum(one.events for one in rates)
    scatter = sum(one.events * one.dispersion for one in rates) / events if events else 1.0
    return poisson_rate(events, sum(one.time_ps for one in rates), dispersion=scatter)


def fit_arrhenius(
    temperatures: Sequence[float], rates: Sequence[Rate], samples: int = 2000, seed: int = 0
) -> Arrhenius:
    """Barrier and prefactor by the likelihood of the counts, with a bootstrap interval.

    Counts are Poisson variables whose logarithm of the mean is linear in 1/T, so that a temperature without an event
    counts too.

    Args:
        temperatures: K.
        rates: At each of them.
        samples: Of the parametric bootstrap.
        seed: Of the bootstrap.

    Raises:
        InputError: if fewer than two temperatures have events.
    """
    inverse, counts, times = _counts(temperatures, rates)
    slope, level = _poisson_line(inverse, counts, times)
    slopes = [one for one, _ in _bootstrap(inverse, times, (slope, level), samples, seed)]
    low, high = np.percentile(slopes, _TAILS)
    return Arrhenius(slope, float(low), float(high), math.exp(level))


def rate_at(
    temperature_K: float, temperatures: Sequence[float], rates: Sequence[Rate], samples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Rate at another temperature by Arrhenius' law, events per ps: value and bootstrap interval.

    Args:
        temperature_K: Where.
        temperatures: K, of the runs.
        rates: At each of them.
        samples: Of the parametric bootstrap.
        seed: Of the bootstrap.

    Raises:
        InputError: if fewer than two temperatures have events.
    """
    inverse, counts, times = _counts(temperatures, rates)
    line = _poisson_line(inverse, counts, times)
    there = 1 / (BOLTZMANN * temperature_K)
    logs = [level - slope * there for slope, level in _bootstrap(inverse, times, line, samples, seed)]
    low, high = np.percentile(logs, _TAILS)
    return math.exp(line[1] - line[0] * there), math.exp(low), math.exp(high)


def barrier_bound(
    temperatures: Sequence[float], rates: Sequence[Rate], prefactor_per_ps: float = SLOW_ATTEMPTS
) -> float | None:
    """A barrier that is exceeded where no event was seen at any temperature, eV; None if one was, or it is below zero.

    Args:
        temperatures: K.
        rates: At each of them.
        prefactor_per_ps: Assumed; a higher one raises the bound.
    """
    if any(rate.events for rate in rates):
        return None
    bounds = [
        BOLTZMANN * temperature * math.log(prefactor_per_ps / rate.high)
        for temperature, rate in zip(temperatures, rates, strict=True)
        if 0 < rate.high < math.inf
    ]
    best = max(bounds, default=0.0)
    return best if best > 0 else None


_TAILS = (100 * (1 - CONFIDENCE) / 2, 100 * (1 + CONFIDENCE) / 2)


def _counts(temperatures: Sequence[float], rates: Sequence[Rate]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inverse temperatures, 1/eV; independent events; and the time for them, ps: each of shape (k,)."""
    if len({temperature for temperature, rate in zip(temperatures, rates, strict=True) if rate.events}) < 2:
        raise InputError(
            "temperatures", ", ".join(f"{temperature:g} K: {rate.events} events" for temperature, rate in
                                      zip(temperatures, rates, strict=True)),
            problem="give no barrier", allowed="events at two temperatures and more",
            hint="longer runs, or higher temperatures",
        )  # fmt: skip
    return (
        np.array([1 / (BOLTZMANN * temperature) for temperature in temperatures]),
        np.array([rate.events / rate.dispersion for rate in rates]),
        np.array([rate.time_ps / rate.dispersion for rate in rates]),
    )  # fmt: skip


def _bootstrap(
    inverse: np.ndarray, times: np.ndarray, line: tuple[float, float], samples: int, seed: int
) -> list[tuple[float, float]]:
    """Slopes and levels of lines through counts drawn from a line."""
    random = np.random.default_rng(seed)
    means = times * np.exp(line[1] - line[0] * inverse)
    drawn = (random.poisson(means).astype(float) for _ in range(samples))
    return [_poisson_line(inverse, counts, times) for counts in drawn if (counts > 0).sum() >= 2]


def _poisson_line(inverse: np.ndarray, counts: np.ndarray, times: np.ndarray) -> tuple[float, float]:
    """Maximum of the likelihood for counts of mean times exp(level - slope inverse), by Newton's method."""
    seen = counts > 0
    logs = np.log(counts[seen] / times[seen])
    design = np.column_stack([np.ones(seen.sum()), -inverse[seen]])
    weights = np.sqrt(counts[seen])
    start = np.linalg.lstsq(design * weights[:, None], logs * weights, rcond=None)[0]
    centre = inverse.mean()
    level, slope = float(start[0] - start[1] * centre), float(start[1])
    x = inverse - centre
    for _ in range(100):
        means = times * np.exp(np.clip(level - slope * x, -700, 50))
        gradient = np.array([(counts - means).sum(), -((counts - means) * x).sum()])
        hessian = np.array([[means.sum(), -(means * x).sum()], [-(means * x).sum(), (means * x * x).sum()]])
        step = np.linalg.solve(hessian + 1e-12 * np.eye(2), gradient)
        largest = np.abs(step).max()
        step *= min(1.0, 2.0 / largest) if largest else 1.0
        level, slope = level + float(step[0]), slope + float(step[1])
        if largest < 1e-10:
            break
    return slope, level + slope * centre
