"""The structure that diffraction sees of a crystal whose hydrogens are disordered: its metal lattice, and averages.

Cations and centres are moved onto the symmetry that they have without the hydrogens; every hydrogen is then spread over
its images under that symmetry, in the shares that the one ordered structure gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import moyopy
import numpy as np

from ninefold.structures.description import (
    HYDROGEN,
    StructureDescription,
    WyckoffSite,
    describe,
    images_in_cell,
)
from ninefold.structures.symmetry import SpaceGroup, named

if TYPE_CHECKING:
    from pymatgen.core import Structure

METAL_SYMPREC = 0.2
"""Å; metals of an ordered arrangement are off their average places by up to this."""
_ONE_SITE = 0.25
"""Å, within which images of hydrogens are one average site."""
_MEETS = 1e-6
"""Å, within which two images are the same point."""
_ALIKE = 1e-3
"""Fraction of a cell edge, likewise, of metals, whose special positions are as exact as the symmetry search."""
_FULL = 1e-6
"""Relative, by which a full site may be overfilled by rounding."""
_STEPS = 3
"""Means that are taken one after another; one is enough where the images near a site are those of its stabiliser."""


@dataclass(frozen=True)
class AverageSite:
    """A site that hydrogens take part of the time."""

    occupancy: float
    """0 to 1."""
    multiplicity: int
    """Sites of this kind in the conventional cell of the metal lattice."""
    position: tuple[float, float, float]
    """Fractional in that cell, of one of them; exactly on its special position."""


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

    def without_symmetry(self) -> AverageStructure:
        """The same with every site of the conventional cell by itself, as group P1."""
        number = self.metals.space_group_number
        metals = tuple(
            WyckoffSite(site.element, 1, "a", "1", _in_cell(place))
            for site in self.metals.sites
            for place in _different(images_in_cell(np.array(site.position), number))
        )
        hydrogens = tuple(
            AverageSite(site.occupancy, 1, _in_cell(place))
            for site in self.hydrogens
            for place in _different(images_in_cell(np.array(site.position), number))
        )
        one = named(1)
        cell = replace(
            self.metals, sites=metals, nsites=len(metals), space_group_number=one.number,
            space_group_symbol=one.symbol, hall_number=1,
        )  # fmt: skip
        return replace(self, metals=cell, hydrogens=hydrogens)

    @property
    def amounts(self) -> dict[str, float]:
        """Atoms in the conventional cell, hydrogens by their occupancies."""
        found: dict[str, float] = {}
        for site in self.metals.sites:
            found[site.element] = found.get(site.element, 0.0) + site.multiplicity
        if self.hydrogens:
            found[HYDROGEN] = sum(site.multiplicity * site.occupancy for site in self.hydrogens)
        return found


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
    if not metals:
        return None
    lattice = structure.lattice.matrix
    kinds = {symbol: number for number, symbol in enumerate(sorted(set(symbols)), start=1)}
    data = _dataset(lattice, structure.frac_coords[metals], [kinds[symbols[place]] for place in metals], symprec)
    whole = _dataset(lattice, structure.frac_coords, [kinds[symbol] for symbol in symbols], 0.01)
    if data is None:
        return None
    own = 1 if whole is None else len(whole.operations.rotations)
    ordered = named(1 if whole is None else int(whole.number))
    only_metals = structure.copy()
    only_metals.remove_species([HYDROGEN])
    hydrogens = structure.frac_coords[[symbol == HYDROGEN for symbol in symbols]]
    # as `describe` puts the metals into their standard cell
    moved = (hydrogens - np.array(data.std_origin_shift)) @ np.linalg.inv(np.array(data.std_linear)).T
    cells = len(data.std_cell.numbers) / len(metals)
    return AverageStructure(
        describe(only_metals, symprec), ordered, max(1, len(data.operations.rotations) // own),
        tuple(_average_sites(moved, int(data.number), np.array(data.std_cell.basis).reshape(3, 3), cells)),
    )  # fmt: skip


def _dataset(
    lattice: np.ndarray, positions: np.ndarray, numbers: list[int], symprec: float
) -> moyopy.MoyoDataset | None:
    cell = moyopy.Cell(lattice.tolist(), positions.tolist(), numbers)
    try:
        return moyopy.MoyoDataset(cell, symprec=symprec, setting=moyopy.Setting.standard())
    except ValueError:  # no symmetry search is possible at this tolerance
        return None


class _Orbit(NamedTuple):
    images: np.ndarray
    """shape (n_operations, 3), of one site under every operation, fractional, not brought into the cell."""
    sites: int
    """Different ones among them."""


def _average_sites(hydrogens: np.ndarray, number: int, lattice: np.ndarray, cells: float) -> list[AverageSite]:
    """Hydrogens as sites of the metal lattice's group, those within `_ONE_SITE` of each other as one.

    Args:
        hydrogens: shape (n, 3), fractional in the conventional cell.
        number: Of the space group.
        lattice: shape (3, 3), Å, rows are the vectors of that cell.
        cells: Cells of the ordered structure in it.
    """
    group = moyopy.operations_from_number(number, setting=moyopy.Setting.standard())
    rotations, shifts = np.array(group.rotations, dtype=float), np.array(group.translations)
    orbits: list[_Orbit] = []
    taken: list[float] = []
    for hydrogen in hydrogens:
        for place, orbit in enumerate(orbits):
            is_near = _distances(orbit.images - hydrogen, lattice).min() <= _ONE_SITE
            if is_near and taken[place] + cells <= orbit.sites * (1 + _FULL):
                taken[place] += cells
                break
        else:
            orbits.append(_orbit_of(hydrogen, rotations, shifts, lattice))
            taken.append(cells)
    sites = [
        AverageSite(min(1.0, count / orbit.sites), orbit.sites, _in_cell(orbit.images[0]))
        for orbit, count in zip(orbits, taken, strict=True)
    ]
    return sorted(sites, key=lambda site: (-site.occupancy, site.multiplicity, site.position))


def _orbit_of(point: np.ndarray, rotations: np.ndarray, shifts: np.ndarray, lattice: np.ndarray) -> _Orbit:
    """A site and its images; one whose own images come near it is moved onto the special position between them."""
    reach = _ONE_SITE
    while True:
        place = point
        for _ in range(_STEPS):
            images = rotations @ place + shifts
            near = images - np.round(images - place)
            is_same = _distances(images - place, lattice) <= reach
            place = near[is_same].mean(axis=0)
        images = rotations @ place + shifts
        distances = _distances(images - place, lattice)
        if not ((distances > _MEETS) & (distances <= reach)).any():
            # the identity comes first, so that the site itself does
            order = np.argsort(distances, kind="stable")
            return _Orbit(images[order], len(images) // int((distances <= _MEETS).sum()))
        reach /= 2  # images in a chain longer than the tolerance have no one place between them


def _distances(apart: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Å, of fractional differences, shape (n, 3), to the nearest image: right for what is nearer than half a cell."""
    return np.asarray(np.linalg.norm((apart - np.round(apart)) @ lattice, axis=1))


def _different(images: np.ndarray) -> np.ndarray:
    """Images, shape (n, 3), fractional, of which those within `_ALIKE` of each other are one."""
    kept: list[np.ndarray] = []
    for image in images:
        apart = np.array([image - other for other in kept]).reshape(-1, 3)
        if not kept or np.abs(apart - np.round(apart)).max(axis=1).min() > _ALIKE:
            kept.append(image)
    return np.array(kept)


def _in_cell(position: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in np.round(position % 1.0, 10) % 1.0)
    return x, y, z
