"""Free-energy surfaces of a trajectory's hydrogen: of the crystal and of its anions, with where each connects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ninefold.dynamics.anions.cages import with_cages
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.pseudorotation import analyse_shells
from ninefold.dynamics.anions.rates_by_anion import by_anion
from ninefold.dynamics.density.connections import (
    RESAMPLES,
    Estimate,
    Measure,
    anions_connect,
    estimates,
    percolates,
    sites_connect,
)
from ninefold.dynamics.density.grid import (
    RESOLUTION,
    SHELL_RESOLUTION,
    SITE_DEPTH_KT,
    SMOOTHING,
    Density,
    resolved_eV,
    smoothed,
    supported,
)
from ninefold.dynamics.density.maps import Frame, Sampled, anion_densities, block_count, crystal_density
from ninefold.dynamics.density.pockets import MergeTree, merge_tree
from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.trajectories.mean_crystal import TOLERANCE, Framework, Operations, framework, operations
from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.errors import InputError

BLOCKS = 10
CONNECTED, ISOLATED, PARTLY = "connected", "isolated", "partly connected"
_OF_AN_ANION = 1.6
"""In units of M-H; a site within this of a centre is one of its anion."""


class SurfaceSettings(NamedTuple):
    """How surfaces are made."""

    frame: Frame = "crystal"
    n: int | None = None
    polyhedron: str | None = None
    is_symmetric: bool = False
    width: float = SMOOTHING
    """Of the smoothing, Å."""
    resolution: float | None = None
    """Longest edge of a voxel, Å; default: 0.2 in the crystal, 0.12 about a centre."""
    blocks: int = BLOCKS
    resamples: int = RESAMPLES
    seed: int = 0


@dataclass(frozen=True)
class Surface:
    """The free-energy surface of one density."""

    name: str
    """crystal, Re1, Re2, ... or Re1-12 for a single anion."""
    kind: str
    """crystal, or the kind of anion."""
    centres: tuple[int, ...]
    """Indices of the atoms; none of the crystal."""
    density: Density
    """Smoothed."""
    samples: int
    tree: MergeTree
    """Of the smoothed density."""
    sites: tuple[tuple[int, int, int], ...]
    highest_eV: float
    """Beyond it nothing was resolved."""
    connections: dict[str, Estimate]
    """What connects -> where."""
    symbols: tuple[str, ...]
    """Of the atoms that belong into a picture of it."""
    positions: np.ndarray
    """shape (k, 3), Å, in the density's coordinates."""

    @property
    def energies(self) -> np.ndarray:
        """Shape (a, b, c), free energy above the deepest place, eV; `highest_eV` where nothing was resolved."""
        return np.minimum(self.density.free_energy(), self.highest_eV)

    def state(self, energy_eV: float) -> tuple[int, str]:  # a unit
        """Pockets of the surface at an energy, and whether the sites below it are isolated or connected."""
        groups = self.tree.groups(self.sites, energy_eV)
        if len(groups) == 1 and len(self.sites) > 1:
            state = CONNECTED
        else:
            state = ISOLATED if len(groups) == len(self.sites) else PARTLY
        return self.tree.pockets(energy_eV), state

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "name": self.name, "kind": self.kind, "centres": list(self.centres), "samples": self.samples,
            "grid": list(self.density.counts.shape), "resolved_eV": self.highest_eV,
            "sites": [list(site) for site in self.sites],
            "connections": {name: one.to_dict() for name, one in self.connections.items()},
        }  # fmt: skip


class Surfaces(NamedTuple):
    """All surfaces of one trajectory."""

    source: str
    temperature_K: float
    frames: int
    duration_ps: float
    centre: str
    symmetry: str
    """What anions are alike by, and what was averaged over."""
    blocks: int
    surfaces: tuple[Surface, ...]
    notes: tuple[str, ...]


