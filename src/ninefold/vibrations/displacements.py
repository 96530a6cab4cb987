"""Displaced supercells of a structure, reduced by its symmetry."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.structures.symmetry import standard_cells
from ninefold.vibrations.settings import PhononSettings
from ninefold.vibrations.supercell import Supercell, choose_supercell

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.vibrations.phonons import Phonons

SYMPREC = 1e-4
"""Å; of a structure that has been moved onto its symmetry before."""


@dataclass(frozen=True)
class Displacements:
    """What has to be computed for the force constants of a structure."""

    primitive: Structure
    supercell: Supercell
    at_rest: Structure
    """The supercell."""
    displaced: tuple[Structure, ...]
    """One atom of each is displaced."""
    handle: Any
    """phonopy's object, which knows the displacements."""

    def phonons(self, at_rest: Any, displaced: Sequence[Any]) -> Phonons:
        """Phonons from forces.

        Args:
            at_rest: shape (n_atoms, 3), eV/Å: on the supercell, what the relaxation has left.
            displaced: One such array for each displaced supercell.
        """
        from ninefold.vibrations.phonons import Phonons

        rest = np.asarray(at_rest, dtype=float)
        self.handle.forces = np.array([np.asarray(forces, dtype=float) - rest for forces in displaced])
        self.handle.produce_force_constants(show_drift=False)
        return Phonons(self.primitive, self.supercell.matrix, np.array(self.handle.force_constants))


def displacements_of(structure: Structure, settings: PhononSettings, symprec: float = SYMPREC) -> Displacements:
    """Symmetrise a structure, choose a supercell, and displace what its symmetry does not make from another.

    Args:
        structure: At rest.
        settings: Width of the supercell, displacement.
        symprec: Å, at which its symmetry is found.

    Raises:
        InputError: if the supercell has too many atoms.
    """
    primitive, conventional = standard_cells(structure, symprec)
    handles: dict[Supercell, Any] = {}

    def count(cell: Supercell) -> int:
        handle = phonopy_of(primitive, cell.matrix)
        handle.generate_displacements(distance=settings.displacement)
        handles[cell] = handle
        return len(handle.supercells_with_displacements)

    chosen = choose_supercell(primitive, conventional, settings, count)
    if chosen not in handles:
        count(chosen)
    handle = handles[chosen]
    displaced = tuple(structure_of(cell) for cell in handle.supercells_with_displacements)
    return Displacements(primitive, chosen, structure_of(handle.supercell), displaced, handle)


def phonopy_of(primitive: Structure, matrix: Sequence[Sequence[int]]) -> Any:
    """Phonopy's object of a primitive cell and a supercell.

    Args:
        primitive: The primitive cell.
        matrix: Rows are the supercell's vectors in those of the primitive cell; phonopy has them as columns.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        symbols=[site.specie.symbol for site in primitive], cell=primitive.lattice.matrix,
        scaled_positions=primitive.frac_coords,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a supercell of lower symmetry than the crystal's: it costs displacements
        return Phonopy(
            cell, supercell_matrix=np.array(matrix).T, primitive_matrix=np.eye(3), symprec=SYMPREC, log_level=0
        )


def structure_of(cell: Any) -> Structure:
    """A cell of phonopy's."""
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice(cell.cell), cell.symbols, cell.scaled_positions)
