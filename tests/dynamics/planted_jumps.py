"""Trajectories of ions that jump between known sites at known times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ninefold.dynamics.trajectories.trajectory import Trajectory, in_memory

EDGE = 5.0
"""Å, of the cubic cell; the trajectory has eight of them. Sites A on corners, B on middles, Mo on edges."""
STEP_FS = 10.0
PASSAGE = 6
"""Frames of a jump."""
LEAST_STAY_PS = 0.15
"""An ion takes a vibration or two to forget where it came from; shorter stays are passages."""


class Planted(NamedTuple):
    """A trajectory and its truth."""

    trajectory: Trajectory
    jumps: list[tuple[int, int, str]]
    """Ion, frame, kind of the site that it leaves."""
    time_ps: dict[str, float]
    """Of all ions on each kind of site."""


def planted(
    rates: dict[str, float],
    frames: int = 20_000,
    n: int = 16,
    amplitude: float = 0.25,
    temperature: float | None = 600.0,
    seed: int = 0,
    correlation: int = 8,
) -> Planted:
    """Ions that leave A and B at these rates per ps, each for one of the eight nearest sites of the other kind.

    Args:
        rates: Kind -> jumps per ion and ps.
        frames: Number.
        n: Ions.
        amplitude: Of the vibration in each direction, Å.
        temperature: Given to the trajectory, K.
        seed: Of everything.
        correlation: Frames, of the vibration.
    """
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    ways = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1).T * EDGE
    path = np.empty((frames, n, 3))
    jumps: list[tuple[int, int, str]] = []
    on = {"A": 0, "B": 0}
    for ion in range(n):
        at, kind, frame = np.floor(rng.uniform(0, 2, 3)) * EDGE, "A", 0
        while True:
            stay = LEAST_STAY_PS + rng.exponential(1 / rates[kind] - LEAST_STAY_PS) if rates[kind] else np.inf
            leave = frame + round(min(stay * 1000 / STEP_FS, frames))
            path[frame:leave, ion] = at
            on[kind] += min(leave, frames) - frame
            if leave + PASSAGE >= frames:
                path[leave:, ion] = at
                break
            goal = at + ways[rng.integers(8)]
            shares = (np.arange(PASSAGE) + 1)[:, None] / (PASSAGE + 1)
            path[leave : leave + PASSAGE, ion] = (1 - shares) * at + shares * goal
            jumps.append((ion, leave, kind))
            on[kind] += PASSAGE
            at, frame, kind = goal, leave + PASSAGE, "B" if kind == "A" else "A"
    keep = np.exp(-1 / correlation)
    noise = rng.normal(size=(frames, n, 3)) * amplitude
    noise[1:] *= np.sqrt(1 - keep**2)
    path = path + lfilter([1.0], [1.0, -keep], noise, axis=0)
    edges = np.array([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    corners = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T
    still = ((corners[:, None] + edges[None]) * EDGE).reshape(-1, 3)
    framework = still + rng.normal(0, 0.08, (frames, len(still), 3))
    positions = np.mod(np.concatenate([path, framework], axis=1), 2 * EDGE)
    species = ["Li"] * n + ["Mo"] * len(still)
    trajectory = in_memory(
        species, positions, np.eye(3) * 2 * EDGE, STEP_FS, temperature_K=temperature, source="planted"
    )
    return Planted(trajectory, sorted(jumps, key=lambda jump: jump[1]), {k: v * STEP_FS / 1000 for k, v in on.items()})
