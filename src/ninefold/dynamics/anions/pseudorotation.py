"""What the ligands of a centre do: permutations of the shell, turns of the whole, exchange, polyhedra.

A permutation that no turn of the whole shell can make is a pseudorotation. It is followed on the polyhedron that
the shells are closest to on average; the other polyhedra are followed beside it, for populations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ninefold.dynamics.anions.body_frame import Orientation, Turn, orientation, turns
from ninefold.dynamics.anions.cages import with_cages
from ninefold.dynamics.anions.isomers import Isomers, isomers_of, shape_measure
from ninefold.dynamics.anions.shells import Exchange, Segment, Shells, follow_shells, ligand_vectors
from ninefold.dynamics.anions.superposition import rotation_matrix
from ninefold.dynamics.anions.tracking import COMMIT, Permutation, permutations, track, without_short_stays
from ninefold.dynamics.statistics.rates import Rate, dispersion_of, poisson_rate
from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.errors import InputError

FEWEST_FRAMES = 20
"""Shorter segments are not followed: there is nothing to average over."""
MOVED = 0.35
"""A ligand has moved in a permutation if its direction in the body frame changes by more than this share of M-H."""


@dataclass(frozen=True)
class Event:
    """One permutation of one shell."""

    centre: int
    """Index of the atom."""
    time_fs: float
    passage_fs: float
    """From the last frame on the side of the old isomer to the first on that of the new one."""
    kind: str
    """Of the permutation: equal for those that rotations of the polyhedron turn into each other."""
    ligands_moved: int
    """Ligands whose direction in the body frame changes by more than 0.35 of M-H."""
    path_length: float
    """Root of the summed squares of the ligands' displacements in the body frame, Å: the shortest way of all of them
    together. Times the root of hydrogen's mass it is the mass-weighted length."""
    longest_displacement: float
    """Of a single ligand, Å."""


@dataclass(frozen=True)
class Pseudorotation:
    """All shells of one kind of centre."""

    centre: str
    n: int
    polyhedron: str
    """The one whose isomers are followed."""
    time_ps: float
    """Summed over the centres, as far as their shells were whole."""
    duration_ps: float
    """Of the trajectory."""
    n_centres: int
    temperature_K: float | None
    populations: dict[str, float]
    """Share of the frames in which each polyhedron is the nearest."""
    shape_measures: dict[str, float]
    """Mean continuous shape measure of the ligands' directions to each; 0 for the ideal polyhedron."""
    lifetimes_fs: dict[str, float]
    """Mean time of an unbroken run of frames with the same nearest polyhedron, vibration included."""
    events: tuple[Event, ...]
    permutation_rate: Rate
    """Per shell and ps."""
    turns: tuple[tuple[int, Turn], ...]
    """Index of the centre, and its turn."""
    turn_rate: Rate
    exchanges: tuple[Exchange, ...]
    h2_frames: int
    h2_molecules: int
    """Pairs of hydrogens of no shell that are within 1.0 Å at the end."""
    incomplete_frames: int
    vibration_amplitude: float
    """Root mean square deviation of a ligand's direction from its vertex, per direction, in units of M-H."""
    separation: float
    """Half the distance of the two closest isomers over the vibration's amplitude along it: below 3, permutations
    and vibration cannot be told apart."""
    mean_distance: float
    """M-H, Å; of all frames."""

    @property
    def mixing_entropy_kB(self) -> float:  # noqa: N802  # a unit
        """Entropy of the populations of polyhedra, per anion: 0 where one alone is ever the nearest."""
        shares = np.array([share for share in self.populations.values() if share > 0])
        return float(-(shares * np.log(shares)).sum()) + 0.0

    @property
    def kinds(self) -> dict[str, int]:
        """Events by kind, the most frequent first."""
        return dict(Counter(event.kind for event in self.events).most_common())


@dataclass(frozen=True)
class ShellHistory:
    """One shell as long as it keeps its ligands."""

    segment: Segment
    vectors: np.ndarray
    """shape (f, n, 3), unit vectors from the centre in the lab frame."""
    permutations: tuple[Permutation, ...]
    """Frames count from the segment's first."""
    orientation: Orientation

    @property
    def body_vectors(self) -> np.ndarray:
        """Shape (f, n, 3), the unit vectors in the anion's own frame."""
        return np.einsum("fij,fni->fnj", self.orientation.rotations, self.vectors)


