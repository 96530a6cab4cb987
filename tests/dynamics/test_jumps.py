"""Sites and jumps of trajectories whose truth is known."""

from __future__ import annotations

import json
import math
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from planted_jumps import EDGE, STEP_FS, Planted, planted
from pymatgen.core import Lattice, Structure

from campaign_run import ninefold
from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.trajectories.displacements import unwrap
from ninefold.dynamics.trajectories.mean_crystal import framework
from ninefold.dynamics.trajectories.trajectory import in_memory
from ninefold.dynamics.transport.cation_sites import Sites, crystal_sites, density_sites
from ninefold.dynamics.transport.jumps import JumpAnalysis, analyse_jumps, jump_barrier
from ninefold.dynamics.transport.site_tracking import track_sites
from ninefold.errors import InputError

RATES = {"A": 0.25, "B": 0.7}
CRYSTAL = Structure(
    Lattice.cubic(EDGE), ["Li", "Li", "Mo", "Mo", "Mo"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
)  # fmt: skip


def by_density(made: Planted) -> tuple[Sites, JumpAnalysis]:
    moved = unwrap(made.trajectory, "Li")
    sites = density_sites([moved], framework(made.trajectory, ("H", "Li")))
    return sites, analyse_jumps(made.trajectory, moved, sites)


def by_crystal(made: Planted) -> JumpAnalysis:
    moved = unwrap(made.trajectory, "Li")
    return analyse_jumps(
        made.trajectory, moved, crystal_sites(CRYSTAL, "Li", framework(made.trajectory, ("H", "Li")), "x")
    )


@pytest.fixture(scope="module")
def made() -> Planted:
    return planted(RATES)


def test_maxima_of_the_density_are_the_planted_sites(made: Planted) -> None:
    sites, _ = by_density(made)
    assert np.bincount(sites.classes).tolist() == [8, 8]
    doubled = np.mod(sites.fractional * 4, 1.0)
    assert np.abs(doubled - np.round(doubled)).max() < 4 * 0.05 / (2 * EDGE)
    assert sites.radii == pytest.approx(np.full(16, 0.35 * EDGE * math.sqrt(3) / 2), rel=0.02)


def test_every_planted_jump_is_found_at_its_time(made: Planted) -> None:
    _, found = by_density(made)
    assert len(found.jumps) == pytest.approx(len(made.jumps), rel=0.01)
    times: dict[int, np.ndarray] = {
        ion: np.array([frame for one, frame, _ in made.jumps if one == ion]) for ion in range(16)
    }
    off = [np.abs(times[jump.ion] + 3 - jump.time_fs / STEP_FS).min() for jump in found.jumps]
    assert np.quantile(off, 0.97) <= 15
    assert found.jumps[0].distance == pytest.approx(EDGE * math.sqrt(3) / 2, rel=0.02)


@pytest.mark.parametrize("way", ["density", "crystal"])
def test_rates_between_kinds_of_sites_are_the_planted_ones(made: Planted, way: str) -> None:
    found = by_density(made)[1] if way == "density" else by_crystal(made)
    assert [(len(kind.sites), kind.name) for kind in found.kinds] == [(8, "Li1"), (8, "Li2")]
    assert found.kinds[0].time_ps == pytest.approx(made.time_ps["A"], rel=0.02)  # the most occupied comes first
    for kind, planted_kind in zip(found.kinds, ("A", "B"), strict=True):
        truth = sum(start == planted_kind for _, _, start in made.jumps) / made.time_ps[planted_kind]
        assert kind.departures.per_ps == pytest.approx(truth, rel=0.03)
        error = 1 / math.sqrt(kind.departures.events)
        assert kind.departures.per_ps == pytest.approx(RATES[planted_kind], rel=3 * error)
    pairs = {(one.start, one.end): one.rate for one in found.rates}
    assert set(pairs) == {("Li1", "Li2"), ("Li2", "Li1")}
    assert pairs["Li1", "Li2"] == found.kinds[0].departures
    assert sum(rate.events for rate in pairs.values()) == len(found.jumps) == found.total.events


@pytest.mark.parametrize("amplitude", [0.25, 0.4])
def test_thermal_noise_is_no_jump(amplitude: float) -> None:
    made = planted({"A": 0.0, "B": 0.0}, frames=20_000, amplitude=amplitude, seed=1)
    found = by_crystal(made)
    assert found.total.events == 0
    assert found.total.high < 3.7 / found.total.time_ps
    assert "no jump in" in found.notes[0]


def test_a_core_that_is_passed_is_one_jump_and_back_is_none() -> None:
    """On a row of sites 2 Å apart: over the middle one, half-way into it and back, and to its own image."""
    sites = Sites(
        np.array([[0.0, 0, 0], [0.2, 0, 0], [0.4, 0, 0]]), np.diag([10.0, 30, 30]), np.arange(3), np.full(3, 0.7),
        "given", "none",
    )  # fmt: skip
    over = np.concatenate([np.zeros(50), np.linspace(0, 4, 21), np.full(50, 4.0)])
    back = np.concatenate([np.zeros(50), np.linspace(0, 1.8, 9), np.linspace(1.8, 0, 9), np.zeros(50)])
    image = np.concatenate([np.full(50, 4.0), np.linspace(4, 10, 30), np.full(50, 10.0)])
    for path, expected in ((over, [(0, 2, 0)]), (back, []), (image, [(2, 0, 1)])):
        hops = track_sites(np.pad(path[:, None, None] / 10, ((0, 0), (0, 0), (0, 2))), sites, 5.0).hops
        assert [(hop.start, hop.end, hop.lattice[0]) for hop in hops] == expected


def test_attempts_are_the_frequency_of_a_vibration() -> None:
    rng = np.random.default_rng(2)
    time = np.arange(4000)[:, None, None] * 0.005  # ps
    phases = rng.uniform(0, 2 * np.pi, (1, 8, 3))
    corners = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T * EDGE
    framework_at = corners + EDGE * np.array([0.5, 0, 0])
    positions = np.concatenate(
        [corners + 0.2 * np.cos(2 * np.pi * 8.0 * time + phases), np.repeat(framework_at[None], 4000, axis=0)], axis=1
    )
    trajectory = in_memory(["Li"] * 8 + ["Mo"] * 8, positions, np.eye(3) * 2 * EDGE, 5.0, temperature_K=300.0)
    moved = unwrap(trajectory, "Li")
    sites = density_sites([moved], framework(trajectory, ("H", "Li")))
    found = analyse_jumps(trajectory, moved, sites)
    assert found.attempts_per_ps is not None
    assert found.attempts_per_ps.value == pytest.approx(8.0, rel=0.02)
    coarse = in_memory(trajectory.species, positions[::8], np.eye(3) * 2 * EDGE, 40.0)
    assert analyse_jumps(coarse, unwrap(coarse, "Li"), sites).attempts_per_ps is None


def test_jump_diffusion_is_that_of_the_random_walk(made: Planted) -> None:
    from ninefold.dynamics.transport.diffusion import transport

    found = by_crystal(made)
    squared = 3 / 4 * EDGE**2
    truth = len(made.jumps) * squared / (6 * 16 * 200) * 1e-4
    assert found.jump_diffusion.value == pytest.approx(truth, rel=0.05)
    # jumps in random directions: the tracer's coefficient is the same
    tracer = transport(made.trajectory, "Li").diffusion.coefficient
    assert tracer.low < found.jump_diffusion.value < tracer.high


def test_planted_barrier_comes_back() -> None:
    found = []
    for seed, kelvin in enumerate((500.0, 600.0, 800.0)):
        rate = 20 * math.exp(-0.2 / BOLTZMANN / kelvin)
        found.append(by_crystal(planted({"A": rate, "B": rate}, temperature=kelvin, seed=seed)))
    for start, end in ((None, None), ("Li1", "Li2"), ("Li2", "Li1")):
        fit = jump_barrier(found, start, end)
        assert fit.low_eV < 0.2 < fit.high_eV
        assert fit.barrier_eV == pytest.approx(0.2, rel=0.1)


def test_sites_of_another_crystal_are_refused(made: Planted) -> None:
    crystal = framework(made.trajectory, ("H", "Li"))
    with pytest.raises(InputError, match="has no Na"):
        crystal_sites(CRYSTAL, "Na", crystal, "x.cif")
    with pytest.raises(InputError, match="whose repetition is not that of the trajectory"):
        crystal_sites(Structure(Lattice.cubic(4.2), ["Li", "Mo"], [[0, 0, 0], [0.5, 0, 0]]), "Li", crystal, "x.cif")
    shifted = Structure(CRYSTAL.lattice, ["Li", "Mo"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    with pytest.raises(InputError, match="Å off the trajectory's Mo"):
        crystal_sites(shifted, "Li", crystal, "x.cif")


def test_a_structure_with_another_origin_is_laid_onto_the_trajectory(made: Planted) -> None:
    moved_structure = Structure(CRYSTAL.lattice, CRYSTAL.species, CRYSTAL.frac_coords + np.array([0.05, -0.04, 0.03]))
    sites = crystal_sites(moved_structure, "Li", framework(made.trajectory, ("H", "Li")), "x")
    quarters = sites.fractional * 4
    assert np.abs(quarters - np.round(quarters)).max() < 0.02


def write(path: Path, made: Planted) -> None:
    frames = np.concatenate([piece.positions for piece in made.trajectory.chunks()])
    ase.io.write(
        path,
        [Atoms(made.trajectory.species, positions=at, cell=np.eye(3) * 2 * EDGE, pbc=True) for at in frames],
        format="extxyz",
    )


def test_command_prints_and_writes_the_same(tmp_path: Path) -> None:
    for name, rate, seed in (("cold.xyz", 0.5, 3), ("hot.xyz", 2.0, 4)):
        write(tmp_path / name, planted({"A": rate, "B": rate}, frames=1500, n=4, seed=seed))
    CRYSTAL.to(str(tmp_path / "sites.cif"))
    command = [
        "dynamics", "jumps", "cold.xyz", "hot.xyz", "--mobile", "Li", "--sites", "sites.cif", "--time-step", "10",
        "--temperature", "500", "--temperature", "700",
    ]  # fmt: skip
    values = json.loads(ninefold(*command, "--json", cwd=tmp_path).stdout)
    text = ninefold(*command, cwd=tmp_path).stdout
    cold = values["trajectories"][0]
    assert len(values["sites"]["fractional"]) == 16
    assert f"{cold['total']['events']}; {cold['total']['per_ps']:.3g} per ion and ps" in text
    [both] = [one for one in values["barriers"] if one["start"] is None]
    assert both["low_eV"] < BOLTZMANN * math.log(4) / (1 / 500 - 1 / 700) < both["high_eV"]
    assert f"Barrier of the jumps: {both['barrier_eV'] * 1000:.0f} meV" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mobile", "Na"], "--mobile: 'Na' is not in"),
        (["--sites", "nothing.cif"], "nothing.cif"),
        (["--near", "0"], "--near: 0.0 is no distance"),
        (["--window", "-1"], "--window: -1.0 is no time"),
        (["--centre", "Re"], "Re"),
    ],
)
def test_bad_input_of_jumps_is_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    write(tmp_path / "run.xyz", planted({"A": 1.0, "B": 1.0}, frames=120, n=2))
    command = ["dynamics", "jumps", "run.xyz", "--mobile", "Li", "--time-step", "10", *options]
    result = ninefold(*command, cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr.splitlines()[-1]
    assert not result.stdout
