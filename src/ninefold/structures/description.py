"""A crystal structure as publications print it: conventional cell, space group, occupied Wyckoff positions.

Reading a stored candidate needs no pymatgen: what is described may be the stored dictionary.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
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
    metals = [place for place, symbol in enumerate(symbols) if symbol != HYDROGEN]
    metal = _dataset(cell, [symbols[place] for place in metals], positions[metals], symprec) if metals else None
    metal_group = named(1 if metal is None else int(metal.number))
    if data is None:
        sites = tuple(
            WyckoffSite(symbol, 1, "a", "1", (at[0], at[1], at[2]))
            for symbol, at in zip(symbols, positions.tolist(), strict=True)
        )
        return _description(cell, sites, named(1), 1, metal_group)
    standard = np.array(data.std_cell.basis).reshape(3, 3)
    return _description(
        standard, tuple(_sites(data, cell, symbols, positions)), named(int(data.number)), int(data.hall_number),
        metal_group,
    )  # fmt: skip


def _description(
    cell: np.ndarray, sites: tuple[WyckoffSite, ...], group: SpaceGroup, hall_number: int, metal: SpaceGroup
) -> StructureDescription:
    lengths = np.linalg.norm(cell, axis=1)
    angles = [
        float(np.degrees(np.arccos(np.clip(cell[i] @ cell[j] / (lengths[i] * lengths[j]), -1, 1))))
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    a, b, c = (float(length) for length in lengths)
    nsites, volume = sum(site.multiplicity for site in sites), float(abs(np.linalg.det(cell)))
    return StructureDescription(a, b, c, *angles, volume, nsites, *group, hall_number, *metal, sites)


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
    standard, idealised = np.array(data.std_cell.basis).reshape(3, 3), np.array(data.std_cell.positions)
    tables = data.normalizer_wyckoff_positions().wyckoffs
    # the input's atoms in the standard cell, to find there what the input's orbits are called
    moved = (positions - np.array(data.std_origin_shift)) @ np.linalg.inv(np.array(data.std_linear)).T
    apart = moved[:, None, :] - idealised[None, :, :]
    nearest = np.linalg.norm((apart - np.round(apart)) @ standard, axis=2).argmin(axis=1)
    found = []
    for first in sorted(set(data.orbits)):
        place = int(nearest[first])
        table = tables[place]
        found.append(
            WyckoffSite(
                symbols[first], table.multiplicity, table.letter, table.site_symmetry,
                _first(_images(idealised[place], data.number), table.coordinates),
            )
        )  # fmt: skip
    return sorted(found, key=lambda site: (*_rank(site.element), site.multiplicity, site.letter, site.position))


def _rank(symbol: str) -> tuple[bool, float, str]:
    """Where an element stands in a formula: metals by rising electronegativity, hydrogen last."""
    return symbol == HYDROGEN, ELECTRONEGATIVITY.get(symbol, 9.9), symbol


def _images(point: np.ndarray, number: int) -> np.ndarray:
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
