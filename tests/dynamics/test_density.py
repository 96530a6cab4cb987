"""Free-energy surfaces of planted densities: connection, percolation, and a flood fill as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from ninefold.dynamics.density.grid import Density, body_density, lab_density, smoothed
from ninefold.dynamics.density.pockets import connection, merge_tree
from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.trajectories.trajectory import in_memory
from ninefold.errors import InputError

TEMPERATURE = 300.0
KT = BOLTZMANN * TEMPERATURE


def _planted(energies: np.ndarray, is_periodic: bool = True) -> Density:
    counts = np.exp(-energies / KT)
    return Density(counts, np.eye(3) * 10, np.zeros(3), is_periodic, TEMPERATURE, 1)


def _double_well(barrier: float, points: int = 60) -> np.ndarray:
    x = (np.arange(points) + 0.5) / points
    a, b, c = np.meshgrid(x, x, x, indexing="ij")
    # wells at x = 1/4 and 3/4, saddles between them at x = 1/2 (barrier) and x = 0 (higher)
    along = np.where((a > 0.25) & (a < 0.75), barrier, 2 * barrier) * np.sin(2 * np.pi * (a - 0.25)) ** 2
    across = 8 * barrier * (np.sin(np.pi * (b - 0.5)) ** 2 + np.sin(np.pi * (c - 0.5)) ** 2)
    return along + across


def test_two_wells_join_at_their_saddle() -> None:
    tree = merge_tree(_planted(_double_well(0.040)))
    sites = tree.sites(0.010)
    assert len(sites) == 2
    assert tree.connection(sites) == pytest.approx(0.040, abs=0.0005)
    assert tree.percolation_eV == pytest.approx(0.080, abs=0.001)


def test_without_periodic_images_nothing_percolates() -> None:
    tree = merge_tree(_planted(_double_well(0.040), is_periodic=False))
    assert tree.percolation_eV is None
    assert tree.connection(tree.sites(0.010)) == pytest.approx(0.040, abs=0.0005)


def test_sampled_two_wells_within_two_millielectronvolt() -> None:
    """Positions drawn from the planted density, counted and smoothed as a trajectory's are."""
    rng = np.random.default_rng(0)
    barrier, length = 0.045, 6.0
    grid = np.linspace(0, length, 2400, endpoint=False)
    weights = np.exp(-barrier * np.sin(2 * np.pi * (grid / length - 0.25)) ** 2 / KT)
    x = rng.choice(grid, size=(20_000, 40), p=weights / weights.sum()) + rng.random((20_000, 40)) * grid[1]
    yz = length / 2 + 0.25 * rng.normal(size=(20_000, 40, 2))
    positions = np.concatenate([x[..., None], yz], axis=2)
    fixed = np.broadcast_to(np.array([0.1, 0.1, 0.1]), (20_000, 1, 3))
    trajectory = in_memory(["Re", *["H"] * 40], np.concatenate([fixed, positions], axis=1), np.eye(3) * length, 1.0)
    found = connection(lab_density(trajectory, temperature_K=TEMPERATURE, resolution=0.2), 0.15, 0.010)
    assert (len(found.sites), found.is_extrapolated) == (2, True)
    assert found.connected_eV == pytest.approx(barrier, abs=0.002)


