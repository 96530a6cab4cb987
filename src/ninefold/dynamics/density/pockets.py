"""Pockets of a free-energy surface: how many there are at an energy, and at which energies they join.

At an energy the surface encloses the places below it; raised from zero it first holds separate pockets around the
sites, then pockets join. `merge_tree` gives the energy of every joining, and that at which a pocket first reaches its
own periodic image: percolation through the crystal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numba
import numpy as np

from ninefold.dynamics.density.grid import Density, resolved_eV, smoothed, supported


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
    separate: Mapping[tuple[int, int, int], float]
    """Minima of the other pockets that never join any, and their free energies, eV."""

    def sites(self, persistence_eV: float, ceiling_eV: float = math.inf) -> list[tuple[int, int, int]]:
        """Voxels of the minima that are deeper than the saddle around them by this much, the deepest first.

        Args:
            persistence_eV: Least depth.
            ceiling_eV: What a pocket that never joins another counts as deep against.
        """
        kept = {merge.higher: merge.higher_minimum_eV for merge in self.merges if merge.persistence >= persistence_eV}
        kept |= {voxel: energy for voxel, energy in self.separate.items() if ceiling_eV - energy >= persistence_eV}
        return [self.deepest, *sorted(kept, key=lambda voxel: kept[voxel])]

    def pockets(self, energy_eV: float) -> int:
        """Separate pockets of the surface at an energy: what a flood fill of the places below it would find."""
        minima = [0.0, *(merge.higher_minimum_eV for merge in self.merges), *self.separate.values()]
        ended = sum(merge.energy_eV <= energy_eV for merge in self.merges)
        return sum(energy <= energy_eV for energy in minima) - ended

    def groups(self, voxels: Iterable[tuple[int, int, int]], energy_eV: float) -> list[set[tuple[int, int, int]]]:
        """Which of these minima lie in one pocket at an energy; one that is not below it yet is by itself.

        Args:
            voxels: Some of `sites`.
            energy_eV: Of the surface.
        """
        pocket = {voxel: {voxel} for voxel in voxels}
        for merge in self.merges:
            if merge.energy_eV > energy_eV:
                break
            joined = pocket.pop(merge.higher, set()) | pocket.pop(merge.lower, set())
            if joined:
                pocket[merge.lower] = joined
        return list(pocket.values())

    def first_between(self, owners: Mapping[tuple[int, int, int], int]) -> float | None:
        """Energy at which minima of two owners first lie in one pocket; None if they never do.

        Args:
            owners: Some of `sites` -> number of what they belong to.
        """
        pocket = {voxel: {owner} for voxel, owner in owners.items()}
        for merge in self.merges:
            joined = pocket.pop(merge.higher, set()) | pocket.pop(merge.lower, set())
            if len(joined) > 1:
                return merge.energy_eV
            if joined:
                pocket[merge.lower] = joined
        return None

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


def merge_tree(density: Density) -> MergeTree:
    """Every joining of pockets, by neighbours over faces, edges and corners of voxels."""
    energies = density.free_energy()
    flat = energies.ravel()
    order = np.argsort(flat, kind="stable")
    order = order[np.isfinite(flat[order])]
    shape = np.array(energies.shape)
    rank = np.full(flat.size, flat.size)
    rank[order] = np.arange(len(order))
    rows, percolation, left = _merge(rank, order, shape, density.is_periodic)
    merges = tuple(
        Merge(float(flat[saddle]), float(flat[higher]), _voxel(higher, energies.shape), _voxel(lower, energies.shape))
        for saddle, higher, lower in rows
    )
    deepest, *others = sorted(left, key=lambda index: rank[index])
    return MergeTree(
        merges,
        None if percolation < 0 else float(flat[percolation]),
        _voxel(deepest, energies.shape),
        {_voxel(index, energies.shape): float(flat[index]) for index in others},
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
    narrow, broad = (
        merge_tree(supported(smoothed(density, width * factor), density, width)) for factor in (1.0, 2**0.5)
    )
    ceiling = resolved_eV(density, width)
    sites, others = narrow.sites(persistence_eV, ceiling), broad.sites(persistence_eV, ceiling)
    # energies beyond that of a single sample are those of the smoothing's own tails
    connected, percolation = (
        energy if energy is not None and energy <= ceiling else None
        for energy in (narrow.connection(sites), narrow.percolation_eV)
    )
    is_extrapolated = len(sites) == len(others)
    if is_extrapolated:
        connected = extrapolated(connected, broad.connection(others), density, width)
        percolation = extrapolated(percolation, broad.percolation_eV, density, width)
    return Connection(tuple(sites), connected, percolation, is_extrapolated)


def extrapolated(narrow: float | None, broad: float | None, density: Density, width: float) -> float | None:
    """An energy without smoothing, from those of two widths; the first where the second is not known.

    Args:
        narrow: Of the width, eV.
        broad: Of the root of 2 times the width, eV.
        density: For the size of its voxels.
        width: Å.
    """
    if narrow is None or broad is None:
        return narrow
    voxel = float((np.linalg.norm(density.cell, axis=1) / density.counts.shape).max()) ** 2 / 12
    return narrow + (width**2 + voxel) / width**2 * (narrow - broad)


def _voxel(index: int, shape: tuple[int, ...]) -> tuple[int, int, int]:
    a, b, c = np.unravel_index(index, shape)
    return int(a), int(b), int(c)


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
) -> tuple[list[tuple[int, int, int]], int, list[int]]:
    """Joinings (saddle, minimum of the ended pocket, of the other), where one percolates (-1: none), minima left."""
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
    left = [lowest[index] for index in order if parent[index] == index]
    return rows, percolation, left
