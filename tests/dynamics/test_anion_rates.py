"""Rates of inequivalent anions are told apart."""

from __future__ import annotations

import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from synthetic_trajectories import Plan, shell

from campaign_run import ninefold
from ninefold.dynamics.analysis import analyse
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.barriers import barrier, barriers_by_anion
from ninefold.dynamics.density.grid import lab_density
from ninefold.dynamics.trajectories.mean_crystal import framework, operations
from ninefold.dynamics.trajectories.trajectory import Trajectory, in_memory

NAME = "tricapped trigonal prism"
CELL = np.diag([14.0, 14.0, 7.0])
CENTRES = np.array([[0.0, 0, 0], [7.0, 7.0, 0], [7.0, 0, 0], [0, 7.0, 0]])
CATIONS = np.array([[3.5, 0, 3.5], [10.5, 0, 3.5], [3.5, 7.0, 3.5], [10.5, 7.0, 3.5], [0, 0, 3.5], [7.0, 7.0, 3.5]])
"""K beside the first two centres alone: these are one kind of anion, the other two another."""
FRAMES = 4000


def crystal(events: dict[int, int], kelvin: float, seed: int = 0) -> Trajectory:
    """Four anions; centre -> number of its permutations."""
    rng = np.random.default_rng(seed)
    isomers = isomers_of(9)[NAME]
    positions = [CATIONS + rng.normal(0, 0.1, (FRAMES, len(CATIONS), 3))]
    species = ["K"] * len(CATIONS)
    for number, place in enumerate(CENTRES):
        count = events.get(number, 0)
        starts = np.linspace(100, FRAMES - 200, count).astype(int) if count else []
        plan = Plan({int(start): isomers.neighbours[0] for start in starts})
        centre = place + rng.normal(0, 0.05, (FRAMES, 1, 3))
        positions += [centre, centre + shell(isomers.vertices, FRAMES, plan, 0.05, rng)]
        species += ["Re", *["H"] * 9]
    return in_memory(species, np.concatenate(positions, axis=1), CELL, 2.0, temperature_K=kelvin)


def test_rates_are_by_inequivalent_anion() -> None:
    found = analyse(crystal({0: 20, 1: 12, 2: 2}, 300.0), "Re", polyhedron=NAME)
    first, second = found.anions.groups
    assert (first.name, first.centres, second.name, second.centres) == ("Re1", (6, 16), "Re2", (26, 36))
    assert (first.permutations.events, second.permutations.events) == (32, 2)
    assert first.permutations.time_ps == pytest.approx(2 * FRAMES * 0.002)
    assert first.permutations.per_ps == pytest.approx(2.0)
    assert "K, Re" in found.anions.symmetry
    total = found.pseudorotation.permutation_rate
    assert sum(one.permutations.events for one in found.anions.groups) == total.events
    assert sum(one.permutations.time_ps for one in found.anions.groups) == pytest.approx(total.time_ps)


def test_a_crystal_that_drifts_through_its_cell_is_the_same() -> None:
    made = crystal({0: 3}, 300.0)
    [positions] = [np.concatenate([piece.positions for piece in made.chunks()])]
    drift = np.linspace(0, 1, FRAMES)[:, None, None] * [11.0, -9.0, 8.0]
    drifting = in_memory(made.species, np.mod(positions + drift, CELL.diagonal()), CELL, 2.0)
    still, moved = (framework(one) for one in (made, drifting))
    assert moved.symbols == still.symbols
    off = (moved.fractional - moved.fractional[0]) - (still.fractional - still.fractional[0])
    assert np.abs(off - np.round(off)).max() < 0.002
    densities = [lab_density(one, "H", 0.5, 300.0).counts for one in (made, drifting)]
    # the mean of all other atoms is that of the first frame, whose noise moves both alike
    assert np.abs(densities[0] - densities[1]).sum() < 0.02 * densities[0].sum()


def test_barriers_are_by_inequivalent_anion() -> None:
    runs = [
        analyse(crystal({0: 16, 1: 16, 2: few, 3: few}, kelvin, seed), "Re", polyhedron=NAME)
        for seed, (kelvin, few) in enumerate([(400.0, 3), (600.0, 15)])
    ]
    found = barriers_by_anion(runs)
    assert found["Re1"].low_eV < 0 < found["Re1"].high_eV
    assert found["Re2"].barrier_eV == pytest.approx(np.log(5) * 8.617e-5 / (1 / 400 - 1 / 600), rel=1e-3)
    assert found["Re1"].barrier_eV < barrier(runs).barrier_eV < found["Re2"].barrier_eV


def test_command_prints_each_kind_of_anion(tmp_path: Path) -> None:
    made = crystal({0: 6, 1: 6, 2: 1}, 300.0)
    frames = np.concatenate([piece.positions for piece in made.chunks()])[:1500]
    ase.io.write(
        tmp_path / "run.xyz", [Atoms(made.species, positions=at, cell=CELL, pbc=True) for at in frames],
        format="extxyz",
    )  # fmt: skip
    command = ["dynamics", "analyse", "run.xyz", "--centre", "Re", "--polyhedron", NAME, "--time-step", "2"]
    text = " ".join(ninefold(*command, cwd=tmp_path).stdout.split())
    values = json.loads(ninefold(*command, "--json", cwd=tmp_path).stdout)["trajectories"][0]["anions"]
    assert "inequivalent anions, alike by" in text
    for group in values["groups"]:
        after = text[text.index(f"{group['name']} 2 anions on Wyckoff {group['site']}, e.g. at (") :]
        assert "1.000" not in after[: after.index("of the cell")]
        assert f"that was run: permutations {group['permutations']['events']};" in after


def test_sites_are_those_of_the_tables() -> None:
    """Perovskite, Pm-3m: 1a and 1b of m-3m, 3c of 4/mm.m (International Tables A, no. 221)."""
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    found = operations(4 * np.eye(3), places, ["Ti", "Sr", "O", "O", "O"], 0.01)
    assert found.name == "Pm-3m"
    assert {one[0] for one in found.sites[:2]} == {"a", "b"}
    assert [one[3:] for one in found.sites] == ["m-3m", "m-3m", *["4/mm.m"] * 3]
    assert operations(4 * np.eye(3), places[:0], [], 0.01).sites == ()
