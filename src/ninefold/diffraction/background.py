"""What is measured, less its background, with its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import find_peaks, peak_widths

from ninefold.diffraction.measured import MeasuredPattern

BROADEST = 1.6
"""Degrees; what is broader counts as background. Peaks of nanocrystals of 6 nm under copper radiation are so broad."""
_MEDIAN_CHI2 = 0.4549
"""Median of the chi-squared distribution of one degree of freedom."""
_PEAK_SIGMA = 5.0
"""A peak stands at least so many times the noise above the background and what surrounds it."""


@dataclass(frozen=True)
class Reduced:
    """A pattern on an even grid, without background."""

    two_theta: NDArray[np.float64]
    """shape (n,), degrees, evenly spaced."""
    net: NDArray[np.float64]
    """shape (n,), intensity above the background."""
    background: NDArray[np.float64]
    """shape (n,)."""
    noise: NDArray[np.float64]
    """shape (n,), standard deviation of the intensity."""

    @property
    def step(self) -> float:
        """Degrees."""
        return float(self.two_theta[1] - self.two_theta[0])

    def bunched(self, step: float) -> Reduced:
        """With neighbouring points averaged, so that the grid is no coarser than a step, degrees."""
        bunch = int(step / self.step)
        if bunch < 2:
            return self
        size = len(self.two_theta) // bunch * bunch
        angles, net, base, noise = (
            part[:size].reshape(-1, bunch).mean(axis=1)
            for part in (self.two_theta, self.net, self.background, self.noise)
        )
        return Reduced(angles, net, base, noise / np.sqrt(bunch))


def reduced(pattern: MeasuredPattern, broadest: float = BROADEST, most_points: int = 12_000) -> Reduced:
    """Take the background off.

    Args:
        pattern: As read.
        broadest: Degrees; half the widest window of the background.
        most_points: Of the grid; finer patterns are averaged.
    """
    grid, intensity, error = _even(pattern, most_points)
    noise = error if error is not None else _noise(intensity)
    step = grid[1] - grid[0]
    half_window = max(2, round(broadest / step))
    base = snip(gaussian_filter1d(intensity, 2.0), half_window)
    base = base + _lift(intensity - base, noise, half_window)
    return Reduced(grid, intensity - base, base, np.maximum(noise, 1e-9 * (intensity.max() - intensity.min())))


def snip(intensity: NDArray[np.float64], half_window: int) -> NDArray[np.float64]:
    """Background by statistics-sensitive non-linear iterative peak clipping, with shrinking windows.

    Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988), doi:10.1016/0168-583X(88)90063-8; windows from wide to narrow
    after Morháč et al., Nucl. Instrum. Methods A 401, 113 (1997), doi:10.1016/S0168-9002(97)01023-1.

    Args:
        intensity: shape (n,).
        half_window: Points; what is broader is background.

    Returns:
        shape (n,).
    """
    lowest = float(intensity.min())
    # a log-log-square root evens out peaks and background, so that clipping does not eat into either
    values = np.log(np.log(np.sqrt(np.maximum(intensity - lowest, 0) + 1) + 1) + 1)
    size = len(values)
    for window in range(min(half_window, (size - 1) // 2), 0, -1):
        mean = (values[: size - 2 * window] + values[2 * window :]) / 2
        values[window : size - window] = np.minimum(values[window : size - window], mean)
    return np.asarray((np.exp(np.exp(values) - 1) - 1) ** 2 - 1 + lowest)


def _lift(above: NDArray[np.float64], noise: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """What clipping, which goes to the lower edge of the noise, leaves between a background and its mean; shape (n,).

    A multiple of the noise beside peaks, such that half of the points without peaks lie below.
    """
    beside = uniform_filter1d(minimum_filter1d(noise, 2 * window + 1), 2 * window + 1)
    ratio = above / np.maximum(beside, 1e-300)
    level = float(np.median(ratio))
    for _ in range(10):
        level = float(np.median(ratio[ratio < level + 3]))
    return np.asarray(max(level, 0.0) * beside)


def typical_width(pattern: Reduced) -> float:
    """Median full width at half maximum of the clearest peaks, degrees; three steps where there are none."""
    smooth = gaussian_filter1d(pattern.net, 1.0)
    level = np.maximum(_PEAK_SIGMA * pattern.noise, 0.05 * smooth.max())
    places, _ = find_peaks(smooth, height=level, prominence=level)
    if not len(places):
        return 3 * pattern.step
    widths = peak_widths(smooth, places, rel_height=0.5)[0] * pattern.step
    strongest = np.argsort(smooth[places])[::-1][:15]
    return float(max(np.percentile(widths[strongest], 35), 2 * pattern.step))


def peak_places(pattern: Reduced, values: NDArray[np.float64], width: float) -> list[int]:
    """Indices of peaks of some intensity of a pattern, such as what is left when a model is taken off.

    Args:
        pattern: For grid and noise.
        values: shape (n,).
        width: Typical FWHM, degrees.
    """
    points = max(width / pattern.step, 1.0)
    smooth = gaussian_filter1d(values, points / 2.355)
    # averaging over the width of a peak lowers the noise
    level = np.maximum(_PEAK_SIGMA * pattern.noise / np.sqrt(points), 0.01 * pattern.net.max())
    found, _ = find_peaks(smooth, height=level, prominence=level, distance=max(1, round(points)))
    return [int(place) for place in found]


def _even(
    pattern: MeasuredPattern, most_points: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """On an even grid with the pattern's own typical step; finer ones in averages of neighbours."""
    angles, intensity, error = pattern.two_theta, pattern.intensity, pattern.error
    bunch = -(-len(angles) // most_points)
    if bunch > 1:
        size = len(angles) // bunch * bunch
        angles, intensity = (part[:size].reshape(-1, bunch).mean(axis=1) for part in (angles, intensity))
        if error is not None:
            error = np.sqrt((error[:size].reshape(-1, bunch) ** 2).mean(axis=1) / bunch)
    count = max(2, round((angles[-1] - angles[0]) / float(np.median(np.diff(angles)))) + 1)
    grid = np.linspace(angles[0], angles[-1], min(count, 2 * most_points))
    even = np.interp(grid, angles, intensity)
    return grid, even, None if error is None else np.interp(grid, angles, error)


def _noise(intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation that grows with the root of the intensity, its scale from second differences."""
    level = np.maximum(intensity, np.median(np.abs(intensity)))
    level = np.maximum(level, 1e-6 * max(float(np.abs(intensity).max()), 1e-30))
    second = intensity[:-2] - 2 * intensity[1:-1] + intensity[2:]
    scale = float(np.median(second**2 / (6 * level[1:-1]))) / _MEDIAN_CHI2
    return np.asarray(np.sqrt(scale * level))
