"""A user's workflow of atomate2's own jobs, which store large data apart, under our executor."""

import pytest

from ninefold.engines import make_engine
from ninefold.engines.settings import EngineSettings
from ninefold.run.local import run_flow
from ninefold.run.workers import Workers

pytest.importorskip("atomate2")


def test_jobs_that_store_data_run(monkeypatch, tmp_path):
    from atomate2.forcefields.jobs import ForceFieldStaticMaker
    from jobflow import Flow
    from pymatgen.core import Lattice, Structure

    monkeypatch.chdir(tmp_path)
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
    static = ForceFieldStaticMaker(force_field_name="CHGNet").make(silicon)
    with Workers(1) as workers:
        outputs = run_flow(Flow([static], output=static.output), workers)
    [output] = outputs[static.uuid].values()
    [ours] = make_engine(EngineSettings(name="chgnet")).evaluate([silicon])
    assert output.output.output.energy_per_atom == pytest.approx(ours.energy_per_atom, abs=1e-4)
