"""Runs that are killed and taken up again, their temperature, and what they refuse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from ninefold.dynamics.simulation.runs import RunSettings, read_run, run, state
from ninefold.dynamics.trajectories.forces import ForceSource
from ninefold.dynamics.trajectories.trajectory import FrameChoice
from ninefold.errors import InputError

HOT = RunSettings(temperature_K=300.0, time_step_fs=2.0, save_every=2)


def _copper() -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat((2, 2, 1))
    atoms.calc = EMT()
    return atoms


def _positions(folder: Path) -> np.ndarray:
    return np.concatenate([frames.positions for frames in read_run(folder).chunks()])


def test_a_run_taken_up_again_is_the_run_that_was_not_stopped(tmp_path: Path) -> None:
    whole = run(_copper(), HOT, tmp_path / "whole", 60, "emt", frames_per_piece=60)
    run(_copper(), HOT, tmp_path / "parts", 25, "emt", frames_per_piece=10)
    parts = run(_copper(), HOT, tmp_path / "parts", 60, "emt", frames_per_piece=7)
    assert whole.frames == parts.frames == 60
    assert _positions(tmp_path / "parts") == pytest.approx(_positions(tmp_path / "whole"), abs=1e-5)


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """kill -9 in the middle of pieces, several times; the frames are those of an uninterrupted run."""
    code = (
        "from pathlib import Path; import sys; sys.path.insert(0, sys.argv[2])\n"
        "from test_runs import HOT, _copper\n"
        "from ninefold.dynamics.simulation.runs import run\n"
        "run(_copper(), HOT, Path(sys.argv[1]), 120, 'emt', frames_per_piece=5)\n"
    )
    folder = tmp_path / "killed"
    for kill in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(Path(__file__).parent)])
        if kill == 2:
            assert process.wait(timeout=120) == 0
            break
        before = state(folder).frames if (folder / "state.npz").exists() else 0
        end = time.monotonic() + 60
        while not ((folder / "state.npz").exists() and state(folder).frames > before) and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run(_copper(), HOT, tmp_path / "whole", 120, "emt", frames_per_piece=120)
    assert _positions(folder) == pytest.approx(_positions(tmp_path / "whole"), abs=1e-5)


class Springs(Calculator):
    """Every atom on a spring of its own."""

    implemented_properties = ("energy", "forces")

    def __init__(self, rest: np.ndarray) -> None:
        super().__init__()
        self.rest = rest

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        steps = self.atoms.positions - self.rest
        self.results = {"energy": 2.0 * (steps**2).sum(), "forces": -4.0 * steps}


def _shell_of_springs() -> Atoms:
    atoms = Atoms("ReH9", positions=np.random.default_rng(0).random((10, 3)) * 6, cell=np.eye(3) * 8, pbc=True)
    atoms.calc = Springs(atoms.positions.copy())
    return atoms


def test_light_and_heavy_atoms_have_the_same_temperature(tmp_path: Path) -> None:
    """The default of ASE's thermostat, which holds the centre of mass, overheats such a cell by half."""
    settings = RunSettings(temperature_K=300.0, time_step_fs=1.0, save_every=10, friction_per_ps=40.0)
    found = run(_shell_of_springs(), settings, tmp_path / "springs", 800, "springs", frames_per_piece=800)
    assert found.temperatures["H"] == pytest.approx(300.0, rel=0.08)
    assert found.mean_temperature == pytest.approx(300.0, rel=0.08)


def test_deuterium_is_heavier(tmp_path: Path) -> None:
    """From the same random numbers its first velocities are lower by the root of the masses."""
    steps = {}
    for isotope in ("H", "D"):
        settings = RunSettings(temperature_K=300.0, time_step_fs=0.1, save_every=1, isotope=isotope)
        run(_shell_of_springs(), settings, tmp_path / f"{isotope} fine", 3, "springs")
        positions = _positions(tmp_path / f"{isotope} fine")[:, 1:]
        steps[isotope] = np.abs(np.diff(positions, axis=0)).mean()
        assert set(read_run(tmp_path / f"{isotope} fine").species) == {isotope, "Re"}
    assert steps["H"] / steps["D"] == pytest.approx(np.sqrt(2.014 / 1.008), rel=0.05)


