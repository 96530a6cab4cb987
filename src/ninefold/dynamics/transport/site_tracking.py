"""Which site an ion is on, frame by frame: it stays on one until it has come into the core of another."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from ninefold.dynamics.transport.cation_sites import Sites

SHORTEST_STAY_FS = 100.0
"""A core that is left again within this time was passed: a period of a cation's vibration (3-15 THz)."""
NOWHERE = -1


class Hop(NamedTuple):
    """An ion has gone from one site to another."""

    ion: int
    """Counted among the mobile ions."""
    left: int
    """Last frame in the core of the old site."""
    frame: int
    """First frame in the core of the new one."""
    start: int
    end: int
    """Sites."""
    lattice: tuple[int, int, int]
    """Cell of the new site, from that of the old one."""


class Tracks(NamedTuple):
    """All mobile ions of a trajectory on some sites."""

    state: np.ndarray
    """shape (f, n), site of each ion; NOWHERE before it first comes into a core."""
    is_inside: np.ndarray
    """shape (f, n), whether it is in a core."""
    hops: tuple[Hop, ...]
    """By ion, then by time."""


def track_sites(fractional: np.ndarray, sites: Sites, time_step_fs: float) -> Tracks:
    """Follow ions from core to core.

    Args:
        fractional: shape (f, n, 3), unwrapped.
        sites: Any.
        time_step_fs: Between frames.
    """
    state, lattice, inside = _follow(
        np.ascontiguousarray(fractional, dtype=float), sites.fractional, sites.cell, sites.radii**2
    )
    hops: list[Hop] = []
    shortest = SHORTEST_STAY_FS / time_step_fs
    for ion in range(state.shape[1]):
        changed = (np.diff(state[:, ion]) != 0) | (np.diff(lattice[:, ion], axis=0) != 0).any(axis=1)
        frames = np.flatnonzero(changed & (state[:-1, ion] != NOWHERE)) + 1
        inner = np.flatnonzero(inside[:, ion])
        raw = [
            Hop(
                ion, int(inner[np.searchsorted(inner, frame) - 1]), int(frame), int(state[frame - 1, ion]),
                int(state[frame, ion]), _cell(lattice[frame, ion] - lattice[frame - 1, ion]),
            )
            for frame in frames
        ]  # fmt: skip
        hops += _without_passed(raw, shortest)
    return Tracks(state, inside, tuple(hops))


def _without_passed(hops: list[Hop], shortest: float) -> list[Hop]:
    """Hops from stay to stay: over a core that was only passed there is one, and back to the start none."""
    kept: list[Hop] = []
    for hop in hops:
        if kept and hop.left - kept[-1].frame < shortest:
            first = kept.pop()
            lattice = _cell(np.add(first.lattice, hop.lattice))
            if hop.end == first.start and not any(lattice):
                continue
            hop = Hop(hop.ion, first.left, hop.frame, first.start, hop.end, lattice)
        kept.append(hop)
    return kept


def _cell(vector: np.ndarray) -> tuple[int, int, int]:
    a, b, c = (int(value) for value in vector)
    return a, b, c


@numba.njit(cache=True)
def _follow(
    fractional: np.ndarray, sites: np.ndarray, cell: np.ndarray, squared_radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frames, n = fractional.shape[0], fractional.shape[1]
    state = np.full((frames, n), -1, dtype=np.int32)
    lattice = np.zeros((frames, n, 3), dtype=np.int32)
    inside = np.zeros((frames, n), dtype=np.bool_)
    step, whole = np.empty(3), np.empty(3)
    for ion in range(n):
        current = -1
        at = np.zeros(3)
        for frame in range(frames):
            found = False
            for trial in range(-1, len(sites)):
                # the site it is on first: most frames end there
                site = current if trial < 0 else trial
                if site < 0 or (trial >= 0 and found):
                    continue
                for axis in range(3):
                    step[axis] = fractional[frame, ion, axis] - sites[site, axis]
                    whole[axis] = np.round(step[axis])
                    step[axis] -= whole[axis]
                squared = 0.0
                for axis in range(3):
                    length = step[0] * cell[0, axis] + step[1] * cell[1, axis] + step[2] * cell[2, axis]
                    squared += length * length
                if squared <= squared_radii[site]:
                    found = True
                    current = site
                    at[:] = whole
                    break
            state[frame, ion] = current
            inside[frame, ion] = found
            for axis in range(3):
                lattice[frame, ion, axis] = int(at[axis])
    return state, lattice, inside
