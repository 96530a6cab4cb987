"""Jumps of a mobile ion between sites: residence times, rates between kinds of sites, attempts, barriers.

An ion is on a site from its first frame in the core to its first frame in the core of another; rates are jumps per time
spent on sites of a kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ninefold.dynamics.statistics.rates import (
    BOLTZMANN,
    FEWEST_EVENTS,
    Arrhenius,
    Rate,
    fit_arrhenius,
    poisson_rate,
    shown_ps,
)
from ninefold.dynamics.statistics.slopes import Interval
from ninefold.dynamics.trajectories.displacements import Displacements
from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.dynamics.transport.cation_sites import Sites
from ninefold.dynamics.transport.site_stays import attempts_of, frames_on, shared_time
from ninefold.dynamics.transport.site_tracking import Hop, track_sites
from ninefold.errors import InputError
from ninefold.plain_values import plain_values

LEAST_INSIDE = 0.5
"""Share of the time in cores, below which the sites are not where the ions are."""
MOST_SHARED = 0.02
"""Share of a site's time with two ions on it, above which sites are not separate places."""
FEWEST_FRAMES = 100
"""Below, there is no density whose maxima are sites."""


@dataclass(frozen=True)
class Jump:
    """An ion has gone from site to site."""

    ion: int
    """Index of the atom."""
    time_fs: float
    """Middle between both cores."""
    passage_fs: float
    """From the last frame in the old core to the first in the new one."""
    start: int
    end: int
    """Sites."""
    distance: float
    """Between the sites, Å."""
    middle: tuple[float, float, float]
    """Of the straight way between the sites, Å, Cartesian, in any cell."""


@dataclass(frozen=True)
class SiteKind:
    """Sites that symmetry makes alike."""

    name: str
    sites: tuple[int, ...]
    fractional: tuple[float, float, float]
    """Of the first of them."""
    core: float
    """Radius of the cores, Å, mean."""
    occupancy: float
    """Ions on a site, mean."""
    time_ps: float
    """Of all ions on sites of the kind."""
    departures: Rate
    """Jumps per ion and ps; the mean residence time is one over it."""


class JumpRate(NamedTuple):
    """From one kind of site to another."""

    start: str
    end: str
    rate: Rate
    """Per ion on the start and ps."""
    distance: float
    """Å, mean of the jumps; not a number without one."""
    free_barrier_eV: Interval | None
    """kT ln(attempts / rate): of the rate at this temperature alone, with all ways that lead there. None without jumps,
    temperature or attempt frequency."""


