"""Unwrapped displacements of atoms, and their mean squares over all origins of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.errors import InputError

LONGEST_STEP = 0.4
"""Of the narrowest width of the cell, between two frames. A nearest image is unique below 0.5."""


@dataclass(frozen=True)
class Displacements:
    """Paths of all atoms, in the frame in which those that are not mobile rest on average."""

    positions: np.ndarray
    """shape (f, n_atoms, 3), Å, Cartesian, unwrapped."""
    symbols: np.ndarray
    """shape (n_atoms,)."""
    mobile: str
    """Symbol of the species whose motion is not drift."""
    time_step_ps: float
    volume: float
    """Å3, mean over the frames."""
    cell: np.ndarray
    """shape (3, 3), Å, mean over the frames; rows are the lattice vectors."""

    @property
    def paths(self) -> np.ndarray:
        """Of the mobile atoms, shape (f, n, 3), Å."""
        chosen: np.ndarray = self.positions[:, self.symbols == self.mobile]
        return chosen


def unwrap(trajectory: Trajectory, mobile: str) -> Displacements:
    """Paths of the atoms by successive nearest steps, whether coordinates are wrapped, unwrapped or mixed.

    Steps are taken in fractional coordinates and laid out in the mean cell, so that a cell that breathes moves no
    atom. The mean displacement of all atoms that are not mobile, each counted once, is taken out of every frame.

    Args:
        trajectory: Any.
        mobile: Symbol of the mobile species.

    Raises:
        InputError: if no atom is mobile, or two frames are too far apart.
    """
    symbols = trajectory.symbols
    mobile = "H" if mobile in ("D", "T") else mobile
    if mobile not in symbols:
        raise InputError(
            "--mobile", mobile, problem=f"is not in {trajectory.source or 'the trajectory'}",
            allowed=", ".join(dict.fromkeys(symbols.tolist())),
        )  # fmt: skip
    pieces, cells = [], []
    last: np.ndarray | None = None
    end = np.zeros((len(symbols), 3))
    first = 0
    for frames in trajectory.chunks():
        fractional = frames.positions @ np.linalg.inv(frames.cells)
        before = fractional[:1] if last is None else last
        steps = np.diff(np.concatenate([before, fractional]), axis=0)
        steps -= np.round(steps)
        _check_steps(steps, frames.cells, first, trajectory)
        if last is None:
            end = fractional[0]
        piece = end + np.cumsum(steps, axis=0)
        pieces.append(piece)
        cells.append(frames.cells)
        end, last = piece[-1], fractional[-1:]
        first += len(frames)
    all_cells = np.concatenate(cells)
    cell = all_cells.mean(axis=0)
    positions = np.concatenate(pieces) @ cell
    others = symbols != mobile
    if others.any():
        drift = positions[:, others].mean(axis=1, keepdims=True)
        positions -= drift - drift[:1]
    return Displacements(
        positions, symbols, mobile, trajectory.time_step_fs / 1000, float(np.abs(np.linalg.det(all_cells)).mean()),
        cell,
    )  # fmt: skip


def _check_steps(steps: np.ndarray, cells: np.ndarray, first: int, trajectory: Trajectory) -> None:
    widths = 1 / np.linalg.norm(np.linalg.inv(cells), axis=1)
    shares = np.linalg.norm(steps @ cells, axis=2) / widths.min(axis=1)[:, None]
    if shares.max() <= LONGEST_STEP:
        return
    frame = int(np.argmax((shares > LONGEST_STEP).any(axis=1)))
    atom = int(np.argmax(shares[frame]))
    raise InputError(
        trajectory.source or "trajectory", f"frame {trajectory.number(first + frame)}",
        problem=f"is too far from the one before: atom {atom} ({trajectory.species[atom]}) moves by "
        f"{shares[frame, atom]:.2f} of the cell's narrowest width",
        allowed=f"up to {LONGEST_STEP:g}, so that the nearest image is the way taken",
        hint="write frames more often, take a wider cell, or leave out frames at the start (--skip)",
    )  # fmt: skip


def mean_squared_displacement(paths: np.ndarray, most_lags: int | None = None) -> np.ndarray:
    """Mean products of displacements over all origins of time and all atoms, by FFT.

    <(a(t + m) - a(t)) (b(t + m) - b(t))> is a sum of squares less twice a correlation, which the FFT gives for all m
    at once: Calandrini, Pellegrini, Calligari, Hinsen & Kneller, Collection SFN 12, 201 (2011).

    Args:
        paths: shape (f, n, 3), Å, unwrapped.
        most_lags: Longest lag, frames; default: f - 1.

    Returns:
        shape (lags + 1, 3, 3), Å2, symmetric; its trace is the mean squared displacement. Lag 0 is zero.
    """
    frames, n, _ = paths.shape
    lags = min(frames - 1, most_lags if most_lags is not None else frames - 1)
    length = 1 << (2 * frames - 1).bit_length()
    spectrum = np.zeros((3, 3, length // 2 + 1))
    products = np.zeros((frames, 3, 3))
    for atom in range(n):
        path = paths[:, atom] - paths[:, atom].mean(axis=0)  # small numbers: less is lost in the difference below
        transform = np.fft.rfft(path, length, axis=0)
        spectrum += np.einsum("fa,fb->abf", transform, transform.conj()).real
        products += path[:, :, None] * path[:, None, :]
    correlation = np.moveaxis(np.fft.irfft(spectrum, length, axis=2)[..., : lags + 1], 2, 0)
    sums = np.concatenate([np.zeros((1, 3, 3)), np.cumsum(products, axis=0)])
    m = np.arange(lags + 1)
    squares = sums[frames - m] + sums[frames] - sums[m]
    found: np.ndarray = (squares - 2 * correlation) / (n * (frames - m))[:, None, None]
    found[0] = 0.0
    return found
