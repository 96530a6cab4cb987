"""BFGS on positions and cell whose first guess knows that a crystal is stiff.

ASE scales the strain by the number of atoms and starts with one curvature for every degree of
freedom, so that large soft cells creep. Here the strain stands as it is and its first curvature is
that of an isotropic solid, which halves the evaluations (docs/engines.md has the table).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.optimize.cellawarebfgs import calculate_isotropic_elasticity_tensor
from ase.units import GPa

BULK_MODULUS = 80.0
"""GPa; complex hydrides have 20-90, metals 10-400; steps hardly depend on it (20 to 150 tried)."""
POISSON_RATIO = 0.25
SPRING = 10.0
"""eV/Å² for every atom; ASE's 70 suits stiff molecules and takes half as many steps more (6 to 120 tried)."""


class CellFilter(FrechetCellFilter):
    """ASE's filter, which computes the forces of a step once.

    The optimizer asks for them three times, and the derivative of the matrix exponential takes a tenth of a step of few
    atoms.
    """

    _at: tuple[bytes, bytes] | None = None

    def get_forces(self, **kwargs: Any) -> np.ndarray:
        """Forces on atoms (eV/Å) and on the logarithm of the deformation (eV): shape (n_atoms + 3, 3)."""
        at = self.atoms.positions.tobytes(), self.atoms.cell.array.tobytes()
        if kwargs or at != self._at:
            forces: np.ndarray = super().get_forces(**kwargs)
            if kwargs:
                return forces
            self._at, self._forces = at, forces
        return self._forces.copy()


class CellBFGS(BFGS):
    """BFGS for a `CellFilter` with `exp_cell_factor=1`.

    Converged when the largest force on an atom and the largest row of the virial (with the external
    pressure) per atom are at most `fmax`: at 10 Å³ per atom, 0.01 eV/Å stands for 0.16 GPa.
    """

    def __init__(self, cell: Any, maxstep: float) -> None:
        super().__init__(cell, logfile=None, maxstep=maxstep, alpha=SPRING)

    def initialize(self) -> None:
        """Set the first Hessian: springs on atoms (eV/Å²), an isotropic solid for the cell (eV)."""
        super().initialize()
        elasticity = calculate_isotropic_elasticity_tensor(BULK_MODULUS * GPa, POISSON_RATIO, self.alpha)
        self.H0[-9:, -9:] = elasticity.reshape(9, 9) * self.atoms.atoms.get_volume()

    def gradient_converged(self, gradient: np.ndarray) -> bool:
        """Whether forces and virial are small enough; the filter's own test would ask it of the whole virial."""
        atoms = self.atoms.atoms
        force = np.linalg.norm(atoms.get_forces(), axis=1).max()
        virial = np.linalg.norm(gradient.reshape(-1, 3)[-3:], axis=1).max() / len(atoms)
        return bool(max(force, virial) <= self.fmax)
