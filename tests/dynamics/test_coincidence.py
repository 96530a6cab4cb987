"""The paddle-wheel test on events whose coupling is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest
from synthetic_trajectories import M_H, SPACING, Plan, shell

from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.pseudorotation import analyse_shells
from ninefold.dynamics.anions.site_exchange import SiteExchange, SiteExchanges
from ninefold.dynamics.trajectories.displacements import unwrap
from ninefold.dynamics.trajectories.mean_crystal import framework
from ninefold.dynamics.trajectories.trajectory import in_memory
from ninefold.dynamics.transport.cation_sites import density_sites
from ninefold.dynamics.transport.coincidence import SHIFTS, Coincidence, Timed, coincidence
from ninefold.dynamics.transport.jumps import analyse_jumps
from ninefold.dynamics.transport.paddle_wheel import paddle_wheel

CELL = np.eye(3) * 20.0
LENGTH = 200.0
"""ps."""
CENTRES = [(2.0, 2.0, 2.0), (12.0, 2.0, 2.0), (2.0, 12.0, 2.0)]


def at(times: np.ndarray, rng: np.random.Generator, places: list[tuple[float, float, float]] = CENTRES) -> list[Timed]:
    return [Timed(float(time % LENGTH), places[rng.integers(len(places))]) for time in times]


def beside(events: list[Timed]) -> list[Timed]:
    """On the other side of the cell's faces, 3 Å off."""
    return [Timed(one.time_ps, (one.place[0] - 3.0 + 20.0, one.place[1], one.place[2])) for one in events]


