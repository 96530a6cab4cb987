"""Whether two kinds of events come together: jumps of cations, and what the anions near them do.

The paddle-wheel test. A pair is a jump and an event of an anion near its way; its lag is the time of the jump less that
of the event, positive where the anion goes first. The statistic is the number of pairs with a lag of at most a window.
The null model shifts all events of the anions together by one time, round the end of the run: it keeps how often and in
which bursts each kind comes, which anion permutes most, and which jumps lie near it; only the times of one kind against
the other change. So the number of pairs under a shift is the number of lags about that shift, and one sorted list of
lags holds the null distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ninefold.dynamics.trajectories.trajectory import nearest_image
from ninefold.plain_values import plain_values

NEAR = 5.0
"""Å, from an anion's centre to the middle of a jump's way: the shell of cations about an anion in hydrides."""
WINDOW_PS = 0.5
"""Longest lag of a pair: some librations of an anion."""
FEWEST = 10
"""Events of each kind, below which nothing is tested."""
FEWEST_WINDOWS = 60
"""Windows in a run, below which hardly a shift is independent of the run itself: no p value below 0.03 is possible."""
SHIFTS = 9999
PROFILE_BINS = 5
"""Of the lag, on each side of zero, in twice the window."""


class Timed(NamedTuple):
    """Something that happened."""

    time_ps: float
    place: tuple[float, float, float]
    """Å, Cartesian."""


@dataclass(frozen=True)
class Coincidence:
    """Jumps against one kind of the anions' events."""

    event: str
    """permutation, site exchange, turn."""
    n_jumps: int
    n_events: int
    pairs: int
    """Jump and event near it, at most a window apart."""
    expected: float
    """Mean of the null model."""
    expected_low: float
    """2.5 % of the null model are below."""
    expected_high: float
    p_value: float | None
    """Share of shifts with at least as many pairs; None where the test is not resolved."""
    anion_first: int
    """Pairs in which the event comes before the jump."""
    jump_first: int
    lag_ps: float | None
    """Mean lag of the pairs, positive where the anion goes first; those by chance pull it to zero. None where p is
    above 0.05."""
    lag_error_ps: float | None
    """Standard error of the mean lag."""
    profile: tuple[tuple[float, float], ...]
    """Middle of a bin of the lag, ps, and pairs in it over those expected."""
    window_ps: float
    near: float
    """Å."""
    reason: str | None
    """Why it is not resolved."""

    @property
    def excess_per_jump(self) -> tuple[float, float, float] | None:
        """Pairs beyond those expected per jump, with bounds by the null model's scatter; None without jumps."""
        if not self.n_jumps:
            return None
        bounds = (self.expected, self.expected_high, self.expected_low)
        value, low, high = ((self.pairs - bound) / self.n_jumps for bound in bounds)
        return value, low, high

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return plain_values(self) | {"excess_per_jump": self.excess_per_jump}


def coincidence(
    jumps: Sequence[Timed],
    events: Sequence[Timed],
    kind: str,
    duration_ps: float,
    cell: np.ndarray,
    near: float = NEAR,
    window_ps: float = WINDOW_PS,
    seed: int = 0,
) -> Coincidence:
    """Test whether jumps and events of anions near them come together.

    Args:
        jumps: With the middle of their way.
        events: With the place of the anion's centre.
        kind: Of the events, for people.
        duration_ps: Of the run; all times are between 0 and it.
        cell: shape (3, 3), Å.
        near: Å.
        window_ps: Longest lag of a pair.
        seed: Of the shifts.
    """
    lags = _lags(jumps, events, duration_ps, cell, near)
    shifts = np.random.default_rng(seed).uniform(-0.5, 0.5, SHIFTS) * duration_ps
    null = _about(lags, shifts, window_ps, duration_ps)
    inside = lags[np.abs(lags) <= window_ps]
    pairs = len(inside)
    reason = _reason(len(jumps), len(events), len(lags), duration_ps, window_ps)
    p_value = None if reason is not None else float(1 + (null >= pairs).sum()) / (1 + SHIFTS)
    is_found = p_value is not None and p_value < 0.05
    low, high = np.percentile(null, (2.5, 97.5))
    return Coincidence(
        kind, len(jumps), len(events), pairs, float(null.mean()), float(low), float(high), p_value,
        int((inside > 0).sum()), int((inside < 0).sum()), float(inside.mean()) if is_found else None,
        float(inside.std(ddof=1) / np.sqrt(pairs)) if is_found and pairs > 1 else None,
        _profile(lags, window_ps, duration_ps), window_ps, near, reason,
    )  # fmt: skip


def _lags(
    jumps: Sequence[Timed], events: Sequence[Timed], duration: float, cell: np.ndarray, near: float
) -> np.ndarray:
    """Lags of all pairs that are near each other, sorted, round the end of the run: between -T/2 and T/2, ps."""
    if not jumps or not events:
        return np.empty(0)
    times = np.array([one.time_ps for one in events])
    places, which = np.unique(np.array([one.place for one in events]), axis=0, return_inverse=True)
    middles = np.array([one.place for one in jumps])
    steps = nearest_image((places[None] - middles[:, None]), cell[None])
    is_near = np.linalg.norm(steps, axis=2) <= near
    found = []
    for number, jump in enumerate(jumps):
        lags = jump.time_ps - times[is_near[number, which]]
        found.append(lags - duration * np.round(lags / duration))
    return np.sort(np.concatenate(found))


def _about(lags: np.ndarray, shifts: np.ndarray, window: float, duration: float) -> np.ndarray:
    """Number of lags within a window of each shift, round the end of the run."""
    round_about = np.concatenate([lags - duration, lags, lags + duration])
    after = np.searchsorted(round_about, shifts + window, side="right")
    found: np.ndarray = after - np.searchsorted(round_about, shifts - window, side="left")
    return found


def _reason(jumps: int, events: int, near: int, duration: float, window: float) -> str | None:
    if jumps < FEWEST or events < FEWEST:
        return f"{jumps} jumps and {events} events, {FEWEST} of each are needed"
    if duration < FEWEST_WINDOWS * window:
        return f"a run of {duration:.3g} ps, {FEWEST_WINDOWS * window:.3g} ps are needed for this window"
    if not near:
        return "no jump is near an anion that had an event"
    return None


def _profile(lags: np.ndarray, window: float, duration: float) -> tuple[tuple[float, float], ...]:
    """Pairs by lag over the mean of all lags."""
    if not len(lags):
        return ()
    edges = np.linspace(-2 * window, 2 * window, 2 * PROFILE_BINS + 1)
    counts, _ = np.histogram(lags, edges)
    expected = len(lags) * (edges[1] - edges[0]) / duration
    middles = (edges[1:] + edges[:-1]) / 2
    return tuple((float(middle), float(count / expected)) for middle, count in zip(middles, counts, strict=True))
