"""The structure that diffraction sees of a crystal whose hydrogens are disordered: its metal lattice, and averages.

Cations and centres are moved onto the symmetry that they have without the hydrogens; every hydrogen is then spread over
its images under that symmetry, in the shares that the one ordered structure gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import moyopy
import numpy as np

from ninefold.structures.description import HYDROGEN, StructureDescription, WyckoffSite, describe
from ninefold.structures.symmetry import SpaceGroup, named

if TYPE_CHECKING:
    from pymatgen.core import Structure

METAL_SYMPREC = 0.2
"""Å; metals of an ordered arrangement are off their average places by up to this."""
_ONE_SITE = 0.25
"""Å, within which images of hydrogens are one average site."""


@dataclass(frozen=True)
class AverageSite:
    """A site that hydrogens take part of the time."""

    occupancy: float
    """0 to 1."""
    multiplicity: float
    """Sites of this kind per primitive cell of the metal lattice."""
    position: tuple[float, float, float]
    """Fractional in the cell of the structure given, of one of them."""


@dataclass(frozen=True)
class AverageStructure:
    """The metal lattice, and hydrogens spread over its symmetry."""

    metals: StructureDescription
    """In the standard setting, without hydrogens."""
    ordered: SpaceGroup
    """Of the ordered structure."""
    operations: int
    """Of the metal lattice over those of the ordered structure, translations between them included: how many equivalent
    variants of the ordered structure the metal lattice allows."""
    hydrogens: tuple[AverageSite, ...]
    """By falling occupancy; every occupancy 1 where the hydrogens have the symmetry of the metals."""

    @property
    def metal_sites(self) -> tuple[WyckoffSite, ...]:
        """Of cations and centres."""
        return self.metals.sites


def averaged(structure: Structure, symprec: float = METAL_SYMPREC) -> AverageStructure | None:
    """The average that the metal lattice's symmetry makes of an ordered structure.

    Args:
        structure: Ordered, any cell.
        symprec: Å, tolerance of the metal lattice.

    Returns:
        None where there are no metals, or no symmetry of them is found.
    """
    symbols = [site.specie.symbol for site in structure]
    metals = [place for place, symbol in enumerate(symbols) if symbol != HYDROGEN]
    hydrogens = structure.frac_coords[[symbol == HYDROGEN for symbol in symbols]]
    if not metals:
        return None
    lattice = structure.lattice.matrix
    kinds = {symbol: number for number, symbol in enumerate(sorted(set(symbols)), start=1)}
    data = _dataset(lattice, structure.frac_coords[metals], [kinds[symbols[place]] for place in metals], symprec)
    whole = _dataset(lattice, structure.frac_coords, [kinds[symbol] for symbol in symbols], 0.01)
    if data is None:
        return None
    rotations = np.array(data.operations.rotations, dtype=float)
    shifts = np.array(data.operations.translations)
    own = 1 if whole is None else len(whole.operations.rotations)
    ordered = named(1 if whole is None else int(whole.number))
    only_metals = structure.copy()
    only_metals.remove_species([HYDROGEN])
    return AverageStructure(
        describe(only_metals, symprec), ordered, max(1, len(rotations) // own),
        tuple(_average_sites(hydrogens, rotations, shifts, lattice)),
    )  # fmt: skip


def _dataset(
    lattice: np.ndarray, positions: np.ndarray, numbers: list[int], symprec: float
) -> moyopy.MoyoDataset | None:
    try:
        return moyopy.MoyoDataset(moyopy.Cell(lattice.tolist(), positions.tolist(), numbers), symprec=symprec)
    except ValueError:  # no symmetry search is possible at this tolerance
        return None


def _average_sites(
    hydrogens: np.ndarray, rotations: np.ndarray, shifts: np.ndarray, lattice: np.ndarray
) -> list[AverageSite]:
    """Images of all hydrogens under the metal lattice's symmetry, those within `_ONE_SITE` as one, by orbit."""
    images = (np.einsum("oij,hj->hoi", rotations, hydrogens) + shifts[None, :, :]).reshape(-1, 3) % 1.0
    centres: list[np.ndarray] = []
    counts: list[int] = []
    owner = np.empty(len(images), dtype=int)
    for number, image in enumerate(images):
        if centres:
            apart = np.array(centres) - image
            distances = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=1)
            nearest = int(distances.argmin())
            if distances[nearest] <= _ONE_SITE:
                counts[nearest] += 1
                owner[number] = nearest
                continue
        owner[number] = len(centres)
        centres.append(image)
        counts.append(1)
    # images of one hydrogen are one orbit; orbits that share a site are the same
    orbit = list(range(len(centres)))
    for own in owner.reshape(len(hydrogens), -1):
        kinds = {orbit[place] for place in own}
        lowest = min(kinds)
        orbit = [lowest if kind in kinds else kind for kind in orbit]
    sites = []
    for kind in sorted(set(orbit)):
        members = [place for place, each in enumerate(orbit) if each == kind]
        taken = sum(counts[place] for place in members) / len(rotations)
        x, y, z = (float(value) for value in centres[members[0]])
        sites.append(AverageSite(min(1.0, taken / len(members)), float(len(members)), (x, y, z)))
    return sorted(sites, key=lambda site: -site.occupancy)
