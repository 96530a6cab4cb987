"""Random rigid units with imposed symmetry: complexes, cations and hydrides on the orbits of a space group.

A random point is drawn onto a special position by merging it with those of its images that would
overlap it; so the number of atoms decides the position, and no table of Wyckoff positions is read.
The ligands of a complex are orbits of its site symmetry, spread out by their repulsion, which keeps
that symmetry: polyhedron and orientation fit the site by construction.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import moyopy
import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.packing import Packing, Symmetry, assemble
from ninefold.structures.polyhedra import M_H_DISTANCE, polyhedra, spread_out
from ninefold.structures.rigid_units import SWELL, UNIT_RADIUS, random_cell

CONTACT = {"cation": 2.6, "hydride": 2.2}
"""Å; images of one atom closer than this, times a random factor, are merged."""
MERGE_FACTOR = (0.4, 1.0)
"""Range of that factor: small ones leave atoms on general positions."""
ORBIT_TRIES = 12
"""Random points tried for each orbit; the best of those that fit is taken."""
SHELL_TRIES = 5
"""Choices of orbits tried for a complex."""
GOOD_ORBITS = 4
"""Fitting orbits among which the best is chosen."""
MERGED = 1e-6
"""Å; images closer than this are one atom."""
CROWDED = 0.8
"""Shortest ligand-ligand distance, over that of the best polyhedron of n, below which a shell is refused."""
TOO_CLOSE = 1.0
"""Å between atoms of different units at the start; the force field spreads what is farther."""
SAME_PLACE = 0.02
"""Å; an atom's image is an atom within this."""
_IMAGES = np.array(list(itertools.product((-1, 0, 1), repeat=3)), dtype=float)


class Group(NamedTuple):
    """Operations of a space group in its primitive cell: x -> rotations @ x + translations."""

    number: int
    rotations: np.ndarray
    """shape (order, 3, 3), integers."""
    translations: np.ndarray
    """shape (order, 3)."""


class Orbit(NamedTuple):
    """Equivalent sites."""

    sites: np.ndarray
    """shape (size, 3), fractional."""
    makers: list[int]
    """Which operation takes the first site to each."""
    stabiliser: np.ndarray
    """Indices of the operations that leave the first site where it is."""


def symmetric_units(
    assignment: Assignment, formula_units: int, rng: np.random.Generator, failures: Counter[str]
) -> Packing | None:
    """One random packing with a random space group; see `ninefold.structures.proposal.Source`."""
    possible = groups_for(formula_units)
    group = space_group_operations(possible[rng.integers(len(possible))])
    cell = symmetric_cell(random_cell(additive_volume(assignment) * formula_units * SWELL, rng), group)
    length = M_H_DISTANCE[assignment.centre]
    if np.linalg.norm(cell, axis=1).min() < 2 * length:
        failures["symmetric cell too thin for the anion"] += 1
        return None
    taken: list[np.ndarray] = []
    centres = _fill(cell, group, formula_units, 2 * (length + UNIT_RADIUS), taken, rng)
    if centres is None:
        failures["no orbits for the anions"] += 1
        return None
    ligands: list[np.ndarray] = []
    for orbit in centres:
        turns = np.array([_cartesian(group.rotations[index], cell) for index in orbit.stabiliser])
        shell = symmetric_shell(assignment.n, turns, rng)
        if shell is None:
            failures["site symmetry that does not carry n ligands"] += 1
            return None
        ligands += [shell @ _cartesian(group.rotations[maker], cell).T for maker in orbit.makers]
    sites: list[np.ndarray] = []
    for cation in assignment.cations:
        orbits = _fill(cell, group, cation.count * formula_units, CONTACT["cation"], taken, rng)
        if orbits is None:
            failures["no orbits for the cations"] += 1
            return None
        sites += [orbit.sites for orbit in orbits]
    hydrides = _fill(cell, group, assignment.m * formula_units, CONTACT["hydride"], taken, rng)
    if hydrides is None:
        failures["no orbits for the hydrides"] += 1
        return None
    packing = assemble(
        assignment, cell, np.concatenate([orbit.sites for orbit in centres]) @ cell, np.concatenate(sites) @ cell,
        np.concatenate([np.empty((0, 3)), *(orbit.sites for orbit in hydrides)]) @ cell, ligands,
        f"symmetric:{group.number}:Z{formula_units}", None,
    )  # fmt: skip
    symmetry = symmetry_of(packing, group)
    if symmetry is None:
        failures["atoms of two units overlap"] += 1
        return None
    return replace(packing, symmetry=symmetry)


