"""What readers hand over, and how they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

HYDROGENS = ("H", "D", "T")
HEAVIEST = 103
"""No crystal structure holds a heavier element than Lr: `BH4` and `NH4` are not Bh and Nh."""
FULL = 1e-3
"""By how much an occupancy may differ from 1 and still be that of an ordered site."""


class UnreadableError(ValueError):
    """The file cannot be read as one structure that it certainly means.

    Args:
        problem: What is wrong, to stand after the file's name.
        hint: What to do.
    """

    def __init__(self, problem: str, hint: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


@dataclass(frozen=True)
class ReadStructure:
    """An ordered, periodic structure, and what a user should know of how it was read."""

    structure: Structure
    notes: tuple[str, ...] = ()


def element_of(symbol: str) -> str | None:
    """The element that a symbol such as `Fe`, `FE` or `D` names, an isotope of hydrogen as `D` or `T`; None if none."""
    from pymatgen.core import Element

    name = symbol[:1].upper() + symbol[1:].lower()
    if name in HYDROGENS:
        return name
    return name if Element.is_valid_symbol(name) and Element(name).Z <= HEAVIEST else None


def fixed_atoms_note(held: int, total: int) -> str:
    """What is said of a file's selective dynamics."""
    return f"selective dynamics: {held} of {total} atoms are marked as fixed; a relaxation moves them too"


def plain_structure(
    cell: np.ndarray, symbols: Sequence[str], positions: np.ndarray, notes: Sequence[str] = ()
) -> ReadStructure:
    """A structure of elements alone: no charges, moments or constraints; isotopes of hydrogen as hydrogen.

    Args:
        cell: shape (3, 3), Å, rows.
        symbols: Elements, `D` and `T` among them.
        positions: shape (n, 3), fractional.
        notes: So far.
    """
    from pymatgen.core import Lattice, Structure

    cell, positions = np.asarray(cell, dtype=float), np.asarray(positions, dtype=float).reshape(-1, 3)
    if not len(symbols):
        raise UnreadableError("holds no periodic structure: it has no atoms")
    if not (np.isfinite(cell).all() and np.isfinite(positions).all()):
        raise UnreadableError("holds a number that is not finite")
    if abs(np.linalg.det(cell)) < 1e-3:
        raise UnreadableError("holds no periodic structure: its cell has no volume")
    heavy = [isotope for isotope in ("D", "T") if isotope in symbols]
    told = [f"{isotope} is read as hydrogen" for isotope in heavy]
    elements = ["H" if symbol in HYDROGENS else symbol for symbol in symbols]
    return ReadStructure(Structure(Lattice(cell), elements, positions), (*notes, *told))
