"""Cells of two widths are compared, and planted differences are found."""

from __future__ import annotations

import json
import math
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from campaign_run import ninefold
from ninefold.dynamics.trajectories.trajectory import Trajectory, in_memory
from ninefold.dynamics.transport.diffusion import Transport, transport
from ninefold.dynamics.transport.finite_size import finite_size

STEP = 0.1
"""ps."""


def walks(edge: float, n: int, coefficient: float, rng: np.random.Generator, frames: int = 600) -> Trajectory:
    """Lithium that walks in an oblique cell of this narrowest width, beside hydrogen that stays."""
    cell = edge * np.array([[1.3, 0, 0], [0.5, 1.2, 0], [0, 0, 1]])
    paths = np.cumsum(rng.normal(0, math.sqrt(2 * coefficient * STEP), (frames, n, 3)), axis=0)
    still = rng.uniform(0, edge, (1, 6, 3)) + rng.normal(0, 0.05, (frames, 6, 3))
    positions = np.concatenate([paths, still], axis=1)
    return in_memory(
        ["Li"] * n + ["H"] * 6, positions, cell, STEP * 1000, temperature_K=500.0, source=f"{edge:g}.xyz"
    )  # fmt: skip


def found(edge: float, n: int, coefficient: float, rng: np.random.Generator) -> Transport:
    return transport(walks(edge, n, coefficient, rng), "Li")


def test_width_is_the_distance_of_opposite_faces() -> None:
    rng = np.random.default_rng(0)
    assert found(8.0, 4, 0.01, rng).width == pytest.approx(8.0)


def test_interval_of_the_ratio_holds_the_truth_in_95_of_100() -> None:
    from scipy.stats import binom

    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        [row] = finite_size([found(8.0, 10, 0.1, rng), found(12.0, 20, 0.1, rng)])
        assert row.ratio is not None
        hits += row.ratio.low < 1 < row.ratio.high
    low, high = binom.interval(0.99, 100, 0.95)
    assert low <= hits <= high


def test_a_planted_difference_is_found() -> None:
    rng = np.random.default_rng(2)
    runs = [found(12.0, 30, 0.2, rng), found(8.0, 30, 0.06, rng), found(8.05, 30, 0.06, rng)]
    rows = finite_size(runs)
    assert [(row.widths[0], row.differs) for row in rows] == [
        (pytest.approx(8.0), True), (pytest.approx(8.05), True),
    ]  # fmt: skip
    assert finite_size(runs[1:]) == []  # of one width


def test_without_jumps_nothing_is_compared() -> None:
    rng = np.random.default_rng(3)
    [row] = finite_size([found(8.0, 4, 1e-6, rng), found(12.0, 30, 0.2, rng)])
    assert (row.ratio, row.differs) == (None, None)


def test_command_compares_widths(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    for edge in (8.0, 12.0):
        made = walks(edge, 20, 0.2, rng, frames=200)
        [frames] = made.chunks()
        images = [Atoms(made.species, positions=at, cell=frames.cells[0], pbc=True) for at in frames.positions]
        ase.io.write(tmp_path / f"{edge:g}.xyz", images, format="extxyz")
    command = [
        "dynamics", "transport", "8.xyz", "12.xyz", "--mobile", "Li", "--time-step", "100", "--temperature", "500",
        "--temperature", "500", "--errors", "windows",
    ]  # fmt: skip
    [row] = json.loads(ninefold(*command, "--json", cwd=tmp_path).stdout)["finite_size"]
    assert row["sources"] == ["8.xyz", "12.xyz"]
    text = ninefold(*command, cwd=tmp_path).stdout
    assert "Finite size at 500 K: 8.0 Å (8.xyz) against 12.0 Å (12.xyz)" in text
    assert f"{row['ratio']['value']:.2f} times the coefficient" in text
