"""Potentials that are distilled from a teacher which is one of their kind, killed on the way, and watched in runs."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from pair_student import PairCalculator, PairTrainer
from test_paths import Repelling, _anion

from ninefold.dynamics.analysis import analyse
from ninefold.dynamics.anions.permutations import ways
from ninefold.dynamics.anions.sites import sites
from ninefold.dynamics.paths.band_barrier import barrier
from ninefold.dynamics.potentials.distil import distil
from ninefold.dynamics.potentials.distil_errors import KnownPath, read_paths, reasons_against
from ninefold.dynamics.potentials.distil_settings import DistilSettings, Teacher
from ninefold.dynamics.potentials.environments import newest
from ninefold.dynamics.potentials.labels import Labels
from ninefold.dynamics.simulation.runs import RunSettings, read_run, run
from ninefold.dynamics.trajectories.forces import ForceSource
from ninefold.dynamics.trajectories.teacher_checks import LeftGroundError, TeacherCheck
from ninefold.dynamics.trajectories.trajectory import FrameChoice
from ninefold.dynamics.transport.diffusion import transport
from ninefold.errors import InputError

QUICK = DistilSettings(temperatures_K=(300.0,), rounds=2, teacher_ps=0.05, student_ps=0.05, tests=2, chosen=2, seed=3)


class Counting(Repelling):
    """Counts what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def calculate(self, *arguments: Any, **more: Any) -> None:
        self.count += 1
        super().calculate(*arguments, **more)


def _teacher(calculator: Any = None) -> Teacher:
    return Teacher(calculator or Repelling(), {"name": "lj"}, "springs", "fingerprint", "test")


@functools.cache
def _known() -> list[KnownPath]:
    prism = _anion("tricapped trigonal prism", 9)
    [site] = sites(prism, "Re")
    isomer = next(way for way in ways(prism, site) if way.kind == "isomer")
    found = barrier(prism, site, isomer, Repelling(), fmax=0.02, max_steps=400, images=5)
    return [KnownPath("isomer", found.barrier_eV, found.images)]


def _distil(folder: Path, **more: Any) -> dict[str, Any]:
    result = distil(
        _anion("tricapped trigonal prism", 9), more.pop("teacher", _teacher()), "pairs", PairTrainer(),
        more.pop("settings", QUICK), folder, **more,
    )  # fmt: skip
    assert result is not None
    return result


def _frames(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "frames").glob("*.npz"))}


def test_a_teacher_of_pairs_is_learnt_with_its_barrier(tmp_path: Path) -> None:
    known = _known()
    settings = QUICK.model_copy(update={"temperatures_K": (300.0, 500.0), "teacher_ps": 0.1})
    result = _distil(tmp_path / "out", known=known, settings=settings)
    assert result["reasons"] == []
    assert result["is_claimed"]
    rows = {(row["temperature_K"], row["species"]): row for row in result["errors"]}
    assert set(rows) == {(kelvin, name) for kelvin in (300.0, 500.0) for name in ("all", "Re", "H")}
    assert all(row["force_rmse"] < 0.05 < row["force_rms"] for row in result["errors"])
    [path] = result["barriers"]
    assert path["student_eV"] == pytest.approx(known[0].barrier_eV, abs=0.005)
    assert path["teacher_on_student_path_eV"] == pytest.approx(known[0].barrier_eV, abs=0.005)


def test_images_of_paths_are_told_from_all_other_frames(tmp_path: Path) -> None:
    """The images of the teacher's path and of the student's band in each round, without their displaced copies."""
    known = _known()
    result = _distil(tmp_path / "out", known=known)
    names = [frame.name for frame in Labels(tmp_path / "out" / "frames", None) if frame.is_path_image]
    images = len(known[0].images)
    assert names == [
        f"{number:02d}-path00-{image:02d}" for number in range(result["round"] + 1) for image in range(images)
    ]


def test_tests_are_never_trained_on(tmp_path: Path) -> None:
    result = _distil(tmp_path / "out", settings=QUICK.model_copy(update={"force_limit": 1e-9}))
    labelled = Labels(tmp_path / "out" / "frames", None)
    earlier = [frame for frame in labelled if int(frame.name[:2]) < result["round"]]
    wild = [frame.name[3:9] for frame in earlier if not frame.is_sane]
    assert set(wild) == {"shaken"}
    assert result["frames"] == len(earlier) - len(wild)
    assert not result["is_claimed"]
    assert "force error" in result["reasons"][0]
    assert len(result["earlier_rounds"]) == result["round"] - 1 == 1


