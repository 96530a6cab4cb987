"""Merging what is the same structure.

Structures are first put into buckets by composition and symmetry at a loose and at a tight
tolerance; only within a bucket are they matched, hydrogen included, with tight tolerances: hydrogen
positions are what distinguishes the polyhedra of these anions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from ninefold.structures.symmetry import symmetry_key

BUCKET_SYMPREC = (0.1, 0.02)
"""Å; two structures are compared if their keys agree at either tolerance."""
LENGTH_TOLERANCE = 0.05
"""Fraction of the cell edges."""
SITE_TOLERANCE = 0.1
"""Fraction of (volume per atom)^(1/3)."""
ANGLE_TOLERANCE = 2.0
"""Degrees."""
ENERGY_WINDOW = 0.003
"""eV/atom; structures farther apart in energy are not compared."""


def tolerances() -> dict[str, Any]:
    """What two structures may differ by and still count as one; reported with every count."""
    return {
        "symprec": list(BUCKET_SYMPREC), "length": LENGTH_TOLERANCE, "site": SITE_TOLERANCE,
        "angle": ANGLE_TOLERANCE, "energy_eV_per_atom": ENERGY_WINDOW,
    }  # fmt: skip


def distinct(structures: Sequence[Structure], energies: Sequence[float]) -> list[int]:
    """Indices of the distinct structures, lowest energy first; of equal ones the lowest stays.

    Args:
        structures: Any cells.
        energies: eV/atom, one for each.
    """
    matcher = StructureMatcher(
        ltol=LENGTH_TOLERANCE, stol=SITE_TOLERANCE, angle_tol=ANGLE_TOLERANCE, primitive_cell=True, scale=True
    )
    keys = [tuple(symmetry_key(structure, symprec) for symprec in BUCKET_SYMPREC) for structure in structures]
    kept: list[int] = []
    for index in sorted(range(len(structures)), key=lambda item: energies[item]):
        is_new = True
        for other in reversed(kept):
            if energies[index] - energies[other] > ENERGY_WINDOW:
                break
            alike = any(mine == theirs for mine, theirs in zip(keys[index], keys[other], strict=True))
            if alike and matcher.fit(structures[index], structures[other]):
                is_new = False
                break
        if is_new:
            kept.append(index)
    return kept
