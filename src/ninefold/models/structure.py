"""A periodic structure: the one form in which structures are stored and handed from job to job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from ninefold.keys import content_key
from ninefold.models.record import Record

if TYPE_CHECKING:
    from pymatgen.core import Structure


class StructureRecord(Record):
    """A cell as it stands: no symmetry applied, no order changed. id = hash of its content, to the last bit."""

    collection: ClassVar[str] = "structures"

    lattice: list[list[float]]
    """shape (3, 3), Å, rows are vectors."""
    species: list[str]
    """n element symbols."""
    positions: list[list[float]]
    """shape (n, 3), fractional."""

    @classmethod
    def of(cls, structure: Structure) -> Self:
        """The record of an ordered pymatgen structure."""
        packed = pack_structure(structure)
        return cls(id=structure_id(packed), **packed)

    def to_structure(self) -> Structure:
        """As pymatgen's object."""
        return unpack_structure({"lattice": self.lattice, "species": self.species, "positions": self.positions})


def pack_structure(structure: Structure) -> dict[str, Any]:
    """Lattice (3, 3) in Å by rows, element symbols, and fractional positions (n, 3), as plain values."""
    return {
        "lattice": structure.lattice.matrix.tolist(),
        "species": [site.specie.symbol for site in structure],
        "positions": structure.frac_coords.tolist(),
    }


def unpack_structure(packed: dict[str, Any]) -> Structure:
    """The inverse of `pack_structure`."""
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice(packed["lattice"]), packed["species"], packed["positions"])


def structure_id(packed: dict[str, Any]) -> str:
    """Id of a packed structure, 32 hexadecimal digits."""
    return content_key("structure", packed["lattice"], packed["species"], packed["positions"])[:32]
