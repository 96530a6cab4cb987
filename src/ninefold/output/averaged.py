"""The average that diffraction sees of a disordered structure, as a CIF with partial occupancies."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.structures.averaged import AverageStructure

COMMENT = "ninefold: average over the metal lattice's symmetry; _ninefold_ items are of one ordered structure"
_SAME = 1e-4
"""Atoms of the cell, by which what is read back may differ: occupancies are written with ten digits."""


def averaged_cif(structure: Structure, name: str, tags: Mapping[str, Any]) -> str | None:
    """The CIF of a structure's average, without its symmetry where a reader would take two of its sites for one.

    Args:
        structure: Ordered.
        name: Of the data block.
        tags: Items of the ordered structure.

    Returns:
        None where there is no average, or gemmi or pymatgen read another composition.
    """
    from ninefold.structures.averaged import averaged

    average = averaged(structure)
    if average is None or not _scaled(average.amounts, structure):
        return None
    own = {
        "averaged_variants": average.operations, "averaged_space_group": average.metals.space_group_symbol,
        "ordered_space_group": average.ordered.symbol,
    }  # fmt: skip
    for each in (average, average.without_symmetry()):
        text = _text(each, name, {**tags, **own})
        if all(_is_same(read(text), average.amounts) for read in (_by_gemmi, _by_pymatgen)):
            return text
    return None


def _text(average: AverageStructure, name: str, tags: Mapping[str, Any]) -> str:
    from ninefold.structures.cif import PartialSite, cif_text

    partial = [PartialSite("H", site.multiplicity, site.position, site.occupancy) for site in average.hydrogens]
    return cif_text(average.metals, name, tags, COMMENT, partial)


def _scaled(amounts: Mapping[str, float], structure: Structure) -> bool:
    """Whether the average has the composition of the ordered structure."""
    whole = {element.symbol: float(count) for element, count in structure.composition.items()}
    factor = sum(amounts.values()) / sum(whole.values())
    return _is_same({symbol: count * factor for symbol, count in whole.items()}, amounts)


def _is_same(found: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    return set(found) == set(wanted) and all(
        math.isclose(found[symbol], wanted[symbol], abs_tol=_SAME) for symbol in wanted
    )


def _by_gemmi(text: str) -> dict[str, float]:
    import gemmi

    small = gemmi.make_small_structure_from_block(gemmi.cif.read_string(text).sole_block())
    found: dict[str, float] = {}
    for site in small.get_all_unit_cell_sites():
        found[site.element.name] = found.get(site.element.name, 0.0) + site.occ
    return found


def _by_pymatgen(text: str) -> dict[str, float]:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of occupancies, which are what this is about
        try:
            [structure] = CifParser.from_str(text).parse_structures(primitive=False, check_occu=False)
        except ValueError:
            return {}
    return {element.symbol: float(count) for element, count in structure.composition.items()}
