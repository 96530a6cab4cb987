"""Whether the atoms of a CIF's data block are those of its formula, number of formula units and density."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ninefold.structures.reading.cif_syntax import Block
from ninefold.structures.reading.expansion import Expanded
from ninefold.structures.reading.model import HYDROGENS, UnreadableError

_SHARE = 5e-3
"""Share by which atoms may differ from those of a formula with rounded amounts."""
_EXACT = 1e-9
_DENSITY = 0.02
_GRAMS = 1.66053906892
"""g/cm³ of 1 u/Å³; CODATA 2022."""


def check_content(block: Block, expanded: Expanded, cell: np.ndarray, formula: Mapping[str, float] | None) -> None:
    """Refuse atoms that are not those of the block's formula, number of formula units and density.

    Args:
        block: Of a CIF.
        expanded: All atoms of its cell.
        cell: Å, rows, shape (3, 3).
        formula: Atoms by element; None where the block has none that can be compared.
    """
    counts = expanded.counts
    if formula is not None:
        _check_formula(counts, formula, block.number("_cell_formula_units_z"))
    density = block.number("_exptl_crystal_density_diffrn")
    if density:
        own = _densities(expanded, cell)
        if all(abs(value / density - 1) > _DENSITY for value in own):
            raise UnreadableError(
                f"contradicts its own density: it says {density:g} g/cm³, its atoms ({_name(counts)}) give {own[0]:.3f}"
            )


def _check_formula(counts: Mapping[str, int], formula: Mapping[str, float], units: float | None) -> None:
    if _is_multiple(counts, formula):
        factor = sum(counts.values()) / sum(formula.values())
        if units is None or abs(factor - units) < _share(formula) * units or _is_whole_cell(counts, factor, units):
            return
        raise UnreadableError(
            f"contradicts its own formula: _chemical_formula_sum {_name(formula)} with Z = {units:g}, its sites and "
            f"symmetry give {factor:.4g} of it per cell"
        )
    others = {element: count for element, count in formula.items() if element != "H"}
    if "H" in formula and "H" not in counts and _is_multiple(counts, others):
        raise UnreadableError(
            f"has hydrogens missing: _chemical_formula_sum says {_name(formula)}, its sites give {_name(counts)}",
            "give every hydrogen its own site",
        )
    raise UnreadableError(
        f"contradicts its own formula: _chemical_formula_sum says {_name(formula)}, its sites and symmetry give "
        f"{_name(counts)}",
        "correct the formula, the sites or the symmetry",
    )


def _is_whole_cell(counts: Mapping[str, int], factor: float, units: float) -> bool:
    """Whether the formula is that of the whole cell, as some programs write it beside the number of reduced units."""
    return abs(factor - 1) < _SHARE and units >= 1 and not any(count % round(units) for count in counts.values())


def _is_multiple(counts: Mapping[str, int], formula: Mapping[str, float]) -> bool:
    if set(counts) != set(formula):
        return False
    factor = sum(counts.values()) / sum(formula.values())
    share = _share(formula)
    return all(abs(counts[element] / (factor * amount) - 1) < share for element, amount in formula.items())


def _share(formula: Mapping[str, float]) -> float:
    """By how much atoms may differ from a formula: not at all from whole amounts; a vacancy among 200 is 0.005."""
    return _EXACT if all(amount == round(amount) for amount in formula.values()) else _SHARE


def _name(counts: Mapping[str, float]) -> str:
    from pymatgen.core import Composition

    return str(Composition(dict(counts)).reduced_formula)


def _densities(expanded: Expanded, cell: np.ndarray) -> list[float]:
    """g/cm³ with isotopes as they are, as hydrogen and all as deuterium: files give any of them."""
    from pymatgen.core import Element

    volume = abs(float(np.linalg.det(cell)))

    def density(hydrogen: str | None) -> float:
        names = [hydrogen if hydrogen and symbol in HYDROGENS else symbol for symbol in expanded.symbols]
        return sum(float(Element(name).atomic_mass) for name in names) * _GRAMS / volume

    return [density(None), density("H"), density("D")]
