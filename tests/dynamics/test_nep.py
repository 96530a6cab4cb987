"""NEP4 by torchnep and calorine, where they are installed; and what is said where they are not."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.mixing import SumCalculator
from pair_student import MIDDLES, PairCalculator
from pymatgen.io.ase import AseAtomsAdaptor

import dynamics_needs
from ninefold.dynamics.potentials.check_labels import read_check_labels
from ninefold.dynamics.potentials.corrected import CorrectedEngine
from ninefold.dynamics.potentials.correction import correct
from ninefold.dynamics.potentials.distil_settings import Teacher
from ninefold.dynamics.potentials.labels import LabelledFrame, Labels
from ninefold.dynamics.potentials.nep import PYTHON_VARIABLE, NEPTrainer
from ninefold.dynamics.potentials.students import few_frames_trainer
from ninefold.dynamics.second_method.single_points import SinglePoints
from ninefold.engines import EngineSettings, make_engine
from ninefold.engines.ase_engine import ASEEngine
from ninefold.errors import MissingDependencyError


@pytest.fixture
def _installed() -> None:
    dynamics_needs.module("calorine")
    dynamics_needs.module("torchnep")


installed = pytest.mark.usefixtures("_installed")


def _frames(folder: Path) -> list[LabelledFrame]:
    generator = np.random.default_rng(0)
    labels = Labels(folder / "frames", EMT())
    for number in range(4):
        atoms = bulk("Cu", cubic=True)
        atoms.positions += generator.normal(scale=0.1, size=atoms.positions.shape)
        labels.label(f"00-{number}", atoms)
    return list(labels)


@installed
def test_fit_and_forces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same file; forces are the slope of the energy, in a cell smaller than the cutoff."""
    monkeypatch.setattr(NEPTrainer, "settings", NEPTrainer.settings | {"epoch": "4", "start_stage2": "2"})
    trainer = NEPTrainer()
    frames = _frames(tmp_path)
    told: list[tuple[int, int]] = []
    content = trainer.fit(frames, tmp_path / "fit", 1, None, lambda *of: told.append(of))
    assert told[-1] == (4, 4)
    assert sorted(told) == told
    assert content == trainer.fit(frames, tmp_path / "again", 1, None, lambda *_: None)
    (tmp_path / "potential.txt").write_bytes(content)
    atoms = frames[0].atoms()
    atoms.calc = trainer.calculator(tmp_path / "potential.txt")
    forces = atoms.get_forces()
    assert np.abs(forces).max() > 0.003
    assert forces == pytest.approx(atoms.calc.calculate_numerical_forces(atoms, d=1e-4), abs=1e-4)


@installed
def test_settings_for_few_frames_leave_those_of_distil() -> None:
    """Those of distil are in the claims of its folders."""
    before = dict(NEPTrainer.settings)
    trainer = NEPTrainer()
    small = few_frames_trainer("nep")
    assert small.settings == NEPTrainer.few
    assert small.settings != trainer.settings
    assert trainer.for_few_frames().settings == small.settings
    assert trainer.settings == NEPTrainer.settings == before


@installed
def test_a_correction_by_nep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NEPTrainer, "few", NEPTrainer.few | {"epoch": "4"})
    weights = -0.05 * np.exp(-0.5 * ((MIDDLES - 2.4) / 0.3) ** 2)
    better = SumCalculator([EMT(), PairCalculator([["Cu", "Cu"]], weights)])
    points = SinglePoints(tmp_path / "labels" / "points", ASEEngine("better", "better", better, ()))
    generator = np.random.default_rng(0)
    for _ in range(6):
        atoms = bulk("Cu", cubic=True)
        atoms.positions += generator.normal(scale=0.1, size=atoms.positions.shape)
        points.of(atoms)
    made = make_engine(EngineSettings(name="emt"))
    emt = Teacher(EMT(), {"name": "emt"}, made.label, made.fingerprint, made.evidence)
    labels = read_check_labels([tmp_path / "labels"])
    result = correct(labels, emt, "nep", few_frames_trainer("nep"), 2, 0, tmp_path / "out")
    assert result is not None
    assert np.isfinite(result["errors"]["held_out"]["force_eV_per_A"])
    # four epochs give no fit that is worth it; as an engine all the same
    (tmp_path / "out" / "result.json").write_text(json.dumps(result | {"is_worth": True}))
    corrected = CorrectedEngine(tmp_path / "out")
    assert corrected.label == "ASE EMT corrected by better (6 single points)"
    [found] = corrected.evaluate([AseAtomsAdaptor.get_structure(labels.labels[0].frame.atoms())])
    assert found.error is None
    assert found.stress is not None


@installed
def test_images_of_paths_count_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NEPTrainer, "settings", NEPTrainer.settings | {"epoch": "2", "start_stage2": "1"})
    frames = _frames(tmp_path)
    frames[1] = replace(frames[1], name="00-path00-01")
    frames[2] = replace(frames[2], name="00-path00-01-0")
    NEPTrainer().fit(frames, tmp_path / "fit", 1, None, lambda *_: None)
    text = (tmp_path / "fit" / "train.xyz").read_text(encoding="utf-8")
    assert re.findall(r"weight=(\S+)", text) == ["1", "8", "1", "1"]


def test_without_calorine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calorine", None)
    with pytest.raises(
        MissingDependencyError, match=r"'calorine', which is not installed; pip install 'ninefold\[distil\]'"
    ):
        NEPTrainer()


@installed
def test_a_python_without_the_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "no-python"))
    with pytest.raises(MissingDependencyError, match="'torchnep', which is not installed"):
        NEPTrainer()
