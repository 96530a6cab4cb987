"""Energies at which the free-energy surfaces of hydrogen connect, with intervals by a bootstrap over blocks of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ninefold.dynamics.density.grid import Density, resolved_eV, smoothed, supported
from ninefold.dynamics.density.maps import Sampled
from ninefold.dynamics.density.pockets import MergeTree, extrapolated, merge_tree
from ninefold.dynamics.statistics.rates import CONFIDENCE
from ninefold.dynamics.trajectories.mean_crystal import Framework

RESAMPLES = 50
FEWEST_BLOCKS = 3
"""Fewer give no interval."""
Measure = Callable[[MergeTree, "list[tuple[int, int, int]]"], "float | None"]
"""Energy of a surface's tree and its sites, eV; None where it never connects."""


class Estimate(NamedTuple):
    """Where a free-energy surface connects."""

    energy_eV: float | None
    """Extrapolated to no smoothing; None where it never connects, or only beyond what was resolved."""
    low_eV: float | None
    """Lower end of the 95 % interval; None where there is none."""
    high_eV: float | None
    """Upper end; None where there is none, or the surface stays unconnected in too many of the resamples."""
    smoothed_eV: float | None
    """Of the smoothed density, which is drawn and exported."""
    sites: int
    is_extrapolated: bool
    unconnected: int
    """Resamples in which the surface never connects."""
    resamples: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return dict(self._asdict())


def sites_connect(tree: MergeTree, sites: list[tuple[int, int, int]]) -> float | None:
    """Energy at which all sites lie in one pocket."""
    return tree.connection(sites)


def percolates(tree: MergeTree, sites: list[tuple[int, int, int]]) -> float | None:
    """Energy at which a pocket reaches its own periodic image."""
    return tree.percolation_eV


def anions_connect(crystal: Framework, centres: list[int], density: Density, farthest: float) -> Measure:
    """Energy at which sites of two anions first lie in one pocket.

    Args:
        crystal: Mean positions.
        centres: Indices of the anions' centres, all of them in it.
        density: Whose grid the sites are of.
        farthest: Å; sites beyond this from every centre belong to no anion.
    """
    place = {int(atom): number for number, atom in enumerate(crystal.atoms)}
    middles = crystal.fractional[[place[centre] for centre in centres]]
    corner = np.linalg.solve(density.cell.T, density.origin)

    def measure(tree: MergeTree, sites: list[tuple[int, int, int]]) -> float | None:
        fractional = corner + (np.array(sites) + 0.5) / density.counts.shape
        steps = fractional[:, None] - middles[None]
        distances = np.linalg.norm((steps - np.round(steps)) @ density.cell, axis=2)
        nearest = np.argmin(distances, axis=1)
        near = distances.min(axis=1) <= farthest
        return tree.first_between({site: int(nearest[k]) for k, site in enumerate(sites) if near[k]})

    return measure


def estimates(
    sampled: Sampled,
    measures: Mapping[str, Measure],
    width: float,
    persistence_eV: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Energies of a surface, each with its interval.

    Args:
        sampled: Counts in blocks.
        measures: Name -> what is asked.
        width: Of the smoothing, Å.
        persistence_eV: Depth below its saddle from which a minimum counts as a site.
        resamples: Of the bootstrap over the blocks.
        seed: Of the bootstrap.
    """
    # energies beyond this are those of the smoothing's own tails
    limit = resolved_eV(sampled.density, width, sampled.weight)
    own = _energies(sampled.density, measures, width, persistence_eV, limit)
    generator = np.random.default_rng(seed)
    number = resamples if len(sampled.blocks) >= FEWEST_BLOCKS else 0
    drawn = [
        _energies(sampled.resampled(generator), measures, width, persistence_eV, limit) for _ in range(number)
    ]  # fmt: skip
    found = {}
    for name in measures:
        values = np.sort([np.inf if one[name][0] is None else one[name][0] for one in drawn])
        low, high = _interval(values)
        energy, of_smoothed, sites, is_extrapolated = own[name]
        found[name] = Estimate(
            energy, low, high, of_smoothed, sites, is_extrapolated, int(np.isinf(values).sum()), number
        )
    return found


def _energies(
    density: Density, measures: Mapping[str, Measure], width: float, persistence_eV: float, limit: float
) -> dict[str, tuple[float | None, float | None, int, bool]]:
    """Energy, that of the smoothed density, number of sites, whether the energy is extrapolated."""
    trees = [
        merge_tree(supported(smoothed(density, width * factor), density, width)) for factor in (1.0, 2**0.5)
    ]  # fmt: skip
    sites = [tree.sites(persistence_eV, limit) for tree in trees]
    result = {}
    for name, measure in measures.items():
        narrow, broad = (measure(tree, own) for tree, own in zip(trees, sites, strict=True))
        if narrow is not None and narrow > limit:
            narrow = None
        can_extrapolate = len(sites[0]) == len(sites[1]) and narrow is not None and broad is not None
        energy = extrapolated(narrow, broad, density, width) if can_extrapolate else narrow
        result[name] = (energy, narrow, len(sites[0]), can_extrapolate)
    return result


def _interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """Of sorted values, infinite ones among them."""
    if not len(values):
        return None, None
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(np.quantile(values, share, method="nearest")) for share in (tail, 1 - tail))
    return None if np.isinf(low) else low, None if np.isinf(high) else high
