"""Merging what is the same structure.

Two crystals are matched, hydrogen included, with tight tolerances: hydrogen positions are what
distinguishes the polyhedra of these anions. A match costs milliseconds, so it is tried only where the
fingerprints of distances lie close; those of equal crystals do, whatever their symmetry at a tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from ninefold.structures.fingerprint import distance_fingerprint

LENGTH_TOLERANCE = 0.05
"""Fraction of the cell edges."""
SITE_TOLERANCE = 0.1
"""Fraction of (volume per atom)^(1/3)."""
ANGLE_TOLERANCE = 2.0
"""Degrees."""
FINGERPRINT_TOLERANCE = 0.08
"""Largest difference of the fingerprints, in units of (volume per atom)^(1/3), at which a match is tried."""
ENERGY_WINDOW = 0.003
"""eV/atom; structures farther apart in energy are not compared."""


def tolerances() -> dict[str, Any]:
    """What two structures may differ by and still count as one; reported with every count."""
    return {
        "length": LENGTH_TOLERANCE, "site": SITE_TOLERANCE, "angle": ANGLE_TOLERANCE,
        "fingerprint": FINGERPRINT_TOLERANCE, "energy_eV_per_atom": ENERGY_WINDOW,
    }  # fmt: skip


def matcher() -> StructureMatcher:
    """Pymatgen's matcher with these tolerances."""
    return StructureMatcher(
        ltol=LENGTH_TOLERANCE, stol=SITE_TOLERANCE, angle_tol=ANGLE_TOLERANCE, primitive_cell=True, scale=True
    )


def distinct(structures: Sequence[Structure], energies: Sequence[float]) -> list[int]:
    """Indices of the distinct structures, lowest energy first; of equal ones the lowest stays.

    Args:
        structures: Any cells.
        energies: eV/atom, one for each.
    """
    order = sorted(range(len(structures)), key=lambda item: energies[item])
    return [members[0] for members in _grouped(structures, order, energies)]


def grouped(structures: Sequence[Structure]) -> list[list[int]]:
    """Indices of equal structures together, in the order in which each group is met first."""
    return _grouped(structures, range(len(structures)), None)


def _grouped(
    structures: Sequence[Structure], order: Sequence[int], energies: Sequence[float] | None
) -> list[list[int]]:
    compare = matcher()
    # reduced once and not at every comparison, which is most of what the matcher does
    reduced = [structure.get_primitive_structure().get_reduced_structure() for structure in structures]
    prints = [distance_fingerprint(structure) for structure in reduced]
    formulas = [structure.composition.reduced_formula for structure in reduced]
    groups: list[list[int]] = []
    for index in order:
        for group in reversed(groups):
            first = group[0]
            if energies is not None and energies[index] - energies[first] > ENERGY_WINDOW:
                continue
            if formulas[index] != formulas[first]:
                continue
            if np.abs(prints[index] - prints[first]).max() > FINGERPRINT_TOLERANCE:
                continue
            if compare.fit(reduced[index], reduced[first], skip_structure_reduction=True):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups
