"""Density, percolation and jumps against GEMDAT, on a trajectory whose jumps are planted."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from planted_jumps import EDGE, STEP_FS, planted
from pymatgen.core import Element, Lattice, Structure

import dynamics_needs
from ninefold.dynamics.density.grid import periodic_density
from ninefold.dynamics.density.pockets import merge_tree
from ninefold.dynamics.trajectories.displacements import unwrap
from ninefold.dynamics.trajectories.mean_crystal import framework
from ninefold.dynamics.transport.cation_sites import crystal_sites, density_sites
from ninefold.dynamics.transport.jumps import analyse_jumps

KELVIN = 600.0
VOXEL = 0.5
"""Å."""


@pytest.fixture(scope="module")
def made() -> Any:
    return planted({"A": 0.25, "B": 0.7}, temperature=KELVIN)


@pytest.fixture(scope="module")
def theirs(made: Any) -> Any:
    """GEMDAT's trajectory of the same arrays."""
    gemdat = dynamics_needs.module("gemdat")
    warnings.simplefilter("ignore")
    positions = np.concatenate([piece.positions for piece in made.trajectory.chunks()])
    cell = unwrap(made.trajectory, "Li").cell
    return gemdat.Trajectory(
        species=[Element(symbol) for symbol in made.trajectory.species],
        coords=np.mod(positions @ np.linalg.inv(cell), 1), lattice=cell, time_step=STEP_FS * 1e-15,
        constant_lattice=True, metadata={"temperature": KELVIN},
    )  # fmt: skip


def test_jumps_are_those_of_gemdat(made: Any, theirs: Any) -> None:
    crystal = Structure(
        Lattice.cubic(EDGE), ["Li", "Li", "Mo", "Mo", "Mo"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    )  # fmt: skip
    moved = unwrap(made.trajectory, "Li")
    sites = crystal_sites(crystal, "Li", framework(made.trajectory, ("H", "Li")), "planted")
    found = analyse_jumps(made.trajectory, moved, sites)
    structure = Structure(
        Lattice(moved.cell), ["Li"] * len(sites.fractional), sites.fractional,
        labels=[f"Li{kind + 1}" for kind in sites.classes],
    )  # fmt: skip
    jumps = theirs.transitions_between_sites(structure, "Li", site_radius=1.5).jumps()
    assert int(jumps.n_jumps) == len(found.jumps) == len(made.jumps)
    assert {f"{a} to {b}": count for (a, b), count in jumps.counter().items()} == {
        f"{one.start} to {one.end}": one.rate.events for one in found.rates if one.rate.events
    }


def test_density_and_the_energy_of_the_way_through_the_crystal_are_those_of_gemdat(made: Any, theirs: Any) -> None:
    moved = unwrap(made.trajectory, "Li")
    positions = np.concatenate([piece.positions for piece in made.trajectory.chunks()])
    lithium = np.mod(positions @ np.linalg.inv(moved.cell), 1)[:, made.trajectory.symbols == "Li"]
    density = periodic_density([lithium.reshape(-1, 3)], moved.cell, KELVIN, VOXEL)
    volume = theirs.filter("Li").to_volume(resolution=VOXEL)
    assert np.array_equal(volume.data, density.counts)
    # its path is that of the least sum of energies, ours that of the lowest maximum
    surface = volume.get_free_energy(temperature=KELVIN)
    path = surface.optimal_percolating_path(peaks=volume.find_peaks(), percolate="x")
    highest = max(float(surface.data[tuple(np.mod(site, volume.data.shape))]) for site in path.sites)
    through = merge_tree(density).percolation_eV
    assert through is not None
    assert highest - 0.05 < through + float(surface.data.min()) < highest + 1e-6


def test_maxima_of_the_density_are_the_planted_sites(made: Any, theirs: Any) -> None:
    found = density_sites([unwrap(made.trajectory, "Li")], framework(made.trajectory, ("H", "Li")))
    peaks = theirs.filter("Li").to_volume(resolution=0.2).to_structure(specie="Li", background_level=0.1)
    lattice = peaks.lattice
    assert len(found.fractional) == 16
    distances = lattice.get_all_distances(peaks.frac_coords, found.fractional)
    assert distances.min(axis=1).max() < 0.3
