"""Symmetry by moyopy: space group and symmetrised primitive cell."""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import moyopy
import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

# moyopy warns of every supercell that its site symmetries are those of the primitive cell, which is what is asked
logging.getLogger("moyo").setLevel(logging.ERROR)

SYMPREC = 0.01
"""Å; tolerance of every space group that is reported."""
SYMPREC_SEQUENCE = (0.3, 0.15, 0.08, 0.04)
"""Å; tolerances at which the symmetry of a coarsely relaxed structure is sought, widest first."""


_SETTINGS = 530
"""Hall symbols of the space groups' settings."""
_OLD_SYMBOLS = {"Abm2": 39, "Aba2": 41, "Cmca": 64, "Cmma": 67, "Ccca": 68}


class SpaceGroup(NamedTuple):
    """A space group."""

    number: int
    symbol: str


def space_group(structure: Structure, symprec: float = SYMPREC) -> SpaceGroup:
    """Space group of a structure; P1 where the search fails at this tolerance."""
    data = _dataset(structure, symprec)
    return named(1 if data is None else int(data.number))


def named(number: int) -> SpaceGroup:
    """A space group by its number, 1 to 230."""
    return SpaceGroup(number, moyopy.SpaceGroupType(number).hm_short.replace(" ", ""))


@functools.cache
def spellings() -> dict[str, str]:
    """Hermann-Mauguin symbols, short and full and in every setting, bare (`bare_symbol`) -> the symbol of `named`."""
    found = {}
    for hall_number in range(1, _SETTINGS + 1):
        entry = moyopy.HallSymbolEntry(hall_number)
        for symbol in (entry.hm_short, entry.hm_full):
            found[bare_symbol(symbol)] = named(entry.number).symbol
    # before the glide plane e (International Tables A, 4th edition, 1995)
    return found | {old.lower(): named(number).symbol for old, number in _OLD_SYMBOLS.items()}


def standard_symbol(text: str) -> str | None:
    """The symbol of `named` of a space group in any spelling: P -6 2 m, P63/mmc, P 1 21/c 1; None if it is none."""
    return spellings().get(bare_symbol(re.sub(r":[12hHrR]$", "", text.strip())))


def bare_symbol(text: str) -> str:
    """A Hermann-Mauguin symbol without blanks and underscores, in small letters: still one for each group."""
    return re.sub(r"[\s_]", "", text).replace("\N{MINUS SIGN}", "-").lower()


@functools.cache
def operation_count(number: int) -> int:
    """Symmetry operations of a space group per primitive cell, 1 to 48."""
    return len(moyopy.operations_from_number(number, primitive=True))


def symmetrised(structure: Structure, symprec: float = SYMPREC) -> Structure:
    """Standard primitive cell with positions and lattice moved onto the symmetry found.

    The structure itself, where the search fails at this tolerance.
    """
    data = _dataset(structure, symprec)
    if data is None:
        return structure
    from pymatgen.core import Element, Lattice, Structure

    cell = data.prim_std_cell
    return Structure(
        Lattice(np.array(cell.basis).reshape(3, 3)), [Element.from_Z(number) for number in cell.numbers], cell.positions
    )


def standard_cells(structure: Structure, symprec: float = SYMPREC) -> tuple[Structure, np.ndarray]:
    """Symmetrised primitive cell, and the conventional cell as multiples of its vectors.

    Args:
        structure: Any cell.
        symprec: Å.

    Returns:
        The primitive cell, see `symmetrised`; and shape (3, 3), integers: each row is a vector of the conventional
        cell in vectors of the primitive one. Where no symmetry is found, the structure itself and the unit matrix.
    """
    data = _dataset(structure, symprec)
    if data is None:
        return structure, np.eye(3, dtype=int)
    primitive, conventional = (np.array(cell.basis).reshape(3, 3) for cell in (data.prim_std_cell, data.std_cell))
    return symmetrised(structure, symprec), np.rint(conventional @ np.linalg.inv(primitive)).astype(int)


def _dataset(structure: Structure, symprec: float) -> Any:
    cell = moyopy.Cell(
        structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), [site.specie.Z for site in structure]
    )
    try:
        return moyopy.MoyoDataset(cell, symprec=symprec)
    except ValueError:  # moyopy's word for "no symmetry search possible at this tolerance"
        return None
