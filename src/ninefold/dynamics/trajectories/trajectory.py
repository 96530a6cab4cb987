"""A trajectory as the analysis takes it: frames in pieces, with species, cell and time between frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ninefold.dynamics.trajectories.forces import ForceSource
from ninefold.errors import InputError

CHUNK_FRAMES = 1000
"""Frames in memory at once, unless a reader gives fewer: 100 atoms take 2.4 MB."""


@dataclass(frozen=True)
class Frames:
    """Consecutive frames."""

    positions: np.ndarray
    """shape (f, n_atoms, 3), Å, Cartesian; wrapped into the cell or not."""
    cells: np.ndarray
    """shape (f, 3, 3), Å, rows are the lattice vectors."""

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class Trajectory:
    """Frames of one system, which may be read more than once."""

    species: tuple[str, ...]
    """Symbol of each atom; D stands for deuterium and counts as hydrogen."""
    time_step_fs: float
    """Between frames that are given, fs."""
    read: Callable[[], Iterator[Frames]]
    """Starts at the first frame each time it is called."""
    temperature_K: float | None = None
    """Of the thermostat; None where it is not known."""
    source: str = ""
    """Where it comes from, for messages."""
    forces: ForceSource | None = None
    """What moved its atoms; None where it is not known."""
    notes: tuple[str, ...] = ()
    """What is known against the run itself, for people: not in equilibrium, ended by an explosion."""
    skipped: int = 0
    """Frames of the source before the first that is given."""
    stride: int = 1
    """Frames of the source from one that is given to the next."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.time_step_fs) and self.time_step_fs > 0):
            raise InputError("time_step_fs", self.time_step_fs, allowed="a time above 0 fs between two frames")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What every result of it has to be read with: of the run, and of its forces."""
        return self.notes if self.forces is None else (*self.notes, *self.forces.warnings)

    @property
    def symbols(self) -> np.ndarray:
        """Shape (n_atoms,), element symbols, H for deuterium and tritium."""
        return np.array(["H" if symbol in ("D", "T") else symbol for symbol in self.species])

    def number(self, index: int) -> int:
        """Number in the source, counted from 1, of the frame that is given as `index`, counted from 0."""
        return self.skipped + index * self.stride + 1

    def chunks(self) -> Iterator[Frames]:
        """Its frames in pieces, each checked.

        Raises:
            InputError: if a frame has another number of atoms, no volume, or a position that is no number.
        """
        first = 0
        for frames in self.read():
            self._check(frames, first)
            first += len(frames)
            yield frames

    def _check(self, frames: Frames, first: int) -> None:
        """Refuse frames that cannot be analysed; `first` frames were given before them."""
        field, n_atoms = self.source or "trajectory", len(self.species)
        if frames.positions.shape[1:] != (n_atoms, 3):
            raise InputError(
                field, f"{frames.positions.shape[1]} atoms",
                problem=f"differ from the first frame's, at frame {self.number(first)}",
                allowed=f"{n_atoms} atoms in every frame",
            )  # fmt: skip
        finite = np.isfinite(frames.positions).all(axis=(1, 2)) & np.isfinite(frames.cells).all(axis=(1, 2))
        if not finite.all():
            raise InputError(
                field, f"frame {self.number(first + int(np.argmin(finite)))}",
                problem="has a position or a cell that is no number", allowed="finite numbers",
            )  # fmt: skip
        volumes = np.abs(np.linalg.det(frames.cells))
        if (volumes < 1.0).any():
            raise InputError(
                field, f"frame {self.number(first + int(np.argmax(volumes < 1.0)))}", problem="has no cell",
                allowed="a periodic cell in every frame", hint="a molecule in vacuum needs a box around it",
            )  # fmt: skip


def in_memory(
    species: Sequence[str], positions: np.ndarray, cell: np.ndarray, time_step_fs: float, **more: object
) -> Trajectory:
    """A trajectory from arrays.

    Args:
        species: Symbol of each atom.
        positions: shape (f, n_atoms, 3), Å.
        cell: shape (3, 3) or (f, 3, 3), Å.
        time_step_fs: Between frames.
        more: Further fields of `Trajectory`.
    """
    positions = np.asarray(positions, dtype=float)
    cells = np.broadcast_to(np.asarray(cell, dtype=float), (len(positions), 3, 3))

    def read() -> Iterator[Frames]:
        for start in range(0, len(positions), CHUNK_FRAMES):
            piece = slice(start, start + CHUNK_FRAMES)
            yield Frames(positions[piece], cells[piece])

    return Trajectory(tuple(species), time_step_fs, read, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a trajectory are analysed. Frames are counted from 1.

    Raises:
        InputError: if none can be.
    """

    skip: int = 0
    """Frames to leave out at the start."""
    until: int | None = None
    """The last frame, counted from the start of the trajectory; None is its end."""
    every: int = 1
    """Take every so many frames, the first after `skip` included."""

    def __post_init__(self) -> None:
        if self.skip < 0:
            raise InputError("--skip", self.skip, allowed="0 and more")
        if self.every < 1:
            raise InputError("--every", self.every, allowed="1 and more")
        if self.until is not None and self.until <= self.skip:
            raise InputError(
                "--until", self.until, problem=f"leaves no frame with --skip {self.skip}",
                allowed=f"{self.skip + 1} and more: frames are counted from the start of the trajectory",
            )  # fmt: skip

    def within(self, frames: int) -> int:
        """The last frame of a trajectory of so many frames that may be taken."""
        return frames if self.until is None else min(self.until, frames)


ALL_FRAMES = FrameChoice()


def thinned(trajectory: Trajectory, every: int) -> Trajectory:
    """Every so many frames of a trajectory, the first of them included.

    Args:
        trajectory: Any.
        every: 1 leaves it as it is.
    """
    if every == 1:
        return trajectory

    def read() -> Iterator[Frames]:
        first = 0
        for chunk in trajectory.chunks():
            kept = slice(-first % every, None, every)
            first += len(chunk)
            if len(positions := chunk.positions[kept]):
                yield Frames(positions, chunk.cells[kept])

    return replace(
        trajectory, time_step_fs=trajectory.time_step_fs * every, read=read, stride=trajectory.stride * every
    )


def nearest_image(steps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Difference vectors by the nearest periodic image, for lengths below half the narrowest width of the cell.

    Args:
        steps: shape (f, k, 3), Å.
        cells: shape (f, 3, 3), Å.

    Returns:
        shape (f, k, 3), Å.
    """
    fractional = steps @ np.linalg.inv(cells)
    return (fractional - np.round(fractional)) @ cells
