"""Energy, gradient and virial of the ionic force field, compiled by numba."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

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
