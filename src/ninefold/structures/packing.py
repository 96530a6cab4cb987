"""A packing: complexes, cations and hydride ions in a cell, before any engine has seen it.

It knows what a structure does not: which hydrogen belongs to which centre. Complexes are held
unwrapped, so that a ligand's vector from its centre is a plain difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Lattice, Structure

from ninefold.chemistry.anions import Assignment
from ninefold.structures.polyhedra import M_H_DISTANCE

NO_COMPLEX = -1
"""`owner` of counter-cations and interstitial hydrides."""


@dataclass(frozen=True)
class Symmetry:
    """Operations that map a packing onto itself; the force field holds it to them."""

    rotations: np.ndarray
    """shape (order, 3, 3), Cartesian."""
    images: np.ndarray
    """shape (order, n_atoms); the atom that each operation takes each atom onto."""

    def averaged(self, vectors: np.ndarray) -> np.ndarray:
        """The part of a vector on each atom, shape (n_atoms, 3), that has the symmetry."""
        turned = np.einsum("oij,onj->oni", self.rotations.transpose(0, 2, 1), vectors[self.images])
        return np.asarray(turned.mean(axis=0))

    def averaged_tensor(self, tensor: np.ndarray) -> np.ndarray:
        """The part of a tensor, shape (3, 3), that has the symmetry."""
        return np.asarray((self.rotations.transpose(0, 2, 1) @ tensor @ self.rotations).mean(axis=0))


@dataclass(frozen=True)
class Packing:
    """Atoms in a cell with their roles. Atoms of a complex stand together, its centre first."""

    cell: np.ndarray
    """shape (3, 3), Å, rows are lattice vectors."""
    positions: np.ndarray
    """shape (n_atoms, 3), Å, Cartesian, complexes unwrapped."""
    symbols: tuple[str, ...]
    owner: np.ndarray
    """shape (n_atoms,), index of the complex, or `NO_COMPLEX`."""
    charges: np.ndarray
    """shape (n_atoms,), formal charges, e; the anion's charge stands on its hydrogens."""
    source: str
    """How it was made."""
    symmetry: Symmetry | None = None
    """What is kept while it settles."""

    def to_structure(self) -> Structure:
        """The packing as a crystal structure, atoms wrapped into the cell."""
        return Structure(Lattice(self.cell), self.symbols, self.positions, coords_are_cartesian=True, to_unit_cell=True)


def assemble(
    assignment: Assignment,
    cell: np.ndarray,
    centres: np.ndarray,
    cations: np.ndarray,
    hydrides: np.ndarray,
    polyhedra: list[np.ndarray],
    source: str,
    rng: np.random.Generator | None,
) -> Packing:
    """Put complexes on centres, cations and hydrides on their sites.

    Args:
        assignment: The composition, its centre and what its hydrogens are bound to.
        cell: shape (3, 3), Å.
        centres: shape (Z, 3), Å; sites of the complexes.
        cations: shape (Z * cations per centre, 3), Å.
        hydrides: shape (Z * m, 3), Å.
        polyhedra: One set of unit vectors, shape (n, 3), per centre, already turned.
        source: How it was made.
        rng: Distributes the kinds of cations over their sites; None where the sites stand kind by kind.
    """
    symbols: list[str] = []
    positions: list[np.ndarray] = []
    owner: list[int] = []
    charges: list[float] = []
    length = M_H_DISTANCE[assignment.centre]
    for index, (centre, vectors) in enumerate(zip(centres, polyhedra, strict=True)):
        symbols += [assignment.centre, *(["H"] * assignment.n)]
        positions += [centre[None, :], centre + length * vectors]
        owner += [index] * (1 + assignment.n)
        charges += [0.0] + [-assignment.q / assignment.n] * assignment.n
    kinds = [cation for cation in assignment.cations for _ in range(cation.count * len(centres))]
    order = np.arange(len(kinds)) if rng is None else rng.permutation(len(kinds))
    for place, site in zip(order, cations, strict=True):
        symbols.append(kinds[place].symbol)
        positions.append(site[None, :])
        owner.append(NO_COMPLEX)
        charges.append(float(kinds[place].charge))
    for site in hydrides:
        symbols.append("H")
        positions.append(site[None, :])
        owner.append(NO_COMPLEX)
        charges.append(-1.0)
    return Packing(cell, np.concatenate(positions), tuple(symbols), np.array(owner), np.array(charges), source)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation, uniform over all of them, shape (3, 3); from a random unit quaternion (Shoemake 1992)."""
    w, x, y, z = (quaternion := rng.normal(size=4)) / np.linalg.norm(quaternion)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