@functools.cache
def space_group_operations(number: int) -> Group:
    """A space group by its number, in the primitive cell of its standard setting."""
    operations = moyopy.operations_from_number(number, primitive=True)
    return Group(number, np.array(operations.rotations), np.array(operations.translations))


@functools.cache
def groups_for(centres: int) -> tuple[int, ...]:
    """Space groups but P1 whose orbits in the primitive cell can add up to so many sites."""
    found = []
    for number in range(2, 231):
        sums = {0}
        for _ in range(centres):
            sums |= {total + size for total in sums for size in _orbit_sizes(number)}
        if centres in sums:
            found.append(number)
    return tuple(found)


@functools.cache
def _orbit_sizes(number: int) -> frozenset[int]:
    """Sites of each kind of position; the special points of every group lie on eighths and sixths."""
    group = space_group_operations(number)
    ticks = np.array([0, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 3 / 8, 1 / 2, 5 / 8, 2 / 3, 3 / 4, 5 / 6, 7 / 8])
    points = np.array(list(itertools.product(ticks, repeat=3)))
    images = points @ group.rotations.transpose(0, 2, 1) + group.translations[:, None, :]
    is_fixed = np.abs((images - points + 0.5) % 1.0 - 0.5).max(axis=2) < 1e-6
    return frozenset(int(size) for size in len(group.rotations) // is_fixed.sum(axis=0))


def symmetry_of(packing: Packing, group: Group) -> Symmetry | None:
    """Where each operation takes each atom; None if two atoms fall together or one has no image.

    Args:
        packing: Has the symmetry of the group.
        group: In the packing's cell.
    """
    inverse = np.linalg.inv(packing.cell)
    fractional = packing.positions @ inverse
    symbols = np.array(packing.symbols)
    images = []
    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        displacements = (fractional @ rotation.T + translation)[:, None, :] - fractional[None, :, :]
        distance = np.linalg.norm((displacements - np.round(displacements)) @ packing.cell, axis=2)
        image = distance.argmin(axis=1)
        if distance.min(axis=1).max() > SAME_PLACE or len(set(image)) < len(image) or any(symbols[image] != symbols):
            return None
        images.append(image)
    turns = np.array([_cartesian(rotation, packing.cell) for rotation in group.rotations])
    return Symmetry(turns, np.array(images))


def symmetric_cell(cell: np.ndarray, group: Group) -> np.ndarray:
    """The cell nearest to a given one, in the mean of its metric, that the group leaves as it is; same volume."""
    metric = cell @ cell.T
    averaged = np.mean([rotation.T @ metric @ rotation for rotation in group.rotations], axis=0)
    symmetric = np.linalg.cholesky(averaged)
    return np.asarray(symmetric * (abs(np.linalg.det(cell)) / np.linalg.det(symmetric)) ** (1 / 3))


def orbit_of(point: np.ndarray, cell: np.ndarray, group: Group, merge: float) -> Orbit:
    """The orbit of a point after images closer than `merge` (Å) have been merged onto a special position."""
    for _ in range(8):
        displacements = _displacements(point, cell, group)
        distance = np.linalg.norm(displacements @ cell, axis=1)
        near = distance < merge
        if distance[near].max() < MERGED:
            break
        point = point + displacements[near].mean(axis=0)
    displacements = _displacements(point, cell, group)
    stabiliser = np.flatnonzero(np.linalg.norm(displacements @ cell, axis=1) < 1e-3)
    point = point + displacements[stabiliser].mean(axis=0)
    sites: list[np.ndarray] = []
    makers: list[int] = []
    for index, image in enumerate(group.rotations @ point + group.translations):
        known = any(np.abs((image - site + 0.5) % 1.0 - 0.5).max() < 1e-4 for site in sites)
        if not known:
            sites.append(image)
            makers.append(index)
    return Orbit(np.array(sites), makers, stabiliser)


def symmetric_shell(n: int, turns: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Ligands on a sphere that a point group leaves as they are, far apart; None if none were found.

    Args:
        n: Ligands.
        turns: shape (order, 3, 3), Cartesian operations of the point group.
        rng: Draws the orbits.
    """
    widest = max(_shortest(shape) for shape in polyhedra(n).values())
    for _ in range(SHELL_TRIES):
        points = np.empty((0, 3))
        for _ in range(3 * ORBIT_TRIES):
            point = rng.normal(size=3)
            merge = widest * rng.uniform(*MERGE_FACTOR)
            for _ in range(6):  # merged as in `orbit_of`, on the sphere
                images = turns @ (point / np.linalg.norm(point))
                near = np.linalg.norm(images - images[0], axis=1) < merge
                mean = images[near].mean(axis=0)
                if np.linalg.norm(mean) < 0.1:
                    break
                point = mean
            images = turns @ (point / np.linalg.norm(point))
            apart = np.linalg.norm(images[:, None] - images[None], axis=2) + np.triu(np.full((len(images),) * 2, 9.0))
            orbit = images[(apart > 1e-4).all(axis=1)]
            if len(points) + len(orbit) <= n:
                points = np.concatenate([points, orbit])
            if len(points) == n:
                break
        if len(points) == n and _shortest(points) > MERGED:
            shell = spread_out(points, steps=120)
            if _shortest(shell) > CROWDED * widest:
                return shell
    return None


def _fill(
    cell: np.ndarray, group: Group, wanted: int, contact: float, taken: list[np.ndarray], rng: np.random.Generator
) -> list[Orbit] | None:
    """Orbits that hold so many sites in all, each far from what is there; `taken` grows by them."""
    orbits: list[Orbit] = []
    left = wanted
    while left:
        fitting: list[tuple[float, Orbit]] = []
        for _ in range(ORBIT_TRIES):
            orbit = orbit_of(rng.random(3), cell, group, contact * rng.uniform(*MERGE_FACTOR))
            if len(orbit.sites) > left:
                continue
            clearance = _clearance(orbit.sites, taken, cell)
            if clearance > TOO_CLOSE:
                fitting.append((clearance, orbit))
            if len(fitting) == GOOD_ORBITS:
                break
        if not fitting:
            return None
        _, best = max(fitting, key=lambda item: item[0])
        orbits.append(best)
        taken.extend(best.sites)
        left -= len(best.sites)
    return orbits


def _clearance(sites: np.ndarray, taken: list[np.ndarray], cell: np.ndarray) -> float:
    """Å from the first of equivalent sites to its equals and to what is there."""
    others = [*sites[1:], *taken]
    images = (sites[0] + _IMAGES)[None] - np.array([sites[0], *others])[:, None]
    distance = np.linalg.norm(images @ cell, axis=2)
    return float(distance[distance > MERGED].min())


def _displacements(point: np.ndarray, cell: np.ndarray, group: Group) -> np.ndarray:
    """From a point to the nearest of each of its images, shape (order, 3), fractional."""
    displacements = group.rotations @ point + group.translations - point
    displacements -= np.round(displacements)
    every = displacements[:, None, :] + _IMAGES
    nearest = np.linalg.norm(every @ cell, axis=2).argmin(axis=1)
    return np.asarray(every[np.arange(len(displacements)), nearest])


def _cartesian(rotation: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """An operation on fractional columns as one on Cartesian columns."""
    return np.asarray(cell.T @ rotation @ np.linalg.inv(cell.T))


def _shortest(points: np.ndarray) -> float:
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    return float(distance[np.triu_indices(len(points), 1)].min())