def test_without_paths_no_rate_is_claimed(tmp_path: Path) -> None:
    assert "no barrier was compared" in _distil(tmp_path / "out")["reasons"][-1]


def test_a_barrier_that_is_off_is_a_reason() -> None:
    row = {"path": "isomer", "teacher_eV": 0.073, "student_eV": 0.123, "is_converged": True}
    table = {"errors": [], "barriers": [row], "broken_K": []}
    assert reasons_against(table, 0.1, 0.02) == ["isomer: barrier 123 meV, teacher 73, limit 20 apart"]
    assert reasons_against(table, 0.1, 0.06) == []


def test_a_second_call_computes_nothing(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    result = _distil(tmp_path / "out", teacher=_teacher(first))
    again = _distil(tmp_path / "out", teacher=_teacher(second))
    assert first.count > 50
    assert second.count == 0
    assert again == result


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """kill -9 after some frames more each time: the same frames, bit by bit, as without."""
    code = (
        "from pathlib import Path; import sys; sys.path.insert(0, sys.argv[2])\n"
        "from test_distil import _distil\n"
        "_distil(Path(sys.argv[1]))\n"
    )
    folder = tmp_path / "killed"
    for more in (3, 9, None):
        process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(Path(__file__).parent)])
        if more is None:
            assert process.wait(timeout=120) == 0
            break
        before = len(list(folder.glob("frames/*.npz")))
        end = time.monotonic() + 60
        while len(list(folder.glob("frames/*.npz"))) < before + more and time.monotonic() < end:
            if process.poll() is not None:
                break
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _distil(tmp_path / "whole")
    assert _frames(folder) == _frames(tmp_path / "whole")
    assert (folder / "potential.txt").read_bytes() == (tmp_path / "whole" / "potential.txt").read_bytes()


def test_stopped_between_steps_goes_on(tmp_path: Path) -> None:
    calls = iter(range(10_000))
    arguments = (_anion("tricapped trigonal prism", 9), _teacher(), "pairs", PairTrainer(), QUICK, tmp_path / "out")
    assert distil(*arguments, stop=lambda: next(calls) > 12) is None
    assert 0 < len(_frames(tmp_path / "out")) < 10
    assert distil(*arguments) == _distil(tmp_path / "out")


def test_more_rounds_go_on_and_other_temperatures_are_refused(tmp_path: Path) -> None:
    tight = {"force_limit": 1e-9}
    _distil(tmp_path / "out", settings=QUICK.model_copy(update=tight))
    more = _distil(tmp_path / "out", settings=QUICK.model_copy(update={"rounds": 3, **tight}))
    assert more["round"] == 3
    with pytest.raises(InputError, match="another distillation: settings differ"):
        _distil(tmp_path / "out", settings=QUICK.model_copy(update={"temperatures_K": (400.0,)}))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        _distil(tmp_path / "full")


def test_a_broken_frame_is_told(tmp_path: Path) -> None:
    labels = Labels(tmp_path, Repelling())
    labels.label("00-a", _anion("tricapped trigonal prism", 9))
    (tmp_path / "00-a.npz").write_bytes(b"half")
    with pytest.raises(InputError, match="is no labelled frame"):
        list(labels)


def test_a_student_that_explodes_learns_all_the_same(tmp_path: Path) -> None:
    class Wild(PairTrainer):
        """Its first fit is no potential at all."""

        def fit(self, frames: Any, folder: Path, seed: int, start: Path | None, notify: Any) -> bytes:
            if start is None:
                weights = [3000.0 * (-1) ** place for place in range(72)]
                return json.dumps({"pairs": [["H", "H"], ["H", "Re"], ["Re", "Re"]], "weights": weights}).encode()
            return super().fit(frames, folder, seed, start, notify)

    result = distil(_anion("tricapped trigonal prism", 9), _teacher(), "pairs", Wild(), QUICK, tmp_path / "out")
    assert result is not None
    assert result["earlier_rounds"][0]["broken_K"] == [300.0]
    assert [reason[:10] for reason in result["reasons"]] == ["no barrier"]


