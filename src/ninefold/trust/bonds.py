"""Lengths of the bonds of a complex anion, by the forces along them.

DFT's energies and forces are known at given geometries alone. The force along a bond over its stiffness is what its
length differs by from the minimum, to first order; so two methods' mean M-H lengths at one cell are compared without
relaxing anything with DFT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

LONGEST_BOND = 2.2
"""Å; M-H of complex anions is 1.5 to 1.95, and the next hydrogens begin at 2.5."""
STEP = 0.01
"""Å, by which every bond is stretched and compressed for its stiffness."""


def bonds(structure: Structure, centre: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bonds from a central metal to hydrogens.

    Args:
        structure: n atoms.
        centre: Symbol of the metal.

    Returns:
        Index of each bond's hydrogen, shape (n_bonds,); its unit vector from metal to hydrogen, shape (n_bonds, 3),
        Cartesian; its length, shape (n_bonds,), Å.
    """
    symbols = np.array([site.specie.symbol for site in structure])
    metals = np.flatnonzero(symbols == centre)
    if not len(metals):
        return np.empty(0, dtype=int), np.empty((0, 3)), np.empty(0)
    start, end, image, distance = structure.get_neighbor_list(LONGEST_BOND, [structure[index] for index in metals])
    is_bond = (symbols[end] == "H") & (distance > 0)
    start, end, image, distance = metals[start[is_bond]], end[is_bond], image[is_bond], distance[is_bond]
    places = structure.cart_coords
    vectors = places[end] + image @ structure.lattice.matrix - places[start]
    return end, vectors / distance[:, None], distance


def stretched(structure: Structure, centre: str, step: float) -> Structure:
    """A structure with each M-H bond longer by a step, its metals where they are.

    Args:
        structure: Of a complex hydride.
        centre: Symbol of the metal.
        step: Å; negative: shorter.
    """
    ligands, units, _ = bonds(structure, centre)
    one = structure.copy()
    for ligand, unit in zip(ligands, units, strict=True):
        one.translate_sites([int(ligand)], step * unit, frac_coords=False, to_unit_cell=False)
    return one


def mean_length(structure: Structure, centre: str) -> float | None:
    """Mean M-H length, Å; None without such a bond."""
    lengths = bonds(structure, centre)[2]
    return float(lengths.mean()) if len(lengths) else None


def mean_force(structure: Structure, centre: str, forces: np.ndarray) -> float:
    """Mean force on hydrogens along their bonds, eV/Å; positive: the bonds want to be longer.

    Args:
        structure: n atoms, whose bonds give the directions.
        centre: Symbol of the metal.
        forces: shape (n, 3), eV/Å.
    """
    ligands, units, _ = bonds(structure, centre)
    return float(np.mean(np.sum(np.asarray(forces)[ligands] * units, axis=1)))


def length_difference(
    structure: Structure, centre: str, reference: np.ndarray, own: np.ndarray, longer: np.ndarray, shorter: np.ndarray
) -> float | None:
    """Mean M-H length of an engine less that of the reference, at this cell, to first order.

    Args:
        structure: n atoms.
        centre: Symbol of the metal.
        reference: Forces of the reference method, shape (n, 3), eV/Å.
        own: Of the engine.
        longer: Of the engine with every bond longer by `STEP`.
        shorter: Likewise shorter.

    Returns:
        Å; None without bonds, or where the engine's bonds have no stiffness.
    """
    if not len(bonds(structure, centre)[0]):
        return None
    at = [mean_force(structure, centre, forces) for forces in (reference, own, longer, shorter)]
    stiffness = -(at[2] - at[3]) / (2 * STEP)
    return (at[1] - at[0]) / stiffness if stiffness > 0 else None
