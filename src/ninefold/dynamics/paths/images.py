"""Images between the two ends of a permutation's path, to begin a band with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.anions.isomers import cycles
from ninefold.dynamics.anions.permutations import EXCHANGE, TURN, Way
from ninefold.dynamics.anions.sites import Site, vectors_to

if TYPE_CHECKING:
    from ase import Atoms

_AXES = np.random.default_rng(1).normal(size=(20, 3))
"""One for each ligand, all different."""


def interpolated(atoms: Atoms, site: Site, way: Way, images: int) -> list[Atoms]:
    """A chain from one end to the other, both included.

    Ligands go round the centre: their directions and lengths are interpolated, then close contacts are eased. A turn
    moves the anion as one body.

    Args:
        atoms: The relaxed structure; both ends are it.
        site: The anion.
        way: Its permutation.
        images: Between the ends.
    """
    if way.kind == TURN:
        return _turned(atoms, site, way, images)
    vectors = vectors_to(atoms, site, site.ligands)
    lengths = np.linalg.norm(vectors, axis=1)
    start = vectors / lengths[:, None]
    target = np.array(way.permutation)
    origin = np.array(site.origin)
    ligands = list(site.ligands)
    pairs = cycles(target) if way.kind == EXCHANGE else []
    chain = []
    for image in range(images + 2):
        share = image / (images + 1)
        mixed = (1 - share) * start + share * start[target]
        for one, other in pairs:
            mixed[[one, other]] = _half_turn(start[one], start[other], share)
        # opposite ligands would meet in the centre: a little to the side gives them a way round
        short = np.linalg.norm(mixed, axis=1) < 0.3
        if short.any():
            mixed[short] += 0.3 * np.cross(start[short], [0.36, 0.48, 0.8])
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        mixed = _apart(mixed) if 0 < image <= images else mixed
        copy = atoms.copy()
        copy.positions[ligands] = origin + mixed * ((1 - share) * lengths + share * lengths[target])[:, None]
        chain.append(copy)
    return chain


def _turned(atoms: Atoms, site: Site, way: Way, images: int) -> list[Atoms]:
    """The anion turns as one body, its cage with it; what the turn leaves over is interpolated."""
    from scipy.spatial.transform import Rotation

    target = np.array(way.permutation)
    ligands = vectors_to(atoms, site, site.ligands)
    turn, _ = Rotation.align_vectors(ligands[target], ligands)
    bodies = [site.ligands, *([site.cage] if site.cage else [])]
    chain = []
    for share in np.linspace(0, 1, images + 2):
        copy = atoms.copy()
        part = Rotation.from_rotvec(share * turn.as_rotvec())
        for body in bodies:
            vectors = vectors_to(atoms, site, body)
            rest = vectors[target] - turn.apply(vectors)
            copy.positions[list(body)] = np.array(site.origin) + part.apply(vectors) + share * rest
        chain.append(copy)
    return chain


def _half_turn(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Two directions on their way round each other, about the one between them; opposite ones go straight."""
    middle, half = (one + other) / 2, (one - other) / 2
    if np.linalg.norm(middle) < 0.3:
        return np.array([(1 - share) * one + share * other, (1 - share) * other + share * one])
    side = np.cross(middle / np.linalg.norm(middle), half)
    arm = np.cos(np.pi * share) * half + np.sin(np.pi * share) * side
    return np.array([middle + arm, middle - arm])


def _apart(directions: np.ndarray, closest: float = 0.85, steps: int = 200) -> np.ndarray:
    """Directions pushed along the sphere until none are closer than a chord, in units of M-H."""
    for _ in range(steps):
        difference = directions[:, None] - directions[None]
        distance = np.linalg.norm(difference, axis=2) + 9 * np.eye(len(directions))
        overlap = np.maximum(0.0, closest - distance)
        if not overlap.any():
            break
        push = (difference / np.maximum(distance, 1e-6)[..., None] * overlap[..., None]).sum(axis=1)
        # two ligands on one place are pushed in directions that differ
        push += 1e-3 * np.cross(directions, _AXES[: len(directions)]) * (overlap.sum(axis=1) > 0)[:, None]
        directions = directions + 0.5 * push
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions
