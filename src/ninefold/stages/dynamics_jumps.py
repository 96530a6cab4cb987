"""Jumps of cations in the runs of a candidate: rates between sites, their barrier, and the paddle-wheel test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.statistics.rates import Rate, combined, poisson_rate
from ninefold.errors import InputError
from ninefold.models.dynamics import CationSites, IonJumps, JumpsAt, PaddleWheelTest, StoredInterval
from ninefold.stages.dynamics_law import barrier_of, rate_300, rate_interval

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis
    from ninefold.dynamics.transport.coincidence import Coincidence
    from ninefold.dynamics.transport.jumps import JumpAnalysis
    from ninefold.stages.dynamics_runs import Settled


def jumps_of(
    cations: Sequence[str], runs: Sequence[Settled], shells: Mapping[Settled, DynamicsAnalysis]
) -> tuple[list[IonJumps], list[str]]:
    """Jumps of each cation between the maxima of its density, of all runs together.

    Args:
        cations: Symbols.
        runs: Of one crystal, in one cell.
        shells: What the anions do in each run whose shells could be followed.

    Returns:
        One for each cation whose sites were found, and why the others have none.
    """
    found, problems = [], []
    for ion in cations:
        try:
            found.append(_of_ion(ion, runs, shells))
        except InputError as error:
            problems.append(f"no jumps of {ion}: {error.value} {error.problem}")
    return found, problems


def _of_ion(ion: str, runs: Sequence[Settled], shells: Mapping[Settled, DynamicsAnalysis]) -> IonJumps:
    from ninefold.dynamics.trajectories.displacements import unwrap
    from ninefold.dynamics.trajectories.mean_crystal import framework
    from ninefold.dynamics.transport.cation_sites import density_sites
    from ninefold.dynamics.transport.coincidence import NEAR, WINDOW_PS
    from ninefold.dynamics.transport.jumps import analyse_jumps
    from ninefold.dynamics.transport.paddle_wheel import paddle_wheel

    moved = [unwrap(run.trajectory, ion) for run in runs]
    sites = density_sites(moved, framework(runs[0].trajectory, ("H", ion)))
    each = [analyse_jumps(run.trajectory, paths, sites) for run, paths in zip(runs, moved, strict=True)]
    tests = [
        test
        for run, paths, jumps in zip(runs, moved, each, strict=True)
        if run in shells
        for test in paddle_wheel(jumps, shells[run].pseudorotation, shells[run].site_exchanges, paths, NEAR, WINDOW_PS)
    ]
    by_kelvin: dict[float, list[JumpAnalysis]] = {}
    for run, jumps in zip(runs, each, strict=True):
        by_kelvin.setdefault(run.temperature_K, []).append(jumps)
    rates = {kelvin: combined([one.total for one in some]) for kelvin, some in by_kelvin.items()}
    at = [_at(kelvin, some, rates[kelvin]) for kelvin, some in by_kelvin.items()]
    # the slowest attempts that were counted: a bound must hold
    attempts = [one.attempts.low for one in at if one.attempts is not None and one.attempts.low is not None]
    barrier, _ = barrier_of(rates, min(attempts) if attempts else None)
    silent = ("no jump in", "jumps: the run is too short", "never an ion on")
    notes = dict.fromkeys(
        f"{one.source}: {note}" for one in each for note in one.notes if not any(word in note for word in silent)
    )
    return IonJumps(
        species=ion, symmetry=sites.symmetry,
        sites=[
            CationSites(
                name=kind.name, count=len(kind.sites), fractional=list(kind.fractional),
                occupancy=float(np.average([one.kinds[place].occupancy for one in each],
                                           weights=[one.duration_ps for one in each])),
            )
            for place, kind in enumerate(each[0].kinds)
        ],
        temperatures=at, barrier=barrier, rate_300=rate_300(rates),
        paddle_wheel=[_test(kind, [test for test in tests if test.event == kind])
                      for kind in dict.fromkeys(test.event for test in tests)],
        notes=list(notes),
    )  # fmt: skip


def _at(kelvin: float, runs: Sequence[JumpAnalysis], rate: Rate) -> JumpsAt:
    names = [kind.name for kind in runs[0].kinds]
    times = {name: sum(kind.time_ps for one in runs for kind in one.kinds if kind.name == name) for name in names}
    events: dict[tuple[str, str], int] = {}
    for one in runs:
        for way in one.rates:
            events[way.start, way.end] = events.get((way.start, way.end), 0) + way.rate.events
    counted = [one.attempts_per_ps for one in runs if one.attempts_per_ps is not None]
    attempts = None
    if len(counted) == len(runs):
        value, low, high = np.mean([(one.value, one.low, one.high) for one in counted], axis=0).tolist()
        attempts = StoredInterval(value=value, low=low, high=high)
    return JumpsAt(
        temperature_K=kelvin, jumps=rate.events, ion_ps=rate.time_ps, rate=rate_interval(rate), attempts=attempts,
        ways={
            f"{start} to {end}": rate_interval(poisson_rate(count, times[start]))
            for (start, end), count in sorted(events.items())
        },
    )  # fmt: skip


def _test(kind: str, tests: Sequence[Coincidence]) -> PaddleWheelTest:
    """Of several runs: each is a test of its own, and all of them together one by Fisher's method."""
    from scipy.stats import combine_pvalues

    resolved = [one for one in tests if one.p_value is not None]
    if not resolved:
        jumps, events = sum(one.n_jumps for one in tests), sum(one.n_events for one in tests)
        reason = f"in no run: {jumps} jumps and {events} {kind}s in all; {tests[0].reason}"
        return PaddleWheelTest(event=kind, tested_runs=0, pairs=0, expected=0.0, reason=reason)
    p = combine_pvalues([one.p_value for one in resolved], method="fisher").pvalue
    return PaddleWheelTest(
        event=kind, p=float(p), tested_runs=len(resolved), pairs=sum(one.pairs for one in resolved),
        expected=sum(one.expected for one in resolved),
    )  # fmt: skip
