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

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from pymatgen.core import Structure
from scipy.optimize import minimize

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.packing import NO_COMPLEX, Packing
from ninefold.structures.polyhedra import M_H_DISTANCE

COULOMB = 14.399645
"""e^2 / (4 pi epsilon_0), eV Å."""
CUTOFF = 9.0
"""Å, Coulomb and walls."""
DAMPING = 0.25
"""1/Å."""
LIGAND_SPREAD = 1.131
"""Contact of two ligands over the M-H length: 1.9 Å at 1.68 Å in a tricapped trigonal prism."""
SOFT_CORE = 0.6
"""Share of the contact distance below which a wall goes on linearly: random packings start overlapping."""


@dataclass(frozen=True)
class Parameters:
    """What is fitted; `workflows/fit_forcefield.py` makes the file that holds the values in use."""

    charge_scale: float
    """Formal charges times this: these solids are not fully ionic."""
    charge_transfer: float
    """e that each ligand takes from its centre beside its share of the anion's charge."""
    wall: float
    """eV at the contact distance."""
    bond_stiffness: float
    """eV/Å^2."""
    bulk_modulus: float
    """eV/Å^3; holds the cell near the additive volume, which is known better than any contact distance."""
    volume_factor: float
    """Volume at which that term rests over the additive one: the ions' attraction makes up the difference."""
    hydride_radius: float
    """Å, of an interstitial hydride ion."""
    ligand_radius: float
    """Å, of a hydrogen on a centre."""
    centre_radius: float
    """Å; keeps cations off the centre."""
    ligand_repulsion: dict[int, float]
    """n -> eV at the contact of two ligands; what keeps a polyhedron in shape."""
    cation_radius: dict[str, float]
    """Å; lanthanides that are not listed take that of `Ln`."""
    bond: dict[str, float]
    """M-H length at rest, Å; centres that are not listed take that of `M_H_DISTANCE`."""

    def repulsion(self, n: int) -> float:
        """Ligand repulsion of [MH_n], eV; of the nearest n that is listed."""
        return self.ligand_repulsion[min(self.ligand_repulsion, key=lambda known: abs(known - n))]

    def radius(self, symbol: str) -> float:
        """Radius of a counter-cation, Å."""
        return self.cation_radius.get(symbol, self.cation_radius["Ln"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to what they are worth."""
        return {
            name: {key: round(item, 4) for key, item in value.items()} if isinstance(value, dict) else round(value, 4)
            for name, value in asdict(self).items()
        }

    def to_vector(self) -> list[float]:
        """Every value, in the order of the fields."""
        values = asdict(self).values()
        return [item for value in values for item in (value.values() if isinstance(value, dict) else (value,))]

    @classmethod
    def from_vector(cls, vector: Iterable[float], like: Parameters) -> Parameters:
        """The inverse of `to_vector`, with the keys of another set."""
        numbers = iter(float(value) for value in vector)
        values: dict[str, Any] = {
            name: {key: next(numbers) for key in value} if isinstance(value, dict) else next(numbers)
            for name, value in asdict(like).items()
        }
        return cls(**values)


@functools.cache
def parameters() -> Parameters:
    """The parameters in use."""
    from ninefold.yaml_files import read_yaml

    path = Path(str(files("ninefold.structures").joinpath("data/forcefield.yaml")))
    return Parameters(**read_yaml(path, "force field"))


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
        assignment: Its composition and reading.
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


class Terms(NamedTuple):
    """What the kernel needs of a packing besides its geometry."""

    charges: np.ndarray
    """shape (n,), e, scaled."""
    sizes: np.ndarray
    """shape (n,), radii, Å."""
    owner: np.ndarray
    """shape (n,), complex of each atom, or `NO_COMPLEX`."""
    centre: np.ndarray
    """shape (n,), index of a ligand's centre; itself for other atoms."""
    is_ligand: np.ndarray
    """shape (n,)."""
    bond: float
    """M-H length, Å."""
    bond_stiffness: float
    """eV/Å^2."""
    wall: float
    """eV."""
    repulsion: float
    """eV at `LIGAND_SPREAD` times the bond."""
    bulk_modulus: float
    """eV/Å^3."""
    target_volume: float
    """Volume at which the bulk term rests, Å^3."""


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


def energy_gradient_virial(
    positions: np.ndarray, cell: np.ndarray, terms: Terms
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy and its derivatives.

    Args:
        positions: shape (n, 3), Å, Cartesian, complexes unwrapped.
        cell: shape (3, 3), Å.
        terms: Charges, radii, roles and strengths.

    Returns:
        Energy (eV), its gradient (n, 3) (eV/Å), and its derivative by strain (3, 3) (eV).
    """
    energy, gradient, virial = _kernel(
        np.ascontiguousarray(positions), np.ascontiguousarray(cell), terms.charges, terms.sizes, terms.owner,
        terms.centre, terms.is_ligand, terms.bond, terms.bond_stiffness, terms.wall, terms.repulsion,
    )  # fmt: skip
    volume = abs(np.linalg.det(cell))
    excess = volume / terms.target_volume - 1
    energy += 0.5 * terms.bulk_modulus * terms.target_volume * excess**2
    return energy, gradient, virial + terms.bulk_modulus * volume * excess * np.eye(3)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """By numba; kept between processes where a folder for that can be written, as in an installation of one's own."""
    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, fastmath=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        compiled = numba.njit(fastmath=True)(function)
    return compiled


@_compiled
def _kernel(  # type: ignore[no-untyped-def]  # numba infers them
    positions, cell, charges, sizes, owner, centre, is_ligand, bond, stiffness, strength, repulsion
):
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
                                reduced = max(r, SOFT_CORE * LIGAND_SPREAD * bond)
                                wall = repulsion * (LIGAND_SPREAD * bond / reduced) ** 6
                                value = wall - 6.0 * wall / reduced * (r - reduced)
                                slope = -6.0 * wall / reduced
                            elif centre[j] == i or centre[i] == j:
                                value = 0.5 * stiffness * (r - bond) ** 2
                                slope = stiffness * (r - bond)
                        else:
                            damped = math.erfc(DAMPING * r) / r
                            value = qq * (damped - shift_energy + shift_force * (r - CUTOFF))
                            slope = qq * (-damped / r - gauss * math.exp(-((DAMPING * r) ** 2)) / r + shift_force)
                            reduced = max(r, SOFT_CORE * contact)
                            wall = strength * (contact / reduced) ** 9
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
