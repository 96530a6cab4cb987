"""Runs at constant pressure: their ensemble against an integral, taken up again after a kill, and what they refuse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.io import write
from typer.testing import CliRunner

from ninefold.cli.main import command_line
from ninefold.dynamics.simulation.breathing import breathing
from ninefold.dynamics.simulation.propagation import Propagation
from ninefold.dynamics.simulation.runs import RunSettings, read_run, run, state
from ninefold.dynamics.trajectories.displacements import unwrap
from ninefold.dynamics.trajectories.trajectory import FrameChoice
from ninefold.errors import InputError

SQUEEZED = RunSettings(temperature_K=300.0, time_step_fs=2.0, save_every=2, pressure_GPa=5.0, barostat_ps=0.1)


class EinsteinCrystal(Calculator):
    """Atoms on springs to places that scale with the cell, whose own energy is B (V - V0)^2 / (2 V0)."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, places: np.ndarray, volume: float, bulk_modulus: float, spring: float) -> None:
        super().__init__()
        self.places, self.volume, self.bulk_modulus, self.spring = places, volume, bulk_modulus, spring

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        volume = self.atoms.get_volume()
        off = self.atoms.positions - self.places @ self.atoms.cell.array
        stretch = volume - self.volume
        stress = self.spring * off.T @ off / volume + self.bulk_modulus * stretch / self.volume * np.eye(3)
        self.results = {
            "energy": self.bulk_modulus * stretch**2 / (2 * self.volume) + self.spring * (off**2).sum() / 2,
            "forces": -self.spring * off,
            "stress": stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        }


def _einstein(volume: float, bulk_modulus: float) -> Atoms:
    places = np.random.default_rng(0).random((10, 3))
    atoms = Atoms("ReH9", scaled_positions=places, cell=np.eye(3) * volume ** (1 / 3), pbc=True)
    atoms.calc = EinsteinCrystal(places, volume, bulk_modulus, 1.0)
    return atoms


def test_volumes_are_those_of_the_ensemble(tmp_path: Path) -> None:
    """The springs' part of the partition function does not depend on the volume, so that its mean is one integral.

    5 GPa take 20 of 80 Å3; without the part of the velocities (kT N / V = 0.9 GPa) it would be 3.5 Å3 off.
    """
    volume, bulk_modulus = 80.0, 20 * units.GPa
    settings = RunSettings(
        temperature_K=500.0, time_step_fs=1.0, save_every=5, friction_per_ps=20.0, pressure_GPa=5.0, barostat_ps=0.3
    )
    grid = np.linspace(5.0, 200.0, 20_001)
    energies = 5 * units.GPa * grid + bulk_modulus * (grid - volume) ** 2 / (2 * volume)
    weights = np.exp(-(energies - energies.min()) / (units.kB * 500.0))
    mean = (grid * weights).sum() / weights.sum()
    spread = np.sqrt(((grid - mean) ** 2 * weights).sum() / weights.sum())

    found = run(_einstein(volume, bulk_modulus), settings, tmp_path / "run", 2500, "springs", frames_per_piece=2500)

    assert found.box is not None
    half = found.box.volume.high - found.box.volume.value
    assert half < 1.0
    assert abs(found.box.volume.value - mean) < 2 * half
    assert found.box.pressure.low - 0.1 < 5.0 < found.box.pressure.high + 0.1
    settled = read_run(tmp_path / "run", FrameChoice(skip=200))
    volumes = np.concatenate([np.linalg.det(frames.cells) for frames in settled.chunks()])
    assert volumes.std() == pytest.approx(spread, rel=0.15)
    assert found.temperatures["H"] == pytest.approx(500.0, rel=0.08)
    assert found.temperatures["Re"] == pytest.approx(500.0, rel=0.25)
    assert found.box.notes == ()


def _copper() -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat((2, 2, 1))
    atoms.calc = EMT()
    return atoms


def _frames(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    chunks = list(read_run(folder).chunks())
    return np.concatenate([one.positions for one in chunks]), np.concatenate([one.cells for one in chunks])


def _assert_alike(one: Path, other: Path) -> None:
    for here, there in zip(_frames(one), _frames(other), strict=True):
        assert here == pytest.approx(there, abs=1e-5)


def test_a_run_taken_up_again_is_the_run_that_was_not_stopped(tmp_path: Path) -> None:
    whole = run(_copper(), SQUEEZED, tmp_path / "whole", 40, "emt", frames_per_piece=40)
    run(_copper(), SQUEEZED, tmp_path / "parts", 15, "emt", frames_per_piece=10)
    parts = run(_copper(), SQUEEZED, tmp_path / "parts", 40, "emt", frames_per_piece=7)
    assert whole.frames == parts.frames == 40
    _assert_alike(tmp_path / "parts", tmp_path / "whole")
    volumes = np.linalg.det(_frames(tmp_path / "whole")[1])
    assert np.ptp(volumes) > 1.0


def test_the_state_of_the_barostat_is_part_of_where_a_run_stands(tmp_path: Path) -> None:
    """Without it the same momenta and random numbers lead elsewhere."""
    one = Propagation(_copper(), SQUEEZED)
    one.piece(10)
    point = one.point
    assert point.barostat is not None
    ends = []
    for barostat in (point.barostat, None):
        other = Propagation(_copper(), SQUEEZED)
        other.go_on_from(type(point)(point.positions, point.momenta, point.random, point.cell, barostat))
        ends.append(other.piece(10)["cells"][-1])
    assert ends[0] == pytest.approx(one.piece(10)["cells"][-1], abs=1e-9)
    assert np.abs(ends[1] - ends[0]).max() > 1e-4


def test_killed_at_any_moment(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; import sys; sys.path.insert(0, sys.argv[2])\n"
        "from test_constant_pressure import SQUEEZED, _copper\n"
        "from ninefold.dynamics.simulation.runs import run\n"
        "run(_copper(), SQUEEZED, Path(sys.argv[1]), 120, 'emt', frames_per_piece=5)\n"
    )
    folder = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(Path(__file__).parent)])
    end = time.monotonic() + 60
    while not ((folder / "state.npz").exists() and state(folder).frames) and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    run(_copper(), SQUEEZED, folder, 120, "emt", frames_per_piece=50)
    run(_copper(), SQUEEZED, tmp_path / "whole", 120, "emt", frames_per_piece=120)
    _assert_alike(folder, tmp_path / "whole")


