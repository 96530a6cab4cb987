"""Which known structure type a structure belongs to."""

from __future__ import annotations

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.structures.known_types import CATION, CENTRE, matching_types, prototype
from ninefold.structures.symmetry import space_group


def structure_type(structure: Structure, assignment: Assignment) -> str | None:
    """Name of the known type that a structure has; None if it has none.

    A type is a space group and an arrangement: the group must be the same, and the sites must match
    within pymatgen's default tolerances, which leave room for other ratios of the cell's edges. Different
    cations count as one kind, as they do in substitution.

    Args:
        structure: Any cell, symmetrised.
        assignment: Its composition and reading.
    """
    number = space_group(structure).number
    roles = {assignment.centre: CENTRE, "H": "H"} | {cation.symbol: CATION for cation in assignment.cations}
    named = Structure(structure.lattice, [roles[site.specie.symbol] for site in structure], structure.frac_coords)
    matcher = StructureMatcher()
    for name in matching_types(assignment):
        ideal = prototype(name)
        if space_group(ideal).number == number and matcher.fit(named, ideal):
            return name
    return None
