"""Second-rank orientational correlation of M-H vectors, in the lab frame and in the anion's own.

C2(t) = <P2(u(0) u(t))>. In the lab frame both turns of the whole anion and permutations make it decay; in the body
frame (`ninefold.dynamics.anions.body_frame`) permutations alone do. It starts below one at short times, by vibration,
and falls to a plateau where the ligands visit few directions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ninefold.errors import InputError


class Stretched(NamedTuple):
    """C(t) = plateau + (amplitude) exp(-(t / tau)^beta)."""

    tau_ps: float
    beta: float
    amplitude: float
    plateau: float
    mean_tau_ps: float
    """Integral of the exponential part over time: tau / beta Gamma(1 / beta)."""
    is_resolved: bool
    """Whether the correlation falls by half of its amplitude within the times given, and slower than vibration."""
    is_at_limit: bool = False
    """Whether a parameter is at the limit of what C2 can be: the decay is not told from that of vibration."""
    log_error: float | None = None
    """Standard error of the logarithm of `mean_tau_ps`; None where it is not known."""
    pieces: int = 0
    """Pieces of shells by which the error is told."""


class Curve(NamedTuple):
    """A quantity against time, at times that lie evenly on a logarithmic scale."""

    times_ps: tuple[float, ...]
    values: tuple[float, ...]


CURVE_POINTS = 120
SMALLEST_BETA, AT_LIMIT = 0.1, 1e-3
"""Of a fit; and how near to a limit a parameter is at it."""
MIXED = 5.0
"""Times the first that is fitted, below which a decay from 1 is one together with vibration."""


def curve_of(values: np.ndarray, time_step_ps: float, points: int = CURVE_POINTS) -> Curve:
    """A few points of a quantity at lags 0, 1, 2, ... frames: the first, and then evenly on a logarithmic scale.

    Args:
        values: shape (k,).
        time_step_ps: Of a frame.
        points: At most, about.
    """
    last = len(values) - 1
    lags = np.unique(np.concatenate([[0], np.round(np.geomspace(1, max(1, last), points)).astype(int)]))
    lags = lags[lags <= last]
    return Curve(tuple((lags * time_step_ps).tolist()), tuple(np.asarray(values)[lags].tolist()))


def second_rank(vectors: np.ndarray, longest: int | None = None) -> np.ndarray:
    """C2 at lags 0, 1, 2, ... frames, averaged over ligands and origins.

    P2 of the cosine is the product of the traceless second-rank tensors of both vectors, so that the average over all
    origins is a sum of autocorrelations, which FFT does.

    Args:
        vectors: shape (f, n, 3), unit vectors.
        longest: Lags to give; default: half of the frames.

    Returns:
        shape (longest,).
    """
    frames = len(vectors)
    longest = longest or max(1, frames // 2)
    if not 0 < longest <= frames:
        raise InputError("longest", longest, allowed=f"1 to {frames} frames")
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    components = [
        (x * x - 1 / 3, 1.0), (y * y - 1 / 3, 1.0), (z * z - 1 / 3, 1.0),
        (x * y, 2.0), (y * z, 2.0), (z * x, 2.0),
    ]  # fmt: skip
    padded = 1 << (2 * frames - 1).bit_length()
    total = np.zeros(longest)
    for values, weight in components:
        spectrum = np.fft.rfft(values, n=padded, axis=0)
        correlation = np.fft.irfft((spectrum * spectrum.conj()).sum(axis=1), n=padded)[:longest]
        total += weight * correlation
    origins = frames - np.arange(longest)
    return np.asarray(1.5 * total / origins / vectors.shape[1])


def mean_of(correlations: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Weighted mean over shells, as long as the shortest."""
    shortest = min(map(len, correlations))
    stacked = np.array([correlation[:shortest] for correlation in correlations])
    return np.average(stacked, axis=0, weights=weights)


def fit_stretched(
    times_ps: np.ndarray, correlation: np.ndarray, after_ps: float = 0.1, near: Stretched | None = None
) -> Stretched:
    """A stretched exponential with a plateau, by least squares.

    Args:
        times_ps: shape (k,).
        correlation: shape (k,).
        after_ps: Times below are left out: vibration decays there.
        near: A fit to begin from; by default from several times.

    Raises:
        InputError: if fewer than ten points are left.
    """
    from scipy.optimize import least_squares
    from scipy.special import gamma

    chosen = times_ps >= after_ps
    if chosen.sum() < 10:
        raise InputError(
            "correlation", f"{int(chosen.sum())} times after {after_ps:g} ps", problem="are too few for a fit",
            allowed="ten and more", hint="a longer run, or frames saved more often",
        )  # fmt: skip
    # on a logarithmic grid every decade of time has the same weight
    lags, values = times_ps[chosen], correlation[chosen]
    picked = np.unique(np.round(np.geomspace(1, len(lags), 200)).astype(int)) - 1
    lags, values = lags[picked], values[picked]

    def curve(parameters: np.ndarray) -> np.ndarray:
        log_tau, beta, start, share = parameters
        return start * (share + (1 - share) * np.exp(-((lags / np.exp(log_tau)) ** beta)))

    # C2 is 1 at first and a sum of squares at last; a sum of exponential decays is stretched, never compressed
    shortest = np.log(lags[lags > 0][0])
    first = float(np.clip(values[0], 1e-3, 1.0))
    last = float(np.clip(values[-1] / first, 0.0, 1.0))
    best = None
    taus = np.geomspace(lags[1] if len(lags) > 1 else lags[0], 3 * lags[-1], 5) if near is None else [near.tau_ps]
    for tau in taus:
        fit = least_squares(
            lambda parameters: curve(parameters) - values,
            [np.log(tau), 0.8 if near is None else near.beta, first, last],
            bounds=([shortest, SMALLEST_BETA, 0.0, 0.0], [np.log(lags[-1] * 1e4), 1.0, 1.0 + 1e-9, 1.0]),
        )
        if best is None or fit.cost < best.cost:
            best = fit
    assert best is not None
    log_tau, beta, start, share = best.x
    amplitude, plateau = start * (1 - share), start * share
    tau = float(np.exp(log_tau))
    is_fast = log_tau < shortest + AT_LIMIT
    # what starts at 1 has no vibration: it is in the decay, where that is nearly as fast
    is_mixed = start > 1 - AT_LIMIT and tau < MIXED * lags[0]
    return Stretched(
        tau, float(beta), float(amplitude), float(plateau), float(tau / beta * gamma(1 / beta)),
        bool(amplitude > 0.01 and tau * np.log(2) ** (1 / beta) < lags[-1] and not is_fast),
        bool(is_fast or is_mixed or beta < SMALLEST_BETA + AT_LIMIT),
    )  # fmt: skip
