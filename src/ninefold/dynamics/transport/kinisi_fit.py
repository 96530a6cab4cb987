"""Diffusion coefficients by kinisi: Bayesian regression with the covariance of a random walk.

McCluskey, Coles & Morgan, J. Chem. Theory Comput. 21, 79 (2025), doi:10.1021/acs.jctc.4c01249.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from ninefold.dynamics.statistics.slopes import Interval
from ninefold.errors import InputError

INTERVALS = 60
"""Lags, equally spaced in their logarithm: cost grows with their cube, and one for each frame does not end."""
_BOX = 1.0e6
"""Å. A box in which no path is wrapped."""


def is_installed() -> bool:
    """Whether kinisi can be imported."""
    return find_spec("kinisi") is not None


def check_installed() -> None:
    """Raise `InputError` without kinisi."""
    if not is_installed():
        raise InputError(
            "--errors", "kinisi", problem="is not installed", allowed="windows",
            hint="pip install 'ninefold[dynamics]'",
        )  # fmt: skip


def intervals(frames: int) -> np.ndarray:
    """Lags in frames, up to the longest: kinisi counts independent samples by the ratio to the last lag."""
    return np.unique(np.round(np.geomspace(1, frames - 1, INTERVALS)).astype(int))


def coefficient(paths: np.ndarray, step_ps: float, start_ps: float, seed: int = 0) -> Interval:
    """Mean of the posterior and its central 95 %, cm2/s.

    Args:
        paths: shape (f, n, 3), Å, unwrapped and without drift.
        step_ps: Between frames.
        start_ps: Shortest lag of the regression.
        seed: Of the sampling.

    Raises:
        InputError: if kinisi is not installed.
    """
    check_installed()
    import scipp
    from ase import Atoms
    from kinisi.analyze import DiffusionAnalyzer

    # unwrapped paths in a wide box: kinisi's unwrapping has nothing to do, and there is no framework to correct for
    frames = [Atoms("H" * paths.shape[1], positions=at, cell=[_BOX] * 3, pbc=True) for at in paths - paths[:1]]
    lags = scipp.array(dims=["time interval"], values=intervals(len(paths)) * step_ps, unit="ps")
    analyzer = DiffusionAnalyzer.from_ase(
        frames, specie="H", time_step=step_ps * scipp.Unit("ps"), step_skip=scipp.scalar(1), dt=lags, progress=False
    )
    before = np.random.get_state()
    try:
        # the sampler draws from numpy's global state, which kinisi seeds from this
        analyzer.diffusion(
            start_ps * scipp.Unit("ps"), progress=False, random_state=np.random.RandomState(seed % 2**32)
        )
    finally:
        np.random.set_state(before)
    samples = np.asarray(analyzer.D.values)  # cm2/s
    low, high = np.percentile(samples, [2.5, 97.5])
    return Interval(float(samples.mean()), float(low), float(high))