@pytest.mark.parametrize("seed", range(4))
def test_joinings_are_those_of_a_flood_fill(seed: int) -> None:
    """At any energy the pockets of the tree are as many as scipy's labels of the places below it."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    energies = gaussian_filter(rng.normal(size=(14, 15, 16)), 1.5, mode="constant")
    energies = (energies - energies.min()) / np.ptp(energies) * 0.2
    tree = merge_tree(_planted(energies, is_periodic=False))
    for level in np.quantile(energies, [0.03, 0.1, 0.3, 0.5]):
        _, count = label(energies <= level, structure=np.ones((3, 3, 3)))
        assert tree.pockets(level + 1e-12) == count


def test_percolation_needs_the_whole_way_round() -> None:
    """A wall across one direction leaves a closed pocket; a hole in it opens the way."""
    energies = np.zeros((12, 12, 12)) + 0.01 * np.arange(12)[None, :, None] / 12
    energies[5] = 0.3
    energies[:, 3] = 0.4
    energies[:, :, 7] = 0.5
    assert merge_tree(_planted(energies)).percolation_eV == pytest.approx(0.3, abs=1e-9)
    energies[5, 8, 2] = 0.05
    assert merge_tree(_planted(energies)).percolation_eV == pytest.approx(0.05, abs=1e-9)


def test_a_pocket_split_by_the_cell_border_is_one() -> None:
    energies = np.full((10, 10, 10), 1.0)
    energies[[0, 9], 5, 5] = 0.0
    tree = merge_tree(_planted(energies))
    assert tree.sites(0.5) == [tree.deepest]


def test_pockets_that_never_join_are_sites() -> None:
    """They were seen, and nothing between them; one of no depth below the ceiling is a stray position."""
    energies = np.full((12, 12, 12), np.inf)
    for place, energy in ((2, 0.0), (5, 0.01), (8, 0.19)):
        energies[place, 6, 6] = energy
    tree = merge_tree(_planted(energies))
    assert tree.sites(0.03, 0.2) == [(2, 6, 6), (5, 6, 6)]
    assert tree.connection(tree.sites(0.03, 0.2)) is None
    assert [tree.pockets(energy) for energy in (0.005, 0.05, 0.3)] == [1, 2, 3]
    rng = np.random.default_rng(0)
    at = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 5.0]]) + 0.1 * rng.normal(size=(3000, 2, 3))
    found = connection(body_density([at - 3.0], 3.0, TEMPERATURE), 0.12, KT)
    assert (len(found.sites), found.connected_eV) == (2, None)


def test_drift_of_the_frame_is_taken_out() -> None:
    frames = 400
    drift = np.linspace(0, 3, frames)[:, None, None] * np.array([1.0, 0.4, 0.0])
    base = np.array([[0.0, 0, 0], [2.5, 2.5, 2.5], [1.1, 1.1, 1.1]])
    trajectory = in_memory(["Re", "K", "H"], base[None] + drift, np.eye(3) * 5, 1.0, temperature_K=300.0)
    assert (lab_density(trajectory).counts > 0).sum() == 1


def test_density_is_normalised_and_centred() -> None:
    rng = np.random.default_rng(0)
    vectors = np.array([0.0, 0.0, 1.7]) + 0.05 * rng.normal(size=(5000, 1, 3))
    density = body_density([vectors], 2.5, 300.0)
    assert density.per_volume.sum() * density.voxel_volume == pytest.approx(1.0)
    highest = np.array(merge_tree(smoothed(density, 0.1)).deepest)
    place = density.origin + (highest + 0.5) * 5.0 / np.array(density.counts.shape)
    assert place == pytest.approx([0, 0, 1.7], abs=0.2)


def test_no_temperature_no_free_energy() -> None:
    trajectory = in_memory(["Re", "H"], np.zeros((2, 2, 3)), np.eye(3) * 5, 1.0)
    with pytest.raises(InputError, match="temperature"):
        lab_density(trajectory)


def test_wells_that_no_hydrogen_went_between_do_not_connect() -> None:
    """[FeH6]4- at rest: between two places the tails of the smoothing are 500 meV high, and nothing was there."""
    rng = np.random.default_rng(7)
    places = 1.56 * np.concatenate([np.eye(3), -np.eye(3)])
    vectors = places + 0.1 * rng.normal(size=(4000, 6, 3))
    found = connection(body_density([vectors], 1.5 * 1.56, 300.0), 0.12, KT)
    assert len(found.sites) == 6
    assert found.connected_eV is None
    positions = np.concatenate([np.full((4000, 1, 3), 3.2), 3.2 + vectors], axis=1)
    still = in_memory(["Fe", *["H"] * 6], positions, np.eye(3) * 6.4, 5.0)
    assert connection(lab_density(still, temperature_K=300.0, resolution=0.2), 0.12, KT).percolation_eV is None
