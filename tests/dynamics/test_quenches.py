"""Minima below frames of a planted potential: number, energies, populations, lifetimes, and what a kill leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from planted_wells import HALF, MIDDLE, Wells, along, frames
from scipy.optimize import minimize_scalar
from typer.testing import CliRunner

from ninefold.cli.main import command_line
from ninefold.dynamics.minima.inherent_structures import crystal_minima, shell_states
from ninefold.dynamics.minima.quenches import Quench, Quenches, quench_frames
from ninefold.dynamics.trajectories.trajectory import Trajectory, in_memory
from ninefold.errors import InputError

STATES = ["aa", "aa", "AA", "ab", "ab", "ba", "BA", "bb", "aa", "ab", "aa", "aa"]
"""Of three distinct minima: both in the first well (5 and an exchange), one in the second (6 ways of it), both."""
CLASSES = [0, 0, 0, 1, 1, 1, 1, 2, 0, 1, 0, 0]
SYMBOLS = ["Re", "Re", "H", "H"]
SPACING = 0.5
ENGINE = f"{Path(__file__).parent / 'planted_wells.py'}:engine"


def _trajectory(states: list[str], seed: int = 0) -> Trajectory:
    images = frames(states, seed=seed)
    return in_memory(SYMBOLS, np.array([one.positions for one in images]), images[0].cell.array, 1000 * SPACING)


def _well(side: int) -> float:
    """Energy of one H in a well, by another method."""
    middle = MIDDLE + side * HALF
    return float(minimize_scalar(along, bounds=(middle - 0.3, middle + 0.3), method="bounded").fun)


@pytest.fixture
def quenched(tmp_path: Path) -> list[Quench]:
    found = quench_frames(
        _trajectory(STATES), range(1, len(STATES) + 1), Quenches(tmp_path, Wells(), "wells", 0.002, 2000)
    )
    assert found is not None
    return found


def test_distinct_minima_are_the_planted_ones(quenched: list[Quench]) -> None:
    found = crystal_minima([quenched], SYMBOLS, [SPACING])
    step = _well(1) - _well(-1)
    assert step == pytest.approx(0.02, abs=0.001)
    assert found.energies_eV == pytest.approx([0, step, 2 * step], abs=1e-5)
    [run] = found.runs
    assert list(run.states) == CLASSES
    assert [run.occupations[state].frames for state in range(3)] == [6, 5, 1]
    assert [run.occupations[state].population for state in range(3)] == pytest.approx([6 / 12, 5 / 12, 1 / 12])


def test_lifetimes_are_time_over_departures(quenched: list[Quench]) -> None:
    [run] = crystal_minima([quenched], SYMBOLS, [SPACING]).runs
    # five steps begin in the first minimum and two leave it; five in the second, two; one in the third, one
    expected = {0: (2, 5), 1: (2, 5), 2: (1, 1)}
    for state, (left, steps) in expected.items():
        rate = run.occupations[state].leaving
        assert (rate.events, rate.time_ps) == (left, pytest.approx(steps * SPACING))
        assert run.occupations[state].lifetime_ps[0] == pytest.approx(steps * SPACING / left)
    # those to the same minimum with atoms exchanged, or with the other H in the second well, are changes too
    assert (run.any_change.events, run.any_change.time_ps) == (8, pytest.approx(11 * SPACING))


def test_entropy_is_that_of_the_populations(quenched: list[Quench]) -> None:
    [run] = crystal_minima([quenched], SYMBOLS, [SPACING]).runs
    shares = np.array([6, 5, 1]) / 12
    assert run.entropy_kB == pytest.approx(-(shares * np.log(shares)).sum())
    assert run.entropy_corrected_kB == pytest.approx(run.entropy_kB + 2 / 24)
    assert run.is_entropy_resolved


def test_runs_are_grouped_together(quenched: list[Quench]) -> None:
    found = crystal_minima([quenched[:3], quenched[7:]], SYMBOLS, [SPACING, 2 * SPACING])
    assert list(found.runs[0].states) == [0, 0, 0]
    assert list(found.runs[1].states) == [2, 0, 1, 0, 0]
    assert found.runs[0].occupations[0].lifetime_ps[0] is None
    assert found.runs[0].occupations[0].lifetime_ps[1] > 0


def test_energies_alone_do_not_make_two_minima_one(quenched: list[Quench]) -> None:
    """With a window above all differences the distances still tell them apart; with a wide tolerance nothing does."""
    assert len(crystal_minima([quenched], SYMBOLS, [SPACING], window_eV=1.0).energies_eV) == 3
    assert len(crystal_minima([quenched], SYMBOLS, [SPACING], 1.0, tolerance=1.0).energies_eV) == 1
    assert len(crystal_minima([quenched], SYMBOLS, [SPACING], 0.005, tolerance=1.0).energies_eV) == 3


def test_shells_are_told_by_their_own_distances(quenched: list[Quench]) -> None:
    [run] = shell_states([quenched], SYMBOLS, "Re", 1, [SPACING]).runs
    in_second = sum(state.lower().count("b") for state in STATES)
    assert [one.frames for one in run.occupations.values()] == [2 * len(STATES) - in_second, in_second]
    # the two anions one after the other: no step from one to the other
    assert sum(one.leaving.time_ps for one in run.occupations.values()) == pytest.approx(2 * 11 * SPACING)


def test_what_is_not_converged_is_left_out(tmp_path: Path) -> None:
    found = quench_frames(_trajectory(STATES), range(1, 5), Quenches(tmp_path, Wells(), "wells", 1e-4, 2))
    assert found is not None
    assert not any(one.is_converged for one in found)
    minima = crystal_minima([found], SYMBOLS, [SPACING])
    assert (minima.energies_eV, minima.runs[0].states) == ((), (None,) * 4)


def test_a_run_that_was_stopped_goes_on_and_computes_none_twice(tmp_path: Path) -> None:
    calculator = Wells()
    quenches = Quenches(tmp_path, calculator, "wells", 0.002, 2000)
    asked = iter([False, False, True])
    assert quench_frames(_trajectory(STATES), range(1, 6), quenches, stop=lambda: next(asked)) is None
    assert len(list(tmp_path.glob("quench-*.json"))) == 2
    calls = calculator.calls
    found = quench_frames(_trajectory(STATES), range(1, 6), quenches)
    assert found is not None
    steps = [one.steps for one in found]
    assert calculator.calls - calls == sum(steps[2:]) + 3  # one energy of each frame before its first step
    assert quench_frames(_trajectory(STATES), range(1, 6), quenches) is not None
    assert calculator.calls - calls == sum(steps[2:]) + 3
    # another criterion is another quench
    assert not Quenches(tmp_path, calculator, "wells", 0.01, 2000).has(frames(STATES)[0])


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    quenches = Quenches(tmp_path, Wells(), "wells", 0.002, 2000)
    quench_frames(_trajectory(STATES), [1], quenches)
    [path] = tmp_path.glob("quench-*.json")
    path.write_text(path.read_text()[:50])
    with pytest.raises(InputError, match="is no quench"):
        quench_frames(_trajectory(STATES), [1], quenches)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    images = frames(STATES)
    for one in images:
        one.wrap()
    ase.io.write(tmp_path / "run.xyz", images, format="extxyz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def _invoke(*arguments: str) -> Any:
    command = ["dynamics", "quench", "run.xyz", "--engine", ENGINE, "--time-step", "500", "--out", "quenches"]
    return CliRunner().invoke(command_line("dynamics"), [*command, *arguments])


def test_command_on_a_foreign_trajectory(files: Path) -> None:
    done = _invoke("--frames", "12", "--centre", "Re", "--fmax", "0.002")
    assert done.exit_code == 0, done.output
    assert "3 distinct minima of 4 atoms by planted wells" in done.stdout
    assert "a quench every 0.5 ps, and no shorter stay is seen" in done.stdout
    assert "8 of 11 steps: most of them, so that lifetimes are not resolved" in done.stdout
    assert "50% (6)" in done.stdout
    values = json.loads((files / "quenches/minima.json").read_text())
    assert values == json.loads(_invoke("--frames", "12", "--centre", "Re", "--fmax", "0.002", "--json").stdout)
    assert values["runs"][0]["states"] == CLASSES
    minima = ase.io.read(files / "quenches/minima.xyz", ":")
    assert [len(one) for one in minima] == [4, 4, 4]
    assert isinstance(minima[0], Atoms)
    assert minima[1].info["energy_above_lowest_eV"] == pytest.approx(values["minima"][1]["energy_eV"])
    assert len(list((files / "quenches").glob("quench-*.json"))) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fmax", "0"], "--fmax"),
        (["--fmax", "nan"], "--fmax"),
        (["--window", "-1"], "--window"),
        (["--tolerance", "2"], "--tolerance"),
        (["--centre", "Mo"], "--centre"),
        (["--out", "run.xyz"], "--out"),
        (["--engine", "nothing"], "engine"),
    ],
)
def test_bad_input_is_refused_before_anything_is_computed(files: Path, arguments: list[str], said: str) -> None:
    done = _invoke(*arguments)
    assert isinstance(done.exception, InputError), done.output
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not (files / "quenches").exists()
