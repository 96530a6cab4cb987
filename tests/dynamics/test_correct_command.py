"""`ninefold dynamics correct`, and what runs by it, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write
from test_distil_command import out, refused
from test_point_checks import ENGINE

from ninefold.engines import EngineSettings, make_engine

STUDENT = f"{Path(__file__).parent / 'pair_student.py'}:PairTrainer"
OF_RUN = ("--temperature", "60", "--picoseconds", "0.12", "--time-step", "2", "--save-every", "5", "--width", "4")
RUN = ("dynamics", "run", "solid.cif", *OF_RUN, "--check-frames", "12")
LABELS = (*RUN, "--engine", "lj", "--out", "runs", "--check", "softer.py:make")
CORRECT = ("dynamics", "correct", "runs", "--engine", "lj", "--out", "correction")
BY_IT = ("--engine", "corrected", "--model", "correction")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A solid, a run of it by Lennard-Jones, and single points by a softer potential."""
    write(tmp_path / "solid.cif", bulk("Re", "fcc", a=2.79, cubic=True))
    (tmp_path / "softer.py").write_text(ENGINE.replace("rc=6.0", "rc=4.0, smooth=True"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    out(*LABELS)
    return tmp_path


def test_correct_run_and_distil(files: Path) -> None:
    printed = out(*CORRECT)
    assert "Lennard-Jones against softer (evidence test): 12 single points; pair potentials" in printed
    assert "without some stretches of paths, runs and compounds" in printed
    assert "Use: --engine corrected --model correction" in printed
    assert out(*CORRECT) == printed
    result = json.loads((files / "correction" / "result.json").read_text())
    assert json.loads(out(*CORRECT, "--json")) == result
    assert result["errors"]["held_out"]["force_eV_per_A"] < 0.5 * result["errors"]["before"]["force_eV_per_A"]
    assert result["is_worth"]
    # a run by it is nearer to the better method than its labels were
    out(*RUN, *BY_IT, "--out", "better", "--check", "softer.py:make")
    [said] = (files / "better" / "60K").glob("check-*.json")
    assert json.loads(said.read_text())["force_error_eV_per_A"] < 0.5 * result["errors"]["before"]["force_eV_per_A"]
    described = json.loads((files / "better" / "60K" / "run.json").read_text())
    assert described["forces"]["rung"] == "engine"
    assert described["forces"]["method"] == "Lennard-Jones corrected by softer (12 single points)"
    assert "on labels that were not fitted" in described["forces"]["error"]
    assert described["forces"]["warnings"] == []
    # as a teacher, found again in another folder, and without that of the correction
    out(
        "dynamics", "distil", "solid.cif", *BY_IT, "--student", STUDENT, "--temperature", "60", "--width", "4",
        "--rounds", "1", "--teacher-ps", "0.2", "--student-ps", "0.1", "--time-step", "2", "--out", "potential",
    )  # fmt: skip
    (files / "elsewhere").mkdir()
    (files / "potential").rename(files / "elsewhere" / "potential")
    (files / "correction").rename(files / "another")
    made = make_engine(EngineSettings(name="distilled", model="elsewhere/potential"))
    assert made.label == f"{made.result['student_label']} distilled from {described['forces']['method']}"  # type: ignore[attr-defined]
    made.check(5)  # type: ignore[attr-defined]
    assert str(files) not in (files / "elsewhere" / "potential" / "result.json").read_text()


def test_a_dense_cell_or_another_element_is_told(files: Path) -> None:
    out(*CORRECT)
    write(files / "dense.cif", bulk("Re", "fcc", a=2.7, cubic=True))
    out(*RUN[:2], "dense.cif", *OF_RUN, *BY_IT, "--out", "dense")
    [warning] = json.loads((files / "dense" / "60K" / "run.json").read_text())["forces"]["warnings"]
    assert warning == "the correction was fitted to labels at 5.43 Å3 per atom, and this cell has 4.92"
    write(files / "iron.cif", bulk("Fe", "fcc", a=2.79, cubic=True))
    assert "--engine: 'corrected' does not know Fe; allowed: Re" in refused(*RUN[:2], "iron.cif", *OF_RUN, *BY_IT,
                                                                            "--out", "iron")  # fmt: skip
    assert "no stress was labelled" in refused(*RUN, *BY_IT, "--out", "pressed", "--pressure", "1")


def test_what_is_refused(files: Path) -> None:
    (files / "empty").mkdir()
    for folder, said in (("empty", "holds no single points"), ("nowhere", "is no folder")):
        refusal = refused(*CORRECT[:2], folder, *CORRECT[3:])
        assert refusal.startswith(f"folder: '{folder}' {said}; allowed: a folder of 'ninefold dynamics paths --check'")
    assert "--engine: 'emt' does not know Re" in refused(*CORRECT[:3], "--engine", "emt", *CORRECT[5:])
    assert "is the method of the single points itself" in refused(*CORRECT[:4], "softer.py:make", *CORRECT[5:])
    assert "--check: 'gpaw' is no method of the single points" in refused(*CORRECT, "--check", "gpaw")
    assert "--student: 'fast' is not a kind of potential" in refused(*CORRECT, "--student", "fast")
    assert "--folds: 20 leaves nothing out of some; allowed: 2 to 12, the labels" in refused(*CORRECT, "--folds", "20")
    (files / "file").write_text("")
    assert "--out: 'file' is a file" in refused(*CORRECT[:-1], "file")
    assert not (files / "correction").exists()
    assert "needed by the engine corrected" in refused(*RUN, "--engine", "corrected", "--out", "none")
    assert "holds no correction" in refused(*RUN, *BY_IT, "--out", "none")
    (files / "correction").mkdir()
    (files / "correction" / "correct.json").write_text("{}")
    assert "holds a correction that has not ended" in refused(*RUN, *BY_IT, "--out", "none")
    assert not (files / "none").exists()
