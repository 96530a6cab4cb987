"""`ninefold dynamics run --engine gpaw`: it starts, and its forces are GPAW's (make test-dft)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import gpaw_needs
from ninefold.cli.main import command_line
from ninefold.dynamics.simulation.runs import read_run, state
from ninefold.engines import EngineSettings, make_engine

pytestmark = pytest.mark.dft


def test_a_run_by_gpaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of LiH at constant pressure: energies of frames are those of single points, stresses are there."""
    gpaw_needs.gpaw()
    monkeypatch.chdir(tmp_path)
    start = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.02), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    start.get_primitive_structure().to(filename="LiH.cif")
    command = [
        "dynamics", "run", "LiH.cif", "--engine", "gpaw", "--model", "draft", "--temperature", "300", "--picoseconds",
        "0.001", "--save-every", "1", "--width", "1", "--pressure", "0", "--out", "runs",
    ]  # fmt: skip
    done = CliRunner().invoke(command_line("dynamics"), command, catch_exceptions=False)
    assert done.exit_code == 0
    folder = tmp_path / "runs" / "300K-0GPa"
    [frames] = list(read_run(folder).chunks())
    assert len(frames) == 2
    assert state(folder).box is not None
    # at 600 K in the first step: half of it becomes potential energy
    assert 50 < state(folder).mean_temperature < 2000
    engine = make_engine(EngineSettings(name="gpaw", model="draft"))
    last = Structure(Lattice(frames.cells[-1]), ["Li", "H"], frames.positions[-1], coords_are_cartesian=True)
    [found] = engine.evaluate([last])
    with np.load(folder / "frames-000000000.npz") as piece:
        assert found.energy_per_atom * 2 == pytest.approx(piece["energies"][-1], abs=2e-3)