def test_another_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    run(_copper(), HOT, tmp_path / "run", 2, "emt")
    with pytest.raises(InputError, match="another run: settings differ"):
        run(_copper(), HOT.model_copy(update={"temperature_K": 400.0}), tmp_path / "run", 4, "emt")
    with pytest.raises(InputError, match="another run: method differ"):
        run(_copper(), HOT, tmp_path / "run", 4, "other")


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        run(_copper(), HOT, tmp_path, 2, "emt")


def test_an_exploding_run_is_told(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True, a=1.7)
    atoms.rattle(0.3, seed=1)
    atoms.calc = EMT()
    with pytest.raises(InputError, match="exploded"):
        run(atoms, HOT, tmp_path / "bad", 50, "emt")


def test_the_analysis_of_a_run_that_exploded_says_so(tmp_path: Path) -> None:
    class Wild(EMT):  # type: ignore[misc]
        steps = 0

        def calculate(self, *arguments: object, **options: object) -> None:
            super().calculate(*arguments, **options)
            Wild.steps += 1
            if Wild.steps > 60:
                self.results["forces"] = self.results["forces"] + 1e4 * np.sign(self.atoms.positions)

    atoms = _copper()
    atoms.calc = Wild()
    with pytest.raises(InputError, match="exploded"):
        run(atoms, HOT, tmp_path / "run", 50, "emt", 2, forces=ForceSource(rung="engine", method="EMT"))
    done = state(tmp_path / "run").frames
    assert done > 2
    whole = read_run(tmp_path / "run").notes
    assert f"this run has no more than {done} frames" in whole[0]
    assert "the run exploded" in whole[0]
    assert not any("exploded" in note for note in read_run(tmp_path / "run", FrameChoice(until=2)).notes)
    # taken up again with forces that hold, it is a run as any
    run(_copper(), HOT, tmp_path / "run", done + 2, "emt")
    assert not any("exploded" in note for note in read_run(tmp_path / "run").notes)


def test_a_run_that_exploded_at_once_says_why_it_has_no_frames(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True, a=1.7)
    atoms.rattle(0.3, seed=1)
    atoms.calc = EMT()
    with pytest.raises(InputError, match="after frame 0"):
        run(atoms, HOT, tmp_path / "run", 50, "emt")
    with pytest.raises(InputError, match=r"holds 0 frames.*the run exploded after frame 0"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("name", ["run.json", "state.npz", "frames-000000002.npz"])
@pytest.mark.parametrize("length", [0, 1, 60])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, length: int) -> None:
    run(_copper(), HOT, tmp_path / "run", 4, "emt", frames_per_piece=2)
    damaged = tmp_path / "run" / name
    damaged.write_bytes(damaged.read_bytes()[:length])
    with pytest.raises(InputError, match=rf"{name}.* is damaged"):
        _positions(tmp_path / "run")


def test_a_run_out_of_equilibrium_says_so(tmp_path: Path) -> None:
    """Copper begins at the temperature that its thermostat takes 2 ps to take away."""
    cold = RunSettings(temperature_K=300.0, time_step_fs=2.0, save_every=2, friction_per_ps=0.5)
    atoms = bulk("Cu", cubic=True).repeat((2, 2, 2))
    atoms.rattle(0.15, seed=1)  # far from its minimum: that energy becomes heat
    atoms.calc = EMT()
    done = run(atoms, cold, tmp_path / "run", 300, "emt")
    assert done.settled > 0
    notes = read_run(tmp_path / "run").notes
    assert any(note.startswith("Cu has ") for note in notes)
    assert any("settles in" in note for note in notes)
