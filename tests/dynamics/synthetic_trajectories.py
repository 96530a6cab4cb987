"""Trajectories of shells whose events are known: written from a plan, with correlated vibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ninefold.dynamics.trajectories.trajectory import Trajectory, in_memory
from ninefold.structures.polyhedra import polyhedra

M_H = 1.68
SPACING = 7.0
RADIAL = 0.3
"""Amplitude along the bond over that across it: the stretching mode has twice to three times the frequency."""


@dataclass
class Plan:
    """What the shell of one centre does."""

    permutations: dict[int, np.ndarray] = field(default_factory=dict)
    """Frame -> permutation of the vertices that starts there."""
    turns: dict[int, Rotation] = field(default_factory=dict)
    """Frame -> turn of the whole that starts there."""
    passage: int = 20
    """Frames of a permutation or turn."""


def shell(
    polyhedron: np.ndarray, frames: int, plan: Plan, amplitude: float, rng: np.random.Generator, correlation: int = 10
) -> np.ndarray:
    """Vectors, shape (frames, n, 3), Å: each ligand goes straight to its new vertex, the length of M-H kept."""
    n = len(polyhedron)
    assignment = np.arange(n)
    orientation = Rotation.from_rotvec(rng.normal(size=3))
    vectors = np.empty((frames, n, 3))
    current = orientation.apply(polyhedron[assignment])
    starts = sorted([*plan.permutations, *plan.turns])
    previous = 0
    for start in starts:
        vectors[previous:start] = current
        if start in plan.permutations:
            assignment = plan.permutations[start][assignment]
            target = polyhedron[assignment]
            rotation, _ = Rotation.align_vectors(current, target)
            orientation, goal = rotation, rotation.apply(target)
            for step in range(plan.passage):
                share = (step + 1) / plan.passage
                mixed = (1 - share) * current + share * goal
                vectors[start + step] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        else:
            turn = Slerp([0, 1], Rotation.concatenate([Rotation.identity(), plan.turns[start]]))
            for step in range(plan.passage):
                vectors[start + step] = turn((step + 1) / plan.passage).apply(current)
            goal = plan.turns[start].apply(current)
        current, previous = goal, start + plan.passage
    vectors[previous:] = current
    moved = vibration(frames, n, amplitude, rng, correlation)
    moved -= (1 - RADIAL) * np.einsum("fni,fni->fn", moved, vectors)[..., None] * vectors
    return M_H * (vectors + moved)


def vibration(frames: int, n: int, amplitude: float, rng: np.random.Generator, correlation: int) -> np.ndarray:
    """Correlated Gaussian displacements, shape (frames, n, 3), in units of M-H."""
    from scipy.signal import lfilter

    keep = np.exp(-1 / correlation)
    noise = rng.normal(size=(frames, n, 3)) * amplitude
    noise[1:] *= np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise, axis=0)


def crystal(
    shells: Sequence[np.ndarray], time_step_fs: float = 2.0, wrap: bool = True, symbol: str = "Re"
) -> Trajectory:
    """Shells on a row of centres in one cell, with a cation between them."""
    count, frames = len(shells), len(shells[0])
    cell = np.diag([SPACING * count, SPACING, SPACING])
    positions, species = [], []
    for place, vectors in enumerate(shells):
        centre = np.array([SPACING * place + 0.3, 0.2, 0.1])
        positions.append(np.broadcast_to(centre, (frames, 1, 3)))
        positions.append(centre + vectors)
        positions.append(np.broadcast_to(centre + SPACING / 2, (frames, 1, 3)))
        species += [symbol, *["H"] * vectors.shape[1], "K"]
    every = np.concatenate(positions, axis=1)
    if wrap:
        every = np.mod(every @ np.linalg.inv(cell), 1.0) @ cell
    return in_memory(species, every, cell, time_step_fs)


def ideal(n: int, name: str | None = None) -> tuple[str, np.ndarray]:
    """A polyhedron by name, or the first of n ligands."""
    found = polyhedra(n)
    name = name or next(iter(found))
    return name, found[name]
