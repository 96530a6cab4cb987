"""Which permutational isomer a shell is in, frame by frame, and when it goes over to another one.

The nearest isomer of a frame is found exactly without looking at every permutation: distances between shells are a
metric, so that an isomer b can be nearer to the frame than a, at distance d, only if a and b are less than 2 d apart.
Those are few, and known for each polyhedron.

A shell vibrates: the nearest isomer of single frames changes to and fro near the middle between two isomers. A
permutation is counted when the shell has come closer to another isomer than to its own by a share of their distance:
with squared distances d_a and d_b of the frame and D between both isomers, the progress (d_a - d_b) / D runs from -1
in the old isomer to +1 in the new one, and the shell goes over at `COMMIT`. On the way back it has to pass -`COMMIT`.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from ninefold.dynamics.isomers import Isomers, nearest_assignment
from ninefold.dynamics.superposition import squared_distance

COMMIT = 0.6
"""Progress from one isomer (-1) to another (+1) at which a permutation counts. Vibration with an amplitude of 0.1 of
the bond length in each direction makes it fluctuate by 0.34 between the closest isomers of nine ligands (docs)."""
_SAME = 1e-6


class Track(NamedTuple):
    """The nearest isomer in each frame."""

    assignments: np.ndarray
    """shape (f, n): vertex of each ligand; the equivalent assignment that changes least from frame to frame."""
    squared_distances: np.ndarray
    """shape (f,): of frame and isomer, for vectors of length one."""


class Permutation(NamedTuple):
    """A shell has gone over to another isomer."""

    frame: int
    """The first in which it counts."""
    left: int
    """The last frame in which the shell was on its own isomer's side by as much."""
    before: np.ndarray
    """shape (n,), the assignment until then."""
    after: np.ndarray
    """shape (n,), the assignment from then on."""
    squared_distance: float
    """Between both isomers."""


def track(vectors: np.ndarray, isomers: Isomers) -> Track:
    """The nearest isomer in each frame.

    Args:
        vectors: shape (f, n, 3), from the centre to each ligand, unit vectors.
        isomers: Of the polyhedron that is followed.
    """
    vectors = np.ascontiguousarray(vectors, dtype=float)
    assignments = np.empty(vectors.shape[:2], dtype=np.int64)
    squared = np.empty(len(vectors))
    frame = 0
    while frame < len(vectors):
        start, _ = nearest_assignment(vectors[frame], isomers.vertices)
        if frame:
            start = _closest_equivalent(start, assignments[frame - 1], isomers)
        frame = _follow(
            vectors, isomers.vertices, isomers.neighbours, isomers.squared_distances, start, frame, assignments, squared
        )
    return Track(assignments, squared)


def permutations(vectors: np.ndarray, found: Track, isomers: Isomers, commit: float = COMMIT) -> list[Permutation]:
    """When the shell went over to another isomer, vibration left out.

    Args:
        vectors: shape (f, n, 3), those that were tracked.
        found: Their nearest isomers.
        isomers: Of the polyhedron.
        commit: Progress at which a permutation counts, 0 to 1.
    """
    frames, lefts, distances = _go_over(
        np.ascontiguousarray(vectors, dtype=float), found.assignments, isomers.vertices, commit
    )
    events = []
    current = found.assignments[0]
    for frame, left, distance in zip(frames, lefts, distances, strict=True):
        after = found.assignments[frame]
        events.append(Permutation(int(frame), int(left), current, after, float(distance)))
        current = after
    return events


def _closest_equivalent(assignment: np.ndarray, previous: np.ndarray, isomers: Isomers) -> np.ndarray:
    """The equivalent of an assignment in which most ligands keep the vertex that they had."""
    equivalents = isomers.rotations[:, assignment]
    return equivalents[int(np.argmax((equivalents == previous).sum(axis=1)))]


@numba.njit(cache=True)
def _follow(
    vectors: np.ndarray,
    vertices: np.ndarray,
    neighbours: np.ndarray,
    between: np.ndarray,
    start: np.ndarray,
    first: int,
    assignments: np.ndarray,
    squared: np.ndarray,
) -> int:
    """Fill the frames from `first` on; the frame at which a full search is needed, or the number of frames."""
    current = start.copy()
    n = len(current)
    farthest = between[-1] if len(between) else 0.0
    trial = np.empty(n, dtype=np.int64)
    for frame in range(first, len(vectors)):
        least = squared_distance(vectors[frame], vertices, current)
        moved = True
        while moved:
            moved = False
            best = -1
            reach = 4.0 * least
            for place in range(len(between)):
                if between[place] >= reach:
                    break
                for ligand in range(n):
                    trial[ligand] = neighbours[place, current[ligand]]
                distance = squared_distance(vectors[frame], vertices, trial)
                if distance < least - 1e-12:
                    least, best = distance, place
            if best >= 0:
                for ligand in range(n):
                    current[ligand] = neighbours[best, current[ligand]]
                moved = True
        if 4.0 * least > farthest and frame > first:
            return frame  # an isomer beyond the known neighbours could be nearer
        assignments[frame] = current
        squared[frame] = least
    return len(vectors)


@numba.njit(cache=True)
def _go_over(
    vectors: np.ndarray, assignments: np.ndarray, vertices: np.ndarray, commit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = vectors.shape[1]
    frames, lefts, distances = [0 for _ in range(0)], [0 for _ in range(0)], [0.0 for _ in range(0)]
    committed = assignments[0].copy()
    inverse = np.empty(n, dtype=np.int64)
    relative = np.empty(n, dtype=np.int64)
    for ligand in range(n):
        inverse[committed[ligand]] = ligand
    left = 0
    for frame in range(len(vectors)):
        nearest = assignments[frame]
        for vertex in range(n):
            relative[vertex] = nearest[inverse[vertex]]
        between = squared_distance(vertices, vertices, relative)
        if between < _SAME:
            left = frame
            continue
        own = squared_distance(vectors[frame], vertices, committed)
        other = squared_distance(vectors[frame], vertices, nearest)
        progress = (own - other) / between
        if progress < -commit:
            left = frame
        if progress > commit:
            frames.append(frame)
            lefts.append(left)
            distances.append(between)
            committed = nearest.copy()
            for ligand in range(n):
                inverse[committed[ligand]] = ligand
            left = frame
    return np.array(frames), np.array(lefts), np.array(distances)