def analyse_shells(
    trajectory: Trajectory, centre: str, n: int | None = None, polyhedron: str | None = None, commit: float = COMMIT
) -> tuple[Pseudorotation, list[ShellHistory]]:
    """Permutations, turns, exchange and polyhedra of all shells of one kind.

    Args:
        trajectory: Any.
        centre: Symbol of the centres; `B12`: centres of cages of 12 bonded boron atoms.
        n: Ligands of a shell; default: as many as the first frame has.
        polyhedron: Whose isomers are followed; default: the closest on average.
        commit: Progress at which a permutation counts.

    Returns:
        What all shells do together, and the history of each.

    Raises:
        InputError: if the shells cannot be followed, or the polyhedron is none of n ligands.
    """
    trajectory = with_cages(trajectory, centre)
    shells = follow_shells(trajectory, centre, n)
    if shells.n_frames < FEWEST_FRAMES:
        raise InputError(
            "trajectory", trajectory.source, problem=f"has {shells.n_frames} frames: too few to follow permutations",
            allowed=f"{FEWEST_FRAMES} and more",
        )  # fmt: skip
    every = isomers_of(shells.n)
    if polyhedron is not None and polyhedron not in every:
        raise InputError("--polyhedron", polyhedron, problem=f"is none of {shells.n} ligands", allowed=", ".join(every))
    long_enough = [(segment, vectors) for segment, vectors in ligand_vectors(shells) if len(segment) >= FEWEST_FRAMES]
    if not long_enough:
        raise InputError(
            "--ligands", shells.n, problem=f"hydrogens: no {centre} keeps so many for {FEWEST_FRAMES} frames",
            allowed="the number that its shells have", hint="a crystal whose anions fall apart has none to follow",
        )  # fmt: skip
    tracks = {name: [track(vectors, isomers) for _, vectors in long_enough] for name, isomers in every.items()}
    squared = {
        name: np.concatenate([one.squared_distances for one in of] or [np.empty(0)]) for name, of in tracks.items()
    }
    name = polyhedron or min(squared, key=lambda name: squared[name].mean() if len(squared[name]) else 0.0)
    step = trajectory.time_step_fs
    histories = []
    for (segment, vectors), found in zip(long_enough, tracks[name], strict=True):
        raw = permutations(vectors, found, every[name], commit)
        kept = without_short_stays(raw, every[name], step)
        body = orientation(vectors, found.assignments[0], kept, every[name])
        histories.append(ShellHistory(segment, vectors, tuple(kept), body))
    lifetimes = _lifetimes([len(segment) for segment, _ in long_enough], squared, step)
    return _summarise(shells, trajectory, every[name], histories, squared, lifetimes), histories


def _summarise(
    shells: Shells,
    trajectory: Trajectory,
    isomers: Isomers,
    histories: Sequence[ShellHistory],
    squared: dict[str, np.ndarray],
    lifetimes: dict[str, float],
) -> Pseudorotation:
    step = trajectory.time_step_fs
    distance = _mean_distance(histories) if histories else shells.mean_distance
    events = [
        _event(one, history.segment, isomers, distance, step) for history in histories for one in history.permutations
    ]
    turned = [
        (history.segment.centre, Turn(turn.frame + history.segment.first, turn.angle))
        for history in histories
        for turn in turns(history.orientation.rotations, [one.frame for one in history.permutations], step)
    ]
    frames = sum(len(history.segment) for history in histories)
    time_ps = frames * step / 1000
    own = squared[isomers.name]
    amplitude = float(np.sqrt(own.mean() / (2 * shells.n - 3))) if frames else 0.0
    closest = float(np.sqrt(isomers.squared_distances[0])) if len(isomers.squared_distances) else np.inf
    return Pseudorotation(
        centre=shells.centre,
        n=shells.n,
        polyhedron=isomers.name,
        time_ps=time_ps,
        duration_ps=shells.n_frames * step / 1000,
        n_centres=len({segment.centre for segment in shells.segments}),
        temperature_K=trajectory.temperature_K,
        populations=_populations(squared),
        shape_measures={
            name: float(np.mean(shape_measure(of, shells.n))) if len(of) else 0.0 for name, of in squared.items()
        },
        lifetimes_fs=lifetimes,
        events=tuple(sorted(events, key=lambda event: event.time_fs)),
        permutation_rate=rate_of(events, time_ps, shells.n_frames * step / 1000),
        turns=tuple(turned),
        turn_rate=_scattered_rate(
            [(centre, turn.frame * step / 1000) for centre, turn in turned], time_ps, shells.n_frames * step / 1000
        ),
        exchanges=tuple(shells.exchanges),
        h2_frames=shells.h2_frames,
        h2_molecules=shells.h2_molecules,
        incomplete_frames=shells.incomplete_frames,
        vibration_amplitude=amplitude,
        separation=closest / 2 / amplitude if amplitude else np.inf,
        mean_distance=distance,
    )


