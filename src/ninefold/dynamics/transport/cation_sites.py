"""Sites of a mobile ion: where its time-averaged density has its maxima, or where a crystal structure puts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ninefold.dynamics.density.grid import periodic_density, smoothed
from ninefold.dynamics.density.pockets import merge_tree
from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.trajectories.displacements import Displacements
from ninefold.dynamics.trajectories.mean_crystal import TOLERANCE as SYMMETRY
from ninefold.dynamics.trajectories.mean_crystal import Framework, classes, operations
from ninefold.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

CORE = 0.35
"""Radius of a site's core, of the distance to the nearest other site: an ion has come to a site when it is in its core.
Vibration in one well would have to reach 0.65 of the way to the next."""
LARGEST_CORE = 1.5
"""Å."""
SMOOTHING = 0.25
"""Å, of the density in which maxima are looked for: about the amplitude of a cation's vibration."""
DEPTH_KT = 1.0
"""A maximum is a site if the free energy rises by so many kT on the lowest way to a deeper one."""
LEAST_OCCUPANCY = 0.01
"""Ions on a site on average, below which a maximum is a place that was passed, or noise."""
CLOSEST = 1.2
"""Å. Two maxima closer than this are one site."""
ALIKE = 1.0
"""Å. Maxima that symmetry maps onto each other within this are alike: each has an error of its own."""
SAME_CELL = 0.03
"""Relative difference of lattice vectors up to which a structure's cell is that of a trajectory."""
NEAR_ENOUGH = 0.7
"""Å. Root mean square distance of a structure's framework from that of a trajectory, beyond which it is another."""


class Sites(NamedTuple):
    """Sites in the cell of a trajectory."""

    fractional: np.ndarray
    """shape (k, 3)."""
    cell: np.ndarray
    """shape (3, 3), Å, rows are the lattice vectors."""
    classes: np.ndarray
    """shape (k,), number of the class of sites that symmetry makes alike, the most occupied first where known."""
    radii: np.ndarray
    """shape (k,), Å, of the cores."""
    origin: str
    """Where they come from, for people."""
    symmetry: str
    """What they are alike by, for people."""