def test_the_volume_is_that_at_which_constant_volume_has_the_pressure(tmp_path: Path) -> None:
    """Copper in 16 atoms: the mean pressure of a run at the mean volume is the one that was set."""
    settings = RunSettings(
        temperature_K=300.0, time_step_fs=5.0, save_every=2, friction_per_ps=5.0, pressure_GPa=3.0, barostat_ps=0.3
    )
    found = run(_copper(), settings, tmp_path / "pressure", 400, "emt", frames_per_piece=400)
    assert found.box is not None
    atoms = _copper()
    atoms.set_cell(atoms.cell * (found.box.volume.value / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    held = Propagation(atoms, settings.model_copy(update={"pressure_GPa": None}))
    pressures = []
    held.piece(50)
    for _ in range(120):
        held.piece(1)
        pressures.append(-np.trace(held.atoms.get_stress(voigt=False, include_ideal_gas=True)) / 3 / units.GPa)
    assert np.mean(pressures) == pytest.approx(3.0, abs=0.3)
    assert found.box.pressure.value == pytest.approx(3.0, abs=0.3)


def test_a_cell_that_breathes_moves_no_atom(tmp_path: Path) -> None:
    """The paths of the analysis are laid out in the mean cell: atoms 8 Å from the origin do not follow its scaling."""
    run(_copper(), SQUEEZED, tmp_path / "run", 60, "emt")
    trajectory = read_run(tmp_path / "run", FrameChoice(skip=20))
    moved = unwrap(trajectory, "Cu")
    positions, cells = (values[20:] for values in _frames(tmp_path / "run"))
    steps = np.abs(np.diff(positions @ np.linalg.inv(cells) @ moved.cell, axis=0))
    assert len(moved.positions) == 40
    assert np.abs(np.diff(moved.positions, axis=0)) == pytest.approx(steps, abs=1e-9)
    assert moved.volume == pytest.approx(np.linalg.det(cells).mean())


def test_a_pressure_that_is_not_the_one_that_was_set_is_told() -> None:
    cells = np.broadcast_to(np.eye(3) * 5, (400, 3, 3))
    pressures = np.random.default_rng(0).normal(1.3, 0.5, 400)
    assert "1.28 GPa instead of 1 GPa" in breathing(cells, pressures, 1.0, 1.0).notes[0]
    assert not breathing(cells, pressures, 1.3, 1.0).notes
    growing = np.eye(3) * np.linspace(5.0, 5.2, 400)[:, None, None]
    assert "drifts" in breathing(growing, pressures, 1.3, 1.0).notes[0]
    short = breathing(growing[:20], pressures[:20], 1.3, 1.0).notes[0]  # half of it has settled at most
    assert "too short to tell whether the volume still drifts: " in short
    assert short.endswith("21 are needed")


def test_what_is_refused(tmp_path: Path) -> None:
    run(_copper(), SQUEEZED, tmp_path / "run", 2, "emt")
    with pytest.raises(InputError, match="settings differ"):
        run(_copper(), SQUEEZED.model_copy(update={"pressure_GPa": None}), tmp_path / "run", 4, "emt")
    with pytest.raises(InputError, match="the cell does not hold"):
        run(_copper(), SQUEEZED.model_copy(update={"pressure_GPa": -20.0}), tmp_path / "torn", 400, "emt")
    still = _copper()
    still.calc.implemented_properties = ["energy", "forces"]
    with pytest.raises(InputError, match="needs stresses"):
        run(still, SQUEEZED, tmp_path / "none", 4, "emt")
    assert not (tmp_path / "none").exists()


def test_settings_without_a_pressure_are_as_they_were() -> None:
    """They are in ids of stored pieces, and in folders of runs."""
    assert set(RunSettings(temperature_K=300.0).described) == {
        "temperature_K", "time_step_fs", "save_every", "friction_per_ps", "isotope", "seed",
    }  # fmt: skip


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("solid.cif", bulk("Re", "fcc", a=2.79, cubic=True))
    command = [
        "dynamics", "run", "solid.cif", "--engine", "lj", "--temperature", "60", "--picoseconds", "0.2", "--time-step",
        "2", "--width", "5", "--out", "runs", "--pressure",
    ]  # fmt: skip
    done = CliRunner().invoke(command_line("dynamics"), [*command, "2"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "runs/60K-2GPa: volume " in done.stdout
    assert "set 2)" in done.stdout
    trajectory = read_run(tmp_path / "runs" / "60K-2GPa")
    assert len(next(iter(trajectory.chunks()))) == 10
    wrong = CliRunner().invoke(command_line("dynamics"), [*command, "1000"])
    assert isinstance(wrong.exception, InputError)
    assert "--pressure: 1000.0 is out of range" in str(wrong.exception)
