"""A crystal structure as publications print it: conventional cell, space group, occupied Wyckoff positions.

Reading a stored candidate needs no pymatgen: what is described may be the stored dictionary.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import moyopy
import numpy as np

from ninefold.chemistry.elements import ELECTRONEGATIVITY
from ninefold.structures.symmetry import SYMPREC, SpaceGroup, named

if TYPE_CHECKING:
    from pymatgen.core import Structure

HYDROGEN = "H"
_ON_POSITION = 1e-3
"""Fraction of a cell edge within which an atom fits the printed form of its Wyckoff position."""
_CELLS = np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=3)), dtype=float)
_TERM = re.compile(r"([+-]?)(\d*)([xyz])")


class WyckoffSite(NamedTuple):
    """Equivalent atoms, by one of them."""

    element: str
    multiplicity: int
    """Atoms in the conventional cell."""
    letter: str
    """Wyckoff letter."""
    site_symmetry: str
    position: tuple[float, float, float]
    """x, y, z, fractional in the conventional cell, of the atom that has the form printed first in the tables."""

    @property
    def label(self) -> str:
        """Multiplicity and letter: 3g."""
        return f"{self.multiplicity}{self.letter}"


@dataclass(frozen=True)
class StructureDescription:
    """Cell, groups and sites in the standard setting of the International Tables.

    Standard: unique axis b and cell choice 1 for monoclinic groups, hexagonal axes for rhombohedral ones, the
    centre of inversion as origin where there are two.
    """

    a: float
    """Å, conventional cell."""
    b: float
    c: float
    alpha: float
    """Degrees."""
    beta: float
    gamma: float
    volume: float
    """Å³, of the conventional cell."""
    nsites: int
    """Atoms in the conventional cell."""
    space_group_number: int
    space_group_symbol: str
    hall_number: int
    """Number of the setting among the 530 Hall symbols, as spglib counts them."""
    metal_space_group_number: int
    """Of the metal lattice: the structure without its hydrogens."""
    metal_space_group_symbol: str
    sites: tuple[WyckoffSite, ...]
    """By element, metals first as in a formula; within an element, the smaller multiplicity first."""

    @property
    def lattice_parameters(self) -> dict[str, float]:
        """a, b, c in Å, alpha, beta, gamma in degrees."""
        return {name: getattr(self, name) for name in ("a", "b", "c", "alpha", "beta", "gamma")}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; each site as a dictionary."""
        return asdict(self) | {
            "sites": [site._asdict() | {"position": list(site.position)} for site in self.sites],
        }


def describe(structure: Structure | Mapping[str, Any], symprec: float = SYMPREC) -> StructureDescription:
    """Describe a structure.

    Args:
        structure: A pymatgen structure, or what its `as_dict` gives.
        symprec: Å; tolerance of both symmetry searches.

    Returns:
        The description in the standard setting. Where no symmetry search is possible at this tolerance, that of the
        structure as it is, with group P1.
    """
    cell, symbols, positions = _plain(structure)
    data = _dataset(cell, symbols, positions, symprec)
    if data is None:
        return without_symmetry(structure, symprec)
    return _description(
        np.array(data.std_cell.basis).reshape(3, 3), tuple(_sites(data, cell, symbols, positions)),
        named(int(data.number)), int(data.hall_number), _metal_group(cell, symbols, positions, symprec),
    )  # fmt: skip


def without_symmetry(structure: Structure | Mapping[str, Any], symprec: float = SYMPREC) -> StructureDescription:
    """Every atom of a structure as it is, in its own cell, with group P1; its metal lattice with the group it has."""
    cell, symbols, positions = _plain(structure)
    sites = tuple(
        WyckoffSite(symbol, 1, "a", "1", (at[0], at[1], at[2]))
        for symbol, at in zip(symbols, positions.tolist(), strict=True)
    )
    return _description(cell, sites, named(1), 1, _metal_group(cell, symbols, positions, symprec))


def _metal_group(cell: np.ndarray, symbols: Sequence[str], positions: np.ndarray, symprec: float) -> SpaceGroup:
    metals = [place for place, symbol in enumerate(symbols) if symbol != HYDROGEN]
    data = _dataset(cell, [symbols[place] for place in metals], positions[metals], symprec) if metals else None
    return named(1 if data is None else int(data.number))


class Orbit(NamedTuple):
    """Equivalent atoms of a structure, as it is."""

    label: str
    """Multiplicity in the conventional cell and Wyckoff letter: 4e."""
    members: tuple[int, ...]
    """Indices of the atoms."""


class Orbits(NamedTuple):
    """How the symmetry of a structure moves its atoms."""

    orbits: tuple[Orbit, ...]
    """In the order of their first atoms."""
    images: np.ndarray
    """shape (order, n_atoms), the atom that each operation takes each atom onto."""


def orbits_of(structure: Structure, symprec: float = SYMPREC) -> Orbits:
    """The orbits of a structure's atoms; every atom its own where no symmetry search is possible.

    Args:
        structure: Any cell.
        symprec: Å.
    """
    cell, symbols, positions = _plain(structure)
    data = _dataset(cell, symbols, positions, symprec)
    if data is None:
        return Orbits(tuple(Orbit("1a", (place,)) for place in range(len(symbols))), np.arange(len(symbols))[None, :])
    leaders = np.array(data.orbits)
    found = tuple(
        Orbit(f"{table.multiplicity}{table.letter}", tuple(np.flatnonzero(leaders == first).tolist()))
        for first, (table, _) in _tables(data, cell, positions)
    )
    images = []
    for rotation, translation in zip(data.operations.rotations, data.operations.translations, strict=True):
        moved = positions @ np.array(rotation).T + np.array(translation)
        apart = moved[:, None, :] - positions[None, :, :]
        images.append(np.linalg.norm((apart - np.round(apart)) @ cell, axis=2).argmin(axis=1))
    return Orbits(found, np.array(images))


