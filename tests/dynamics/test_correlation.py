"""Second-rank correlation against a direct sum, rotational diffusion and planted jumps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_trajectories import Plan, crystal, shell

from ninefold.dynamics.analysis import analyse
from ninefold.dynamics.anions.correlation import fit_stretched, second_rank
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.barriers import barrier
from ninefold.dynamics.statistics.rates import (
    BOLTZMANN,
    Rate,
    are_enough,
    combined,
    dispersion_of,
    fit_arrhenius,
    poisson_rate,
    rate_at,
)
from ninefold.errors import InputError


def _direct(vectors: np.ndarray, lag: int) -> float:
    cosines = np.einsum("fni,fni->fn", vectors[: len(vectors) - lag], vectors[lag:])
    return float(((3 * cosines**2 - 1) / 2).mean())


def test_equals_the_direct_sum() -> None:
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.normal(size=(300, 4, 3)), axis=0)
    vectors = steps / np.linalg.norm(steps, axis=2, keepdims=True)
    found = second_rank(vectors, 100)
    assert found == pytest.approx([_direct(vectors, lag) for lag in range(100)], abs=1e-9)


def test_jumps_to_random_directions_decay_with_the_jump_rate() -> None:
    """A vector that goes to a direction drawn anew at a rate k has C2 = exp(-k t)."""
    rng = np.random.default_rng(1)
    frames, rate = 200_000, 0.02
    jump = rng.random((frames, 3)) < rate
    fresh = rng.normal(size=(frames, 3, 3))
    fresh /= np.linalg.norm(fresh, axis=2, keepdims=True)
    last = np.maximum.accumulate(np.where(jump, np.arange(frames)[:, None], 0), axis=0)
    vectors = np.take_along_axis(fresh, last[..., None].repeat(3, axis=2), axis=0)
    found = second_rank(vectors, 600)
    fit = fit_stretched(np.arange(600) * 0.01, found, 0.0)
    assert fit.tau_ps == pytest.approx(0.01 / rate, rel=0.1)
    assert fit.beta == pytest.approx(1.0, abs=0.1)
    assert fit.plateau == pytest.approx(0.0, abs=0.03)
    assert fit.is_resolved


@pytest.mark.parametrize("tau_ps", [0.02, 0.2, 5.0])
def test_a_fit_starts_at_one_at_most_and_ends_at_zero_at_least(tau_ps: float) -> None:
    """Noise and a decay before the first time do not make a correlation of 1.5, or a compressed exponential."""
    times = np.arange(600) * 0.01
    noise = 0.02 * np.sin(np.arange(600) / 40)
    found = fit_stretched(times, np.exp(-((times / tau_ps) ** 2)) - 0.03 + noise)
    assert found.amplitude + found.plateau <= 1.0 + 1e-6
    assert found.plateau >= 0
    assert found.beta <= 1
    assert found.tau_ps >= 0.1 - 1e-9


def test_a_run_too_short_is_told() -> None:
    times = np.arange(400) * 0.01
    assert not fit_stretched(times, np.exp(-times / 500.0)).is_resolved


def test_too_few_points() -> None:
    with pytest.raises(InputError, match="too few"):
        fit_stretched(np.arange(5) * 0.01, np.ones(5))


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)])
def test_interval_of_a_count(events: int, low: float, high: float) -> None:
    """The published exact limits of a Poisson mean (Garwood 1936)."""
    found = poisson_rate(events, 1.0)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-3))


@pytest.mark.parametrize("burst", [1, 2, 4])
def test_the_interval_of_a_rate_holds_for_events_in_bursts(burst: int) -> None:
    """Of four shells in 1000 ps: forth and back counts as one independent event."""
    rng = np.random.default_rng(burst)
    true, inside, scatter = 0.2, 0, []
    for _ in range(200):
        times = [np.repeat(rng.uniform(0, 1000, rng.poisson(1000 * true / burst)), burst) for _ in range(4)]
        found = poisson_rate(sum(map(len, times)), 4000, dispersion=dispersion_of(times, 1000))
        inside += found.low <= true <= found.high
        scatter.append(found.dispersion)
    assert inside >= 183  # 95 % of 200, less two standard deviations
    assert np.mean(scatter) == pytest.approx(burst, rel=0.1)


def test_runs_together_count_as_one_with_the_scatter_of_both() -> None:
    found = combined([poisson_rate(30, 100.0, dispersion=1.0), poisson_rate(90, 100.0, dispersion=3.0)])
    assert (found.events, found.time_ps, found.per_ps) == (120, 200.0, 0.6)
    assert found.dispersion == pytest.approx(2.5)
    assert combined([]).dispersion == 1.0


def test_bursts_widen_the_barrier_s_interval() -> None:
    counts = {300.0: 200, 450.0: 800}
    widths = []
    for scatter in (1.0, 4.0):
        rates = [poisson_rate(count, 1000.0, dispersion=scatter) for count in counts.values()]
        fit = fit_arrhenius(list(counts), rates)
        widths.append(fit.high_eV - fit.low_eV)
    assert widths[1] / widths[0] == pytest.approx(2.0, rel=0.1)


def test_planted_barrier_comes_back() -> None:
    rng = np.random.default_rng(5)
    temperatures = [150.0, 200.0, 300.0, 400.0]
    inside = 0
    for _ in range(40):
        rates = []
        for temperature in temperatures:
            per_ps = 20 * np.exp(-0.040 / BOLTZMANN / temperature)
            rates.append(poisson_rate(int(rng.poisson(per_ps * 400)), 400.0))
        fit = fit_arrhenius(temperatures, rates)
        assert fit.barrier_eV == pytest.approx(0.040, rel=0.10)
        inside += fit.low_eV <= 0.040 <= fit.high_eV
    assert inside >= 34  # 95 % of 40, less three standard deviations


def test_a_temperature_without_events_counts_against_a_low_barrier() -> None:
    known = [poisson_rate(400, 100.0), poisson_rate(100, 100.0)]
    silent = Rate(0, 1e5, 0.0, 0.0, 3.7e-5)
    without = fit_arrhenius([600.0, 400.0], known)
    with_silence = fit_arrhenius([600.0, 400.0, 200.0], [*known, silent])
    assert with_silence.barrier_eV > without.barrier_eV


@pytest.mark.parametrize("events", [0, 4])
def test_few_events_at_one_temperature_give_no_barrier(events: int) -> None:
    with pytest.raises(InputError, match="5 events and more at two temperatures"):
        fit_arrhenius([300.0, 400.0], [poisson_rate(events, 10.0), poisson_rate(70, 10.0)])


@pytest.mark.parametrize("means", [(6.0, 30.0), (8.0, 8.0), (0.3, 7.0, 40.0)])
def test_intervals_of_few_events_hold_the_truth(means: tuple[float, ...]) -> None:
    """Barrier, and rate at another temperature: 95 % of 300 trials, less three standard deviations."""
    temperatures = [300.0, 450.0, 600.0][-len(means) :]
    inverse = 1 / (BOLTZMANN * np.array(temperatures))
    times = np.array(means) * np.exp(0.1 * (inverse - inverse[0]))  # of a barrier of 100 meV, 1 event per ps there
    rng = np.random.default_rng(int(sum(means)))
    trials, barriers, elsewhere = 0, 0, 0
    while trials < 300:
        rates = [poisson_rate(int(rng.poisson(mean)), float(time)) for mean, time in zip(means, times, strict=True)]
        if not are_enough(temperatures, rates):
            continue
        trials += 1
        fit = fit_arrhenius(temperatures, rates)
        barriers += fit.low_eV <= 0.1 <= fit.high_eV
        _, low, high = rate_at(250.0, temperatures, rates)
        elsewhere += low <= np.exp(-0.1 * (1 / (BOLTZMANN * 250.0) - inverse[0])) <= high
    assert barriers >= 274
    assert elsewhere >= 274


def test_the_interval_of_a_barrier_of_two_temperatures_is_that_of_a_share() -> None:
    """Of 40 events in equal times 5 are at the lower one: a binomial share, whose likelihood has fallen by 1.92."""
    fit = fit_arrhenius([300.0, 450.0], [poisson_rate(5, 100.0), poisson_rate(35, 100.0)])
    apart = (1 / 300 - 1 / 450) / BOLTZMANN
    for end in (fit.low_eV, fit.high_eV):
        share = 1 / (1 + np.exp(end * apart))
        assert 5 * np.log(0.125 / share) + 35 * np.log(0.875 / (1 - share)) == pytest.approx(1.9207, abs=1e-3)
    assert fit.low_eV < fit.barrier_eV < fit.high_eV
    assert fit.barrier_eV == pytest.approx(np.log(7) / apart, rel=1e-6)


def test_a_barrier_planted_in_trajectories_comes_back() -> None:
    """40 meV in permutations of [MoH9]3-, counted in trajectories with vibration at four temperatures."""
    rng = np.random.default_rng(7)
    name = "tricapped trigonal prism"
    isomers = isomers_of(9)[name]
    near = isomers.neighbours[isomers.squared_distances < isomers.squared_distances[0] + 1e-6]
    runs = []
    for kelvin in (150.0, 200.0, 300.0, 600.0):
        shells = []
        for _ in range(2):
            events = round(150 * np.exp(-0.040 / BOLTZMANN * (1 / kelvin - 1 / 600)))
            starts = 150 + 100 * np.sort(rng.choice(160, events, replace=False)) + rng.integers(0, 30, events)
            plan = Plan({int(start): near[rng.integers(len(near))] for start in starts}, passage=16)
            shells.append(shell(isomers.vertices, 16400, plan, 0.05, rng))
        runs.append(analyse(replace(crystal(shells), temperature_K=kelvin), "Re", polyhedron=name))
    found = barrier(runs)
    assert found.barrier_eV == pytest.approx(0.040, rel=0.10)
    assert found.low_eV < 0.040 < found.high_eV


@pytest.mark.parametrize("n", [7, 8, 9])
def test_random_permutations_with_noise_give_their_rate(n: int) -> None:
    """A Poisson process of permutations, two shells, vibration: the number found is the number planned."""
    from ninefold.dynamics.anions.pseudorotation import analyse_shells
    from ninefold.dynamics.anions.tracking import SHORTEST_STAY_FS

    rng = np.random.default_rng(n)
    name = {7: "capped octahedron", 8: "square antiprism", 9: "tricapped trigonal prism"}[n]
    isomers = isomers_of(n)[name]
    near = isomers.neighbours[isomers.squared_distances < isomers.squared_distances[0] + 1e-6]
    shells, planned = [], 0
    for _ in range(2):
        waits = rng.exponential(180.0, size=60) + SHORTEST_STAY_FS / 2.0
        starts = np.cumsum(waits).astype(int)
        starts = starts[starts < 9000]
        planned += len(starts)
        plan = Plan({int(start): near[rng.integers(len(near))] for start in starts}, passage=16)
        shells.append(shell(isomers.vertices, 9100, plan, 0.06, rng))
    found, _ = analyse_shells(crystal(shells), "Re", polyhedron=name)
    assert found.permutation_rate.events == pytest.approx(planned, rel=0.05)
    assert found.permutation_rate.low < planned / found.time_ps < found.permutation_rate.high
    assert len(found.turns) == 0
