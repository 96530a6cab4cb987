"""The ionic force field that settles a packing before an engine sees it.

    E = sum over ion pairs   s^2 k q_i q_j [damped, shifted Coulomb]     (Fennell & Gezelter 2006)
      + sum over pairs       B (r0_ij / r)^9                             (walls)
      + sum over ligands     K (r_MH - r0)^2 / 2                         (stiff complexes)
      + sum over H-H in one complex   C (d0 / r)^6                       (the polyhedron's own repulsion)
      + B V0 (V / V0 - 1)^2 / 2                                      (V0: the additive volume)

Ligands may move over the polyhedron, as they do in these anions. Nothing is fitted to a compound:
radii are Shannon's, the scale and the walls are round numbers. Energies order the pool and mean
nothing else. One thread; about 0.08 s for 36 atoms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from scipy.optimize import minimize

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.packing import NO_COMPLEX, Packing
from ninefold.structures.polyhedra import M_H_DISTANCE

COULOMB = 14.399645
"""e^2 / (4 pi epsilon_0), eV Å."""
CHARGE_SCALE = 0.7
"""Formal charges times this: these solids are not fully ionic."""
CUTOFF = 9.0
"""Å, Coulomb and walls."""
DAMPING = 0.25
"""1/Å."""
WALL = 0.10
"""eV at the contact distance."""
BOND_STIFFNESS = 15.0
"""eV/Å^2; an M-H stretch of 1800 1/cm."""
LIGAND_REPULSION = 0.25
"""eV at 1.9 Å."""
LIGAND_DISTANCE = 1.9
"""Å; H-H in a tricapped trigonal prism at 1.68 Å."""
BULK_MODULUS = 0.08
"""eV/Å^3 (13 GPa); holds the cell near the additive volume, which is known better than any contact distance."""
SOFT_CORE = 0.6
"""Share of the contact distance below which a wall goes on linearly: random packings start overlapping."""

HYDRIDE_RADIUS = 1.20
"""Å."""
CENTRE_RADIUS = 1.7
"""Å; keeps centres 4.3 Å apart with their ligands between, and cations off the centre."""
CATION_RADIUS: dict[str, float] = {
    "Li": 0.74, "Na": 1.05, "K": 1.42, "Rb": 1.55, "Cs": 1.70, "Be": 0.40, "Mg": 0.72, "Ca": 1.05, "Sr": 1.20,
    "Ba": 1.38, "Al": 0.50, "Sc": 0.78, "Y": 0.95, "La": 1.10,
}  # fmt: skip
"""Å, Shannon (1976), coordination 6 to 8."""
LANTHANIDE_RADIUS = 1.02


@dataclass(frozen=True)
class Settled:
    """A packing after the force field."""

    packing: Packing
    energy_per_atom: float
    """eV/atom on the force field's own scale."""
    steps: int


def radius(symbol: str) -> float:
    """Radius of a counter-cation, Å."""
    return CATION_RADIUS.get(symbol, LANTHANIDE_RADIUS)


