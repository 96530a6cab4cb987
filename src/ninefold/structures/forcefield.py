"""The ionic force field that settles a packing before an engine sees it.

    E = sum over ion pairs   s^2 k q_i q_j [damped, shifted Coulomb]     (Fennell & Gezelter 2006)
      + sum over pairs       B (r0_ij / r)^9                             (walls)
      + sum over ligands     K (r_MH - r0)^2 / 2                         (stiff complexes)
      + sum over H-H in one complex   C (d0 / r)^6                       (the polyhedron's own repulsion)
      + B V0 (V / V0 - 1)^2 / 2                                      (V0: the additive volume)

Ligands may move over the polyhedron, as they do in these anions. The parameters are fitted to the
forces of an ML engine on random compositions, none of which has been made. Energies order the pool
and mean nothing else. One thread; about 0.08 s for 36 atoms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Structure
from scipy.optimize import minimize

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.forcefield_kernel import Terms, energy_gradient_virial
from ninefold.structures.forcefield_parameters import Parameters, parameters
from ninefold.structures.packing import NO_COMPLEX, Packing
from ninefold.structures.polyhedra import M_H_DISTANCE


@dataclass(frozen=True)
class Settled:
    """A packing after the force field."""

    packing: Packing
    energy_per_atom: float
    """eV/atom on the force field's own scale."""
    steps: int


def settle(packing: Packing, assignment: Assignment, max_steps: int = 150) -> Settled:
    """Relax positions and cell with the force field.

    Args:
        packing: Where to start.
        assignment: The composition, its centre and what its hydrogens are bound to.
        max_steps: L-BFGS steps at most.
    """
    n_atoms = len(packing.symbols)
    terms = _terms(packing, assignment, parameters())
    stretch = 3.0 * n_atoms ** (1 / 3)  # strains and displacements of like weight

    def unpack(variables: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        deformation = np.eye(3) + variables[-9:].reshape(3, 3) / stretch
        return variables[:-9].reshape(-1, 3) @ deformation, packing.cell @ deformation, deformation

    def energy_and_gradient(variables: np.ndarray) -> tuple[float, np.ndarray]:
        positions, cell, deformation = unpack(variables)
        if abs(np.linalg.det(cell)) < 2.0 * n_atoms or np.abs(deformation - np.eye(3)).max() > 0.9:
            return 1e6, np.zeros_like(variables)  # the line search steps back from a collapsed cell
        energy, gradient, virial = energy_gradient_virial(positions, cell, terms)
        if packing.symmetry is not None:  # exact already but for rounding, which a saddle would amplify
            gradient, virial = packing.symmetry.averaged(gradient), packing.symmetry.averaged_tensor(virial)
        inverse = np.linalg.inv(deformation)
        return energy, np.concatenate([(gradient @ deformation.T).ravel(), (inverse.T @ virial).ravel() / stretch])

    start = np.concatenate([packing.positions.ravel(), np.zeros(9)])
    result = minimize(
        energy_and_gradient, start, jac=True, method="L-BFGS-B",
        options={"maxiter": max_steps, "maxcor": 20, "ftol": 1e-9, "gtol": 0.02},
    )  # fmt: skip
    positions, cell, _ = unpack(result.x)
    settled = replace(packing, cell=cell, positions=positions)
    return Settled(settled, float(result.fun) / n_atoms, int(result.nit))


def evaluate(
    packing: Packing, assignment: Assignment, chosen: Parameters | None = None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy (eV), gradient (n, 3) (eV/Å) and derivative by strain (3, 3) (eV) of a packing as it stands."""
    terms = _terms(packing, assignment, chosen or parameters())
    return energy_gradient_virial(packing.positions, packing.cell, terms)


def packing_of(structure: Structure, assignment: Assignment) -> tuple[Packing, np.ndarray] | None:
    """A structure with its complexes told apart; None where a centre does not carry n hydrogens of its own.

    Returns:
        The packing, and which of the structure's atoms each of its atoms is, shape (n_atoms,).
    """
    symbols = [site.specie.symbol for site in structure]
    positions: list[np.ndarray] = []
    order: list[int] = []
    owner: list[int] = []
    charges: list[float] = []
    for index, symbol in enumerate(symbols):
        if symbol != assignment.centre:
            continue
        near = sorted(
            (item for item in structure.get_neighbors(structure[index], 3.0) if item.specie.symbol == "H"),
            key=lambda item: item.nn_distance,
        )[: assignment.n]
        if len(near) < assignment.n or {int(item.index) for item in near} & set(order):
            return None
        order += [index, *(int(item.index) for item in near)]
        positions += [structure[index].coords, *(item.coords for item in near)]
        owner += [len(set(owner))] * (1 + assignment.n)
        charges += [0.0] + [-assignment.q / assignment.n] * assignment.n
    if len(set(order)) < len(order):
        return None
    formal = {cation.symbol: float(cation.charge) for cation in assignment.cations}
    for index, symbol in enumerate(symbols):
        if index not in order:
            order.append(index)
            positions.append(structure[index].coords)
            owner.append(NO_COMPLEX)
            charges.append(formal.get(symbol, -1.0))
    packing = Packing(
        np.array(structure.lattice.matrix), np.array(positions), tuple(symbols[index] for index in order),
        np.array(owner), np.array(charges), "structure",
    )  # fmt: skip
    return packing, np.array(order)


def _terms(packing: Packing, assignment: Assignment, chosen: Parameters) -> Terms:
    is_complex = packing.owner != NO_COMPLEX
    is_hydrogen = np.array([symbol == "H" for symbol in packing.symbols])
    is_ligand = is_hydrogen & is_complex
    is_centre = is_complex & ~is_hydrogen
    sizes = np.array([0.0 if hydrogen else chosen.radius(symbol)
                      for symbol, hydrogen in zip(packing.symbols, is_hydrogen, strict=True)])  # fmt: skip
    sizes[is_hydrogen] = chosen.hydride_radius
    sizes[is_ligand] = chosen.ligand_radius
    sizes[is_centre] = chosen.centre_radius
    charges = packing.charges * chosen.charge_scale
    charges[is_ligand] -= chosen.charge_transfer
    charges[is_centre] += chosen.charge_transfer * assignment.n
    centre = np.arange(len(packing.symbols))  # atoms of a complex stand together, its centre first
    for index in np.flatnonzero(is_ligand):
        centre[index] = index - 1 if packing.symbols[index - 1] != "H" else centre[index - 1]
    target_volume = additive_volume(assignment) * int(is_centre.sum()) * chosen.volume_factor
    bond = chosen.bond.get(assignment.centre, M_H_DISTANCE[assignment.centre])
    return Terms(
        charges, sizes, packing.owner, centre, is_ligand, bond, chosen.bond_stiffness, chosen.wall,
        chosen.repulsion(assignment.n), chosen.bulk_modulus, target_volume,
    )  # fmt: skip
