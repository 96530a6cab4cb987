"""Which known structure type a structure belongs to."""

from __future__ import annotations

import functools

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.structures.known_types import CATION, CENTRE, cation_orderings, matching_types, prototype
from ninefold.structures.symmetry import space_group


def structure_type(structure: Structure, assignment: Assignment) -> str | None:
    """Name of the known type that a structure has; None if it has none.

    A type is a space group and an arrangement: the group must be that of the type, or of one of the ways in which the
    cations share its sites, and the sites must match within pymatgen's default tolerances, which leave room for other
    ratios of the cell's edges. Different cations count as one kind in the match.

    Args:
        structure: Any cell, symmetrised.
        assignment: The composition, its centre and what its hydrogens are bound to.
    """
    number = space_group(structure).number
    roles = {assignment.centre: CENTRE, "H": "H"} | {cation.symbol: CATION for cation in assignment.cations}
    named = Structure(structure.lattice, [roles[site.specie.symbol] for site in structure], structure.frac_coords)
    matcher = StructureMatcher()
    for name in matching_types(assignment):
        if number in _groups(name, assignment) and matcher.fit(named, prototype(name)):
            return name
    return None


@functools.lru_cache(maxsize=512)
def _groups(name: str, assignment: Assignment) -> frozenset[int]:
    """Space groups of a type: its own, and those in which a split orbit leaves it."""
    ideal = prototype(name)
    groups = {space_group(ideal).number}
    sites = [place for place, site in enumerate(ideal) if site.specie.symbol == CATION]
    for ordering in cation_orderings(name, assignment) if len(assignment.cations) > 1 else ():
        ordered = ideal.copy()
        for place, symbol in zip(sites, ordering.kinds, strict=True):
            ordered.replace(place, symbol)
        groups.add(space_group(ordered).number)
    return frozenset(groups)
