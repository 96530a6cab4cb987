"""The orientation of a shell as a whole, and its turns, apart from permutations of its ligands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.anions.isomers import Isomers
from ninefold.dynamics.anions.superposition import rotation_angle, rotation_matrix
from ninefold.dynamics.anions.tracking import Permutation

TURN = 45.0
"""Degrees from the orientation of rest, averaged over `SMOOTHING_FS`, beyond which a shell has turned as a whole;
librations reach some 20 degrees."""
SMOOTHING_FS = 100.0
"""Average over which librations cancel, fs; a few of their periods."""


class Turn(NamedTuple):
    """A shell has turned as a whole."""

    frame: int
    angle: float
    """Degrees."""


class Orientation(NamedTuple):
    """The body frame of a shell, which does not jump where its ligands permute."""

    rotations: np.ndarray
    """shape (f, 3, 3): turns the polyhedron's vertices onto the ligands."""
    assignments: np.ndarray
    """shape (f, n): vertex of each ligand in that frame, of the isomer that the shell was in (vibration left out)."""


def orientation(vectors: np.ndarray, first: np.ndarray, events: Sequence[Permutation], isomers: Isomers) -> Orientation:
    """Rotation of each frame, for the isomer that the shell is in by `ninefold.dynamics.anions.tracking.permutations`.

    Of the equivalent assignments after a permutation that one is taken whose rotation differs least from the one
    before: the body frame turns as little as it can.

    Args:
        vectors: shape (f, n, 3), unit vectors.
        first: shape (n,), assignment of the first frame.
        events: Its permutations, by time.
        isomers: Of the polyhedron.
    """
    rotations = np.empty((len(vectors), 3, 3))
    assignments = np.empty(vectors.shape[:2], dtype=np.int64)
    bounds = [0, *(event.frame for event in events), len(vectors)]
    current = np.asarray(first)
    for place, (start, end) in enumerate(pairwise(bounds)):
        if place:
            before = rotation_matrix(vectors[start], isomers.vertices, current)
            current = _least_turned(vectors[start], events[place - 1].after, before, isomers)
        rotations[start:end] = _rotations(vectors[start:end], isomers.vertices[current])
        assignments[start:end] = current
    return Orientation(rotations, assignments)


def turns(rotations: np.ndarray, permuted: Sequence[int], time_step_fs: float) -> list[Turn]:
    """When the shell turned as a whole.

    Args:
        rotations: shape (f, 3, 3), as `orientation` gives them.
        permuted: Frames of the permutations; each starts a new orientation of rest.
        time_step_fs: Between frames.
    """
    window = max(1, round(SMOOTHING_FS / time_step_fs))
    found: list[Turn] = []
    bounds = [0, *permuted, len(rotations)]
    for start, end in pairwise(bounds):
        smooth = _averaged(rotations[start:end], window)
        if not len(smooth):
            continue
        rest = smooth[0]
        place = 0
        while place < len(smooth):
            traces = np.einsum("ij,fij->f", rest, smooth[place:])
            angles = np.degrees(np.arccos(np.clip((traces - 1) / 2, -1, 1)))
            beyond = np.flatnonzero(angles > TURN)
            if not len(beyond):
                break
            # the turn ends where the orientation has settled, one window later
            place += int(beyond[0])
            settled = min(place + window, len(smooth) - 1)
            found.append(Turn(start + place + window // 2, rotation_angle(rest.T @ smooth[settled])))
            rest, place = smooth[settled], settled + 1
    return found


def _rotations(vectors: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Proper rotations that turn vertices, shape (n, 3), onto vectors, shape (f, n, 3): Kabsch by SVD."""
    overlaps = np.einsum("fni,nj->fij", vectors, vertices)
    u, _, vt = np.linalg.svd(overlaps)
    sign = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= sign[:, None]
    return u @ vt


def _averaged(rotations: np.ndarray, window: int) -> np.ndarray:
    """Running average, put back to the nearest rotation; shape (f - window + 1, 3, 3)."""
    if len(rotations) < window:
        return rotations[:0]
    sums = np.cumsum(np.concatenate([np.zeros((1, 3, 3)), rotations]), axis=0)
    mean = (sums[window:] - sums[:-window]) / window
    u, _, vt = np.linalg.svd(mean)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return u @ vt


def _least_turned(vectors: np.ndarray, after: np.ndarray, before: np.ndarray, isomers: Isomers) -> np.ndarray:
    equivalents = isomers.rotations[:, after]
    angles = [
        rotation_angle(before.T @ rotation_matrix(vectors, isomers.vertices, equivalent)) for equivalent in equivalents
    ]
    return equivalents[int(np.argmin(angles))]
