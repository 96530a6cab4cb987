"""The mean crystal of a trajectory, and which of its places are alike by symmetry.

A frame of a run has no symmetry; the mean positions of the atoms that stay have that of the crystal, within the error
of the mean. Hydrogen is left out: it may turn with its anion, and its mean then lies nowhere near an atom.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.trajectories.trajectory import Trajectory

TOLERANCE = 0.3
"""Å. Mean positions over picoseconds are off by less than 0.1 Å; distortions that MD keeps are larger as a rule."""
STAYS = 1.0
"""Å. Root mean square displacement of an atom from its mean beyond which it does not stay."""


class Framework(NamedTuple):
    """Mean crystal of the atoms that stay."""

    cell: np.ndarray
    """shape (3, 3), Å, mean; rows are the lattice vectors."""
    atoms: np.ndarray
    """shape (k,), indices in the trajectory."""
    symbols: tuple[str, ...]
    fractional: np.ndarray
    """shape (k, 3), mean positions, drift taken out."""


class Operations(NamedTuple):
    """A space group in the trajectory's cell."""

    rotations: np.ndarray
    """shape (m, 3, 3), of fractional coordinates."""
    translations: np.ndarray
    """shape (m, 3)."""
    name: str
    """Of the space group."""
    sites: tuple[str, ...]
    """Wyckoff letter and site symmetry of each position, in spglib's standard setting: `d, -6..`."""


def framework(trajectory: Trajectory, without: Sequence[str] = ("H",)) -> Framework:
    """Mean positions of the atoms that stay.

    Args:
        trajectory: Any.
        without: Symbols of the atoms that are left out; so are species that have an atom which does not stay.
    """
    symbols = trajectory.symbols
    chosen = np.flatnonzero(~np.isin(symbols, list(without)))
    first: np.ndarray | None = None
    last, moved = np.empty((1, len(chosen), 3)), np.zeros((len(chosen), 3))
    sums, squares = np.zeros((len(chosen), 3)), np.zeros(len(chosen))
    cells, frames = np.zeros((3, 3)), 0
    for chunk in trajectory.chunks():
        fractional = chunk.positions[:, chosen] @ np.linalg.inv(chunk.cells)
        if first is None:
            first, last = fractional[0].copy(), fractional[:1]
        # from frame to frame: the whole crystal may drift by more than half a cell
        steps = np.diff(np.concatenate([last, fractional]), axis=0)
        steps = moved + np.cumsum(steps - np.round(steps), axis=0)
        last, moved = fractional[-1:], steps[-1]
        steps = steps - steps.mean(axis=1, keepdims=True)
        sums += steps.sum(axis=0)
        squares += ((steps @ chunk.cells[0]) ** 2).sum(axis=(0, 2))
        cells += chunk.cells.sum(axis=0)
        frames += len(chunk)
    assert first is not None
    cell, mean = cells / frames, sums / frames
    wide = np.sqrt(np.maximum(0.0, squares / frames - ((mean @ cell) ** 2).sum(axis=1))) > STAYS
    moving = np.unique(symbols[chosen][wide])
    kept = ~np.isin(symbols[chosen], moving)
    return Framework(cell, chosen[kept], tuple(symbols[chosen][kept].tolist()), (first + mean)[kept])


def operations(cell: np.ndarray, fractional: np.ndarray, symbols: Sequence[str], tolerance: float) -> Operations:
    """The space group of a crystal; the identity alone where none is found.

    Args:
        cell: shape (3, 3), Å, rows are the lattice vectors.
        fractional: shape (k, 3).
        symbols: Of each position; anything that tells species apart.
        tolerance: Å.
    """
    import spglib

    if len(symbols):
        names = sorted(set(symbols))
        crystal = (cell, fractional, [names.index(symbol) + 1 for symbol in symbols])
        found = spglib.get_symmetry_dataset(crystal, symprec=tolerance)
        if found is not None:
            sites = zip(found.wyckoffs, found.site_symmetry_symbols, strict=True)
            return Operations(
                np.asarray(found.rotations), np.asarray(found.translations), str(found.international),
                tuple(f"{letter}, {symbol}" for letter, symbol in sites),
            )  # fmt: skip
    return Operations(np.eye(3, dtype=int)[None], np.zeros((1, 3)), "P1", ("a, 1",) * len(symbols))


def classes(fractional: np.ndarray, cell: np.ndarray, group: Operations, tolerance: float) -> np.ndarray:
    """Which points symmetry maps onto each other.

    Args:
        fractional: shape (k, 3).
        cell: shape (3, 3), Å.
        group: Of the crystal.
        tolerance: Å; a point is mapped onto another within this.

    Returns:
        shape (k,), number of the class, counted in the order in which the points come.
    """
    label = np.arange(len(fractional))
    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        steps = (fractional @ rotation.T + translation)[:, None] - fractional[None]
        steps -= np.round(steps)
        distances = np.linalg.norm(steps @ cell, axis=2)
        for one, other in zip(*np.nonzero(distances <= tolerance), strict=True):
            low, high = sorted((label[one], label[other]))
            label[label == high] = low
    _, numbers = np.unique(label, return_inverse=True)
    result: np.ndarray = numbers
    return result
