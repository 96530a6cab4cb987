"""How fast M-H vectors forget their directions: C2 of some shells, fitted, with the error of its time.

The error is that of the scatter of pieces: each shell's path is cut into a few, and the fit is repeated without one
after the other (jackknife). A piece is much longer than the time, so that pieces are nearly independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.anions.correlation import Curve, Stretched, curve_of, fit_stretched, mean_of, second_rank
from ninefold.errors import InputError

CUTS = 4
"""Pieces of each shell."""
FEWEST_PIECES = 8
LENGTH_OF_PIECE = 5.0
"""In relaxation times, at least."""


class Relaxation(NamedTuple):
    """C2 of some shells."""

    fit: Stretched | None
    """None where the run is too short to fit."""
    curve: Curve | None
    """What is fitted, at some of its times; None without a shell."""


def relaxation(vectors: Sequence[np.ndarray], time_step_fs: float) -> Relaxation:
    """C2 of shells that keep their ligands for most of the longest's time.

    Args:
        vectors: Of each shell, shape (f, n, 3), unit vectors.
        time_step_fs: Between frames.
    """
    if not vectors:
        return Relaxation(None, None)
    chosen = _whole(vectors)
    step = time_step_fs / 1000
    correlation = _mean(chosen)
    curve = curve_of(correlation, step)
    try:
        fit = fit_stretched(np.arange(len(correlation)) * step, correlation)
    except InputError:
        return Relaxation(None, curve)
    return Relaxation(_with_error(fit, chosen, step) if fit.is_resolved and not fit.is_at_limit else fit, curve)


def _with_error(fit: Stretched, vectors: Sequence[np.ndarray], step_ps: float) -> Stretched:
    """The fit with its error, where pieces are long and many enough, and each fit without one tells a time."""
    pieces = [piece for one in vectors for piece in np.array_split(one, CUTS)]
    shortest = min(map(len, pieces))
    if len(pieces) < FEWEST_PIECES or shortest * step_ps < LENGTH_OF_PIECE * fit.mean_tau_ps:
        return fit
    correlations = np.array([second_rank(piece, shortest // 2) for piece in pieces])
    times, total = np.arange(shortest // 2) * step_ps, correlations.sum(axis=0)
    logs = []
    for one in correlations:
        left = fit_stretched(times, (total - one) / (len(pieces) - 1), near=fit)
        if not left.is_resolved or left.is_at_limit:
            return fit
        logs.append(np.log(left.mean_tau_ps))
    return fit._replace(log_error=float(np.sqrt((len(pieces) - 1) * np.var(logs))), pieces=len(pieces))


def _whole(vectors: Sequence[np.ndarray]) -> list[np.ndarray]:
    longest = max(map(len, vectors))
    return [one for one in vectors if len(one) >= longest / 2]


def _mean(vectors: Sequence[np.ndarray]) -> np.ndarray:
    shortest = min(map(len, vectors))
    return mean_of([second_rank(one, max(1, shortest // 2)) for one in vectors], [len(one) for one in vectors])