def _description(
    cell: np.ndarray, sites: tuple[WyckoffSite, ...], group: SpaceGroup, hall_number: int, metal: SpaceGroup
) -> StructureDescription:
    a, b, c = (round(float(length), 6) for length in np.linalg.norm(cell, axis=1))
    unit = cell / np.linalg.norm(cell, axis=1, keepdims=True)
    alpha, beta, gamma = (
        round(float(np.degrees(np.arccos(np.clip(unit[i] @ unit[j], -1, 1)))), 6) for i, j in ((1, 2), (0, 2), (0, 1))
    )
    return StructureDescription(
        a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma, volume=float(abs(np.linalg.det(cell))),
        nsites=sum(site.multiplicity for site in sites), space_group_number=group.number,
        space_group_symbol=group.symbol, hall_number=hall_number, metal_space_group_number=metal.number,
        metal_space_group_symbol=metal.symbol, sites=sites,
    )  # fmt: skip


def _plain(structure: Structure | Mapping[str, Any]) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Cell in Å (rows), symbols, fractional positions, shape (n, 3)."""
    if isinstance(structure, Mapping):
        sites = structure["sites"]
        return (
            np.array(structure["lattice"]["matrix"], dtype=float),
            [site["species"][0]["element"] for site in sites],
            np.array([site["abc"] for site in sites], dtype=float).reshape(-1, 3),
        )
    return structure.lattice.matrix, [site.specie.symbol for site in structure], structure.frac_coords


def _dataset(cell: np.ndarray, symbols: Sequence[str], positions: np.ndarray, symprec: float) -> Any:
    kinds = {symbol: number for number, symbol in enumerate(sorted(set(symbols)), start=1)}
    plain = moyopy.Cell(cell.tolist(), positions.tolist(), [kinds[symbol] for symbol in symbols])
    try:
        return moyopy.MoyoDataset(plain, symprec=symprec, setting=moyopy.Setting.standard())
    except ValueError:  # moyopy's word for "no symmetry search possible at this tolerance"
        return None


def _sites(data: Any, cell: np.ndarray, symbols: Sequence[str], positions: np.ndarray) -> list[WyckoffSite]:
    found = [
        WyckoffSite(
            symbols[first], table.multiplicity, table.letter, table.site_symmetry,
            _first(images_in_cell(point, data.number), table.coordinates),
        )
        for first, (table, point) in _tables(data, cell, positions)
    ]  # fmt: skip
    return sorted(found, key=lambda site: (*_rank(site.element), site.multiplicity, site.letter, site.position))


def _tables(data: Any, cell: np.ndarray, positions: np.ndarray) -> Iterator[tuple[int, tuple[Any, np.ndarray]]]:
    """First atom of each orbit, the Wyckoff position it is on, and where it is in the standard cell."""
    standard, idealised = np.array(data.std_cell.basis).reshape(3, 3), np.array(data.std_cell.positions)
    tables = data.normalizer_wyckoff_positions().wyckoffs
    # the input's atoms in the standard cell, to find there what the input's orbits are called
    moved = (positions - np.array(data.std_origin_shift)) @ np.linalg.inv(np.array(data.std_linear)).T
    apart = moved[:, None, :] - idealised[None, :, :]
    nearest = np.linalg.norm((apart - np.round(apart)) @ standard, axis=2).argmin(axis=1)
    for first in sorted(set(data.orbits)):
        place = int(nearest[first])
        yield first, (tables[place], idealised[place])


def _rank(symbol: str) -> tuple[bool, float, str]:
    """Where an element stands in a formula: metals by rising electronegativity, hydrogen last."""
    return symbol == HYDROGEN, ELECTRONEGATIVITY.get(symbol, 9.9), symbol


def images_in_cell(point: np.ndarray, number: int) -> np.ndarray:
    """Every image of a point in the standard cell of a space group, shape (n, 3), fractional, in [0, 1)."""
    operations = moyopy.operations_from_number(number, setting=moyopy.Setting.standard())
    images = np.array(operations.rotations) @ point + np.array(operations.translations)
    return np.unique(np.round(images % 1.0, 9) % 1.0, axis=0)


def _first(images: np.ndarray, form: str) -> tuple[float, float, float]:
    """The image with the form that the tables print first, such as `x,2x,1/4`; of several, that of smallest x, y, z."""
    linear, shift = _parsed(form)
    across = np.eye(3) - linear @ np.linalg.pinv(linear)
    misfit = np.abs((images[:, None, :] + _CELLS - shift) @ across.T).max(axis=2).min(axis=1)
    fitting = images[misfit < _ON_POSITION]
    x, y, z = min((fitting if len(fitting) else images).tolist())
    return x, y, z


def _parsed(form: str) -> tuple[np.ndarray, np.ndarray]:
    """Linear part, shape (3, 3), and shift, shape (3,), of coordinates such as `x,-x+1/2,0`."""
    linear, shift = np.zeros((3, 3)), np.zeros(3)
    for row, text in enumerate(form.split(",")):
        for term in re.findall(r"[+-]?[^+-]+", text.replace(" ", "")):
            if match := _TERM.fullmatch(term):
                sign, factor, name = match.groups()
                linear[row, "xyz".index(name)] += (-1 if sign == "-" else 1) * int(factor or 1)
            else:
                shift[row] += float(Fraction(term))
    return linear, shift
