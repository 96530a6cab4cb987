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
    order = sorted(range(len(structures)), key=lambda item: energies[item])
    return [members[0] for members in _grouped(structures, order, energies)]


def grouped(structures: Sequence[Structure]) -> list[list[int]]:
    """Indices of equal structures together, in the order in which each group is met first."""
    return _grouped(structures, range(len(structures)), None)


def _grouped(
    structures: Sequence[Structure], order: Sequence[int], energies: Sequence[float] | None
) -> list[list[int]]:
    compare = matcher()

    @functools.cache
    def reduced(index: int) -> Structure:
        """Once and not at every comparison: reducing is most of what the matcher does."""
        return structures[index].get_primitive_structure().get_reduced_structure()

    prints = [fingerprint(structure) for structure in structures]
    groups: list[list[int]] = []
    by_composition: dict[tuple[tuple[str, ...], tuple[int, ...]], _GroupIndex] = {}
    for index in order:
        mine = prints[index]
        counts = np.bincount(mine.kinds)
        key = mine.elements, tuple(int(count) for count in counts // np.gcd.reduce(counts))
        candidates = by_composition.setdefault(key, _GroupIndex())
        near = [
            group
            for group in candidates.near(mine)
            if energies is None or energies[index] - energies[groups[group][0]] <= ENERGY_WINDOW
        ]
        same = next(
            (group for group in near if mine.largest_difference(prints[groups[group][0]]) <= SAME_TOLERANCE), None
        )
        if same is None:
            same = next(
                (
                    group
                    for group in near
                    if compare.fit(reduced(index), reduced(groups[group][0]), skip_structure_reduction=True)
                ),
                None,
            )
        if same is None:
            candidates.add(mine, len(groups))
            groups.append([index])
        else:
            groups[same].append(index)
    return groups


class _GroupIndex:
    """The first structures of the groups of one composition, by their average fingerprints."""

    def __init__(self) -> None:
        self._averages = np.empty((0, 0))
        self._groups: list[int] = []

    def add(self, item: Fingerprint, group: int) -> None:
        row = item.average.reshape(1, -1)
        count = len(self._groups)
        if count == len(self._averages):  # grows by doubling
            more = np.empty((max(8, count), row.shape[1]))
            self._averages = np.concatenate([self._averages, more]) if count else more
        self._averages[count] = row
        self._groups.append(group)

    def near(self, item: Fingerprint) -> list[int]:
        """Groups whose first structure may be the same, newest first."""
        if not self._groups:
            return []
        difference = np.abs(self._averages[: len(self._groups)] - item.average.reshape(1, -1)).max(axis=1)
        return [self._groups[place] for place in np.flatnonzero(difference <= FINGERPRINT_TOLERANCE)[::-1]]