def settle(packing: Packing, assignment: Assignment, max_steps: int = 150) -> Settled:
    """Relax positions and cell with the force field.

    Args:
        packing: Where to start.
        assignment: Its composition and reading.
        max_steps: L-BFGS steps at most.
    """
    n_atoms = len(packing.symbols)
    sizes = np.array([
        HYDRIDE_RADIUS if symbol == "H" else CENTRE_RADIUS if packing.owner[index] != NO_COMPLEX else radius(symbol)
        for index, symbol in enumerate(packing.symbols)
    ])  # fmt: skip
    is_ligand = np.array([symbol == "H" for symbol in packing.symbols]) & (packing.owner != NO_COMPLEX)
    centre = np.arange(n_atoms)  # atoms of a complex stand together, its centre first
    for index in np.flatnonzero(is_ligand):
        centre[index] = index - 1 if packing.symbols[index - 1] != "H" else centre[index - 1]
    charges = packing.charges * CHARGE_SCALE
    bond = M_H_DISTANCE[assignment.centre]
    target_volume = additive_volume(assignment) * packing.symbols.count(assignment.centre)
    stretch = 3.0 * n_atoms ** (1 / 3)  # strains and displacements of like weight

    def unpack(variables: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        deformation = np.eye(3) + variables[-9:].reshape(3, 3) / stretch
        return variables[:-9].reshape(-1, 3) @ deformation, packing.cell @ deformation, deformation

    def energy_and_gradient(variables: np.ndarray) -> tuple[float, np.ndarray]:
        positions, cell, deformation = unpack(variables)
        if abs(np.linalg.det(cell)) < 2.0 * n_atoms or np.abs(deformation - np.eye(3)).max() > 0.9:
            return 1e6, np.zeros_like(variables)  # the line search steps back from a collapsed cell
        energy, gradient, virial = energy_gradient_virial(
            positions, cell, charges, sizes, packing.owner, centre, is_ligand, bond, target_volume
        )
        inverse = np.linalg.inv(deformation)
        return energy, np.concatenate([(gradient @ deformation.T).ravel(), (inverse.T @ virial).ravel() / stretch])

    start = np.concatenate([packing.positions.ravel(), np.zeros(9)])
    result = minimize(
        energy_and_gradient, start, jac=True, method="L-BFGS-B",
        options={"maxiter": max_steps, "maxcor": 20, "ftol": 1e-9, "gtol": 0.02},
    )  # fmt: skip
    positions, cell, _ = unpack(result.x)
    settled = Packing(cell, positions, packing.symbols, packing.owner, packing.charges, packing.source)
    return Settled(settled, float(result.fun) / n_atoms, int(result.nit))


def energy_gradient_virial(
    positions: np.ndarray,
    cell: np.ndarray,
    charges: np.ndarray,
    sizes: np.ndarray,
    owner: np.ndarray,
    centre: np.ndarray,
    is_ligand: np.ndarray,
    bond: float,
    target_volume: float,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy and its derivatives.

    Args:
        positions: shape (n, 3), Å, Cartesian, complexes unwrapped.
        cell: shape (3, 3), Å.
        charges: shape (n,), e, already scaled.
        sizes: shape (n,), radii, Å.
        owner: shape (n,), complex of each atom, or `NO_COMPLEX`.
        centre: shape (n,), index of a ligand's centre; itself for other atoms.
        is_ligand: shape (n,).
        bond: M-H length, Å.
        target_volume: Additive volume of the cell, Å^3.

    Returns:
        Energy (eV), its gradient (n, 3) (eV/Å), and its derivative by strain (3, 3) (eV).
    """
    energy, gradient, virial = _kernel(
        np.ascontiguousarray(positions), np.ascontiguousarray(cell), charges, sizes, owner, centre, is_ligand, bond
    )
    volume = abs(np.linalg.det(cell))
    excess = volume / target_volume - 1
    energy += 0.5 * BULK_MODULUS * target_volume * excess**2
    return energy, gradient, virial + BULK_MODULUS * volume * excess * np.eye(3)


@numba.njit(cache=True, fastmath=True)
def _kernel(positions, cell, charges, sizes, owner, centre, is_ligand, bond):  # type: ignore[no-untyped-def]  # numba infers them
    n = positions.shape[0]
    energy = 0.0
    gradient = np.zeros((n, 3))
    virial = np.zeros((3, 3))
    inverse = np.linalg.inv(cell)
    images = np.empty(3, dtype=np.int64)
    for axis in range(3):
        height = 1.0 / math.sqrt(inverse[0, axis] ** 2 + inverse[1, axis] ** 2 + inverse[2, axis] ** 2)
        images[axis] = math.ceil(CUTOFF / height + 0.5)
    shift_energy = math.erfc(DAMPING * CUTOFF) / CUTOFF
    gauss = 2.0 * DAMPING / math.sqrt(math.pi)
    shift_force = shift_energy / CUTOFF + gauss * math.exp(-((DAMPING * CUTOFF) ** 2)) / CUTOFF
    self_energy = -(shift_energy / 2.0 + DAMPING / math.sqrt(math.pi)) * COULOMB
    for i in range(n):
        energy += self_energy * charges[i] ** 2
    vector = np.empty(3)
    base = np.empty(3)
    for i in range(n):
        for j in range(i, n):
            # nearest image first, then the images around it
            wrap = np.zeros(3, dtype=np.int64)
            for axis in range(3):
                base[axis] = positions[j, axis] - positions[i, axis]
            for axis in range(3):
                fraction = base[0] * inverse[0, axis] + base[1] * inverse[1, axis] + base[2] * inverse[2, axis]
                wrap[axis] = -round(fraction)
            qq = COULOMB * charges[i] * charges[j]
            contact = sizes[i] + sizes[j]
            same = owner[i] == owner[j] and owner[i] >= 0
            for a in range(wrap[0] - images[0], wrap[0] + images[0] + 1):
                for b in range(wrap[1] - images[1], wrap[1] + images[1] + 1):
                    for c in range(wrap[2] - images[2], wrap[2] + images[2] + 1):
                        if i == j and (a < 0 or (a == 0 and (b < 0 or (b == 0 and c <= 0)))):
                            continue  # each pair of images once
                        squared = 0.0
                        for axis in range(3):
                            vector[axis] = base[axis] + a * cell[0, axis] + b * cell[1, axis] + c * cell[2, axis]
                            squared += vector[axis] ** 2
                        if squared > CUTOFF * CUTOFF or squared < 1e-12:
                            continue
                        r = math.sqrt(squared)
                        value = 0.0
                        slope = 0.0  # dE/dr
                        if same and a == 0 and b == 0 and c == 0:
                            if is_ligand[i] and is_ligand[j]:
                                reduced = max(r, SOFT_CORE * LIGAND_DISTANCE)
                                wall = LIGAND_REPULSION * (LIGAND_DISTANCE / reduced) ** 6
                                value = wall - 6.0 * wall / reduced * (r - reduced)
                                slope = -6.0 * wall / reduced
                            elif centre[j] == i or centre[i] == j:
                                value = 0.5 * BOND_STIFFNESS * (r - bond) ** 2
                                slope = BOND_STIFFNESS * (r - bond)
                        else:
                            damped = math.erfc(DAMPING * r) / r
                            value = qq * (damped - shift_energy + shift_force * (r - CUTOFF))
                            slope = qq * (-damped / r - gauss * math.exp(-((DAMPING * r) ** 2)) / r + shift_force)
                            reduced = max(r, SOFT_CORE * contact)
                            wall = WALL * (contact / reduced) ** 9
                            value += wall - 9.0 * wall / reduced * (r - reduced)
                            slope -= 9.0 * wall / reduced
                        energy += value
                        for axis in range(3):
                            push = slope * vector[axis] / r
                            gradient[j, axis] += push
                            gradient[i, axis] -= push
                            for other in range(3):
                                virial[other, axis] += vector[other] * push
    return energy, gradient, virial
