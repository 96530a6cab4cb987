"""Merging what is the same structure.

Two crystals are matched, hydrogen included, with tight tolerances: hydrogen positions are what
distinguishes the polyhedra of these anions. A match costs milliseconds, so it is tried only where the
fingerprints of distances lie close, as those of equal crystals do, whatever their symmetry at a tolerance;
and where every atom's distances agree to a few hundredths of an Ångström, it is not needed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from ninefold.structures.fingerprint import Fingerprint, fingerprint

LENGTH_TOLERANCE = 0.05
"""Fraction of the cell edges."""
SITE_TOLERANCE = 0.1
"""Fraction of (volume per atom)^(1/3)."""
ANGLE_TOLERANCE = 2.0
"""Degrees."""
FINGERPRINT_TOLERANCE = 0.2
"""Largest difference of the average fingerprints, in units of (volume per atom)^(1/3), at which a match is tried: atoms
that lie apart by the site tolerance change an average distance by no more than twice that."""
SAME_TOLERANCE = 0.02
"""Largest difference of any atom's distances, in the same units, up to which no match is needed."""
ENERGY_WINDOW = 0.003
"""eV/atom; structures farther apart in energy are not compared."""


def tolerances() -> dict[str, Any]:
    """What two structures may differ by and still count as one; reported with every count."""
    return {
        "length": LENGTH_TOLERANCE, "site": SITE_TOLERANCE, "angle": ANGLE_TOLERANCE,
        "fingerprint": FINGERPRINT_TOLERANCE, "same_fingerprint": SAME_TOLERANCE, "energy_eV_per_atom": ENERGY_WINDOW,
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
    compare = matcher()

    @functools.cache
    def reduced(index: int) -> Structure:
        """Once and not at every comparison: reducing is most of what the matcher does."""
        return structures[index].get_primitive_structure().get_reduced_structure()

    def is_match(index: int, other: int) -> bool:
        return bool(compare.fit(reduced(index), reduced(other), skip_structure_reduction=True))

    prints = [fingerprint(structure) for structure in structures]
    found: list[int] = []
    by_composition: dict[tuple[tuple[str, ...], tuple[int, ...]], _DistinctIndex] = {}
    for index in sorted(range(len(structures)), key=lambda item: energies[item]):
        mine = prints[index]
        counts = np.bincount(mine.kinds)
        key = mine.elements, tuple(int(count) for count in counts // np.gcd.reduce(counts))
        candidates = by_composition.setdefault(key, _DistinctIndex())
        near = [other for other in candidates.near(mine) if energies[index] - energies[other] <= ENERGY_WINDOW]
        if any(mine.largest_difference(prints[other]) <= SAME_TOLERANCE for other in near):
            continue
        if not any(is_match(index, other) for other in near):
            candidates.add(mine, index)
            found.append(index)
    return found


class _DistinctIndex:
    """The distinct structures of one composition, by their average fingerprints."""

    def __init__(self) -> None:
        self._averages = np.empty((0, 0))
        self._structures: list[int] = []

    def add(self, item: Fingerprint, structure: int) -> None:
        row = item.average.reshape(1, -1)
        count = len(self._structures)
        if count == len(self._averages):  # grows by doubling
            more = np.empty((max(8, count), row.shape[1]))
            self._averages = np.concatenate([self._averages, more]) if count else more
        self._averages[count] = row
        self._structures.append(structure)

    def near(self, item: Fingerprint) -> list[int]:
        """Structures that may be the same, newest first."""
        if not self._structures:
            return []
        difference = np.abs(self._averages[: len(self._structures)] - item.average.reshape(1, -1)).max(axis=1)
        return [self._structures[place] for place in np.flatnonzero(difference <= FINGERPRINT_TOLERANCE)[::-1]]
