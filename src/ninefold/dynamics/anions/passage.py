"""Free energy along the way from an isomer to the closest others.

The progress of a frame towards another isomer is (d_a - d_b) / D, with the squared distances to its own isomer a, to
the other b, and D between both: -1 in a, 0 in the middle, +1 in b. Of the closest isomers the one of most progress is
taken: vibration of many ligands takes the shell some way towards one of them, so that the lowest place is not at -1.
The free energy is -kT ln of the probability of the progress, whose middle is the transition state if the way is
straight; its height above the lowest place is an effective barrier of permutations and knows nothing of how the anion
lies in the crystal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from ninefold.dynamics.anions.isomers import Isomers
from ninefold.dynamics.anions.superposition import squared_distance
from ninefold.dynamics.statistics.rates import BOLTZMANN

BINS = 40
"""Of the progress from -1 to 0."""
CLOSEST = 1e-3
"""Isomers within this squared distance of the closest one count as the closest."""


class Passage(NamedTuple):
    """Free energy along the progress to the closest isomers."""

    progress: tuple[float, ...]
    """Middles of the bins, -1 to 0."""
    free_energy_eV: tuple[float | None, ...]
    """Above the lowest; None where no frame was."""
    barrier_eV: float | None
    """At the middle between both isomers, above the lowest; None if no frame was there."""
    lowest: float = -1.0
    """Progress where the free energy is lowest: near 0 there is no barrier between two isomers."""


def passage(shells: Sequence[tuple[np.ndarray, np.ndarray]], isomers: Isomers, temperature_K: float) -> Passage | None:
    """Free energy of the progress, of all shells together.

    Args:
        shells: Of each shell its unit vectors, shape (f, n, 3), and the assignments of the isomers that it is in, shape
            (f, n).
        isomers: Of the polyhedron.
        temperature_K: Of the run.

    Returns:
        None where the polyhedron has one isomer alone.
    """
    if not len(isomers.neighbours):
        return None
    near = isomers.squared_distances <= isomers.squared_distances[0] + CLOSEST
    counts = np.zeros(BINS)
    edges = np.linspace(-1.0, 0.0, BINS + 1)
    for vectors, assignments in shells:
        values = _most_progress(
            np.ascontiguousarray(vectors), assignments, isomers.vertices, isomers.neighbours[near],
            isomers.squared_distances[near],
        )  # fmt: skip
        # between -1 and 0 the way towards b; beyond 0, before the shell counts as gone over, that back towards a
        counts += np.histogram(-np.abs(values), bins=edges)[0]
    with np.errstate(divide="ignore"):
        energies = -BOLTZMANN * temperature_K * np.log(counts / max(counts.max(), 1.0))
    known = tuple(float(energy) if np.isfinite(energy) else None for energy in energies)
    middles = tuple(float(value) for value in (edges[:-1] + edges[1:]) / 2)
    return Passage(middles, known, known[-1], middles[int(np.argmax(counts))])


@numba.njit(cache=True)
def _most_progress(
    vectors: np.ndarray, assignments: np.ndarray, vertices: np.ndarray, neighbours: np.ndarray, between: np.ndarray
) -> np.ndarray:
    result = np.empty(len(vectors))
    trial = np.empty(vectors.shape[1], dtype=np.int64)
    for frame in range(len(vectors)):
        own = squared_distance(vectors[frame], vertices, assignments[frame])
        best = -np.inf
        for place in range(len(neighbours)):
            for ligand in range(len(trial)):
                trial[ligand] = neighbours[place, assignments[frame, ligand]]
            other = squared_distance(vectors[frame], vertices, trial)
            best = max(best, (own - other) / between[place])
        result[frame] = best
    return result
