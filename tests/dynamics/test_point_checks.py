"""Images of paths and frames of runs by a second method, against sums made by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.io import write
from typer.testing import CliRunner

from ninefold.cli.main import command_line
from ninefold.dynamics.second_method.point_checks import alike, check_frames, check_path, equal_times
from ninefold.dynamics.second_method.single_points import SinglePoints
from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.base import CalculationError
from ninefold.errors import InputError

EDGE = 4.0


class Wave(Calculator):
    """One H in a cosine of the cubic cell's edge: the barrier from cell to cell is twice the height."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, height: float, offset: float = 0.0) -> None:
        super().__init__()
        self.height, self.offset, self.calls = height, offset, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        phases = 2 * np.pi * (self.atoms.positions[-1] / EDGE - 0.5)
        forces = np.zeros((len(self.atoms), 3))
        forces[-1] = -self.height * np.sin(phases) * 2 * np.pi / EDGE
        self.results = {
            "energy": self.offset - self.height * float(np.cos(phases).sum()), "forces": forces, "stress": np.zeros(6),
        }  # fmt: skip


class Failing(Wave):
    """Fails beyond a place; as a calculation that will not converge, or as a machine that is out of memory."""

    def __init__(self, height: float, beyond: float, error: Exception) -> None:
        super().__init__(height)
        self.beyond, self.error = beyond, error

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        if self.atoms.positions[-1, 0] > self.beyond:
            raise self.error


def engine(calculator: Calculator, name: str = "wave") -> Any:
    return ASEEngine(name, f"engine {name}", calculator, (name,), evidence="test")


def chain(images: int = 5) -> list[Atoms]:
    """H from the middle of a cell to the middle of the next, over the face between them."""
    ways = np.linspace(0.5, 1.5, images + 2) * EDGE
    middle = EDGE / 2
    return [
        Atoms("MoH", positions=[[0, 0, 0], [x, middle, middle]], cell=np.eye(3) * EDGE, pbc=True) for x in ways
    ]  # fmt: skip


def test_mirrored_images_are_computed_once_and_energies_are_the_sums(tmp_path: Path) -> None:
    calculator = Wave(0.04, offset=-7.0)
    found = check_path(chain(), Wave(0.05), SinglePoints(tmp_path, engine(calculator)))
    assert found is not None
    assert [image.same_as for image in found.images] == [None, None, None, None, 2, 1]
    assert len(list(tmp_path.iterdir())) == 4
    shares = 1 - np.cos(2 * np.pi * np.arange(6) / 6)
    assert [image.engine_eV for image in found.images] == pytest.approx(0.05 * shares, abs=1e-12)
    assert [image.check_eV for image in found.images] == pytest.approx(0.04 * shares, abs=1e-12)
    assert (found.barrier, found.check_barrier) == (pytest.approx(0.1), pytest.approx(0.08))
    assert found.energy_rms == pytest.approx(0.01 * np.sqrt((shares[1:] ** 2).mean()))
    # two atoms, one component that differs
    slopes = np.abs(np.sin(2 * np.pi * np.arange(6) / 6)) * 0.01 * 2 * np.pi / EDGE / np.sqrt(6)
    assert [image.force_error for image in found.images] == pytest.approx(slopes, abs=1e-12)
    assert found.force_rms == pytest.approx(np.sqrt((slopes**2).mean()))