@dataclass(frozen=True)
class JumpAnalysis:
    """One trajectory."""

    source: str
    mobile: str
    n_ions: int
    temperature_K: float | None
    duration_ps: float
    n_sites: int
    sites_from: str
    symmetry: str
    kinds: tuple[SiteKind, ...]
    rates: tuple[JumpRate, ...]
    """Every pair of kinds between which there are jumps."""
    jumps: tuple[Jump, ...]
    """By time."""
    total: Rate
    """Per ion and ps."""
    attempts_per_ps: Interval | None
    """Passages of an ion through the mean position of its site, per direction: the frequency of its vibration. None
    where frames are too far apart."""
    inside: float
    """Share of the time in cores."""
    shared: float
    """Share of the occupied time of sites in which two ions and more are on one."""
    jump_diffusion: Interval
    """cm2/s, as if jumps were independent of each other: squared distances over 6 n t. The tracer's is lower where ions
    jump back."""
    forces: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys; jumps in full."""
        values: dict[str, Any] = plain_values(self)
        for rate in values["rates"]:
            rate["distance"] = None if math.isnan(rate["distance"]) else rate["distance"]
        return values


def analyse_jumps(trajectory: Trajectory, moved: Displacements, sites: Sites) -> JumpAnalysis:
    """Jumps of the mobile ions of a trajectory between sites.

    Args:
        trajectory: Any.
        moved: Its unwrapped paths.
        sites: In its cell.

    Raises:
        InputError: of a trajectory of few frames.
    """
    step_fs = trajectory.time_step_fs
    paths = moved.paths
    if len(paths) < FEWEST_FRAMES:
        raise InputError(
            trajectory.source or "trajectory", f"{len(paths)} frames", problem="are too few to count jumps",
            allowed=f"{FEWEST_FRAMES} and more",
        )  # fmt: skip
    tracks = track_sites(paths @ np.linalg.inv(moved.cell), sites, step_fs)
    atoms = np.flatnonzero(moved.symbols == moved.mobile)
    number = int(sites.classes.max()) + 1
    frames = frames_on(tracks, len(sites.fractional))
    times = np.array([frames[sites.classes == kind].sum() for kind in range(number)]) * step_fs / 1000
    attempts = attempts_of(paths, tracks, sites, moved.cell, step_fs)
    jumps = sorted((_jump(hop, sites, atoms, step_fs) for hop in tracks.hops), key=lambda jump: jump.time_fs)
    kinds = tuple(
        SiteKind(
            f"{moved.mobile}{kind + 1}", tuple(np.flatnonzero(sites.classes == kind).tolist()),
            _triple(sites.fractional[sites.classes == kind][0]), float(sites.radii[sites.classes == kind].mean()),
            float(frames[sites.classes == kind].mean() / len(paths)), float(times[kind]),
            poisson_rate(sum(int(sites.classes[jump.start]) == kind for jump in jumps), float(times[kind])),
        )
        for kind in range(number)
    )  # fmt: skip
    inside = float(tracks.is_inside.mean())
    duration = len(paths) * step_fs / 1000
    squares = [jump.distance**2 for jump in jumps]
    total = poisson_rate(len(jumps), float(times.sum()))
    shared = shared_time(tracks, len(sites.fractional))
    return JumpAnalysis(
        source=trajectory.source, mobile=moved.mobile, n_ions=paths.shape[1], temperature_K=trajectory.temperature_K,
        duration_ps=duration, n_sites=len(sites.fractional), sites_from=sites.origin, symmetry=sites.symmetry,
        kinds=kinds, rates=_rates(jumps, sites, kinds, trajectory.temperature_K, attempts), jumps=tuple(jumps),
        total=total, attempts_per_ps=attempts, inside=inside, shared=shared,
        jump_diffusion=_diffusion(squares, paths.shape[1], duration, total),
        forces="not known" if trajectory.forces is None else trajectory.forces.sentence,
        notes=tuple(_notes(trajectory, total, kinds, attempts, inside, shared)),
    )  # fmt: skip


def jump_barrier(found: Sequence[JumpAnalysis], start: str | None = None, end: str | None = None) -> Arrhenius:
    """Barrier of the jumps of all ions, or from one kind of site to another, by their rates at several temperatures.

    Args:
        found: At several temperatures, on the same sites.
        start: Name of a kind of site; None: of all.
        end: Name of a kind of site; None: to any.

    Raises:
        InputError: without enough jumps at two temperatures and more, or a trajectory without a temperature.
    """
    temperatures = [one.temperature_K for one in found]
    if any(kelvin is None for kelvin in temperatures):
        raise InputError("--temperature", None, problem="is needed of every trajectory for a barrier")
    known = [float(kelvin) for kelvin in temperatures if kelvin is not None]
    return fit_arrhenius(known, [_rate_between(one, start, end) for one in found])


def _rate_between(found: JumpAnalysis, start: str | None, end: str | None) -> Rate:
    if start is None:
        return found.total
    kind = next(one for one in found.kinds if one.name == start)
    if end is None:
        return kind.departures
    events = sum(one.rate.events for one in found.rates if (one.start, one.end) == (start, end))
    return poisson_rate(events, kind.time_ps)


def _jump(hop: Hop, sites: Sites, atoms: np.ndarray, step_fs: float) -> Jump:
    way = (sites.fractional[hop.end] + hop.lattice - sites.fractional[hop.start]) @ sites.cell
    middle = sites.fractional[hop.start] @ sites.cell + way / 2
    return Jump(
        int(atoms[hop.ion]), (hop.left + hop.frame) / 2 * step_fs, (hop.frame - hop.left) * step_fs, hop.start, hop.end,
        float(np.linalg.norm(way)), _triple(middle),
    )  # fmt: skip


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return a, b, c


def _rates(
    jumps: Sequence[Jump], sites: Sites, kinds: Sequence[SiteKind], kelvin: float | None, attempts: Interval | None
) -> tuple[JumpRate, ...]:
    rows = []
    pairs: dict[tuple[int, int], list[float]] = {}
    for jump in jumps:
        pair = (int(sites.classes[jump.start]), int(sites.classes[jump.end]))
        pairs.setdefault(pair, []).append(jump.distance)
    for (start, end), distances in sorted(pairs.items()):
        rate = poisson_rate(len(distances), kinds[start].time_ps)
        barrier = None
        if kelvin is not None and attempts is not None and attempts.low > 0:
            kt = BOLTZMANN * kelvin
            barrier = Interval(
                kt * math.log(attempts.value / rate.per_ps), kt * math.log(attempts.low / rate.high),
                kt * math.log(attempts.high / rate.low),
            )  # fmt: skip
        rows.append(JumpRate(kinds[start].name, kinds[end].name, rate, float(np.mean(distances)), barrier))
    return tuple(rows)


def _diffusion(squares: Sequence[float], n: int, duration_ps: float, total: Rate) -> Interval:
    per_jump = float(np.mean(squares)) if squares else 9.0
    factor = per_jump / 6 * 1e-4
    share = total.time_ps / (n * duration_ps)
    return Interval(
        total.per_ps * factor * share if squares else 0.0, total.low * factor * share, total.high * factor * share
    )


def _notes(
    trajectory: Trajectory, total: Rate, kinds: Sequence[SiteKind], attempts: Interval | None, inside: float,
    shared: float,
) -> list[str]:  # fmt: skip
    notes = list(trajectory.warnings)
    if not total.events:
        notes.append(
            f"no jump in {shown_ps(total.time_ps)} of ions: the rate is below {total.high:.2g} per ion and ps (95 %)"
        )
    elif total.events < FEWEST_EVENTS:
        notes.append(f"{total.events} jumps: the run is too short for more than the order of their rate")
    if inside < LEAST_INSIDE:
        notes.append(f"ions are in the cores of sites {inside:.0%} of the time: these are not the sites they stay on")
    if shared > MOST_SHARED:
        notes.append(f"two ions are on one site {shared:.0%} of the time: a site that should be two, or a liquid")
    empty = [kind.name for kind in kinds if kind.time_ps == 0]
    if empty:
        notes.append(f"never an ion on {', '.join(empty)}")
    if attempts is None:
        notes.append(
            f"{trajectory.time_step_fs:g} fs between frames are too long to count vibrations: no attempt frequency, "
            "no barrier from one temperature"
        )
    return notes
