"""What ions do while they stay on sites: how long, how often they try to leave, and whether two share one."""

from __future__ import annotations

import math

import numpy as np

from ninefold.dynamics.statistics.slopes import Interval
from ninefold.dynamics.transport.cation_sites import Sites
from ninefold.dynamics.transport.site_tracking import NOWHERE, Hop, Tracks

COARSEST_VIBRATION = 0.2
"""Periods of the vibration between two frames, beyond which it cannot be counted."""


def frames_on(tracks: Tracks, sites: int) -> np.ndarray:
    """Frames of all ions on each site, from stay to stay.

    Args:
        tracks: Of the ions.
        sites: Number of sites.

    Returns:
        shape (sites,).
    """
    frames = np.zeros(sites)
    by_ion: dict[int, list[Hop]] = {}
    for hop in tracks.hops:
        by_ion.setdefault(hop.ion, []).append(hop)
    for ion in range(tracks.state.shape[1]):
        known = np.flatnonzero(tracks.state[:, ion] != NOWHERE)
        if not len(known):
            continue
        hops = by_ion.get(ion, [])
        bounds = [int(known[0]), *(hop.frame for hop in hops), len(tracks.state)]
        on = [hops[0].start if hops else int(tracks.state[known[0], ion]), *(hop.end for hop in hops)]
        for site, begin, end in zip(on, bounds[:-1], bounds[1:], strict=True):
            frames[site] += end - begin
    return frames


def attempts_of(paths: np.ndarray, tracks: Tracks, sites: Sites, cell: np.ndarray, step_fs: float) -> Interval | None:
    """How often per ps an ion goes upwards through the mean position of its site, mean of the three directions.

    Of a harmonic vibration it is the frequency; of several, the root of their mean square weighted by their amplitudes
    (Rice, Bell Syst. Tech. J. 24, 46 (1945)). Only runs of frames inside one core count.

    Args:
        paths: shape (f, n, 3), Å, unwrapped, of the ions.
        tracks: Of them.
        sites: In the cell.
        cell: shape (3, 3), Å.
        step_fs: Between frames.

    Returns:
        Per ps; None where frames are too far apart.
    """
    crossings, frames, groups = 0.0, 0, []
    fractional = paths @ np.linalg.inv(cell)
    for ion in range(paths.shape[1]):
        state, inside = tracks.state[:, ion], tracks.is_inside[:, ion]
        found, counted = 0.0, 0
        for site in np.unique(state[inside]):
            here = inside & (state == site)
            steps = fractional[:, ion] - sites.fractional[site]
            off = (steps - np.round(steps)) @ cell
            off = off - off[here].mean(axis=0)
            both = here[1:] & here[:-1]
            found += float((((off[:-1] < 0) & (off[1:] >= 0))[both]).sum()) / 3
            counted += int(both.sum())
        if counted:
            groups.append(found / counted)
        crossings, frames = crossings + found, frames + counted
    if not frames or crossings / frames > COARSEST_VIBRATION:
        return None
    value = crossings / frames / step_fs * 1000
    # ions differ by where they are: their scatter is the error, or that of the count where there is one ion
    scatter = float(np.std(groups, ddof=1) / math.sqrt(len(groups))) if len(groups) > 1 else 0.0
    error = 1.96 * max(scatter / step_fs * 1000, value / math.sqrt(max(1.0, 3 * crossings)))
    return Interval(value, max(0.0, value - error), value + error)


def shared_time(tracks: Tracks, sites: int) -> float:
    """Share of the occupied time of sites in which two ions and more are on one.

    Args:
        tracks: Of the ions.
        sites: Number of sites.
    """
    occupied = double = 0
    for state in tracks.state:
        counts = np.bincount(state[state != NOWHERE], minlength=sites)
        occupied += int((counts > 0).sum())
        double += int((counts > 1).sum())
    return double / occupied if occupied else 0.0
