"""The hydrogens of each centre along a trajectory, and which of them change their centre.

A hydrogen belongs to a centre until it is far from it; then it is free until it is near a centre again. A hydride ion,
free from the first frame, may become a ligand likewise. Both bounds are multiples of the mean M-H distance of the first
frame, apart enough that vibration does not cross both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.trajectories.trajectory import Trajectory, nearest_image
from ninefold.errors import InputError
from ninefold.structures.checks import H2_LIGAND

LEAVE = 1.55
"""A hydrogen leaves its centre beyond this multiple of the mean M-H distance: 2.6 Å for 1.68 Å, half-way to the next
shell of the known compounds. Vibration reaches 1.25."""
JOIN = 1.25
"""It joins a centre within this multiple, the bound of a shell in a relaxed structure."""
COUNTED = 1.35
"""In the first frame, which may be a hot one, hydrogens within this multiple of the typical M-H count as ligands."""
NEAREST = 4
"""The typical M-H is the median of so many nearest hydrogens of each centre: all are ligands."""
ON_ITS_WAY_FS = 60.0
"""A shell beside a change of its ligands is distorted by the one that comes or goes; so long it is left out."""
FREE = -1


@dataclass(frozen=True)
class Exchange:
    """A hydrogen has left its centre, or was a hydride ion; where it went."""

    frame: int
    """The first in which it was beyond `LEAVE`; of a hydride ion, that in which it joined."""
    hydrogen: int
    """Index of the atom."""
    left: int | None
    """Index of the centre that it left; None of a hydride ion, which had been in no shell since the first frame."""
    joined: int | None
    """Index of the centre that it joined, which may be the same; None where it stayed free to the end."""
    joined_frame: int | None


class ExchangeCounts(NamedTuple):
    """Where hydrogens went."""

    to_other: int
    """From one centre to another."""
    back: int
    """To the centre that they had left."""
    of_hydride: int
    """Into a shell, by hydride ions."""
    free: int
    """Left a centre and joined none to the end."""


def counted(exchanges: Sequence[Exchange]) -> ExchangeCounts:
    """Exchanges by where hydrogens went."""
    of_hydride = sum(one.left is None for one in exchanges)
    free = sum(one.joined is None for one in exchanges)
    back = sum(one.joined is not None and one.joined == one.left for one in exchanges)
    return ExchangeCounts(len(exchanges) - of_hydride - free - back, back, of_hydride, free)


@dataclass
class Segment:
    """Frames in which a centre keeps the same ligands."""

    centre: int
    """Index of the atom."""
    ligands: np.ndarray
    """shape (n,), indices of the atoms."""
    first: int
    """Number of its first frame."""
    pieces: list[np.ndarray] = field(default_factory=list)

    @property
    def vectors(self) -> np.ndarray:
        """Shape (f, n, 3), Å, from the centre to each ligand."""
        return np.concatenate(self.pieces) if self.pieces else np.empty((0, len(self.ligands), 3), dtype=np.float32)

    def __len__(self) -> int:
        return sum(len(piece) for piece in self.pieces)


@dataclass
class Shells:
    """The shells of all centres of one kind."""

    centre: str
    n: int
    """Ligands of a whole shell."""
    segments: list[Segment]
    """Of whole shells, in order of centre and time."""
    exchanges: list[Exchange]
    mean_distance: float
    """M-H of the first frame, Å."""
    n_frames: int
    h2_frames: int
    """Frames, summed over centres, in which two ligands are closer than 1.0 Å."""
    incomplete_frames: int
    """Frames, summed over centres, in which a shell has more or fewer than n ligands, or is beside such a change."""
    h2_molecules: int
    """Pairs of hydrogens of no shell that are within 1.0 Å at the end."""


def follow_shells(trajectory: Trajectory, centre: str, n: int | None = None) -> Shells:
    """The shell of every centre, frame by frame.

    Args:
        trajectory: Wrapped or not.
        centre: Symbol of the centres.
        n: Ligands of a shell; default: those of the first frame within `COUNTED` times the typical M-H, if all
            centres have the same number.

    Raises:
        InputError: if there is no such centre, or its shells are not alike in the first frame.
    """
    chunks = trajectory.chunks()
    head = next(chunks, None)
    symbols = trajectory.symbols
    centres, hydrogens = np.flatnonzero(symbols == centre), np.flatnonzero(symbols == "H")
    if head is None or not len(head):
        raise InputError(
            "trajectory", trajectory.source, problem="has no frame left to analyse", allowed="one frame and more"
        )
    if not len(hydrogens):
        raise InputError("--centre", centre, problem="has no ligands: there is no hydrogen among the atoms")
    if not len(centres):
        raise InputError(
            "--centre", centre, problem="is not among the atoms",
            allowed=", ".join(sorted(set(symbols.tolist()) - {"H"})) or "an element of them",
        )  # fmt: skip
    if n is not None and not 1 <= n <= len(hydrogens):
        raise InputError("--ligands", n, allowed=f"1 to {len(hydrogens)}, the hydrogens that there are")
    owners, mean = _first_owners(head.positions[0], head.cells[0], centres, hydrogens, centre, n)
    n = n or int((owners == 0).sum())
    following = _Following(centres, hydrogens, owners, mean, n, trajectory.time_step_fs)
    following.add(head.positions, head.cells)
    for frames in chunks:
        following.add(frames.positions, frames.cells)
    return following.result(centre)


def _first_owners(
    positions: np.ndarray, cell: np.ndarray, centres: np.ndarray, hydrogens: np.ndarray, centre: str, n: int | None
) -> tuple[np.ndarray, float]:
    """Place in `centres` of each hydrogen's centre, or `FREE`; and the mean distance of those bound, Å."""
    steps = positions[hydrogens][:, None, :] - positions[centres][None, :, :]
    distances = np.linalg.norm(nearest_image(steps, np.broadcast_to(cell, (len(steps), 3, 3))), axis=2)
    owners = np.full(len(hydrogens), FREE)
    if n is None:
        typical = np.median(np.sort(distances, axis=0)[:NEAREST])
        bound = distances <= COUNTED * typical
    else:
        bound = np.zeros_like(distances, dtype=bool)
        nearest = np.argsort(distances, axis=0, kind="stable")[:n]
        np.put_along_axis(bound, nearest, values=True, axis=0)
    counts = bound.sum(axis=0)
    shared = bound.sum(axis=1) > 1
    if shared.any() or len(set(counts.tolist())) > 1:
        problem = "share a hydrogen" if shared.any() else f"have {', '.join(map(str, sorted(set(counts.tolist()))))}"
        raise InputError(
            "--centre", centre, problem=f"has centres that {problem} in the first frame",
            allowed="shells of the same number of hydrogens, none shared",
            hint="start from a relaxed structure, or say how many hydrogens each has",
        )  # fmt: skip
    owners[bound.any(axis=1)] = np.argmax(bound[bound.any(axis=1)], axis=1)
    return owners, float(distances[bound].mean())


