"""Where a run has settled, and what it drifts, against processes with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from ninefold.dynamics.equilibration import drift, equilibrated, inefficiency


def _process(frames: int, keep: float, seed: int) -> np.ndarray:
    """First-order autoregressive, variance 1."""
    noise = np.random.default_rng(seed).normal(size=frames) * np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_frames_of_an_independent_value_are_those_of_the_process(keep):
    found = np.mean([inefficiency(_process(20_000, keep, seed)) for seed in range(10)])
    assert found == pytest.approx((1 + keep) / (1 - keep), rel=0.1)


def test_a_constant_has_no_correlation():
    assert inefficiency(np.ones(50)) == 1.0


def test_what_relaxes_at_the_start_is_left_out_and_no_more():
    values = _process(4000, 0.5, 1)
    assert equilibrated(values) <= 800
    relaxing = values + 20 * np.exp(-np.arange(4000) / 100)
    assert 300 <= equilibrated(relaxing) <= 1000


def test_a_slope_comes_back_within_its_error_and_noise_has_none():
    values = _process(10_000, 0.9, 2)
    steady = drift(values, 0.005)
    assert steady is not None
    assert not steady.is_significant
    sloped = drift(values + 0.2 * 0.005 * np.arange(10_000), 0.005)
    assert sloped is not None
    assert sloped.is_significant
    assert sloped.per_ps - steady.per_ps == pytest.approx(0.2)
    assert abs(sloped.per_ps - 0.2) < 3 * sloped.error_per_ps


def test_too_few_frames_have_no_slope():
    assert drift(np.arange(29.0), 0.01) is None
