"""Where a run has settled, and what it drifts, against processes with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from ninefold.dynamics.statistics.equilibration import drift, equilibrated, inefficiency, thermostat_notes
from ninefold.dynamics.statistics.rates import BOLTZMANN


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
    steady = drift(values, 0.005, 0.05)
    assert steady is not None
    assert steady.may_be_chance
    sloped = drift(values + 0.2 * 0.005 * np.arange(10_000), 0.005, 0.05)
    assert sloped is not None
    assert not sloped.may_be_chance
    assert sloped.per_ps - steady.per_ps == pytest.approx(0.2)
    assert abs(sloped.per_ps - 0.2) < 3 * sloped.error_per_ps


def test_too_few_frames_have_no_slope():
    assert drift(np.arange(29.0), 0.01, 0.0) is None


@pytest.mark.parametrize(("frames", "blocks"), [(30, 0), (2090, 6), (2110, 7), (5000, 10)])
def test_the_error_of_a_slope_is_known_from_seven_independent_blocks_on(frames, blocks):
    found = drift(np.arange(float(frames)), 0.01, 1.0)
    assert found.per_ps == pytest.approx(100)
    assert found.blocks == blocks
    assert (found.error_per_ps is None) == (blocks < 7)
    assert not found.may_be_chance


@pytest.fixture(scope="module")
def oscillators():
    """Harmonic oscillators in a Langevin thermostat of 1 per ps, 200 runs of 6 and of 48 of them, 20 ps.

    Returns:
        number of oscillators -> temperatures, K, and potential energies, eV, each of shape (runs, frames), 100 per ps.
    """
    return {count: _oscillators(count) for count in (6, 48)}


def _oscillators(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator, step, runs = np.random.default_rng(count), 0.002, 200
    omega = 2 * np.pi / generator.uniform(0.05, 0.3, size=(1, count))
    velocities, places = generator.normal(size=(runs, count)), generator.normal(size=(runs, count)) / omega
    kept = np.exp(-step)
    kinetic, potential = [], []
    for number in range(10_000):
        velocities -= step / 2 * omega**2 * places
        places += step / 2 * velocities
        velocities = kept * velocities + np.sqrt(1 - kept**2) * generator.normal(size=velocities.shape)
        places += step / 2 * velocities
        velocities -= step / 2 * omega**2 * places
        if number % 5 == 0:
            kinetic.append((velocities**2).mean(axis=1))
            potential.append((omega**2 * places**2).sum(axis=1) / 2)
    return 300 * np.array(kinetic).T, BOLTZMANN * 300 * np.array(potential).T


def _notes(temperatures: np.ndarray, energies: np.ndarray, count: int, thermostat_K: float = 300.0) -> list[str]:
    return thermostat_notes(["Mo"] * (count // 3), temperatures[:, None], thermostat_K, energies, 0.01, 1.0)


@pytest.mark.parametrize("ps", [1, 2, 5, 13, 20])
@pytest.mark.parametrize("count", [6, 48])
def test_a_run_that_obeys_its_thermostat_is_not_told_off_however_short(oscillators, count, ps):
    """Blocks of a tenth of the run, taken for independent, told 30 % of such runs of 2 ps, and 4 % of 20 ps."""
    temperatures, energies = oscillators[count]
    told = sum(bool(_notes(t[: 100 * ps], e[: 100 * ps], count)) for t, e in zip(temperatures, energies, strict=True))
    assert told <= 4  # of 200; 0.003 for each of the two notes are 1.2


def test_a_species_at_another_temperature_is_told_as_soon_as_it_can_be(oscillators):
    temperatures, energies = oscillators[48]
    hot = [_notes(t[:200], e[:200], 48, thermostat_K=150) for t, e in zip(temperatures, energies, strict=True)]
    cold = [_notes(t, e, 48, thermostat_K=450) for t, e in zip(temperatures, energies, strict=True)]
    assert sum(any("Mo has" in note for note in notes) for notes in hot) >= 190  # 2 ps, 300 for 150 K
    assert sum(any("Mo has" in note for note in notes) for notes in cold) >= 190  # 20 ps, 300 for 450 K
    for ps in (5, 13, 15, 20):  # what is told does not depend on how many blocks there are
        times = slice(0, 100 * ps)
        hot = [_notes(t[times], e[times], 48, thermostat_K=200) for t, e in zip(temperatures, energies, strict=True)]
        assert sum(any("Mo has" in note for note in notes) for notes in hot) >= 180
    of_few = [_notes(t[:200], e[:200], 6, 400) for t, e in zip(*oscillators[6], strict=True)]
    assert sum(map(len, of_few)) <= 4  # of two atoms in 2 ps 300 K is nothing else than 400 K


@pytest.mark.parametrize(("ps", "per_atom"), [(2, 120.0), (8, 60.0), (13, 60.0), (15, 60.0), (20, 60.0)])
def test_an_energy_that_drifts_is_told_of_short_runs_too(oscillators, ps, per_atom):
    temperatures, energies = oscillators[48]
    line = per_atom / 1000 * 16 * np.arange(100 * ps) / (100 * ps)
    told = [_notes(t[: 100 * ps], e[: 100 * ps] - line, 48) for t, e in zip(temperatures, energies, strict=True)]
    assert sum(any("drifts by -" in note for note in notes) for notes in told) >= 180


def test_frames_far_apart_are_no_more_values_than_they_are(oscillators):
    """Each 1 ps, in a thermostat of 5 per ps: counted by time, 5 frames had 17 % of false temperatures."""
    told = 0
    for temperatures, energies in zip(*oscillators[6], strict=True):
        few, heat = temperatures[::400], energies[::400]  # 5 frames, each 4 ps at 1 per ps
        told += bool(thermostat_notes(["Mo", "Mo"], few[:, None], 300, heat, 4.0, 1.0))
    assert told <= 4


def test_a_run_shorter_than_the_memory_of_its_thermostat_is_said_to_be(oscillators):
    temperatures, energies = oscillators[48]
    too_short = ["0.9 ps are too short to tell whether it has the temperature of its thermostat"]
    assert _notes(temperatures[0, :90], energies[0, :90], 48) == too_short
    assert _notes(temperatures[0, :90], energies[0, :90], 48, thermostat_K=3000)[0].startswith("Mo has ")
    assert _notes(np.empty(0), np.empty(0), 48) == []
