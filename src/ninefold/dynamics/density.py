"""Time-averaged density of atoms on a grid, its free-energy surface, and where that surface first connects.

The free energy of a place is -kT ln(rho / rho_max). At an energy the surface encloses the places below it; raised from
zero it first holds separate pockets around the sites, then pockets join. `merge_tree` gives the energy of every
joining, and that at which a pocket first reaches its own periodic image: percolation through the crystal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from ninefold.dynamics.rates import BOLTZMANN
from ninefold.dynamics.trajectory import Trajectory
from ninefold.errors import InputError

RESOLUTION = 0.2
"""Å; edge of a voxel."""
LARGEST_GRID = 100_000_000
"""Voxels, 0.8 GB."""


@dataclass(frozen=True)
class Density:
    """Counts on a grid of voxels."""

    counts: np.ndarray
    """shape (a, b, c); how often an atom was in each voxel, after smoothing if there was any."""
    cell: np.ndarray
    """shape (3, 3), Å, of the grid; rows are its edges."""
    origin: np.ndarray
    """shape (3,), Å, of the grid's corner."""
    is_periodic: bool
    temperature_K: float
    samples: int
    """Positions counted."""

    @property
    def voxel_volume(self) -> float:
        """Å³."""
        return float(abs(np.linalg.det(self.cell))) / self.counts.size

    @property
    def per_volume(self) -> np.ndarray:
        """Shape (a, b, c), probability density of one position, 1/Å³."""
        return self.counts / (self.counts.sum() * self.voxel_volume)

    def free_energy(self) -> np.ndarray:
        """Shape (a, b, c), -kT ln(rho / rho_max), eV; infinite where no atom ever was."""
        with np.errstate(divide="ignore"):
            return -BOLTZMANN * self.temperature_K * np.log(self.counts / self.counts.max())


class Merge(NamedTuple):
    """Two pockets of the free-energy surface join."""

    energy_eV: float
    """Of the saddle between them, above the deepest place."""
    higher_minimum_eV: float
    """Free energy of the minimum of the pocket that ends here."""
    higher: tuple[int, int, int]
    """Voxel of that minimum."""
    lower: tuple[int, int, int]
    """Voxel of the minimum of the pocket that goes on."""

    @property
    def persistence(self) -> float:
        """Of the ended pocket: from its minimum to the saddle, eV."""
        return self.energy_eV - self.higher_minimum_eV


class MergeTree(NamedTuple):
    """All joinings by rising energy."""

    merges: tuple[Merge, ...]
    percolation_eV: float | None
    """Where a pocket first reaches its own periodic image; None if it never does."""
    deepest: tuple[int, int, int]
    """Voxel of the lowest free energy."""

    def sites(self, persistence_eV: float) -> list[tuple[int, int, int]]:
        """Voxels of the minima that are deeper than the saddle around them by this much, the deepest first."""
        kept = [merge for merge in self.merges if merge.persistence >= persistence_eV]
        return [self.deepest, *(merge.higher for merge in sorted(kept, key=lambda merge: merge.higher_minimum_eV))]

    def connection(self, voxels: Iterable[tuple[int, int, int]]) -> float | None:
        """Energy at which all these minima lie in one pocket; None if they never do.

        Args:
            voxels: Some of `sites`.
        """
        wanted = set(voxels)
        if len(wanted) < 2:
            return 0.0
        group = {voxel: {voxel} for voxel in wanted}
        pocket: dict[tuple[int, int, int], set[tuple[int, int, int]]] = dict(group)
        for merge in self.merges:
            joined = pocket.pop(merge.higher, set()) | pocket.pop(merge.lower, set())
            if joined:
                pocket[merge.lower] = joined
            if joined == wanted:
                return merge.energy_eV
        return None


def lab_density(
    trajectory: Trajectory, symbol: str = "H", resolution: float = RESOLUTION, temperature_K: float | None = None
) -> Density:
    """Density of one species in the crystal's cell.

    Positions are counted in fractional coordinates, on a grid of the mean cell; drift of the mean of all other atoms is
    taken out.

    Args:
        trajectory: Wrapped or not.
        symbol: Species.
        resolution: Longest edge of a voxel, Å.
        temperature_K: Of the free energy; default: the trajectory's.

    Raises:
        InputError: without a temperature, without such atoms, or for a grid too fine.
    """
    temperature = temperature_K if temperature_K is not None else trajectory.temperature_K
    if temperature is None or not temperature > 0:
        raise InputError("temperature_K", temperature, problem="is needed for a free energy", allowed="above 0 K")
    chosen = trajectory.symbols == symbol
    if not chosen.any():
        raise InputError(
            "symbol", symbol, problem="is not in the trajectory", allowed=", ".join(sorted(set(trajectory.symbols)))
        )
    counts: np.ndarray | None = None
    cells, frames = np.zeros((3, 3)), 0
    last: np.ndarray | None = None
    moved = np.zeros(3)
    for chunk in trajectory.chunks():
        fractional = chunk.positions @ np.linalg.inv(chunk.cells)
        others = fractional[:, ~chosen]
        if others.shape[1]:
            # from frame to frame: the whole crystal may drift by more than half a cell
            steps = np.diff(np.concatenate([others[:1] if last is None else last, others]), axis=0)
            drift = moved + np.cumsum((steps - np.round(steps)).mean(axis=1), axis=0)
            last, moved = others[-1:], drift[-1]
            fractional = fractional - drift[:, None, :]
        if counts is None:
            counts = np.zeros(_shape(chunk.cells[0], resolution))
        _count(np.ascontiguousarray(fractional[:, chosen].reshape(-1, 3)), counts)
        cells += chunk.cells.sum(axis=0)
        frames += len(chunk)
    assert counts is not None
    return Density(counts, cells / frames, np.zeros(3), True, temperature, int(counts.sum()))


