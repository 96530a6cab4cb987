"""Hydrogen densities of a trajectory: of the whole crystal, and about the centres of its anions, in blocks of time.

The blocks are what an interval is made from: hydrogens are where they were a moment ago, so that single positions are
no independent samples, but blocks of many vibrations are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from ninefold.dynamics.anions.isomers import Isomers
from ninefold.dynamics.anions.pseudorotation import ShellHistory
from ninefold.dynamics.anions.rates_by_anion import AnionGroups
from ninefold.dynamics.anions.superposition import rotation_matrix
from ninefold.dynamics.density.grid import Density, count_positions, grid_shape, without_drift
from ninefold.dynamics.trajectories.mean_crystal import TOLERANCE, Framework, Operations
from ninefold.dynamics.trajectories.trajectory import Trajectory

Frame = Literal["crystal", "anion"]
RADIUS = 1.5
"""Half the edge of the box about a centre, in units of M-H."""
SHORTEST_BLOCK = 20
"""Frames."""


@dataclass(frozen=True)
class Sampled:
    """A density and the blocks that it is the sum of."""

    density: Density
    """Counts, not smoothed."""
    blocks: tuple[tuple[np.ndarray, np.ndarray], ...]
    """Of each: flat indices of its voxels and their counts."""
    weight: float = 1.0
    """Of one sample in the counts: below 1 where each is counted at every place that symmetry makes of its own."""

    def resampled(self, generator: np.random.Generator) -> Density:
        """The density of as many blocks, drawn with replacement."""
        counts = np.zeros(self.density.counts.size)
        times = np.bincount(generator.integers(len(self.blocks), size=len(self.blocks)), minlength=len(self.blocks))
        for (voxels, values), number in zip(self.blocks, times, strict=True):
            counts[voxels] += number * values
        return replace(self.density, counts=counts.reshape(self.density.counts.shape))


class AnionMap(NamedTuple):
    """Hydrogen about a centre, or about all centres that symmetry makes alike."""

    name: str
    """Re1, Re2, ... as `ninefold.dynamics.anions.rates_by_anion` has them."""
    centres: tuple[int, ...]
    """Indices of the atoms that it is of."""
    sampled: Sampled


def block_count(frames: int, wanted: int) -> int:
    """Blocks of a trajectory: as many as wanted, where each has `SHORTEST_BLOCK` frames and more."""
    return max(1, min(wanted, frames // SHORTEST_BLOCK))


def crystal_density(
    trajectory: Trajectory,
    crystal: Framework,
    frames: int,
    temperature_K: float,
    resolution: float,
    blocks: int,
    group: Operations | None = None,
) -> Sampled:
    """Hydrogen in the crystal's cell; the first voxel's centre is the cell's corner.

    Args:
        trajectory: With hydrogen.
        crystal: Its mean, for the cell.
        frames: Of the trajectory.
        temperature_K: Of the free energy.
        resolution: Longest edge of a voxel, Å.
        blocks: Of time.
        group: Averaged over, if given.
    """
    shape = grid_shape(crystal.cell, resolution)
    half = 0.5 / np.array(shape)
    operations = [] if group is None else list(zip(group.rotations, group.translations, strict=True))

    def positions() -> Iterator[tuple[int, np.ndarray]]:
        first = 0
        for fractional, _ in without_drift(trajectory, trajectory.symbols == "H"):
            for block, piece in _by_block(fractional, first, frames, blocks):
                yield block, piece.reshape(-1, 3)
            first += len(fractional)

    def images(piece: np.ndarray) -> Iterator[np.ndarray]:
        if not operations:
            yield piece + half
        for rotation, translation in operations:
            yield piece @ rotation.T + translation + half

    pieces = (
        (image for _, piece in of_block for image in images(piece))
        for _, of_block in itertools.groupby(positions(), key=lambda item: item[0])
    )
    origin = -(half @ crystal.cell)
    return _sampled(pieces, shape, crystal.cell, origin, True, temperature_K, max(1, len(operations)))


def anion_densities(
    histories: Sequence[ShellHistory],
    groups: AnionGroups,
    frames: int,
    frame: Frame,
    distance: float,
    temperature_K: float,
    resolution: float,
    blocks: int,
    crystal: Framework | None = None,
    group: Operations | None = None,
    isomers: Isomers | None = None,
) -> list[AnionMap]:
    """Ligands about the centres of their anions.

    Args:
        histories: Of all shells.
        groups: Which anions are alike.
        frames: Of the trajectory.
        frame: crystal: each anion by itself, in the crystal's directions. anion: in the frame that turns with the
            ligands, all anions that are alike together.
        distance: M-H, Å.
        temperature_K: Of the free energy.
        resolution: Longest edge of a voxel, Å.
        blocks: Of time.
        crystal: Its mean; needed with `group`.
        group: In the crystal's frame: the anions that it maps onto each other are counted together, and averaged over
            the operations that leave the centre where it is.
        isomers: In the anion's frame: averaged over the rotations of this polyhedron.
    """
    cell = 2 * RADIUS * distance * np.eye(3)
    shape = grid_shape(cell, resolution)
    maps = []
    for kind in groups.groups:
        together = frame == "anion" or group is not None
        for members in [kind.centres] if together else [(centre,) for centre in kind.centres]:
            pieces, images = [], 1
            for centre in members:
                matrices = _matrices(centre, members[0], crystal, group, isomers)
                images = max(images, len(matrices))
                for block in range(blocks):
                    vectors = list(_vectors(histories, centre, frame, block, frames, blocks))
                    if vectors:
                        pieces.append([vector @ matrix / cell[0, 0] + 0.5 for vector in vectors for matrix in matrices])
            if pieces:
                sampled = _sampled(pieces, shape, cell, -np.diag(cell) / 2, False, temperature_K, images)
                maps.append(AnionMap(kind.name, members, sampled))
    return maps


def _matrices(
    centre: int, first: int, crystal: Framework | None, group: Operations | None, isomers: Isomers | None
) -> list[np.ndarray]:
    """What row vectors from a centre are multiplied by, for each operation."""
    if isomers is not None:
        vertices = isomers.vertices
        return [rotation_matrix(vertices, vertices, rotation) for rotation in isomers.rotations]
    if group is None or crystal is None:
        return [np.eye(3)]
    place = {int(atom): number for number, atom in enumerate(crystal.atoms)}
    start, goal = (crystal.fractional[place[atom]] for atom in (centre, first))
    found = []
    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        step = start @ rotation.T + translation - goal
        if np.linalg.norm((step - np.round(step)) @ crystal.cell) <= TOLERANCE:
            found.append(np.linalg.inv(crystal.cell) @ rotation.T @ crystal.cell)
    # a supercell's translations lead from a centre to another: those of one rotation are one
    return list({tuple(np.round(matrix, 6).ravel() + 0.0): matrix for matrix in found}.values())


def _vectors(
    histories: Sequence[ShellHistory], centre: int, frame: Frame, block: int, frames: int, blocks: int
) -> Iterator[np.ndarray]:
    """Shape (k, 3), Å, of one centre in one block of time."""
    for history in histories:
        segment = history.segment
        if segment.centre != centre:
            continue
        start, end = -(-block * frames // blocks), -(-(block + 1) * frames // blocks)
        piece = slice(max(0, start - segment.first), max(0, end - segment.first))
        vectors = segment.vectors[piece].astype(float)
        if not len(vectors):
            continue
        if frame == "anion":
            vectors = np.einsum("fij,fni->fnj", history.orientation.rotations[piece], vectors)
        yield vectors.reshape(-1, 3)


def _by_block(fractional: np.ndarray, first: int, frames: int, blocks: int) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive frames, cut where a block of time ends."""
    numbers = (np.arange(first, first + len(fractional)) * blocks) // frames
    for block in np.unique(numbers):
        yield int(block), fractional[numbers == block]


def _sampled(
    blocks: Iterable[Iterable[np.ndarray]],
    shape: tuple[int, int, int],
    cell: np.ndarray,
    origin: np.ndarray,
    is_periodic: bool,
    temperature_K: float,
    images: int,
) -> Sampled:
    """Count blocks of positions in units of the grid's cell; each position stands there once for each image."""
    total, parts = np.zeros(shape), []
    for pieces in blocks:
        counts = np.zeros(shape)
        for piece in pieces:
            inside = piece if is_periodic else piece[((piece >= 0) & (piece < 1)).all(axis=1)]
            count_positions(np.ascontiguousarray(inside, dtype=float), counts)
        counts /= images
        total += counts
        voxels = np.flatnonzero(counts)
        parts.append((voxels, counts.ravel()[voxels]))
    density = Density(total, cell, origin, is_periodic, temperature_K, round(float(total.sum())))
    return Sampled(density, tuple(parts), 1 / images)