def test_images_that_are_not_mirrored_are_their_own() -> None:
    images = chain()
    assert alike(images[:-1], [0, 1, 2, 3, 2, 1]) == [0, 1, 2, 3, 2, 1]
    # of other energy, or off by more than a band's residual
    assert alike(images[:-1], [0, 1, 2, 3, 2.1, 1]) == [0, 1, 2, 3, 4, 1]
    images[5].positions[-1, 1] += 0.1
    assert alike(images[:-1], [0, 1, 2, 3, 2, 1])[5] == 5


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    first = Wave(0.04)
    done = check_path(chain(), Wave(0.05), SinglePoints(tmp_path, engine(first)))
    again = Wave(0.04)
    assert check_path(chain(), Wave(0.05), SinglePoints(tmp_path, engine(again))) == done
    assert again.calls == 0
    sorted(tmp_path.iterdir())[0].unlink()
    assert check_path(chain(), Wave(0.05), SinglePoints(tmp_path, engine(again))) is not None
    assert again.calls == 1
    # another method has its own
    other = Wave(0.03)
    check_path(chain(), Wave(0.05), SinglePoints(tmp_path, engine(other, "other")))
    assert other.calls == 4


def test_ended_early_gives_nothing_and_keeps_what_was_computed(tmp_path: Path) -> None:
    calculator = Wave(0.04)
    points = SinglePoints(tmp_path, engine(calculator))
    assert check_path(chain(), Wave(0.05), points, stop=lambda: calculator.calls >= 2) is None
    assert len(list(tmp_path.iterdir())) == 2
    # what is there needs no time
    check_path(chain(), Wave(0.05), points)
    assert check_path(chain(), Wave(0.05), points, stop=lambda: True) is not None


def test_a_failed_image_is_told_and_not_tried_again(tmp_path: Path) -> None:
    calculator = Failing(0.04, 3.5, CalculationError("not self-consistent"))
    points = SinglePoints(tmp_path, engine(calculator))
    found = check_path(chain(), Wave(0.05), points)
    assert found is not None
    assert [image.error for image in found.images] == [None, None, None, "not self-consistent", None, None]
    assert found.check_barrier is None
    assert found.images[3].check_eV is None
    calls = calculator.calls
    check_path(chain(), Wave(0.05), points)
    assert calculator.calls == calls


def test_a_fault_of_the_machine_is_tried_again(tmp_path: Path) -> None:
    points = SinglePoints(tmp_path, engine(Failing(0.04, 3.5, MemoryError("no memory"))))
    found = check_path(chain(), Wave(0.05), points)
    assert found is not None
    assert "no memory" in str(found.images[3].error)
    assert not points.has(chain()[3])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    points = SinglePoints(tmp_path, engine(Wave(0.04)))
    points.of(chain()[0])
    [path] = tmp_path.iterdir()
    path.write_text(path.read_text()[:100])
    with pytest.raises(InputError, match=r"point-.*is no single point.*delete it"):
        points.of(chain()[0])


@pytest.mark.parametrize(
    ("frames", "number", "expected"),
    [(100, 4, [25, 50, 75, 100]), (10, 3, [3, 6, 10]), (3, 50, [1, 2, 3]), (1, 1, [1])],
)
def test_frames_at_equal_times(frames: int, number: int, expected: list[int]) -> None:
    assert equal_times(frames, number) == expected


def test_errors_on_frames_are_the_planted_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [(number, chain()[0]) for number in (1, 5, 9)]
    for _, atoms in frames:
        atoms.positions[-1] += rng.normal(0, 0.3, 3)
    found = check_frames(iter(frames), Wave(0.05), SinglePoints(tmp_path, engine(Wave(0.04, offset=-3.0))), 3)
    assert found is not None
    phases = np.array([2 * np.pi * (atoms.positions[-1] / EDGE - 0.5) for _, atoms in frames])
    energies = -0.01 * np.cos(phases).sum(axis=1) / 2
    assert found.energy_errors == pytest.approx(energies - energies.mean())
    forces = 0.01 * 2 * np.pi / EDGE * np.sqrt((np.sin(phases) ** 2).sum(axis=1) / 6)
    assert found.force_errors == pytest.approx(forces)
    assert found.force_rms == pytest.approx(4 * np.sqrt((forces**2).mean()))
    assert found.frames == (1, 5, 9)
    # a cosine of 0.05 has 5/4 of the forces of one of 0.04; the other atoms have none
    assert found.force_shares == {"all": pytest.approx(1.25), "H": pytest.approx(1.25)}


