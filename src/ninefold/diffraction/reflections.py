"""The reflections of a crystal down to a spacing, and where they go when its cell is strained."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import moyopy
import numpy as np
from numpy.typing import NDArray

from ninefold.diffraction.radiation import Radiation, two_theta_of
from ninefold.diffraction.scattering import amplitudes

if TYPE_CHECKING:
    from pymatgen.core import Structure

METAL_SYMPREC = 0.1
"""Å; tolerance of the metal lattice's symmetry, which says which strains a cell is given."""
WEAKEST = 1e-4
"""Of the strongest reflection's |F|² times multiplicity; weaker ones are left out."""
_SAME = 1e-4
"""Relative difference of spacing, and of its change with strain, within which reflections are one."""
_OFF_BORDER = 0.37
"""Keeps simple fractions, which are common among changes with strain, off the borders of rounding."""
_HYDROGEN = "H"


@dataclass(frozen=True)
class Reflections:
    """Distinct reflections of a crystal, by falling spacing."""

    hkl: NDArray[np.int64]
    """shape (n, 3), of one member, in the conventional cell."""
    q: NDArray[np.float64]
    """shape (n, 3), 1/Å, Cartesian; |q| = 1/d."""
    strength: NDArray[np.float64]
    """shape (n,), sum of |F|² over the members over the squared cell volume: electrons²/Å⁶ for X-rays. Times the
    Lorentz-polarisation factor: what one unit of volume of the phase scatters."""
    multiplicity: NDArray[np.int64]
    """shape (n,), members, (hkl) and (-h-k-l) both counted."""
    strains: NDArray[np.float64]
    """shape (m, 3, 3), symmetric; strains that leave the metal lattice its symmetry, the isotropic one (the unit
    matrix) first, the others without trace and of length 1."""
    lattice: NDArray[np.float64]
    """shape (3, 3), Å, rows are vectors of the conventional cell."""

    def spacings(self, strain: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Å, shape (n,), of the cell strained by exp(sum of `strain[i] * strains[i]`).

        Args:
            strain: shape (m,); the first is the relative change of all lengths. Default: none.
        """
        if strain is None or not np.any(strain):
            return np.asarray(1 / np.linalg.norm(self.q, axis=1))
        metric = _exponential(-2 * np.einsum("i,ijk->jk", strain, self.strains))
        return np.asarray(1 / np.sqrt(np.einsum("ni,ij,nj->n", self.q, metric, self.q)))

    @functools.cached_property
    def changes(self) -> NDArray[np.float64]:
        """Shape (n, m), derivatives of ln d by the strains, at none."""
        squared = np.einsum("ni,ni->n", self.q, self.q)
        return np.asarray(np.einsum("ni,mij,nj->nm", self.q, self.strains, self.q) / squared[:, None])

    def strongest(self, radiation: Radiation, share: float) -> Reflections:
        """The fewest reflections that hold a share of the intensity."""
        angles = two_theta_of(1 / np.linalg.norm(self.q, axis=1), radiation.wavelength)
        seen = np.isfinite(angles) & (angles < 175)
        areas = np.zeros(len(angles))
        areas[seen] = self.strength[seen] * radiation.lorentz_polarisation(angles[seen])
        order = np.argsort(-areas, kind="stable")
        enough = int(np.searchsorted(np.cumsum(areas[order]), share * areas.sum())) + 1
        kept = np.sort(order[:enough])
        return replace(
            self, hkl=self.hkl[kept], q=self.q[kept], strength=self.strength[kept],
            multiplicity=self.multiplicity[kept],
        )  # fmt: skip

    def strained_lattice(self, strain: NDArray[np.float64]) -> NDArray[np.float64]:
        """The conventional cell after a strain, shape (3, 3), Å."""
        return np.asarray(self.lattice @ _exponential(np.einsum("i,ijk->jk", strain, self.strains)))


def reflections(structure: Structure, radiation: Radiation, d_min: float, b_iso: float = 1.0) -> Reflections:
    """Every reflection with a spacing of at least `d_min`.

    Args:
        structure: Ordered; any cell.
        radiation: See there.
        d_min: Å.
        b_iso: Å², as in `scattering.amplitudes`.
    """
    lattice, symbols, positions = _conventional(structure)
    volume = abs(float(np.linalg.det(lattice)))
    reciprocal = np.asarray(np.linalg.inv(lattice).T, dtype=float)
    hkl = _half_sphere(lattice, reciprocal, d_min)
    q = hkl @ reciprocal
    squares = _squared_factors(hkl, np.linalg.norm(q, axis=1), symbols, positions, radiation, b_iso)
    strains = _strains(lattice, symbols, positions)
    return _merged(hkl, q, squares / volume**2, strains, lattice)


def _conventional(structure: Structure) -> tuple[NDArray[np.float64], list[str], NDArray[np.float64]]:
    """Conventional cell: its lattice, symbols and fractional positions; the cell itself where no symmetry is found."""
    from ninefold.structures.symmetry import SYMPREC

    symbols = [site.specie.symbol for site in structure]
    lattice, positions = np.array(structure.lattice.matrix), np.array(structure.frac_coords)
    data = _dataset(lattice, symbols, positions, SYMPREC)
    if data is None:
        return lattice, symbols, positions
    kinds = sorted(set(symbols))
    standard = data.std_cell
    return (
        np.array(standard.basis).reshape(3, 3),
        [kinds[number - 1] for number in standard.numbers],
        np.array(standard.positions),
    )


def _dataset(
    lattice: NDArray[np.float64], symbols: list[str], positions: NDArray[np.float64], symprec: float
) -> moyopy.MoyoDataset | None:
    kinds = {symbol: number for number, symbol in enumerate(sorted(set(symbols)), start=1)}
    cell = moyopy.Cell(lattice.tolist(), positions.tolist(), [kinds[symbol] for symbol in symbols])
    try:
        return moyopy.MoyoDataset(cell, symprec=symprec, setting=moyopy.Setting.standard())
    except ValueError:  # no symmetry search is possible at this tolerance
        return None


def _half_sphere(lattice: NDArray[np.float64], reciprocal: NDArray[np.float64], d_min: float) -> NDArray[np.int64]:
    """Indices (n, 3) of one of each pair hkl, -h-k-l with a spacing of at least `d_min`."""
    most = np.floor(np.linalg.norm(lattice, axis=1) / d_min + 1e-9).astype(int)
    h, k, l_ = (np.arange(-limit, limit + 1) for limit in most)
    every = np.stack(np.meshgrid(h, k, l_, indexing="ij"), axis=-1).reshape(-1, 3)
    upper = (every[:, 0] > 0) | ((every[:, 0] == 0) & ((every[:, 1] > 0) | ((every[:, 1] == 0) & (every[:, 2] > 0))))
    half = every[upper]
    return np.asarray(half[np.linalg.norm(half @ reciprocal, axis=1) <= 1 / d_min])


def _squared_factors(
    hkl: NDArray[np.int64],
    inverse_d: NDArray[np.float64],
    symbols: list[str],
    positions: NDArray[np.float64],
    radiation: Radiation,
    b_iso: float,
) -> NDArray[np.float64]:
    """Mean |F|² of a reflection and its Friedel mate, shape (n,)."""
    kinds = sorted(set(symbols))
    factors = amplitudes(kinds, inverse_d, radiation, b_iso)
    plus, minus = np.zeros(len(hkl), dtype=complex), np.zeros(len(hkl), dtype=complex)
    for row, kind in enumerate(kinds):
        own = positions[[symbol == kind for symbol in symbols]]
        geometry = np.concatenate(
            [np.exp(2j * np.pi * (some @ own.T)).sum(axis=1) for some in np.array_split(hkl, _pieces(hkl, own))]
        )
        plus += factors[row] * geometry
        minus += factors[row] * geometry.conj()
    return np.asarray((np.abs(plus) ** 2 + np.abs(minus) ** 2) / 2)


def _pieces(hkl: NDArray[np.int64], positions: NDArray[np.float64]) -> int:
    """So many that none needs more than some 30 MB."""
    return max(1, len(hkl) * len(positions) // 2_000_000)


def _strains(lattice: NDArray[np.float64], symbols: list[str], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symmetric matrices that the point group of the metal lattice leaves as they are, as in `Reflections.strains`."""
    metals = [place for place, symbol in enumerate(symbols) if symbol != _HYDROGEN] or list(range(len(symbols)))
    data = _dataset(lattice, [symbols[place] for place in metals], positions[metals], METAL_SYMPREC)
    turns = [np.eye(3)]
    if data is not None:
        basis = lattice.T
        turns = [basis @ np.array(turn, dtype=float) @ np.linalg.inv(basis) for turn in data.operations.rotations]
    units = [np.eye(3)]
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        unit = np.zeros((3, 3))
        unit[i, j] = unit[j, i] = 1.0
        mean: NDArray[np.float64] = np.mean([turn @ unit @ turn.T for turn in turns], axis=0)
        for known in units:
            mean = mean - known * (np.sum(mean * known) / np.sum(known * known))
        if (length := float(np.linalg.norm(mean))) > 1e-3:
            units.append(np.asarray(mean / length))
    return np.array(units)


def _merged(
    hkl: NDArray[np.int64],
    q: NDArray[np.float64],
    squares: NDArray[np.float64],
    strains: NDArray[np.float64],
    lattice: NDArray[np.float64],
) -> Reflections:
    """Reflections of equal spacing whose spacings also change alike with every strain, as one."""
    squared_q = np.einsum("ni,ni->n", q, q)
    changes = np.einsum("ni,mij,nj->nm", q, strains[1:], q) / squared_q[:, None]
    keys = np.column_stack([np.log(squared_q) / 2, changes])
    order = np.lexsort(np.floor(keys / _SAME + _OFF_BORDER).astype(int).T[::-1])
    groups = np.zeros(len(order), dtype=int)
    if len(order) > 1:
        apart = np.abs(np.diff(keys[order], axis=0)).max(axis=1) > _SAME
        groups[order[1:]] = np.cumsum(apart)
    count = int(groups.max()) + 1 if len(groups) else 0
    strength: NDArray[np.float64] = np.asarray(np.bincount(groups, weights=2 * squares, minlength=count), dtype=float)
    multiplicity = 2 * np.bincount(groups, minlength=count)
    chosen = _printed_members(hkl, groups, count)
    kept = np.flatnonzero(strength > WEAKEST * strength.max(initial=0.0))
    kept = kept[np.argsort(squared_q[chosen[kept]], kind="stable")]
    return Reflections(hkl[chosen[kept]], q[chosen[kept]], strength[kept], multiplicity[kept], strains, lattice)


def _printed_members(hkl: NDArray[np.int64], groups: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Of each group the member with the fewest negative indices, and the largest h, k, l of these."""
    order = np.lexsort((-hkl[:, 2], -hkl[:, 1], -hkl[:, 0], (hkl < 0).sum(axis=1)))
    chosen = np.full(count, -1)
    chosen[groups[order][::-1]] = order[::-1]
    return chosen


def _exponential(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a symmetric matrix, shape (3, 3)."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors @ np.diag(np.exp(values)) @ vectors.T)