class _Following:
    """Owners of the hydrogens, carried from chunk to chunk."""

    def __init__(
        self, centres: np.ndarray, hydrogens: np.ndarray, owners: np.ndarray, mean: float, n: int, step_fs: float
    ) -> None:
        self._centres, self._hydrogens, self._owners, self._mean, self._n = centres, hydrogens, owners, mean, n
        self._beside = math.ceil(ON_ITS_WAY_FS / step_fs)
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._frame = 0
        self._open: dict[int, Segment] = {}
        self._segments: list[Segment] = []
        self._exchanges: list[Exchange] = []
        self._away: dict[int, tuple[int, int]] = {}
        self._h2 = self._incomplete = 0

    def add(self, positions: np.ndarray, cells: np.ndarray) -> None:
        self._last = positions[-1], cells[-1]
        start = 0
        while start < len(positions):
            start += self._add_until_change(positions[start:], cells[start:])

    def _add_until_change(self, positions: np.ndarray, cells: np.ndarray) -> int:
        """Frames taken: all, or those before a hydrogen leaves or joins."""
        bound, free = np.flatnonzero(self._owners != FREE), np.flatnonzero(self._owners == FREE)
        steps = positions[:, self._hydrogens[bound]] - positions[:, self._centres[self._owners[bound]]]
        vectors = nearest_image(steps, cells)
        distances = np.linalg.norm(vectors, axis=2)
        leaving = distances > LEAVE * self._mean
        change = _first_true(leaving.any(axis=1))
        change = min(change, self._first_joining(positions[:change], cells[:change], free))
        if change:
            self._keep(bound, vectors[:change])
        if change == len(positions):
            self._frame += change
            return change
        self._frame += change
        for place in bound[leaving[change]] if leaving[change].any() else ():
            self._away[int(place)] = (self._frame, int(self._owners[place]))
            self._owners[place] = FREE
        self._join(positions[change], cells[change])
        return change

    def _first_joining(self, positions: np.ndarray, cells: np.ndarray, free: np.ndarray) -> int:
        """The first frame in which a hydrogen of no shell is near a centre."""
        if not len(free) or not len(positions):
            return len(positions)
        nearest = self._distances(positions, cells, free).min(axis=2)
        return _first_true((nearest <= JOIN * self._mean).any(axis=1))

    def _distances(self, positions: np.ndarray, cells: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Shape (f, places, centres), Å."""
        steps = positions[:, self._hydrogens[places], None, :] - positions[:, None, self._centres, :]
        shape = steps.shape
        flat = nearest_image(steps.reshape(shape[0], -1, 3), cells)
        return np.linalg.norm(flat, axis=2).reshape(shape[:3])

    def _join(self, positions: np.ndarray, cells: np.ndarray) -> None:
        free = np.flatnonzero(self._owners == FREE)
        if not len(free):
            return
        distances = self._distances(positions[None], cells[None], free)[0]
        for place, to_centres in zip(free.tolist(), distances, strict=True):
            nearest = int(np.argmin(to_centres))
            if to_centres[nearest] > JOIN * self._mean:
                continue
            frame, left = self._away.pop(place, (self._frame, FREE))
            self._owners[place] = nearest
            self._exchanges.append(
                Exchange(
                    frame, int(self._hydrogens[place]), None if left == FREE else int(self._centres[left]),
                    int(self._centres[nearest]), self._frame,
                )
            )  # fmt: skip

    def _keep(self, bound: np.ndarray, vectors: np.ndarray) -> None:
        for place in range(len(self._centres)):
            mine = np.flatnonzero(self._owners[bound] == place)
            ligands = self._hydrogens[bound[mine]]
            segment = self._open.get(place)
            if len(ligands) != self._n:
                self._incomplete += len(vectors)
                self._open.pop(place, None)
                continue
            own = vectors[:, mine]
            self._h2 += _frames_with_h2(own)
            expected = None if segment is None else segment.first + len(segment)
            if segment is None or expected != self._frame or not np.array_equal(segment.ligands, ligands):
                segment = Segment(int(self._centres[place]), ligands, self._frame)
                self._open[place] = segment
                self._segments.append(segment)
            segment.pieces.append(own.astype(np.float32))

    def result(self, centre: str) -> Shells:
        for place, (frame, left) in self._away.items():
            self._exchanges.append(Exchange(frame, int(self._hydrogens[place]), int(self._centres[left]), None, None))
        whole = [self._without_ends(segment) for segment in self._segments]
        segments = sorted((one for one in whole if len(one)), key=lambda segment: (segment.centre, segment.first))
        exchanges = sorted(self._exchanges, key=lambda exchange: exchange.frame)
        return Shells(
            centre, self._n, segments, exchanges, self._mean, self._frame, self._h2, self._incomplete, self._molecules()
        )

    def _without_ends(self, segment: Segment) -> Segment:
        """A segment without the frames in which a ligand comes or goes."""
        length = len(segment)
        start = self._beside if segment.first else 0
        end = length if segment.first + length == self._frame else length - self._beside
        if (start, end) == (0, length):
            return segment
        kept = segment.vectors[start : max(start, end)]
        self._incomplete += length - len(kept)
        return Segment(segment.centre, segment.ligands, segment.first + start, [kept])

    def _molecules(self) -> int:
        free = self._hydrogens[self._owners == FREE]
        if self._last is None or len(free) < 2:
            return 0
        positions, cell = self._last
        first, second = np.triu_indices(len(free), 1)
        steps = nearest_image((positions[free[first]] - positions[free[second]])[None], cell[None])[0]
        return int((np.linalg.norm(steps, axis=1) < H2_LIGAND).sum())


def _frames_with_h2(vectors: np.ndarray) -> int:
    """Frames in which two ligands are within `H2_LIGAND`; vectors of shape (f, n, 3), Å."""
    first, second = np.triu_indices(vectors.shape[1], 1)
    between = np.linalg.norm(vectors[:, first] - vectors[:, second], axis=2)
    return int((between < H2_LIGAND).any(axis=1).sum())


def _first_true(flags: np.ndarray) -> int:
    """Index of the first True, or the length."""
    return int(np.argmax(flags)) if flags.any() else len(flags)


def ligand_vectors(shells: Shells) -> Iterator[tuple[Segment, np.ndarray]]:
    """Each segment with its unit vectors, shape (f, n, 3)."""
    for segment in shells.segments:
        vectors = segment.vectors.astype(float)
        yield segment, vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