def surfaces_of(trajectory: Trajectory, centre: str, settings: SurfaceSettings | None = None) -> Surfaces:
    """The free-energy surfaces of the hydrogen in a trajectory.

    Args:
        trajectory: With a temperature.
        centre: Symbol of the anions' centres; `B12`: centres of cages of 12 bonded boron atoms.
        settings: How they are made.

    Raises:
        InputError: without a temperature, or if the shells cannot be followed.
    """
    chosen = settings or SurfaceSettings()
    temperature = trajectory.temperature_K
    if temperature is None:
        raise InputError("--temperature", None, problem="is needed for a free energy", allowed="K, of each file")
    trajectory = with_cages(trajectory, centre)
    found, histories = analyse_shells(trajectory, centre, chosen.n, chosen.polyhedron)
    groups = by_anion(trajectory, found, histories)
    crystal = framework(trajectory)
    frames = round(found.duration_ps * 1000 / trajectory.time_step_fs)
    blocks = block_count(frames, chosen.blocks)
    group = operations(crystal.cell, crystal.fractional, crystal.symbols, TOLERANCE) if chosen.is_symmetric else None
    in_crystal = chosen.frame == "crystal"
    notes = list(trajectory.warnings)
    surfaces = []
    if in_crystal:
        sampled = crystal_density(
            trajectory, crystal, frames, temperature, chosen.resolution or RESOLUTION, blocks, group
        )  # fmt: skip
        measures: dict[str, Measure] = {"through the crystal": percolates}
        centres = sorted({history.segment.centre for history in histories})
        if set(centres) <= set(crystal.atoms.tolist()):
            farthest = _OF_AN_ANION * found.mean_distance
            measures["neighbouring anions"] = anions_connect(crystal, centres, sampled.density, farthest)
        else:
            notes.append(f"{centre} does not stay: whether sites of neighbouring anions connect is not told")
        surfaces.append(_surface("crystal", "crystal", (), sampled, measures, chosen, *_atoms_of(crystal)))
    polyhedron = isomers_of(found.n)[found.polyhedron]
    maps = anion_densities(
        histories, groups, frames, chosen.frame, found.mean_distance, temperature,
        chosen.resolution or SHELL_RESOLUTION, blocks, crystal, group if in_crystal else None,
        polyhedron if chosen.is_symmetric and not in_crystal else None,
    )  # fmt: skip
    for one in maps:
        is_single = in_crystal and group is None
        name = f"{one.name}-{one.centres[0]}" if is_single else one.name
        surfaces.append(
            _surface(
                name, one.name, one.centres, one.sampled, {"sites of an anion": sites_connect}, chosen,
                *_of_elements((centre,), np.zeros((1, 3))),
            )
        )  # fmt: skip
    return Surfaces(
        trajectory.source, temperature, frames, found.duration_ps, centre,
        _symmetry(groups.symmetry, group, found.polyhedron, in_crystal), blocks, tuple(surfaces), tuple(notes),
    )  # fmt: skip


def _surface(
    name: str, kind: str, centres: tuple[int, ...], sampled: Sampled, measures: Any, settings: SurfaceSettings,
    symbols: tuple[str, ...], positions: np.ndarray,
) -> Surface:  # fmt: skip
    depth = SITE_DEPTH_KT * BOLTZMANN * sampled.density.temperature_K
    density = supported(smoothed(sampled.density, settings.width), sampled.density, settings.width)
    tree = merge_tree(density)
    limit = resolved_eV(sampled.density, settings.width, sampled.weight)
    return Surface(
        name, kind, centres, density, sampled.density.samples, tree, tuple(tree.sites(depth, limit)), limit,
        estimates(sampled, measures, settings.width, depth, settings.resamples, settings.seed), symbols, positions,
    )  # fmt: skip


def _atoms_of(crystal: Framework) -> tuple[tuple[str, ...], np.ndarray]:
    return _of_elements(crystal.symbols, np.mod(crystal.fractional, 1.0) @ crystal.cell)


def _of_elements(symbols: tuple[str, ...], positions: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Atoms without the centres of cages, which are none."""
    from ase.data import atomic_numbers

    kept = [place for place, symbol in enumerate(symbols) if symbol in atomic_numbers]
    return tuple(symbols[place] for place in kept), positions[kept]


def _symmetry(alike: str, group: Operations | None, polyhedron: str, in_crystal: bool) -> str:
    if group is None:
        return f"anions are alike by {alike}; not averaged over it"
    if in_crystal:
        return f"anions are alike by {alike}; averaged over its {len(group.rotations)} operations"
    return f"anions are alike by {alike}; averaged over the rotations of the {polyhedron}"