def periodic_density(
    fractional: Iterable[np.ndarray], cell: np.ndarray, temperature_K: float, resolution: float = RESOLUTION
) -> Density:
    """Density of positions in a crystal's cell.

    Args:
        fractional: Arrays of shape (k, 3), fractional, wrapped or not.
        cell: shape (3, 3), Å, rows are the lattice vectors.
        temperature_K: Of the free energy.
        resolution: Longest edge of a voxel, Å.

    Raises:
        InputError: for a grid too fine.
    """
    counts = np.zeros(_shape(cell, resolution))
    for piece in fractional:
        _count(np.ascontiguousarray(piece, dtype=float), counts)
    return Density(counts, cell, np.zeros(3), True, temperature_K, int(counts.sum()))


def body_density(
    vectors: Iterable[np.ndarray], radius: float, temperature_K: float, resolution: float = RESOLUTION
) -> Density:
    """Density of ligands about their centre, in whatever frame the vectors are given.

    Args:
        vectors: Arrays of shape (f, n, 3), Å, from the centre.
        radius: Half the edge of the cubic grid, Å.
        temperature_K: Of the free energy.
        resolution: Longest edge of a voxel, Å.
    """
    cell = 2 * radius * np.eye(3)
    counts = np.zeros(_shape(cell, resolution))
    for piece in vectors:
        fractional = piece.reshape(-1, 3) / (2 * radius) + 0.5
        inside = ((fractional >= 0) & (fractional < 1)).all(axis=1)
        _count(np.ascontiguousarray(fractional[inside], dtype=float), counts)
    return Density(counts, cell, np.full(3, -radius), False, temperature_K, int(counts.sum()))


def smoothed(density: Density, width: float) -> Density:
    """Counts folded with a Gaussian, which lowers a peak and fills a saddle: see `connection`.

    Args:
        density: Any.
        width: Standard deviation, Å.
    """
    from scipy.ndimage import gaussian_filter

    edges = np.linalg.norm(density.cell, axis=1) / density.counts.shape
    mode = "wrap" if density.is_periodic else "constant"
    counts = gaussian_filter(density.counts, width / edges, mode=mode)
    return Density(counts, density.cell, density.origin, density.is_periodic, density.temperature_K, density.samples)


def merge_tree(density: Density) -> MergeTree:
    """Every joining of pockets, by neighbours over faces, edges and corners of voxels."""
    energies = density.free_energy()
    flat = energies.ravel()
    order = np.argsort(flat, kind="stable")
    order = order[np.isfinite(flat[order])]
    shape = np.array(energies.shape)
    rank = np.full(flat.size, flat.size)
    rank[order] = np.arange(len(order))
    rows, percolation = _merge(rank, order, shape, density.is_periodic)
    merges = tuple(
        Merge(float(flat[saddle]), float(flat[higher]), _voxel(higher, energies.shape), _voxel(lower, energies.shape))
        for saddle, higher, lower in rows
    )
    return MergeTree(
        merges, None if percolation < 0 else float(flat[percolation]), _voxel(int(order[0]), energies.shape)
    )


class Connection(NamedTuple):
    """Where a free-energy surface connects."""

    sites: tuple[tuple[int, int, int], ...]
    """Voxels of the minima, the deepest first."""
    connected_eV: float | None
    """At which all sites lie in one pocket; None if they never do."""
    percolation_eV: float | None
    """At which a pocket reaches its own periodic image."""
    is_extrapolated: bool
    """Whether the effect of smoothing and of the voxels' size has been taken out."""


def connection(density: Density, width: float, persistence_eV: float) -> Connection:
    """Sites and the energies at which they connect.

    Smoothing by s lowers a peak and fills a saddle, both in proportion to s^2 to leading order. The energies are
    therefore taken at two widths and extrapolated to none, the mean over a voxel counting as h^2 / 12.

    Args:
        density: Counts, not smoothed.
        width: Of the smoothing, Å; the second is by the root of 2 wider.
        persistence_eV: Depth below its saddle from which a minimum counts as a site.
    """
    narrow = merge_tree(smoothed(density, width))
    broad = merge_tree(smoothed(density, width * 2**0.5))
    voxel = float((np.linalg.norm(density.cell, axis=1) / density.counts.shape).max()) ** 2 / 12
    lever = (width**2 + voxel) / width**2

    sites, others = narrow.sites(persistence_eV), broad.sites(persistence_eV)
    connected, of_broad = narrow.connection(sites), broad.connection(others)
    is_extrapolated = len(sites) == len(others)
    if is_extrapolated and connected is not None and of_broad is not None:
        connected += lever * (connected - of_broad)
    percolation = narrow.percolation_eV
    if is_extrapolated and percolation is not None and broad.percolation_eV is not None:
        percolation += lever * (percolation - broad.percolation_eV)
    return Connection(tuple(sites), connected, percolation, is_extrapolated)


