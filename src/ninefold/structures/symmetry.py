"""Symmetry by moyopy: space group and symmetrised primitive cell."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import moyopy
import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

# moyopy warns of every supercell that its site symmetries are those of the primitive cell, which is what is asked
logging.getLogger("moyo").setLevel(logging.ERROR)

SYMPREC = 0.01
"""Å; tolerance of every space group that is reported."""
LADDER = (0.3, 0.15, 0.08, 0.04)
"""Å; tolerances at which the symmetry of a coarsely relaxed structure is sought, widest first."""


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


def _dataset(structure: Structure, symprec: float) -> Any:
    cell = moyopy.Cell(
        structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), [site.specie.Z for site in structure]
    )
    try:
        return moyopy.MoyoDataset(cell, symprec=symprec)
    except ValueError:  # moyopy's word for "no symmetry search possible at this tolerance"
        return None