def density_sites(moved: Sequence[Displacements], crystal: Framework) -> Sites:
    """Maxima of the density of the mobile ions, of all trajectories together.

    Args:
        moved: Of each trajectory, all of one crystal.
        crystal: The atoms that stay, whose symmetry says which sites are alike.

    Raises:
        InputError: if there are fewer than two sites between which an ion could jump.
    """
    cell = np.mean([one.cell for one in moved], axis=0)
    places = [(one.paths @ np.linalg.inv(one.cell)).reshape(-1, 3) for one in moved]
    density = smoothed(periodic_density(places, cell, _UNIT_KELVIN), SMOOTHING)
    voxels = merge_tree(density).sites(DEPTH_KT)
    fractional = (np.array(voxels, dtype=float) + 0.5) / density.counts.shape
    # some thousand positions find the means as well as all
    every = np.concatenate(places)
    sample = np.mod(every[:: max(1, len(every) // 200_000)], 1.0)
    ions = np.mean([one.paths.shape[1] for one in moved])
    fractional = _separate(fractional, cell)
    for _ in range(3):
        nearest, steps = _nearest(sample, fractional, cell)
        counts = np.bincount(nearest, minlength=len(fractional))
        kept = counts * ions >= LEAST_OCCUPANCY * len(sample)
        close = np.linalg.norm(steps @ cell, axis=1) < CLOSEST
        sums = np.stack([np.bincount(nearest[close], steps[close, axis], len(fractional)) for axis in range(3)], axis=1)
        means = sums / np.maximum(np.bincount(nearest[close], minlength=len(fractional)), 1)[:, None]
        fractional = np.mod(fractional + means, 1.0)[kept]
        if kept.all():
            break
    counts = np.bincount(_nearest(sample, fractional, cell)[0], minlength=len(fractional))
    group = operations(crystal.cell, crystal.fractional, crystal.symbols, SYMMETRY)
    numbers = classes(fractional, cell, group, ALIKE)
    fold = ", ".join(dict.fromkeys(crystal.symbols)) or "nothing"
    return _sites(
        fractional, cell, _by_occupancy(numbers, counts), "maxima of the density",
        f"{group.name} of the mean positions of {fold}",
    )  # fmt: skip


def crystal_sites(structure: Structure, symbol: str, crystal: Framework, source: str) -> Sites:
    """Sites of a structure that has an ion on each of them, laid out in the cell of a trajectory.

    Args:
        structure: Its cell is the trajectory's, or one that the trajectory's repeats.
        symbol: Of the mobile ion.
        crystal: The atoms of the trajectory that stay.
        source: Name of the structure, for messages.

    Raises:
        InputError: if it has no such ion, or is another crystal.
    """
    symbols = [site.specie.symbol for site in structure]
    if symbol not in symbols:
        raise InputError(
            "--sites", source, problem=f"has no {symbol}", allowed=f"a structure with {symbol} on every site"
        )
    matrix = structure.lattice.matrix
    repeats = crystal.cell @ np.linalg.inv(matrix)
    whole = np.round(repeats)
    if np.abs((repeats - whole) @ matrix).max() > SAME_CELL * np.linalg.norm(crystal.cell, axis=1).max() or (
        abs(np.linalg.det(whole)) < 0.5
    ):
        raise InputError(
            "--sites", source, problem="has a cell whose repetition is not that of the trajectory",
            allowed=f"lattice vectors that make the trajectory's within {SAME_CELL:.0%}, in the same orientation",
        )  # fmt: skip
    fractional, origins = _repeated(structure.frac_coords, whole)
    names = np.array(symbols)[origins]
    group = operations(matrix, structure.frac_coords, symbols, 0.01)
    alike = classes(structure.frac_coords, matrix, group, 0.1)
    fractional = fractional + _shift(fractional, names, crystal, source)
    chosen = names == symbol
    _, numbers = np.unique(alike[origins][chosen], return_inverse=True)
    return _sites(np.mod(fractional[chosen], 1.0), crystal.cell, numbers, source, f"{group.name} of {source}")


_UNIT_KELVIN = 1.0 / BOLTZMANN
"""Temperature whose kT is 1 eV: free energies are in kT."""


def _sites(fractional: np.ndarray, cell: np.ndarray, numbers: np.ndarray, origin: str, symmetry: str) -> Sites:
    order = np.lexsort((np.arange(len(numbers)), numbers))
    fractional, numbers = fractional[order], numbers[order]
    steps = fractional[:, None] - fractional[None]
    steps -= np.round(steps)
    images = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T
    lengths = np.linalg.norm((steps[:, :, None] + images) @ cell, axis=3)
    lengths[lengths < 1e-6] = np.inf  # a site itself, not its periodic images
    nearest = lengths.min(axis=(1, 2))
    return Sites(fractional, cell, numbers, np.minimum(LARGEST_CORE, CORE * nearest), origin, symmetry)


def _separate(fractional: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Without those that are too close to an earlier, deeper one."""
    kept: list[np.ndarray] = []
    for one in fractional:
        steps = one - np.array(kept).reshape(-1, 3)
        steps -= np.round(steps)
        if not (np.linalg.norm(steps @ cell, axis=1) < CLOSEST).any():
            kept.append(one)
    return np.array(kept)


def _nearest(places: np.ndarray, fractional: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest site of each place, and the fractional step from there to the place."""
    nearest = np.empty(len(places), dtype=np.int64)
    steps = np.empty_like(places)
    for first in range(0, len(places), 4096):
        piece = places[first : first + 4096, None] - fractional[None]
        piece -= np.round(piece)
        chosen = np.argmin(((piece @ cell) ** 2).sum(axis=2), axis=1)
        nearest[first : first + 4096] = chosen
        steps[first : first + 4096] = piece[np.arange(len(chosen)), chosen]
    return nearest, steps


def _by_occupancy(numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Classes numbered by the mean counts of their sites, the largest first."""
    means = [-counts[numbers == one].mean() for one in range(numbers.max() + 1)]
    rank = np.empty(len(means), dtype=np.int64)
    rank[np.argsort(means, kind="stable")] = np.arange(len(means))
    result: np.ndarray = rank[numbers]
    return result


def _repeated(fractional: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a supercell with rows `whole`, in its own fractional coordinates, and the atom that each is."""
    from pymatgen.util.coord import lattice_points_in_supercell

    points = lattice_points_in_supercell(whole)
    places = (fractional @ np.linalg.inv(whole))[None] + points[:, None]
    return places.reshape(-1, 3), np.tile(np.arange(len(fractional)), len(points))


def _shift(fractional: np.ndarray, names: np.ndarray, crystal: Framework, source: str) -> np.ndarray:
    """Fractional shift of a structure onto the framework of a trajectory.

    Raises:
        InputError: if they do not lie on each other.
    """
    if not len(crystal.atoms):
        raise InputError("--sites", source, problem="cannot be laid onto a trajectory without atoms that stay")
    off = []
    for symbol, place in zip(crystal.symbols, crystal.fractional, strict=True):
        steps = place - fractional[names == symbol]
        steps -= np.round(steps)
        lengths = np.linalg.norm(steps @ crystal.cell, axis=1)
        if not len(lengths):
            raise InputError("--sites", source, problem=f"has no {symbol}, which the trajectory has")
        off.append(steps[np.argmin(lengths)])
    shift: np.ndarray = np.mean(off, axis=0)
    residual = float(np.sqrt((((np.array(off) - shift) @ crystal.cell) ** 2).sum(axis=1).mean()))
    if residual > NEAR_ENOUGH:
        raise InputError(
            "--sites", source,
            problem=f"lies {residual:.1f} Å off the trajectory's {', '.join(dict.fromkeys(crystal.symbols))}",
            allowed=f"up to {NEAR_ENOUGH} Å: the same crystal with the same origin",
        )  # fmt: skip
    return shift
