"""Along an imaginary mode: displaced structures, from which a relaxation finds the minimum beside the saddle point."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.vibrations.phonons import ImaginaryMode


def displaced_along(primitive: Structure, mode: ImaginaryMode, amplitude: float) -> Structure:
    """A structure displaced along a mode, in the smallest cell that holds whole waves of it.

    Args:
        primitive: That the mode is of.
        mode: Any.
        amplitude: Largest displacement of an atom, Å; negative to the other side.

    Returns:
        The displaced structure; at Γ a primitive cell.
    """
    matrix = wave_cell(mode.q)
    whole = primitive.copy()
    for index, site in enumerate(whole):
        site.properties = {"of": index}
    cell = whole.make_supercell(matrix.tolist(), in_place=False, to_unit_cell=False)
    masses = np.array([float(site.specie.atomic_mass) for site in primitive])
    places = cell.cart_coords @ np.linalg.inv(primitive.lattice.matrix)
    of = np.array([site.properties["of"] for site in cell])
    phases = np.exp(2j * math.pi * (places @ np.array(mode.q)))
    waves = (mode.eigenvector / np.sqrt(masses)[:, None])[of] * phases[:, None]
    # a global phase is free; where the wave can be made real, it shall be
    turned = waves * np.exp(-0.5j * np.angle((waves**2).sum() + 0j))
    steps = turned.real
    steps *= amplitude / np.linalg.norm(steps, axis=1).max()
    for site in cell:
        site.properties = {}
    for index, step in enumerate(steps):
        cell.translate_sites([index], step, frac_coords=False, to_unit_cell=False)
    return cell


def wave_cell(q: tuple[float, float, float]) -> np.ndarray:
    """The smallest supercell that holds whole waves of a vector: shape (3, 3), integers, rows are its vectors.

    Args:
        q: In vectors of the primitive reciprocal cell: fractions with denominators up to 50.
    """
    fractions = [Fraction(value).limit_denominator(50) for value in q]
    size = math.lcm(*(part.denominator for part in fractions))
    numerators = [int(part * size) for part in fractions]
    shapes = []
    for a, b in product(range(1, size + 1), repeat=2):
        if size % (a * b):
            continue
        c = size // (a * b)
        for x, y, z in product(range(a), range(a), range(b)):
            # rows below the diagonal run over one of each class of equal lattices
            rows = np.array([[a, 0, 0], [x, b, 0], [y, z, c]])
            if not (rows @ numerators % size).any():
                shapes.append(rows)
    return min(shapes, key=lambda rows: (int((rows**2).sum()), rows.tolist()))
