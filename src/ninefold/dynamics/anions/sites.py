"""The inequivalent anions of a crystal, and what its symmetry makes of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.anions.cages import with_cages
from ninefold.dynamics.anions.isomers import isomers_of, nearest_assignment, shape_measure
from ninefold.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

SYMMETRY = 0.1
"""Å; positions that a symmetry operation maps onto each other within this are the same."""


@dataclass(frozen=True)
class Site:
    """An anion of the crystal, and all that symmetry makes of it."""

    centre: int
    """Index of the atom; the first atom of a cage."""
    ligands: tuple[int, ...]
    """Indices of its hydrogens."""
    polyhedron: str
    """The nearest."""
    shape_measure: float
    """Of the shell to it, without the centre; 0 for the ideal one."""
    equivalent: int
    """Anions in the cell that symmetry makes of it, itself included."""
    operations: tuple[tuple[int, ...], ...]
    """Permutations of its ligands by the symmetry of its site."""
    origin: tuple[float, float, float]
    """Of the ligands' directions, Å."""
    cage: tuple[int, ...] = ()
    """Indices of the atoms that each ligand is bonded to, where these are a cage; none where a metal is the centre."""


def sites(atoms: Atoms, centre: str, n: int | None = None) -> list[Site]:
    """The inequivalent anions of a relaxed structure.

    Args:
        atoms: Relaxed.
        centre: Symbol of the centres; of cages element and number, B12.
        n: Ligands; default: as many as the shell has.

    Raises:
        InputError: if there is no such centre, or its shell has no known polyhedron.
    """
    from ninefold.dynamics.anions.shells import follow_shells
    from ninefold.dynamics.trajectories.trajectory import in_memory

    cell = atoms.cell.array
    trajectory = in_memory(atoms.get_chemical_symbols(), atoms.positions[None], cell, 1.0, source="structure")
    trajectory = with_cages(trajectory, centre)
    positions = next(iter(trajectory.chunks())).positions[0]
    shells = follow_shells(trajectory, centre, n)
    every = isomers_of(shells.n)
    group = _symmetry(atoms)
    found: list[Site] = []
    seen: set[frozenset[int]] = set()
    for segment in shells.segments:
        ligands = tuple(int(ligand) for ligand in segment.ligands)
        cage = _bonded(atoms, ligands) if segment.centre >= len(atoms) else ()
        core = frozenset(cage or (segment.centre,))
        images = {frozenset(int(mapping[atom]) for atom in core) for mapping in group}
        if core in seen:
            continue
        seen |= images
        vectors = segment.vectors[0].astype(float)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        distances = {name: nearest_assignment(unit, one.vertices)[1] for name, one in every.items()}
        name = min(distances, key=lambda name: distances[name])
        place = {ligand: index for index, ligand in enumerate(ligands)}
        operations = {
            tuple(place[int(mapping[ligand])] for ligand in ligands)
            for mapping in group
            if {int(mapping[atom]) for atom in core} == core and all(int(mapping[one]) in place for one in ligands)
        }
        x, y, z = (float(value) for value in positions[segment.centre])
        found.append(
            Site(
                min(core), ligands, name, float(shape_measure(distances[name], shells.n)), len(images),
                tuple(sorted(operations)), (x, y, z), cage,
            )
        )  # fmt: skip
    return found


def vectors_to(atoms: Atoms, site: Site, members: Sequence[int]) -> np.ndarray:
    """Shape (n, 3), Å, from an anion's origin to atoms by the nearest image.

    Args:
        atoms: The structure.
        site: The anion.
        members: Indices of the atoms.
    """
    from ase.geometry import find_mic

    return np.asarray(find_mic(atoms.positions[list(members)] - site.origin, atoms.cell, atoms.pbc)[0])


def _bonded(atoms: Atoms, ligands: Sequence[int]) -> tuple[int, ...]:
    """The atom other than hydrogen that is nearest to each ligand."""
    others = np.flatnonzero(atoms.numbers != 1)
    return tuple(int(others[np.argmin(atoms.get_distances(one, others, mic=True))]) for one in ligands)


def _symmetry(atoms: Atoms) -> list[np.ndarray]:
    """Permutations of the atoms by the space group's operations."""
    import spglib

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.get_symmetry(cell, symprec=SYMMETRY / 5)
    if found is None:
        raise InputError("structure", atoms.get_chemical_formula(), problem="has no symmetry that can be found")
    fractional = atoms.get_scaled_positions()
    mappings: dict[tuple[int, ...], np.ndarray] = {}
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        moved = fractional @ rotation.T + translation
        steps = moved[:, None] - fractional[None]
        steps -= np.round(steps)
        distances = np.linalg.norm(steps @ atoms.cell.array, axis=2)
        distances[atoms.numbers[:, None] != atoms.numbers[None]] = np.inf
        mapping = np.argmin(distances, axis=1)
        if distances.min(axis=1).max() < SYMMETRY and len(set(mapping.tolist())) == len(mapping):
            mappings[tuple(mapping.tolist())] = mapping
    return list(mappings.values())