def _voxel(index: int, shape: tuple[int, ...]) -> tuple[int, int, int]:
    a, b, c = np.unravel_index(index, shape)
    return int(a), int(b), int(c)


def _shape(cell: np.ndarray, resolution: float) -> tuple[int, int, int]:
    if not 0.02 <= resolution <= 2:
        raise InputError("resolution", resolution, allowed="0.02 to 2 Å")
    edges = np.linalg.norm(cell, axis=1)
    a, b, c = (max(1, int(np.ceil(edge / resolution))) for edge in edges)
    if a * b * c > LARGEST_GRID:
        raise InputError(
            "resolution", resolution, problem=f"makes {a * b * c} voxels", allowed=f"at most {LARGEST_GRID}",
            hint="take a coarser grid",
        )  # fmt: skip
    return a, b, c


@numba.njit(cache=True)
def _count(fractional: np.ndarray, counts: np.ndarray) -> None:
    """Add one to the voxel of each position, wrapped into the cell."""
    for row in range(len(fractional)):
        a = int(np.floor((fractional[row, 0] % 1.0) * counts.shape[0])) % counts.shape[0]
        b = int(np.floor((fractional[row, 1] % 1.0) * counts.shape[1])) % counts.shape[1]
        c = int(np.floor((fractional[row, 2] % 1.0) * counts.shape[2])) % counts.shape[2]
        counts[a, b, c] += 1.0


@numba.njit(cache=True)
def _root(parent: np.ndarray, shift: np.ndarray, index: int) -> tuple[int, int, int, int]:
    """Root of a voxel and the cells between the voxel and the root's copy that it is connected to."""
    a = b = c = 0
    node = index
    while parent[node] != node:
        a += shift[node, 0]
        b += shift[node, 1]
        c += shift[node, 2]
        node = parent[node]
    root, total_a, total_b, total_c = node, a, b, c
    node = index
    while parent[node] != root and node != root:
        following = parent[node]
        step_a, step_b, step_c = shift[node, 0], shift[node, 1], shift[node, 2]
        parent[node] = root
        shift[node, 0], shift[node, 1], shift[node, 2] = a, b, c
        a, b, c = a - step_a, b - step_b, c - step_c
        node = following
    return root, total_a, total_b, total_c


@numba.njit(cache=True)
def _merge(
    rank: np.ndarray, order: np.ndarray, shape: np.ndarray, is_periodic: bool
) -> tuple[list[tuple[int, int, int]], int]:
    """Joinings (saddle, minimum of the ended pocket, minimum of the other) and the voxel where one percolates."""
    size = len(rank)
    parent = np.full(size, -1)
    lowest = np.full(size, -1)
    shift = np.zeros((size, 3), dtype=np.int32)
    rows = [(0, 0, 0) for _ in range(0)]
    percolation = -1
    nb, nc = shape[1], shape[2]
    for index in order:
        parent[index] = index
        lowest[index] = index
        a, b, c = index // (nb * nc), index // nc % nb, index % nc
        for da in range(-1, 2):
            for db in range(-1, 2):
                for dc in range(-1, 2):
                    if da == 0 and db == 0 and dc == 0:
                        continue
                    xa, xb, xc = a + da, b + db, c + dc
                    ca = cb = cc = 0
                    if xa < 0 or xa >= shape[0] or xb < 0 or xb >= nb or xc < 0 or xc >= nc:
                        if not is_periodic:
                            continue
                        ca, cb, cc = xa // shape[0], xb // nb, xc // nc
                        xa, xb, xc = xa % shape[0], xb % nb, xc % nc
                    other = (xa * nb + xb) * nc + xc
                    if parent[other] < 0:
                        continue
                    mine, ma, mb, mc = _root(parent, shift, index)
                    theirs, ta, tb, tc = _root(parent, shift, other)
                    # cells from the root's copy of this voxel to that of the neighbour, over this step
                    ga, gb, gc = ma - ta - ca, mb - tb - cb, mc - tc - cc
                    if mine == theirs:
                        if percolation < 0 and (ga != 0 or gb != 0 or gc != 0):
                            percolation = index
                        continue
                    if rank[lowest[mine]] < rank[lowest[theirs]]:
                        ended, kept = theirs, mine
                        sign = -1
                    else:
                        ended, kept = mine, theirs
                        sign = 1
                    if lowest[ended] != index:
                        rows.append((index, lowest[ended], lowest[kept]))
                    parent[ended] = kept
                    shift[ended, 0] = -sign * ga
                    shift[ended, 1] = -sign * gb
                    shift[ended, 2] = -sign * gc
    return rows, percolation