def bursts(rng: np.random.Generator, number: int) -> np.ndarray:
    """Times in groups of three within 1 ps: events that come in bursts by themselves."""
    return (rng.uniform(0, LENGTH, (number // 3, 1)) + rng.exponential(0.5, (number // 3, 3))).ravel()


@pytest.mark.parametrize("kind", ["single", "bursts"])
def test_independent_events_give_uniform_p_values(kind: str) -> None:
    rng = np.random.default_rng(0)
    values = []
    for trial in range(200):
        times = [bursts(rng, 150) if kind == "bursts" else rng.uniform(0, LENGTH, 150) for _ in range(2)]
        jumps, events = beside(at(times[0], rng)), at(times[1], rng)
        found = coincidence(jumps, events, "permutation", LENGTH, CELL, seed=trial)
        assert found.p_value is not None
        values.append(found.p_value)
    # counts of pairs tie: a p value is that of at least as many, and is too large by about half a tie
    assert kstest(values, "uniform").pvalue > 0.01
    assert 2 <= sum(value < 0.05 for value in values) <= 20


def coupled(rng: np.random.Generator, share: float, lag: float) -> Coincidence:
    """Independent jumps and events, and a share of the jumps at a lag behind an event of the anion beside them."""
    events = at(rng.uniform(0, LENGTH, 150), rng)
    led = [Timed((one.time_ps + lag + rng.normal(0, 0.05)) % LENGTH, one.place) for one in events[: int(share * 100)]]
    free = at(rng.uniform(0, LENGTH, 100 - len(led)), rng)
    return coincidence(beside([*led, *free]), events, "permutation", LENGTH, CELL)


@pytest.mark.parametrize("lag", [0.25, -0.25])
def test_coupled_events_are_found_with_the_sign_of_their_lag(lag: float) -> None:
    rng = np.random.default_rng(1)
    trials = [coupled(rng, 0.4, lag) for _ in range(40)]
    assert all(one.p_value is not None and one.p_value < 0.02 for one in trials)
    lags = np.array([one.lag_ps for one in trials], dtype=float)
    # 40 pairs at the planted lag among 25 at any
    assert np.mean(lags) == pytest.approx(lag * 40 / 65, abs=0.03)
    assert (np.sign(lags) == np.sign(lag)).all()
    more = [one.anion_first > one.jump_first for one in trials]
    assert all(one is (lag > 0) for one in more)
    excess = np.array([one.excess_per_jump for one in trials])
    assert excess[:, 0].mean() == pytest.approx(0.4, abs=0.04)
    assert (excess[:, 1] < 0.4).mean() > 0.9
    assert (excess[:, 2] > 0.4).mean() > 0.9
    profile = np.mean([[value for _, value in one.profile] for one in trials], axis=0)
    middles = np.array([middle for middle, _ in trials[0].profile])
    assert np.sign(middles[np.argmax(profile)]) == np.sign(lag)


def test_events_far_away_do_not_count() -> None:
    rng = np.random.default_rng(2)
    events = at(rng.uniform(0, LENGTH, 100), rng, CENTRES[:1])
    jumps = [Timed(one.time_ps, CENTRES[1]) for one in events]
    found = coincidence(jumps, events, "turn", LENGTH, CELL)
    assert (found.pairs, found.p_value) == (0, None)
    assert found.reason == "no jump is near an anion that had an event"


@pytest.mark.parametrize(
    ("jumps", "events", "window", "said"),
    [(9, 50, 0.5, "9 jumps and 50 events"), (50, 3, 0.5, "50 jumps and 3 events"), (50, 50, 5.0, "300 ps are needed")],
)
def test_too_few_are_not_resolved(jumps: int, events: int, window: float, said: str) -> None:
    rng = np.random.default_rng(3)
    anions = at(rng.uniform(0, LENGTH, events), rng)
    found = coincidence(beside((anions * 20)[:jumps]), anions, "turn", LENGTH, CELL, window_ps=window)
    assert found.p_value is None
    assert found.lag_ps is None
    assert said in str(found.reason)


def test_no_p_value_is_below_what_the_shifts_can_tell() -> None:
    rng = np.random.default_rng(4)
    found = coupled(rng, 1.0, 0.1)
    assert found.p_value is not None
    # shifts that are shorter than the window leave the pairs together
    assert found.p_value > 1 / (1 + SHIFTS)
    assert found.p_value < 4 * found.window_ps / LENGTH


def test_jumps_that_follow_permutations_are_found_in_a_trajectory() -> None:
    """An anion that permutes 30 times, and a lithium beside it that jumps to and fro 0.3 ps after each."""
    rng = np.random.default_rng(5)
    isomers = isomers_of(9)["tricapped trigonal prism"]
    starts = np.cumsum(rng.integers(400, 1100, size=30))
    frames = int(starts[-1]) + 500
    nearest = isomers.neighbours[: int((isomers.squared_distances < isomers.squared_distances[0] + 1e-6).sum())]
    plan = Plan({int(start): nearest[rng.integers(len(nearest))] for start in starts})
    vectors = shell(isomers.vertices, frames, plan, 0.05, rng)
    step = 4.0
    row = np.array([0.0, 2.5])[np.searchsorted(starts + int(300 / step), np.arange(frames)) % 2]
    lithium = np.stack([np.full(frames, 3.2), row + 2.0, np.full(frames, 3.0)], axis=1)[:, None]
    centre = np.full((frames, 1, 3), (0.5, 3.0, 3.0))
    other = np.full((frames, 1, 3), (6.0, 6.0, 6.0))
    positions = np.concatenate([centre, centre + vectors, lithium + rng.normal(0, 0.15, lithium.shape), other], axis=1)
    cell = np.eye(3) * (SPACING + 3 * M_H)
    trajectory = in_memory(["Re", *["H"] * 9, "Li", "K"], positions, cell, step, temperature_K=500.0)
    moved = unwrap(trajectory, "Li")
    jumps = analyse_jumps(trajectory, moved, density_sites([moved], framework(trajectory, ("H", "Li"))))
    anions, _ = analyse_shells(trajectory, "Re", polyhedron="tricapped trigonal prism")
    assert (len(jumps.jumps), len(anions.events)) == (30, 30)
    permuted, exchanged, turned = paddle_wheel(jumps, anions, None, moved, near=5.0, window_ps=0.5)
    assert permuted.p_value is not None
    assert permuted.p_value < 0.02
    # from the middle of the passage, 20 frames long
    assert permuted.lag_ps == pytest.approx(0.3 - 0.04, abs=0.02)
    assert (permuted.pairs, permuted.anion_first, permuted.jump_first) == (30, 30, 0)
    assert turned.reason is not None
    assert exchanged.n_events == 0
    events = tuple(
        SiteExchange(one.centre, one.time_fs, one.passage_fs, "ring of three", 3, 3.4) for one in anions.events
    )
    exchanges = SiteExchanges(events, (), 0.1, 6.0)
    _, same, _ = paddle_wheel(jumps, anions, exchanges, moved, near=5.0, window_ps=0.5)
    assert (same.event, same.pairs, same.lag_ps) == ("site exchange", permuted.pairs, permuted.lag_ps)
    _, none, _ = paddle_wheel(jumps, anions, replace(exchanges, separation=2.0), moved, near=5.0, window_ps=0.5)
    assert none.n_events == 0, "not told from vibration"
