"""Rates of rare events with their intervals, and what their dependence on temperature says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

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


def shown_ps(time_ps: float) -> str:
    """A time for people, in three digits and more: 4000 ps, 0.52 ps."""
    return f"{time_ps:.0f} ps" if time_ps >= 100 else f"{time_ps:.3g} ps"


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


def are_enough(temperatures: Sequence[float], rates: Sequence[Rate]) -> bool:
    """Whether events at several temperatures tell a barrier.

    Args:
        temperatures: K.
        rates: At each of them.
    """
    often = {temperature for temperature, rate in zip(temperatures, rates, strict=True) if rate.events >= FEWEST_EVENTS}
    return len(often) > 1


def why_none(error: InputError) -> str:
    """Why there is no barrier, for people.

    Args:
        error: Of a fit, or of what went into it.
    """
    if error.value is None:
        return str(error)
    needed = f"; {error.allowed} are needed" if error.field == "temperatures" else ""
    return f"{error.value}{needed}; {error.hint}"


def fit_arrhenius(temperatures: Sequence[float], rates: Sequence[Rate]) -> Arrhenius:
    """Barrier and prefactor by the likelihood of the counts.

    Counts are Poisson variables whose logarithm of the mean is linear in 1/T, so that a temperature without an event
    counts too. The interval is that of the profile likelihood; a parametric bootstrap is too narrow for few events, for
    it has no samples with none.

    Args:
        temperatures: K.
        rates: At each of them.

    Raises:
        InputError: if they are not enough.
    """
    inverse, counts, times = _counts(temperatures, rates)
    slope, level = _poisson_line(inverse, counts, times)

    def likelihood(trial: float) -> float:
        # the level of highest likelihood makes the sum of the means that of the counts
        return float(-trial * (counts @ inverse) - counts.sum() * logsumexp(-trial * inverse, b=times))

    low, high = _profile(likelihood, slope)
    return Arrhenius(slope, low, high, math.exp(level))


def rate_at(temperature_K: float, temperatures: Sequence[float], rates: Sequence[Rate]) -> tuple[float, float, float]:
    """Rate at another temperature by Arrhenius' law, events per ps: value and interval of the profile likelihood.

    Args:
        temperature_K: Where.
        temperatures: K, of the runs.
        rates: At each of them.

    Raises:
        InputError: if they are not enough.
    """
    inverse, counts, times = _counts(temperatures, rates)
    slope, level = _poisson_line(inverse, counts, times)
    x = inverse - 1 / (BOLTZMANN * temperature_K)
    there = level + slope * (x - inverse)[0]

    def likelihood(trial: float) -> float:
        best = _slope_through(trial, slope, x, counts, times)
        logs = trial - best * x
        return float(counts @ logs - times @ np.exp(logs))

    low, high = _profile(likelihood, there)
    return math.exp(there), math.exp(low), math.exp(high)


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


_DROP = 1.920729
"""Of the logarithm of a likelihood at the ends of an interval of 95 %: half of chi squared of one degree of freedom."""


def _counts(temperatures: Sequence[float], rates: Sequence[Rate]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inverse temperatures, 1/eV; independent events; and the time for them, ps: each of shape (k,)."""
    if not are_enough(temperatures, rates):
        raise InputError(
            "temperatures", ", ".join(f"{temperature:g} K: {rate.events} events" for temperature, rate in
                                      zip(temperatures, rates, strict=True)),
            problem="give no barrier", allowed=f"{FEWEST_EVENTS} events and more at two temperatures",
            hint="longer runs, or higher temperatures",
        )  # fmt: skip
    return (
        np.array([1 / (BOLTZMANN * temperature) for temperature in temperatures]),
        np.array([rate.events / rate.dispersion for rate in rates]),
        np.array([rate.time_ps / rate.dispersion for rate in rates]),
    )  # fmt: skip


def _profile(likelihood: Callable[[float], float], best: float) -> tuple[float, float]:
    """Where the logarithm of a profile likelihood, which has one maximum, has fallen as far as an interval allows."""
    from scipy.optimize import brentq

    highest = likelihood(best)

    def above(trial: float) -> float:
        return likelihood(trial) - highest + _DROP

    ends = []
    for side in (-1.0, 1.0):
        width = 1e-3
        while above(best + side * width) > 0:
            width *= 2
        ends.append(float(brentq(above, best, best + side * width, xtol=1e-9)))
    return ends[0], ends[1]


def _slope_through(level: float, start: float, x: np.ndarray, counts: np.ndarray, times: np.ndarray) -> float:
    """Slope of the highest likelihood of a line of that level at x = 0, by Newton's method."""
    slope = start
    for _ in range(200):
        means = times * np.exp(np.clip(level - slope * x, -700, 50))
        curvature = float(means @ (x * x))
        step = float((means - counts) @ x) / max(curvature, 1e-300)
        step = math.copysign(min(abs(step), 1.0 / np.abs(x).max()), step)
        slope += step
        if abs(step) < 1e-12:
            break
    return slope


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
