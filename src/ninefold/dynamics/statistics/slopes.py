"""Diffusion coefficients of paths as slopes of their mean squared displacement, with intervals.

A coefficient is the slope between two lags, so that vibration, a constant, drops out. Its interval is that of a random
walk observed for the same time (the variance over all overlapping windows is exact), wider where the scatter between
ions or between parts of the run shows more than a walk of independent ions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ninefold.dynamics.statistics.rates import CONFIDENCE
from ninefold.dynamics.trajectories.displacements import mean_squared_displacement

NORMAL_QUANTILE = 1.959964
"""Standard errors in half an interval of 95 %."""
FEWEST_WINDOWS = 50
"""From which the scatter of squared displacements is known well enough to be used as it is."""
MOST_PARTS = 5
"""Of a run, compared with each other; each at least twice the longest lag."""


class Interval(NamedTuple):
    """A value with the interval that holds the true one in 95 % of all cases."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """In another unit, or times what is known exactly; the factor is above zero."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


class Slope(NamedTuple):
    """Of a mean squared displacement, with its error."""

    tensor: np.ndarray
    """shape (3, 3), Å2/ps: diffusion coefficients."""
    variance: float
    """Relative, of the trace."""
    direction_variance: float
    """Relative, of one direction."""


def slope_of(paths: np.ndarray, step: float, start: int, end: int) -> Slope:
    """Diffusion tensor from two lags, with relative variances.

    Args:
        paths: shape (f, n, 3), Å, unwrapped; each of the n walks on its own.
        step: Between frames, ps.
        start: Shorter lag, frames.
        end: Longer lag, frames.
    """
    frames, n, _ = paths.shape
    squares = mean_squared_displacement(paths, end)
    tensor = (squares[end] - squares[start]) / (2 * (end - start) * step)
    variance = walk_variance(frames, start, end)
    share = _squared_share(tensor, 2 * n / variance)
    rare = _jump_variance(paths, end, 2 * end * step * float(np.trace(tensor)))
    walk = variance * share / n
    together = _collective_factor(paths, step, (start, end), float(np.trace(tensor)), share, walk, rare)
    # along one axis a third of the jumps
    return Slope(tensor, together * (walk + rare), together * (variance / n + 3 * rare))


def walk_variance(frames: int, start: int, end: int) -> float:
    """Relative variance of the slope of one random walk in one dimension, over all overlapping windows.

    Two displacements of a Gaussian walk that share k steps have squares of covariance 2 k^2 (in units of a step's
    variance squared); the sum over all pairs is that over their distance in time.

    Args:
        frames: Of the walk.
        start: Shorter lag, frames.
        end: Longer lag, frames.
    """

    def covariance(a: int, b: int) -> float:
        origins_a, origins_b = frames - a, frames - b
        shift = np.arange(1 - b, a)  # of b's window from a's, in frames: all that share a step
        shared = np.minimum(a, shift + b) - np.maximum(0, shift)
        pairs = np.minimum(origins_a, origins_b - shift) - np.maximum(0, -shift)
        return float((2.0 * shared**2 * np.maximum(pairs, 0)).sum()) / origins_a / origins_b

    return (covariance(end, end) + covariance(start, start) - 2 * covariance(start, end)) / (end - start) ** 2


def _squared_share(tensor: np.ndarray, samples: float) -> float:
    """Sum of the squared diffusion coefficients along the principal axes over their sum's square: 1/3 if isotropic.

    What the noise of the tensor adds is taken off, as for a Wishart matrix of so many samples.
    """
    trace = float(np.trace(tensor))
    if trace <= 0:
        return 1.0
    share = float((tensor**2).sum()) / trace**2
    if samples > 2:
        share = samples**2 / ((samples - 1) * (samples + 2)) * (share - 1 / samples)
    return min(1.0, max(1 / 3, share))


def _jump_variance(paths: np.ndarray, lag: int, growth: float) -> float:
    """Relative variance of the trace that jumps add, about the inverse of their number.

    Squared displacements in windows that do not overlap scatter by more than those of a Gaussian of the same tensor if
    few windows hold a jump. Of few windows it is only taken where it is more than chance.

    Args:
        paths: shape (f, n, 3), Å.
        lag: Length of a window, frames.
        growth: Of the mean squared displacement in a window, without vibration, Å2.
    """
    moved = np.diff(paths[::lag], axis=0).reshape(-1, 3)
    squares = (moved**2).sum(axis=1)
    gaussian = 2 * float(((moved.T @ moved / len(moved)) ** 2).sum())
    excess = float(squares.var(ddof=1)) - gaussian
    noise = 2.3 * np.sqrt(6 / len(moved))  # relative, of a variance of squares in three dimensions, once in a hundred
    if growth <= 0 or excess <= (0 if len(moved) >= FEWEST_WINDOWS else noise * gaussian):
        return 0.0
    return excess / len(moved) / growth**2


def _collective_factor(
    paths: np.ndarray, step: float, lags: tuple[int, int], trace: float, share: float, walk: float, rare: float
) -> float:
    """Factor, at least 1, by which parts of the run, all ions together, scatter by more than independent ions would.

    Only where it is more than chance makes of so few parts.
    """
    start, end = lags
    frames, n, _ = paths.shape
    parts = min(MOST_PARTS, frames // (2 * end))
    if trace <= 0 or parts < 2:
        return 1.0
    length = frames // parts
    slopes = np.empty(parts)
    for part in range(parts):
        piece = paths[part * length : (part + 1) * length]
        longer, shorter = (squared_displacements(piece, lag).mean(axis=(0, 1)).sum() for lag in (end, start))
        slopes[part] = (longer - shorter) / (2 * (end - start) * step)
    expected = (walk_variance(length, start, end) * share / n + rare * parts) * trace**2
    factor = float(slopes.var(ddof=1)) / expected
    return factor if factor > _chance(parts - 1) else 1.0


def _chance(freedom: int) -> float:
    """A ratio of variances that chance exceeds once in a hundred times."""
    from scipy.stats import chi2

    return float(chi2.ppf(0.99, freedom)) / freedom


def squared_displacements(paths: np.ndarray, lag: int) -> np.ndarray:
    """Squared displacements, shape (f - lag, n, 3), Å2."""
    squared: np.ndarray = (paths[lag:] - paths[:-lag]) ** 2
    return squared


def mean_interval(slope: Slope) -> Interval:
    """Of a third of the tensor's trace, Å2/ps."""
    return interval_of(float(np.trace(slope.tensor)) / 3, slope.variance)


def interval_of(value: float, variance: float) -> Interval:
    """Of a mean of squares, with the degrees of freedom that its relative variance says (Satterthwaite).

    The upper end is that of a scale (chi-squared over a variance), the lower that of a count (chi-squared over its
    mean): each is the wider of the two, and they meet for many degrees of freedom.
    """
    from scipy.stats import chi2

    freedom = max(0.5, 2 / variance)  # fewer are no interval to speak of, and none in floating point
    low = float(chi2.ppf((1 - CONFIDENCE) / 2, freedom)) / freedom
    return Interval(value, value * low, value / low)