def _watched(folder: Path, calculator: Any, frames: int = 20, limit: float = 0.05) -> Callable[[], Any]:
    atoms = _anion("tricapped trigonal prism", 9)
    atoms.calc = calculator
    source = ForceSource(rung="distilled", method="pairs", error="force error 5 meV/Å", limit_eV_per_A=limit)
    check = TeacherCheck(Repelling(), every=8, limit=limit)
    settings = RunSettings(temperature_K=300.0, save_every=5)
    return lambda: run(atoms, settings, folder, frames, "pairs", frames_per_piece=10, forces=source, check=check)


def test_a_run_by_a_bad_potential_is_stopped_and_marked(tmp_path: Path) -> None:
    """Springs of the teacher, repulsion planted too weak."""

    class Weak(Repelling):
        def calculate(self, *arguments: Any, **more: Any) -> None:
            super().calculate(*arguments, **more)
            self.results["forces"] = 0.7 * self.results["forces"]

    folder = tmp_path / "bad"
    with pytest.raises(LeftGroundError, match="at frame 8 its forces are off by"):
        _watched(folder, Weak())()
    with pytest.raises(LeftGroundError, match="at frame 8"):
        _watched(folder, Weak(), frames=40)()
    assert len(next(read_run(folder).chunks())) == 10
    source = read_run(folder).forces
    assert source is not None
    assert "left the ground of its potential at frame 8" in source.warnings[0]
    before = read_run(folder, FrameChoice(until=7))
    assert sum(len(piece) for piece in before.chunks()) == 7
    assert before.forces is not None
    assert before.forces.warnings == ("no frame of this run was checked by the teacher: rates are not claimed from it",)
    assert not before.forces.is_claimed
    assert not source.is_claimed


def test_a_run_by_a_good_potential_says_what_it_stands_on(tmp_path: Path) -> None:
    folder = tmp_path / "good"
    _watched(folder, Repelling(), frames=104)()
    found = analyse(read_run(folder), "Re")
    assert found.forces.startswith("distilled: pairs; force error 5 meV/Å; in this run 0 meV/Å on 13 checked frames")
    assert not any("left the ground" in note for note in found.notes)
    moved = transport(read_run(folder), "H", method="windows")
    assert moved.notes[0] == f"forces: {found.forces}"
    atoms = _anion("tricapped trigonal prism", 9)
    atoms.calc = Repelling()
    plain = ForceSource(rung="engine", method="springs")
    run(atoms, RunSettings(temperature_K=300.0), tmp_path / "plain", 25, "springs", forces=plain)
    assert analyse(read_run(tmp_path / "plain"), "Re").forces == "engine: springs"


def test_the_newest_frames_are_chosen() -> None:
    base = _anion("tricapped trigonal prism", 9)
    moved = [base.copy() for _ in range(4)]
    moved[1].positions[3] += 0.1
    moved[2].positions[5] += 0.4
    moved[3].positions[5] += 0.4  # as the one before
    assert newest(moved, [base], 3) == [2, 1]
    assert newest([], [base], 3) == []
    assert newest([base], [], 1) == [0]


def test_paths_of_another_engine_are_refused(tmp_path: Path) -> None:
    (tmp_path / "path-1.json").write_text('{"method": "other", "engine": "CHGNet", "is_converged": true}')
    with pytest.raises(InputError, match="holds paths by CHGNet"):
        read_paths(tmp_path, "mine")
    (tmp_path / "path-1.json").unlink()
    with pytest.raises(InputError, match="no converged path"):
        read_paths(tmp_path, "mine")


def test_the_pair_student_is_consistent() -> None:
    """Forces are the slope of the energy: else the tests above test nothing."""
    calculator = PairCalculator([["H", "H"], ["H", "Re"]], np.random.default_rng(0).normal(size=48))
    atoms = Atoms("ReH2", positions=[[1, 1, 1], [2.5, 1.2, 1], [1, 2.7, 1.3]], cell=np.eye(3) * 9, pbc=True)
    atoms.calc = calculator
    forces = atoms.get_forces()
    assert forces == pytest.approx(calculator.calculate_numerical_forces(atoms, d=1e-5), abs=1e-5)