def test_killed_between_two_points(tmp_path: Path) -> None:
    """kill -9 while points are computed: the next call computes those that are missing alone."""
    code = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from test_point_checks import Wave, chain, engine, check_path, SinglePoints\n"
        "class Slow(Wave):\n"
        "    def calculate(self, *a, **k):\n"
        "        time.sleep(0.4); super().calculate(*a, **k)\n"
        "check_path(chain(), Wave(0.05), SinglePoints(Path(sys.argv[1]), engine(Slow(0.04))))\n"
    )
    folder = tmp_path / "points"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(Path(__file__).parent)])
    end = time.monotonic() + 120
    while not (folder.is_dir() and any(folder.glob("*.json"))) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = len(list(folder.glob("*.json")))
    assert 1 <= there < 4
    calculator = Wave(0.04)
    found = check_path(chain(), Wave(0.05), SinglePoints(folder, engine(calculator)))
    assert found is not None
    assert found.check_barrier == pytest.approx(0.08)
    assert calculator.calls == 4 - there


ENGINE = """
from ase.calculators.lj import LennardJones
from ninefold.engines.ase_engine import ASEEngine

def make(settings):
    calculator = LennardJones(sigma=1.8, epsilon=0.09, rc=6.0)
    return ASEEngine("softer", "softer", calculator, ("softer",), evidence="test")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "solid.cif", bulk("Re", "fcc", a=2.79, cubic=True))
    (tmp_path / "softer.py").write_text(ENGINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


RUN = (
    "dynamics", "run", "solid.cif", "--engine", "lj", "--temperature", "60", "--picoseconds", "0.2", "--time-step", "2",
    "--width", "5", "--out", "runs",
)  # fmt: skip


def test_frames_of_a_run_by_a_second_engine(folder: Path) -> None:
    command = [*RUN, "--check", "softer.py:make", "--check-frames", "4"]
    done = CliRunner().invoke(command_line("dynamics"), command, catch_exceptions=False)
    assert done.exit_code == 0
    [said] = (folder / "runs" / "60K").glob("check-*.json")
    values = json.loads(said.read_text())
    assert values["frames"] == [2, 5, 7, 10]
    assert f"forces off by {values['force_error_eV_per_A'] * 1000:.0f} meV/Å" in done.stdout
    assert len(list((folder / "runs" / "points").iterdir())) == 4
    assert values["force_error_eV_per_A"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--check", "lj"], "--check: 'lj' is the engine itself"),
        (["--check", "nothing"], "--check: 'nothing' is not an engine"),
    ],
)
def test_bad_check_methods_are_refused_before_the_run(folder: Path, options: list[str], said: str) -> None:
    done = CliRunner().invoke(command_line("dynamics"), [*RUN, *options])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kind", "flip"], "--kind: 'flip' is no kind of way"),
        (["--check", "softer.py:make"], "--out is needed with --check"),
    ],
)
def test_bad_options_of_paths_are_refused(folder: Path, options: list[str], said: str) -> None:
    command = ["dynamics", "paths", "solid.cif", "--centre", "Re", "--engine", "lj", *options]
    done = CliRunner().invoke(command_line("dynamics"), command)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


SCALED = """
import numpy as np
from ninefold.engines.ase_engine import ASEEngine
from test_paths import Repelling

class Scaled(Repelling):
    implemented_properties = ("energy", "forces", "stress")
    factor = 1.0

    def calculate(self, *arguments, **more):
        super().calculate(*arguments, **more)
        self.results = {name: self.factor * value for name, value in self.results.items()} | {"stress": np.zeros(6)}

def make(settings):
    calculator = Scaled()
    calculator.factor = FACTOR
    return ASEEngine(f"scaled {FACTOR}", f"scaled {FACTOR}", calculator, (FACTOR,), evidence="test")
