"""Densities by frame, symmetry and block; where their surfaces connect, with intervals; isosurfaces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation
from synthetic_trajectories import Plan, crystal, ideal, shell

from ninefold.dynamics.density.connections import anions_connect, estimates, sites_connect
from ninefold.dynamics.density.grid import Density, periodic_density, resolved_eV, smoothed
from ninefold.dynamics.density.isosurfaces import Mesh, isosurface
from ninefold.dynamics.density.maps import Sampled, crystal_density
from ninefold.dynamics.density.pockets import merge_tree
from ninefold.dynamics.density.surfaces import CONNECTED, ISOLATED, SurfaceSettings, surfaces_of
from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.trajectories.mean_crystal import Framework, framework, operations
from ninefold.dynamics.trajectories.trajectory import in_memory

KELVIN = 300.0
KT = BOLTZMANN * KELVIN
BARRIER = 0.045


def _components(mesh: Mesh) -> int:
    """Separate pieces of a surface."""
    edges = mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(mesh.points),) * 2)
    return int(connected_components(graph, directed=False)[0])


def _volume(mesh: Mesh) -> float:
    a, b, c = (mesh.points[mesh.triangles[:, corner]] for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def test_isosurface_of_a_sphere_is_closed_turned_outwards_and_of_its_size() -> None:
    steps = np.arange(31) - 15.0
    a, b, c = np.meshgrid(steps, steps, steps, indexing="ij")
    mesh = isosurface(np.sqrt(a**2 + b**2 + c**2), 11.3)
    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, times = np.unique(edges, axis=0, return_counts=True)
    assert set(times.tolist()) == {2}  # closed
    assert len(mesh.points) - len(times) + len(mesh.triangles) == 2  # Euler
    assert _volume(mesh) == pytest.approx(4 / 3 * np.pi * 11.3**3, rel=0.01)  # outwards: positive
    assert np.linalg.norm(mesh.points - 15.0, axis=1) == pytest.approx(11.3, abs=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_an_isosurface_are_those_of_a_flood_fill(seed: int) -> None:
    """Blobs that do not touch the border: as many closed surfaces, the volumes together that of the places below."""
    rng = np.random.default_rng(seed)
    values = gaussian_filter(rng.normal(size=(24, 25, 26)), 2.5)
    values[[0, -1]], values[:, [0, -1]], values[:, :, [0, -1]] = 1.0, 1.0, 1.0
    level = float(np.quantile(values, 0.05))
    _, pockets = label(values <= level, structure=np.ones((3, 3, 3)))
    # a hole in a pocket would be a second surface of it
    _, outsides = label(values > level)
    mesh = isosurface(values, level)
    assert pockets > 3
    assert _components(mesh) == pockets + outsides - 1
    assert _volume(mesh) > 0


def test_first_joining_of_two_owners_is_their_saddle() -> None:
    """Sites a, a, b on a line: the saddle between the two of a is lower than that to b."""
    line = np.array([9, 0.0, 0.03, 0.0, 0.06, 0.001, 9])
    energies = np.full((7, 3, 3), 9.0)
    energies[:, 1, 1] = line
    tree = merge_tree(Density(np.exp(-energies / KT), np.eye(3), np.zeros(3), False, KELVIN, 1))
    first, second, third = (1, 1, 1), (3, 1, 1), (5, 1, 1)
    assert set(tree.sites(0.01)) == {first, second, third}
    assert tree.first_between({first: 0, second: 0, third: 1}) == pytest.approx(0.06)
    assert tree.first_between({first: 0, second: 1, third: 1}) == pytest.approx(0.03)
    assert tree.first_between({first: 0, second: 0, third: 0}) is None
    assert [len(tree.groups([first, second, third], energy)) for energy in (0.02, 0.04, 0.07)] == [3, 2, 1]


def test_neighbouring_anions_are_told_by_the_nearest_centre() -> None:
    energies = np.full((20, 4, 4), 9.0)
    energies[:, 1, 1] = 0.08
    energies[[2, 8, 12, 18], 1, 1] = 0.0  # two sites of each of two anions
    energies[3:8, 1, 1] = energies[13:18, 1, 1] = 0.02
    cell = np.diag([10.0, 2.0, 2.0])
    density = Density(np.exp(-energies / KT), cell, np.zeros(3), True, KELVIN, 1)
    middles = np.array([[5.25, 0.75, 0.75], [15.25, 0.75, 0.75]]) / [10, 2, 2] * [0.5, 1, 1]
    mean = Framework(cell, np.array([3, 7]), ("Re", "Re"), middles)
    tree = merge_tree(density)
    measure = anions_connect(mean, [3, 7], density, 2.0)
    assert measure(tree, tree.sites(0.01)) == pytest.approx(0.08)


def _two_wells(generator: np.random.Generator, blocks: int, samples: int) -> Sampled:
    """Independent positions in a planted double well along x, in blocks."""
    edge, points = 6.0, 2400
    grid = np.arange(points) / points
    weights = np.exp(-BARRIER * np.sin(2 * np.pi * (grid - 0.25)) ** 2 / KT)
    parts = []
    for _ in range(blocks):
        x = generator.choice(grid, size=samples, p=weights / weights.sum()) + generator.random(samples) / points
        yz = 0.5 + 0.25 / edge * generator.normal(size=(samples, 2))
        counts = periodic_density([np.column_stack([x, yz])], np.eye(3) * edge, KELVIN, 0.3).counts
        parts.append((np.flatnonzero(counts), counts[counts > 0]))
    total = np.zeros(counts.size)
    for voxels, values in parts:
        total[voxels] += values
    return Sampled(Density(total.reshape(counts.shape), np.eye(3) * edge, np.zeros(3), True, KELVIN, 1), tuple(parts))


def test_interval_of_a_connection_holds_the_planted_barrier() -> None:
    generator = np.random.default_rng(0)
    found = [
        estimates(_two_wells(generator, 10, 8000), {"wells": sites_connect}, 0.15, 0.01, resamples=40)["wells"]
        for _ in range(10)
    ]
    assert {one.sites for one in found} == {2}
    assert all(one.low_eV is not None and one.high_eV is not None for one in found)
    held = sum(one.low_eV <= BARRIER <= one.high_eV for one in found if one.low_eV and one.high_eV)
    assert held >= 8  # 95 % of 10; fewer than 8 by chance in 1 of 90
    assert np.mean([one.energy_eV for one in found]) == pytest.approx(BARRIER, abs=0.002)
    assert np.mean([(one.high_eV or 0) - (one.low_eV or 0) for one in found]) < 0.012


def test_equal_blocks_leave_no_doubt_and_few_blocks_give_no_interval() -> None:
    sampled = _two_wells(np.random.default_rng(1), 1, 80_000)
    same = Sampled(sampled.density, sampled.blocks * 8)
    found = estimates(same, {"wells": sites_connect}, 0.15, 0.01, resamples=10)["wells"]
    assert found.low_eV == pytest.approx(found.high_eV)
    assert found.low_eV == pytest.approx(found.energy_eV, abs=1e-9)
    single = estimates(sampled, {"wells": sites_connect}, 0.15, 0.01, resamples=10)["wells"]
    assert (single.low_eV, single.high_eV, single.resamples) == (None, None, 0)


def test_places_that_only_the_smoothing_fills_do_not_connect() -> None:
    """Two sites that no position lies between: the tails of their Gaussians meet, which says nothing."""
    at = np.repeat([[0.3, 0.5, 0.5], [0.7, 0.5, 0.5]], 5000, axis=0)
    density = periodic_density([at], np.eye(3) * 3.0, KELVIN, 0.1)
    voxels = np.flatnonzero(density.counts)
    sampled = Sampled(density, ((voxels, density.counts.ravel()[voxels]),))
    assert merge_tree(smoothed(density, 0.2)).merges
    assert estimates(sampled, {"wells": sites_connect}, 0.2, 0.01)["wells"].energy_eV is None
    # 5000 to 1 at the same width
    assert resolved_eV(density, 0.2) == pytest.approx(KT * np.log(5000), rel=0.02)


def test_smoothing_is_round_in_an_oblique_cell() -> None:
    cell = np.array([[4.0, 0, 0], [-2.0, 3.4641, 0], [0, 0, 5.0]])
    density = periodic_density([np.array([[0.5, 0.5, 0.5]])], cell, KELVIN, 0.1)
    folded = smoothed(density, 0.3)
    assert folded.counts.sum() == pytest.approx(1.0)
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in folded.counts.shape), indexing="ij"), axis=-1) @ cell
    mean = (folded.counts[..., None] * grid).sum(axis=(0, 1, 2))
    off = (grid - mean).reshape(-1, 3)
    covariance = (folded.counts.reshape(-1, 1) * off).T @ off
    assert covariance == pytest.approx(0.09 * np.eye(3), abs=0.001)


def test_average_over_the_space_group_puts_hydrogen_on_every_equivalent_place() -> None:
    """CsCl lattice, one H on an axis: its six places have equal counts, and the whole is still one hydrogen."""
    rng = np.random.default_rng(0)
    base = np.array([[0, 0, 0], [2.5, 2.5, 2.5], [1.5, 0, 0.0]])
    positions = base + 0.02 * rng.normal(size=(400, 3, 3))
    made = in_memory(["Re", "K", "H"], positions, np.eye(3) * 5.0, 1.0, temperature_K=KELVIN)
    mean = framework(made)
    group = operations(mean.cell, mean.fractional, mean.symbols, 0.3)
    assert len(group.rotations) == 48
    found = crystal_density(made, mean, 400, KELVIN, 0.25, 4, group)
    plain = crystal_density(made, mean, 400, KELVIN, 0.25, 4)
    assert (len(plain.blocks), plain.density.counts.sum()) == (4, 400)
    assert found.density.counts.sum() == pytest.approx(400)
    # voxels are 0.25 Å, the first one's centre is the cell's corner
    places = [(6, 0, 0), (14, 0, 0), (0, 6, 0), (0, 14, 0), (0, 0, 6), (0, 0, 14)]
    assert [found.density.counts[place] for place in places] == pytest.approx([400 / 6] * 6, rel=0.05)
    assert plain.density.counts[places[0]] > 390
    assert sum(found.density.counts[place] for place in places) > 390


@pytest.fixture(scope="module")
def turning():  # type: ignore[no-untyped-def]
    """Nine ligands; the first anion turns as a whole by 60 degrees a few times, the second stays."""
    rng = np.random.default_rng(3)
    _, vertices = ideal(9)
    axis = np.array([0.3, 0.5, 0.81])
    turns = {300 + 400 * k: Rotation.from_rotvec(np.radians(60) * axis / np.linalg.norm(axis)) for k in range(4)}
    shells = [shell(vertices, 2200, plan, 0.05, rng) for plan in (Plan(turns=turns, passage=150), Plan())]
    return crystal(shells)


def test_turns_of_the_whole_connect_in_the_crystals_frame_and_not_in_the_anions(turning) -> None:  # type: ignore[no-untyped-def]
    made = in_memory(
        turning.species, np.concatenate([one.positions for one in turning.chunks()]), next(turning.chunks()).cells[0],
        2.0, temperature_K=KELVIN,
    )  # fmt: skip
    options = {"polyhedron": ideal(9)[0], "resamples": 0, "width": 0.2}
    lab = surfaces_of(made, "Re", SurfaceSettings("crystal", **options))  # type: ignore[arg-type]
    body = surfaces_of(made, "Re", SurfaceSettings("anion", **options))  # type: ignore[arg-type]
    first, second = (one for one in lab.surfaces if one.kind != "crystal")
    assert len(second.sites) == 9
    assert second.state(0.04) == (9, ISOLATED)
    assert second.connections["sites of an anion"].energy_eV is None
    assert first.connections["sites of an anion"].energy_eV is not None
    [alike] = body.surfaces
    assert (alike.centres, len(alike.sites)) == (first.centres + second.centres, 9)
    assert alike.state(0.04) == (9, ISOLATED)
    assert alike.samples == 2 * 2200 * 9
    assert first.state(first.highest_eV - 1e-6)[1] == CONNECTED
