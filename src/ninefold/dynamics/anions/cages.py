"""Centres of cage anions, which have no atom there: [B12H12]2-; of [CB11H12]- the mean of its boron atoms (B11).

A cage is a group of bonded atoms of one element. Its centre is their mean, followed as if it were an atom; so all that
is counted about a metal atom can be counted about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.sparse.csgraph import breadth_first_order, connected_components

from ninefold.dynamics.trajectories.trajectory import Frames, Trajectory, nearest_image
from ninefold.errors import InputError

BONDED = 1.25
"""Atoms of the element within this multiple of their shortest distance are bonded; B-B in a cage are 1.77 to 1.80 Å."""


def with_cages(trajectory: Trajectory, centre: str) -> Trajectory:
    """The same frames, with one more atom at the centre of each cage.

    Args:
        trajectory: Wrapped or not.
        centre: `B12`: groups of 12 bonded boron atoms of the first frame. That of an element, or one that is there
            already, leaves the trajectory as it is.

    Returns:
        The cages' centres are the last atoms, their species is `centre`.

    Raises:
        InputError: if the first frame has no such group.
    """
    named = re.fullmatch(r"([A-Z][a-z]?)([0-9]+)", centre)
    if named is None or centre in trajectory.species:
        return trajectory
    element, size = named[1], int(named[2])
    atoms = np.flatnonzero(trajectory.symbols == element)
    head = next(trajectory.chunks(), None)
    groups = [] if head is None or len(atoms) < 2 else _groups(head.positions[0][atoms], head.cells[0])
    members = np.array([atoms[order] for order, _ in groups if len(order) == size])
    if not len(members):
        sizes = sorted({len(order) for order, _ in groups if len(order) > 1})
        raise InputError(
            "--centre", centre, problem=f"is no group of bonded {element} atoms of the first frame",
            allowed=", ".join(f"{element}{number}" for number in sizes) or "an element at the centre of the anions",
        )  # fmt: skip
    parents = np.array([parent for order, parent in groups if len(order) == size])

    def read() -> Iterator[Frames]:
        for frames in trajectory.chunks():
            centres = [_centre(frames, one, parent) for one, parent in zip(members, parents, strict=True)]
            positions = np.concatenate([frames.positions, np.stack(centres, axis=1)], axis=1)
            yield Frames(positions, frames.cells)

    return replace(trajectory, species=(*trajectory.species, *[centre] * len(members)), read=read)


def _groups(positions: np.ndarray, cell: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Atoms of each bonded group in the order of a walk along bonds, and the place in it of the one each is bonded to.

    The first is its own.
    """
    steps = positions[:, None] - positions[None]
    distances = np.linalg.norm(nearest_image(steps, np.broadcast_to(cell, (len(steps), 3, 3))), axis=2)
    shortest = distances[~np.eye(len(distances), dtype=bool)].min()
    is_bonded = (distances <= BONDED * shortest) & (distances > 0)
    found = []
    number, group_of = connected_components(is_bonded, directed=False)
    for group in range(number):
        start = int(np.flatnonzero(group_of == group)[0])
        order, before = breadth_first_order(is_bonded, start, directed=False)
        place = {int(atom): number for number, atom in enumerate(order)}
        found.append((order, np.array([0, *(place[int(before[atom])] for atom in order[1:])])))
    return found


def _centre(frames: Frames, members: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Shape (f, 3), Å: bond by bond, since a cage may be wider than half the cell."""
    positions = frames.positions[:, members]
    bonds = nearest_image(positions - positions[:, parents], frames.cells)
    from_first = np.zeros_like(positions)
    for number in range(1, len(members)):
        from_first[:, number] = from_first[:, parents[number]] + bonds[:, number]
    return np.asarray(positions[:, 0] + from_first.mean(axis=1))
