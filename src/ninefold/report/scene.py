"""What a structure picture shows: atoms, M-H sticks, coordination polyhedra and the cell.

Geometry only; `picture` draws it as SVG and the page's script draws it on a canvas.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from ninefold.structures.shells import hydrogens_around

_EDGE = 0.02
"""Fractional distance from a cell face within which an atom is also drawn on the opposite face."""


@dataclass(frozen=True)
class Scene:
    """Everything to draw, in Å, Cartesian, with the middle of the cell as the origin."""

    symbols: list[str]
    """Element of each atom drawn; images across the cell's faces are atoms of their own."""
    roles: list[str]
    """centre, cation, ligand (hydrogen on a centre) or hydride (interstitial)."""
    positions: NDArray[np.float64]
    """shape (n_atoms, 3), Å."""
    bonds: list[tuple[int, int]]
    """Centre and hydrogen, as indices of atoms."""
    faces: list[tuple[int, int, int]]
    """Triangles of the coordination polyhedra."""
    lattice: NDArray[np.float64]
    """shape (3, 3), rows are the lattice vectors, Å."""


def make_scene(structure: dict[str, Any], centre: str) -> Scene | None:
    """The scene of a stored structure.

    Args:
        structure: pymatgen's `Structure.as_dict()`.
        centre: Symbol of the centre of the anion.

    Returns:
        None if the dictionary holds no atoms, or atoms of no element.
    """
    sites = structure.get("sites") or []
    if not sites:
        return None
    lattice = np.asarray(structure["lattice"]["matrix"], dtype=float)
    symbols = [str(site["species"][0]["element"]) for site in sites]
    fractional = np.asarray([site["abc"] for site in sites], dtype=float)
    fractional -= np.floor(fractional + _EDGE / 2)  # an atom at 0.9999 belongs at the origin

    try:
        cell = Structure(lattice, symbols, fractional)
    except ValueError:  # of a damaged store: no such element
        return None
    neighbours = hydrogens_around(cell, centre)
    shells = {near.centre: near.steps[near.in_shell] for near in neighbours}
    bound = {int(index) for near in neighbours for index in near.hydrogens[near.in_shell]}

    drawn = _Drawn(lattice)
    bonds: list[tuple[int, int]] = []
    faces: list[tuple[int, int, int]] = []
    for index, symbol in enumerate(symbols):
        if index in bound:
            continue  # drawn with every centre that it belongs to
        for image in _images(fractional[index]):
            if symbol == centre:
                here = drawn.add(symbol, "centre", image)
                corners = [drawn.add("H", "ligand", image + step) for step in shells[index]]
                bonds += [(here, corner) for corner in corners]
                faces += _triangles(np.array(drawn.positions), corners)
            else:
                drawn.add(symbol, "hydride" if symbol == "H" else "cation", image)
    positions = np.array(drawn.positions) - lattice.sum(axis=0) / 2
    return Scene(drawn.symbols, drawn.roles, positions, bonds, faces, lattice)


class _Drawn:
    """Atoms drawn so far; one that is met twice is drawn once."""

    def __init__(self, lattice: NDArray[np.float64]) -> None:
        self.lattice = lattice
        self.symbols: list[str] = []
        self.roles: list[str] = []
        self.positions: list[NDArray[np.float64]] = []
        self._seen: dict[tuple[int, ...], int] = {}

    def add(self, symbol: str, role: str, fractional: NDArray[np.float64]) -> int:
        position = fractional @ self.lattice
        key = tuple(round(float(x) * 50) for x in position)
        if key not in self._seen:
            self._seen[key] = len(self.symbols)
            self.symbols.append(symbol)
            self.roles.append(role)
            self.positions.append(position)
        return self._seen[key]


def _images(fractional: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """An atom and its copies on the opposite faces, edges and corners of the cell."""
    choices = [(0.0, 1.0) if abs(x) < _EDGE else (0.0,) for x in fractional]
    return [fractional + np.array(shift) for shift in product(*choices)]


def _triangles(positions: NDArray[np.float64], corners: list[int]) -> list[tuple[int, int, int]]:
    from scipy.spatial import ConvexHull, QhullError

    if len(corners) < 4:
        return []
    try:
        hull = ConvexHull(positions[corners])
    except QhullError:  # all in one plane: sticks are enough
        return []
    return [(corners[a], corners[b], corners[c]) for a, b, c in hull.simplices.tolist()]