"""


def _never(*_: object, **__: object) -> None:
    raise AssertionError("computed twice")


def test_path_by_a_scaled_potential_has_the_scaled_barrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_paths import _anion

    prism = _anion("tricapped trigonal prism", 9)
    prism.calc = None
    write(tmp_path / "prism.xyz", prism, format="extxyz")
    for name, factor in (("one", 1.0), ("more", 1.2)):
        (tmp_path / f"{name}.py").write_text(SCALED.replace("FACTOR", str(factor)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    command = [
        "dynamics", "paths", "prism.xyz", "--centre", "Re", "--engine", "one.py:make", "--kind", "isomer", "--longest",
        "5.7", "--images", "3", "--out", "paths", "--check", "more.py:make",
    ]  # fmt: skip
    plan = json.loads(CliRunner().invoke(command_line("dynamics"), [*command, "--dry-run", "--json"]).stdout)["paths"]
    none = [*command, "--longest", "0.5", "--dry-run"]
    refusal = str(CliRunner().invoke(command_line("dynamics"), none).exception)
    assert refusal.startswith("--longest: '0.5' leaves no way; allowed: above ")
    assert refusal.endswith(" Å, the shortest")
    assert {(row["kind"], row["site"]) for row in plan} == {("isomer", 0)}
    base = [*command[:7], "--dry-run", "--permutation"]
    listed = CliRunner().invoke(command_line("dynamics"), [*base, "(8 7)(0 1 2)", "--json"]).stdout
    [asked] = json.loads(listed)["paths"]
    assert (asked["permutation"], asked["kind"]) == ("(0 1 2)(7 8)", "cycles of 2 and 3")
    assert "ligands and their atoms, from 0: 0: 1, 1: 2, " in CliRunner().invoke(
        command_line("dynamics"), [*base, "(0 1)"]
    ).stdout  # fmt: skip
    for text, problem in (("0 1", "is no permutation in cycles"), ("(0 9)", "names ligand 9 of 9")):
        refusal = str(CliRunner().invoke(command_line("dynamics"), [*base, text]).exception)
        assert refusal.startswith(f"--permutation: '{text}' {problem}")
    refusal = str(CliRunner().invoke(command_line("dynamics"), [*base, "(0 1)", "--kind", "isomer"]).exception)
    assert refusal == "--kind: 'isomer' and --permutation are two choices; allowed: one of them"
    done = CliRunner().invoke(command_line("dynamics"), [*command, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    values = json.loads(done.stdout)
    [row] = [row for row in values["paths"] if "check" in row]
    assert row["barrier_eV"] == min(one["barrier_eV"] for one in values["paths"])
    assert row["check"]["check_barrier_eV"] == pytest.approx(1.2 * row["barrier_eV"], rel=1e-4)
    assert values["check_evidence"] == "test"
    [ends] = (tmp_path / "paths").glob("ends-*.xyz")
    monkeypatch.setattr("ninefold.dynamics.paths.kept_minimum.relax_in_cell", _never)
    again = CliRunner().invoke(command_line("dynamics"), [*command, "--json"], catch_exceptions=False).stdout
    assert json.loads(again) == values
    printed = CliRunner().invoke(command_line("dynamics"), command, catch_exceptions=False).stdout
    kept = ends.read_text()
    ends.write_text("9\n")
    broken = CliRunner().invoke(command_line("dynamics"), command)
    assert f"{ends.name}' is no structure" in str(broken.exception)
    ends.write_text(kept)
    (tmp_path / "paths" / row["file"]).unlink()
    without = CliRunner().invoke(command_line("dynamics"), command)
    assert isinstance(without.exception, InputError)
    assert "is missing: the images of a path" in str(without.exception)
    assert f"{row['check']['check_barrier_eV'] * 1000:.0f} meV by scaled 1.2 on the same images" in printed