def _mean_distance(histories: Sequence[ShellHistory]) -> float:
    total = sum(float(np.linalg.norm(one.segment.vectors, axis=2).sum(dtype=float)) for one in histories)
    return total / sum(one.vectors[..., 0].size for one in histories)


def rate_of(events: Sequence[Event], time_ps: float, duration_ps: float) -> Rate:
    """The rate of permutations, with the scatter that they have in each shell.

    Args:
        events: Of some shells.
        time_ps: Summed over these shells.
        duration_ps: Of the run.
    """
    return _scattered_rate([(event.centre, event.time_fs / 1000) for event in events], time_ps, duration_ps)


def _scattered_rate(events: Sequence[tuple[int, float]], time_ps: float, duration_ps: float) -> Rate:
    """Of centre and time (ps) of each event."""
    times = [np.array([time for one, time in events if one == centre]) for centre in {one for one, _ in events}]
    return poisson_rate(len(events), time_ps, dispersion=dispersion_of(times, duration_ps))


def _event(event: Permutation, segment: Segment, isomers: Isomers, distance: float, time_step_fs: float) -> Event:
    relative = event.after[np.argsort(event.before)]
    displacements = np.linalg.norm(_body_displacements(isomers, relative), axis=1)
    return Event(
        centre=segment.centre,
        time_fs=(segment.first + event.frame) * time_step_fs,
        passage_fs=(event.frame - event.left) * time_step_fs,
        kind=" ".join(map(str, isomers.kind(relative))),
        ligands_moved=int((displacements > MOVED).sum()),
        path_length=float(np.sqrt((displacements**2).sum())) * distance,
        longest_displacement=float(displacements.max()) * distance,
    )


def _body_displacements(isomers: Isomers, permutation: np.ndarray) -> np.ndarray:
    """Shape (n, 3), of each ligand between two isomers that are turned onto each other, in units of M-H."""
    rotation = rotation_matrix(isomers.vertices, isomers.vertices, permutation)
    return isomers.vertices - isomers.vertices[permutation] @ rotation.T


def _populations(squared: dict[str, np.ndarray]) -> dict[str, float]:
    names = list(squared)
    values = np.array([squared[name] for name in names])
    if not values.size:
        return dict.fromkeys(names, 0.0)
    nearest = np.argmin(values, axis=0)
    return {name: float((nearest == place).mean()) for place, name in enumerate(names)}


def _lifetimes(lengths: Sequence[int], squared: dict[str, np.ndarray], time_step_fs: float) -> dict[str, float]:
    names = list(squared)
    values = np.array([squared[name] for name in names])
    frames, runs = Counter[str](), Counter[str]()
    start = 0
    for length in lengths:
        nearest = np.argmin(values[:, start : start + length], axis=0)
        begins = np.flatnonzero(np.diff(nearest, prepend=-1))
        ends = np.append(begins[1:], length)
        for begin, end in zip(begins, ends, strict=True):
            frames[names[nearest[begin]]] += int(end - begin)
            runs[names[nearest[begin]]] += 1
        start += length
    return {name: frames[name] / runs[name] * time_step_fs if runs[name] else 0.0 for name in names}
