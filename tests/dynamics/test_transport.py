"""Diffusion and conductivity of trajectories whose truth is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from scipy.stats import binom

import dynamics_needs
from campaign_run import ninefold
from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.statistics.slopes import Interval, mean_interval, slope_of, walk_variance
from ninefold.dynamics.trajectories.displacements import mean_squared_displacement, unwrap
from ninefold.dynamics.trajectories.trajectory import Trajectory, in_memory
from ninefold.dynamics.transport.diffusion import (
    Conductivity,
    Diffusion,
    Transport,
    nernst_einstein,
    transport,
)
from ninefold.dynamics.transport.extrapolation import conductivity_at, extrapolate
from ninefold.dynamics.transport.kinisi_fit import intervals
from ninefold.errors import InputError

CELL = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [1.0, -1.5, 10.0]])
TRUE = 0.01
"""Å2/ps, 1e-6 cm2/s."""
STEP = 0.1
"""ps."""


def walk(rng: np.random.Generator, frames: int, n: int, coefficient: float = TRUE) -> np.ndarray:
    """Shape (frames, n, 3), Å."""
    return np.cumsum(rng.normal(0, math.sqrt(2 * coefficient * STEP), (frames, n, 3)), axis=0)


def lattice_walk(rng: np.random.Generator, frames: int, n: int) -> np.ndarray:
    """Jumps of 3 Å along the axes at random times on a vibration of 0.2 Å in each direction: 32 of 120 ions."""
    jumps = rng.random((frames, n)) < 6 * TRUE * STEP / 9
    axes, signs = rng.integers(3, size=(frames, n)), rng.choice([-3.0, 3.0], (frames, n))
    steps = np.eye(3)[axes] * (jumps * signs)[..., None]
    return np.cumsum(steps, axis=0) + rng.normal(0, 0.2, (frames, n, 3))


def crystal(paths: np.ndarray, temperature: float | None = 500.0, wrap: bool = True, drift: float = 0.0) -> Trajectory:
    """Lithium walks beside eight hydrogens that vibrate, wrapped at random."""
    rng = np.random.default_rng(9)
    frames, n, _ = paths.shape
    hydrogen = rng.uniform(0, 8, (1, 8, 3)) + rng.normal(0, 0.1, (frames, 8, 3))
    positions = np.concatenate([paths, hydrogen], axis=1) + drift * np.arange(frames)[:, None, None]
    if wrap:
        fractional = positions @ np.linalg.inv(CELL)
        whole = np.floor(fractional) * (rng.random((frames, 1, 1)) < 0.5)
        positions = (fractional - whole) @ CELL
    return in_memory(["Li"] * n + ["H"] * 8, positions, CELL, STEP * 1000, temperature_K=temperature)


def test_mean_squared_displacement_is_the_direct_sum() -> None:
    paths = 40 + walk(np.random.default_rng(0), 60, 4, 3.0) @ np.array([[1, 0.3, 0], [0, 2, 0], [0.5, 0, 0.1]])
    found = mean_squared_displacement(paths)
    for lag in range(60):
        moved = paths[lag:] - paths[: 60 - lag]
        direct = np.einsum("fna,fnb->ab", moved, moved) / (4 * (60 - lag))
        assert found[lag] == pytest.approx(direct, abs=1e-9)


def test_mean_squared_displacement_is_that_of_mdanalysis() -> None:
    mdanalysis = dynamics_needs.module("MDAnalysis")
    from MDAnalysis.analysis.msd import EinsteinMSD

    paths = walk(np.random.default_rng(1), 200, 5)
    universe = mdanalysis.Universe.empty(5, trajectory=True)
    universe.load_new(paths.astype(np.float32))
    theirs = EinsteinMSD(universe, fft=False).run().results.timeseries
    ours = np.trace(mean_squared_displacement(paths), axis1=1, axis2=2)
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def test_diffusion_is_that_of_pymatgen_within_our_interval() -> None:
    analyzer = dynamics_needs.module("pymatgen.analysis.diffusion.analyzer")
    from pymatgen.core import Lattice, Structure

    paths = walk(np.random.default_rng(2), 1000, 20)
    lattice = Lattice.cubic(50)
    structure = Structure(lattice, ["Li"] * 20 + ["H"] * 2, np.zeros((22, 3)))  # it needs a framework
    moved = np.swapaxes(np.concatenate([paths - paths[:1], np.zeros((1000, 2, 3))], axis=1), 0, 1)
    theirs = analyzer.DiffusionAnalyzer(structure, moved, "Li", 500, STEP * 1000, 1, smoothed="max").diffusivity
    found = slope_of(paths, STEP, 20, 100)
    assert np.trace(found.tensor) / 3 * 1e-4 == pytest.approx(theirs, rel=4 * math.sqrt(found.variance))


def test_wrapped_unwrapped_and_mixed_coordinates_are_one_path() -> None:
    paths = walk(np.random.default_rng(3), 2500, 3, 0.1)  # three pieces of a thousand
    mixed = unwrap(crystal(paths), "Li")
    plain = unwrap(crystal(paths, wrap=False), "Li")
    assert np.abs(plain.paths - plain.paths[:1]).max() > 15  # beyond the cell
    assert mixed.paths - mixed.paths[:1] == pytest.approx(plain.paths - plain.paths[:1], abs=1e-8)
    assert mixed.volume == pytest.approx(abs(np.linalg.det(CELL)))


def test_drift_of_the_others_is_taken_out() -> None:
    paths = walk(np.random.default_rng(4), 300, 3)
    still, drifting = (unwrap(crystal(paths, drift=drift), "Li").paths for drift in (0.0, 0.05))
    assert drifting - drifting[:1] == pytest.approx(still - still[:1], abs=1e-8)


def test_a_cell_that_breathes_moves_no_atom() -> None:
    scales = 1 + 0.02 * np.sin(np.arange(200))[:, None, None]
    fractional = np.random.default_rng(5).random((1, 4, 3)) + 3.0
    trajectory = in_memory(["Li", "Li", "H", "H"], fractional @ CELL * scales, CELL * scales, 100.0)
    assert np.ptp(unwrap(trajectory, "Li").positions, axis=0).max() < 1e-9


@pytest.mark.parametrize(("start", "end"), [(4, 20), (1, 2)])
def test_variance_of_a_walk_is_that_of_many(start: int, end: int) -> None:
    rng = np.random.default_rng(6)
    values = []
    for _ in range(1500):
        path = walk(rng, 100, 1)[:, 0, 0]
        squares = [((path[lag:] - path[:-lag]) ** 2).mean() for lag in (start, end)]
        values.append((squares[1] - squares[0]) / (2 * (end - start) * STEP * TRUE))
    assert np.mean(values) == pytest.approx(1, abs=4 * math.sqrt(walk_variance(100, start, end) / 1500))
    assert np.var(values) == pytest.approx(walk_variance(100, start, end), rel=0.25)


@pytest.mark.parametrize(
    ("kind", "frames", "n"),
    [("walk", 250, 20), ("walk", 250, 1), ("walk in one direction", 250, 6), ("jumps", 400, 120)],
)
def test_intervals_hold_the_truth_in_95_of_100_walks(kind: str, frames: int, n: int) -> None:
    rng = np.random.default_rng(7)
    hits, trials = 0, 200
    for _ in range(trials):
        paths = lattice_walk(rng, frames, n) if kind == "jumps" else walk(rng, frames, n)
        truth = TRUE
        if kind == "walk in one direction":
            paths[..., :2] = 0
            truth = TRUE / 3
        found = mean_interval(slope_of(paths, STEP, frames // 50, frames // 10))
        hits += found.low < truth < found.high
    low, high = binom.interval(0.99, trials, 0.95)
    assert low <= hits <= high


def test_ions_that_jump_together_widen_the_interval() -> None:
    one = walk(np.random.default_rng(8), 1000, 1)
    together = slope_of(np.repeat(one, 20, axis=1), STEP, 20, 100)
    alone = slope_of(walk(np.random.default_rng(8), 1000, 20), STEP, 20, 100)
    assert together.variance > 5 * alone.variance


def test_anisotropy_is_seen() -> None:
    paths = walk(np.random.default_rng(10), 1000, 30, 0.04)
    paths[..., 2] *= 0.1
    found = transport(crystal(paths), "Li")
    x, y, z = found.diffusion.directions
    assert min(x.low, y.low) > z.high
    assert z.value < 2e-7
    assert np.array(found.diffusion.tensor).diagonal() == pytest.approx([one.value for one in (x, y, z)], rel=1e-9)


def test_conductivity_by_hand() -> None:
    """One Li+ in 100 Å3 with 1e-6 cm2/s at 300 K: n e2 D / kT = 1e28 * 2.567e-38 * 1e-10 / 4.142e-21 S/m."""
    assert nernst_einstein(1e-6, 1, 1, 100.0, 300.0) == pytest.approx(61.98, rel=1e-3)
    assert nernst_einstein(1e-6, 1, 2, 100.0, 300.0) == pytest.approx(4 * 61.98, rel=1e-3)


def test_haven_ratio_tells_independent_ions_from_ions_that_move_together() -> None:
    paths = walk(np.random.default_rng(11), 2000, 8, 0.02)
    apart = transport(crystal(paths), "Li", 1).conductivity
    together = transport(crystal(np.repeat(paths[:, :1], 8, axis=1)), "Li", 1).conductivity
    assert apart is not None
    assert together is not None
    assert apart.haven_ratio is not None
    assert together.haven_ratio is not None
    assert apart.haven_ratio.low < 1 < apart.haven_ratio.high
    assert together.haven_ratio.value == pytest.approx(1 / 8, rel=0.05)


def test_ions_that_vibrate_do_not_diffuse() -> None:
    rng = np.random.default_rng(12)
    found = transport(crystal(rng.uniform(0, 9, (1, 6, 3)) + rng.normal(0, 0.3, (2000, 6, 3))), "Li", 1)
    assert not found.diffusion.is_resolved
    assert found.diffusion.coefficient.low == 0
    # no jump of 3 Å: below 3.7 of them, of 6 ions in 200 ps
    assert found.diffusion.coefficient.high < 5e-7
    assert "not resolved" in found.notes[0]
    assert found.conductivity is not None
    assert found.conductivity.collective is None


def turning(rng: np.random.Generator, frames: int, n: int, turn_ps: float) -> np.ndarray:
    """Ligands at 1.7 Å from fixed centres, whose directions diffuse: bounded, and for a while as if they moved on."""
    directions = rng.normal(size=(n, 3))
    paths = np.empty((frames, n, 3))
    for frame in range(frames):
        directions += math.sqrt(STEP / turn_ps) * rng.normal(size=(n, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        paths[frame] = 1.7 * directions
    return paths


@pytest.mark.parametrize("turn_ps", [2.0, 8.0])
def test_ligands_that_turn_about_their_centres_do_not_diffuse(turn_ps: float) -> None:
    """In 80 ps; the slope between 1.6 and 8 ps alone would be a coefficient of some 1e-5 cm2/s."""
    paths = turning(np.random.default_rng(5), 800, 54, turn_ps)
    found = transport(crystal(paths), "Li", 1)
    assert not found.diffusion.is_resolved
    assert found.diffusion.coefficient.low == 0
    assert "the motion is bounded" in found.notes[0]
    assert found.conductivity is not None
    assert found.conductivity.collective is None


def test_a_walk_is_not_taken_for_bounded() -> None:
    bounded = 0
    for seed in range(100):
        found = transport(crystal(walk(np.random.default_rng(seed), 800, 54, 0.1)), "Li")
        bounded += any("bounded" in note for note in found.notes)
    assert bounded <= 3


def at(temperature: float, coefficient: float, width: float, jumps: float = 100.0) -> Transport:
    interval = Interval(coefficient, coefficient / width, coefficient * width)
    diffusion = Diffusion("Li", 1, interval, (interval,) * 3, [], jumps, jumps >= 10, "windows")
    return Transport("", temperature, 1.0, 0.1, 0.2, diffusion, None, {}, ())


def test_planted_barrier_comes_back_within_its_interval() -> None:
    rng = np.random.default_rng(13)
    truth = 1e-3 * math.exp(-0.25 / BOLTZMANN / 300)
    hits = np.zeros(2)
    for _ in range(200):
        runs = []
        for kelvin in (500.0, 700.0, 900.0):
            coefficient = 1e-3 * math.exp(-0.25 / BOLTZMANN / kelvin + rng.normal(0, 0.1))
            runs.append(at(kelvin, coefficient, math.exp(1.96 * 0.1)))
        found = extrapolate(runs)
        hits += [
            found.barrier_eV.low < 0.25 < found.barrier_eV.high,
            found.value.low < truth < found.value.high,
        ]
    low, high = binom.interval(0.99, 200, 0.95)
    # with three points the interval is also widened by their scatter
    assert (hits >= low).all()
    assert (hits <= max(high, 199)).all()


def test_conductivity_at_another_temperature_is_that_of_the_law() -> None:
    """A barrier of 200 meV and a Haven ratio of 0.5: n q2 D / V k T, and twice that together."""

    def run_at(kelvin: float) -> Transport:
        coefficient = 1e-3 * math.exp(-0.2 / BOLTZMANN / kelvin)
        alone = nernst_einstein(coefficient, 8, 1, 400.0, kelvin)
        charged = Conductivity(
            1.0, Interval(alone, alone / 1.1, alone * 1.1), Interval(2 * alone, alone, 4 * alone), None
        )  # fmt: skip
        return replace(at(kelvin, coefficient, 1.1), conductivity=charged)

    runs = [run_at(kelvin) for kelvin in (700.0, 500.0)]
    found = conductivity_at(runs, extrapolate(runs, 300.0))
    truth = nernst_einstein(1e-3 * math.exp(-0.2 / BOLTZMANN / 300), 8, 1, 400.0, 300.0)
    assert found is not None
    assert found.nernst_einstein.value == pytest.approx(truth)
    assert found.collective is not None
    assert found.collective.value == pytest.approx(2 * truth)
    # a factor of two at each temperature: the error of two points is that of the line through them
    weights = [(1 / 300 - 1 / 500) / (1 / 700 - 1 / 500), (1 / 300 - 1 / 700) / (1 / 500 - 1 / 700)]
    assert found.collective.high / found.collective.value == pytest.approx(2 ** math.hypot(*weights))
    alone = conductivity_at([runs[0], replace(runs[1], conductivity=None)], extrapolate(runs, 300.0))
    assert alone is not None
    assert alone.collective is None
    assert alone.nernst_einstein.value == pytest.approx(truth)
    assert conductivity_at([at(500, 1e-6, 1.1), at(700, 1e-5, 1.1)], extrapolate(runs)) is None


def test_one_resolved_temperature_gives_no_other() -> None:
    with pytest.raises(InputError, match="at least 10 net jumps"):
        extrapolate([at(500, 1e-7, 2, jumps=3), at(900, 1e-5, 1.2)])


def test_kinisi_is_asked_for_sixty_lags_at_most_up_to_the_whole_run() -> None:
    for frames in (100, 1000, 50_000):
        lags = intervals(frames)
        assert 30 <= len(lags) <= 60
        assert (lags[0], lags[-1]) == (1, frames - 1)


def test_kinisi_agrees_and_leaves_random_numbers_alone() -> None:
    dynamics_needs.module("kinisi")
    paths = walk(np.random.default_rng(14), 1000, 20)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    ours, theirs = transport(crystal(paths), "Li", 1), transport(crystal(paths), "Li", 1, method="kinisi")
    assert (np.random.get_state()[1] == before).all()
    again = transport(crystal(paths), "Li", 1, method="kinisi")
    assert again.diffusion == theirs.diffusion
    assert theirs.diffusion.method == "kinisi"
    assert theirs.diffusion.coefficient.value == pytest.approx(ours.diffusion.coefficient.value, rel=0.25)
    assert theirs.diffusion.coefficient.low < 1e-6 < theirs.diffusion.coefficient.high


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mobile": "Na"}, "--mobile: 'Na' is not in the trajectory; allowed: Li, H"),
        ({"charge": 1.0, "temperature": None}, "--temperature is needed for a conductivity"),
        ({"charge": 0.0}, "--charge: 0.0"),
        ({"charge": math.nan}, "--charge: nan"),
        ({"frames": 99}, "'99 frames' are too few for a diffusion coefficient"),
        ({"start_ps": 9.0}, "--start: 9.0 does not fit a run of 30 ps; allowed: above 0, up to 1.5 ps"),
        ({"start_ps": -1.0}, "--start: -1.0"),
        ({"start_ps": math.inf}, "--start: inf"),
    ],
)
def test_bad_input_says_what_is_allowed(options: dict[str, Any], said: str) -> None:
    options = {"mobile": "Li", "frames": 300, "temperature": 500.0, **options}
    trajectory = crystal(walk(np.random.default_rng(15), options.pop("frames"), 4), options.pop("temperature"))
    with pytest.raises(InputError) as error:
        transport(trajectory, **options)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--charge", "1"], "--temperature is needed"), (["--errors", "guess"], "--errors: 'guess' is no way")],
)
def test_bad_input_is_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    write(tmp_path / "run.xyz", walk(np.random.default_rng(15), 110, 2))
    command = ["dynamics", "transport", "run.xyz", "--mobile", "Li", "--time-step", "100", *options]
    result = ninefold(*command, cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr.splitlines()[-1]
    assert not result.stdout


def test_frames_too_far_apart_name_the_frame() -> None:
    paths = walk(np.random.default_rng(16), 1500, 2)
    paths[1200:, 1, 0] += 3.6
    with pytest.raises(InputError, match=r"frame 1201.* atom 1 \(Li\) moves by 0\.4"):
        unwrap(crystal(paths), "Li")


def test_command_prints_and_writes_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    for name, coefficient in (("cold.xyz", 0.04), ("hot.xyz", 0.16)):
        write(tmp_path / name, walk(rng, 300, 20, coefficient))
    command = [
        "dynamics", "transport", "cold.xyz", "hot.xyz", "--mobile", "Li", "--charge", "1",
        "--time-step", "100", "--temperature", "500", "--temperature", "700", "--errors", "windows",
    ]  # fmt: skip
    values = json.loads(ninefold(*command, "--json", cwd=tmp_path).stdout)
    text = ninefold(*command, cwd=tmp_path).stdout
    cold = values["trajectories"][0]
    assert cold["diffusion"]["coefficient"]["low"] < 4e-6 < cold["diffusion"]["coefficient"]["high"]
    assert f"{cold['diffusion']['coefficient']['value']:.3g} cm2/s" in text
    assert f"{cold['conductivity']['haven_ratio']['value']:.3g} (95 %" in text
    barrier = values["at_300_K"]["barrier_eV"]
    assert barrier["low"] < BOLTZMANN * math.log(4) / (1 / 500 - 1 / 700) < barrier["high"]
    assert "at 300 K" in text
    assert f"Nernst-Einstein {values['at_300_K']['nernst_einstein_mS_per_cm']['value']:.3g} mS/cm" in text
    assert f"collective {values['at_300_K']['collective_mS_per_cm']['value']:.3g} mS/cm" in text


def write(path: Path, paths: np.ndarray) -> None:
    trajectory = crystal(paths)
    [frames] = trajectory.chunks()
    ase.io.write(
        path,
        [Atoms(trajectory.species, positions=at, cell=CELL, pbc=True) for at in frames.positions],
        format="extxyz",
    )
