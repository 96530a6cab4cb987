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

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numba
import numpy as np

from ninefold.dynamics.anions.isomers import Isomers, nearest_assignment
from ninefold.dynamics.anions.superposition import squared_distance

COMMIT = 0.6
"""Progress from one isomer (-1) to another (+1) at which a permutation counts. Vibration with an amplitude of 0.1 of
the bond length in each direction makes it fluctuate by 0.34 between the closest isomers of nine ligands (docs)."""
SHORTEST_STAY_FS = 60.0
"""An arrangement that is left again within this time was passed, or was a fluctuation: some two periods of the bending
modes, 800 to 900 cm^-1."""
_SAME = 1e-6


class Arrangements(Protocol):
    """What ligands are arranged on: the vertices of a polyhedron, or places in a crystal."""

    def canonical(self, assignment: np.ndarray) -> tuple[int, ...]:
        """Equal for assignments that are one arrangement."""
        ...

    def squared_distance_of(self, permutation: np.ndarray) -> float:
        """Between an arrangement and what a permutation of its vertices makes of it."""
        ...


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
    return gone_over(vectors, found.assignments, isomers.vertices, commit, is_turned=True)


def gone_over(
    vectors: np.ndarray, assignments: np.ndarray, vertices: np.ndarray, commit: float = COMMIT, *, is_turned: bool
) -> list[Permutation]:
    """When the shell went over from one arrangement of its ligands to another, vibration left out.

    Args:
        vectors: shape (f, n, 3), unit vectors.
        assignments: shape (f, n), the nearest arrangement of each frame.
        vertices: shape (n, 3).
        commit: Progress at which a permutation counts, 0 to 1.
        is_turned: Whether the vertices are turned onto the ligands as a whole, as those of isomers are; else they stay
            where they are.
    """
    frames, lefts, distances = _go_over(
        np.ascontiguousarray(vectors, dtype=float), np.ascontiguousarray(assignments, dtype=np.int64),
        np.ascontiguousarray(vertices, dtype=float), commit, is_turned,
    )  # fmt: skip
    events = []
    current = assignments[0]
    for frame, left, distance in zip(frames, lefts, distances, strict=True):
        after = assignments[frame]
        events.append(Permutation(int(frame), int(left), current, after, float(distance)))
        current = after
    return events


def without_short_stays(
    events: Sequence[Permutation],
    arrangements: Arrangements,
    time_step_fs: float,
    shortest_fs: float = SHORTEST_STAY_FS,
    *,
    is_merged: bool = True,
) -> list[Permutation]:
    """Permutations from one stay to the next: arrangements that were only passed are left out.

    Args:
        events: Of one shell, by time.
        arrangements: Isomers of a polyhedron, or places in a crystal.
        time_step_fs: Between frames.
        shortest_fs: A stay in an arrangement that counts.
        is_merged: Whether a passage over several arrangements is one permutation; else each step of it is one.

    Returns:
        One that ends where it began is none.
    """
    kept: list[Permutation] = []
    for event in events:
        if kept and (event.frame - kept[-1].frame) * time_step_fs < shortest_fs:
            if arrangements.canonical(event.after) == arrangements.canonical(kept[-1].before):
                kept.pop()
                continue
            if is_merged:
                first = kept.pop()
                relative = event.after[np.argsort(first.before)]
                event = Permutation(
                    event.frame, first.left, first.before, event.after, arrangements.squared_distance_of(relative)
                )
        kept.append(event)
    return kept


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
def _distance(moving: np.ndarray, fixed: np.ndarray, assignment: np.ndarray, is_turned: bool) -> float:
    if is_turned:
        return squared_distance(moving, fixed, assignment)
    total = 0.0
    for index in range(len(assignment)):
        for axis in range(3):
            total += (moving[index, axis] - fixed[assignment[index], axis]) ** 2
    return total


@numba.njit(cache=True)
def _go_over(
    vectors: np.ndarray, assignments: np.ndarray, vertices: np.ndarray, commit: float, is_turned: bool
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
        between = _distance(vertices, vertices, relative, is_turned)
        if between < _SAME:
            left = frame
            continue
        own = _distance(vectors[frame], vertices, committed, is_turned)
        other = _distance(vectors[frame], vertices, nearest, is_turned)
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
