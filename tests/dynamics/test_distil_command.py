"""`ninefold dynamics distil`, and runs by what it gives, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write
from typer.testing import CliRunner

from ninefold.cli.main import command_line
from ninefold.errors import InputError
from ninefold.keys import file_checksum

STUDENT = f"{Path(__file__).parent / 'pair_student.py'}:PairTrainer"
DISTIL = (
    "dynamics", "distil", "solid.cif", "--engine", "lj", "--student", STUDENT, "--temperature", "60", "--width", "5",
    "--rounds", "1", "--teacher-ps", "0.4", "--student-ps", "0.2", "--time-step", "2", "--out", "potential",
)  # fmt: skip
RUN = (
    "dynamics", "run", "potential/start.xyz", "--engine", "distilled", "--model", "potential", "--temperature", "60",
    "--picoseconds", "0.2", "--time-step", "2", "--width", "1", "--check-every", "5", "--out", "runs",
)  # fmt: skip


def out(*arguments: str) -> str:
    done = CliRunner().invoke(command_line("dynamics"), list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(command_line("dynamics"), list(arguments))
    assert isinstance(done.exception, InputError), done.exception
    assert done.exception.exit_code == 2
    assert "\n" not in str(done.exception)
    return str(done.exception)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A solid at the minimum of the Lennard-Jones teacher, and the current folder."""
    write(tmp_path / "solid.cif", bulk("Re", "fcc", a=2.79, cubic=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def test_distil_and_run(files: Path) -> None:
    printed = out(*DISTIL)
    assert "pair potentials of tests from Lennard-Jones: round 1" in printed
    assert "Rates are not claimed from it:" in printed
    assert "no barrier was compared" in printed
    result = json.loads((files / "potential" / "result.json").read_text())
    assert json.loads(out(*DISTIL, "--json")) == result
    assert {row["species"] for row in result["errors"]} == {"all", "Re"}
    assert "it learnt one volume, and no stress" in refused(*RUN, "--pressure", "1")
    write(files / "iron.cif", bulk("Fe", "fcc", a=2.79, cubic=True))
    assert "--engine: 'distilled' does not know Fe; allowed: Re" in refused(*RUN[:2], "iron.cif", *RUN[3:])
    assert "--engine: 'emt' does not know Re; allowed: Ag" in refused(*DISTIL, "--engine", "emt")
    ran = out(*RUN)
    assert "0.2 ps" in ran
    of_run = ("dynamics", "transport", "runs/60K", "--mobile", "Re")
    assert "--temperature: '400' is for files; allowed: nothing" in refused(*of_run, "--temperature", "400")
    assert "--time-step: '3' is for files" in refused(*of_run, "--time-step", "3")
    assert "is given twice" in refused("dynamics", "transport", "runs/60K", "./runs/60K", "--mobile", "Re")
    described = json.loads((files / "runs" / "60K" / "run.json").read_text())
    assert described["forces"]["rung"] == "distilled"
    assert "Lennard-Jones" in described["forces"]["method"]
    assert any("not claimed" in warning for warning in described["forces"]["warnings"])


def test_a_planted_bad_potential_stops_the_run(files: Path) -> None:
    out(*DISTIL)
    path = files / "potential" / "potential.txt"
    content = json.loads(path.read_text())
    content["weights"] = [0.2 * weight for weight in content["weights"]]
    path.write_text(json.dumps(content))
    assert "is not the potential that result.json is of" in refused(*RUN)
    result = json.loads((files / "potential" / "result.json").read_text())
    result["settings"]["force_limit"] = 0.01
    result["checksum"] = file_checksum(str(path))
    (files / "potential" / "result.json").write_text(json.dumps(result))
    assert "left the ground of its potential: at frame 5" in refused(*RUN)


def test_what_is_refused(files: Path) -> None:
    assert "needed by the engine distilled" in refused(*RUN[:3], "--engine", "distilled", *RUN[7:])
    assert "holds no distillation" in refused(*RUN[:2], "solid.cif", *RUN[3:])
    (files / "potential").mkdir()
    (files / "potential" / "distil.json").write_text("{}")
    assert "has not ended" in refused(*RUN[:2], "solid.cif", *RUN[3:])
    assert "--temperature: -3.0 is out of range" in refused(*DISTIL[:8], "-3", *DISTIL[9:])
    assert "--teacher-ps: 0.0 is out of range" in refused(*DISTIL, "--teacher-ps", "0")
    assert "--student: 'fast' is not a kind of potential" in refused(*DISTIL, "--student", "fast")
    assert "holds no converged path" in refused(*DISTIL, "--paths", ".")
