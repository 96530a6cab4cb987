"""Which energy of hydrogen a hull is made with."""

from __future__ import annotations

import pytest

from ninefold.engines.base import Relaxation
from ninefold.models.method import Method
from ninefold.stages.references import reference_record
from ninefold.thermo.references import reference_phase
from ninefold.trust import hydrogen
from ninefold.trust.hydrogen import CalibratedHydrogen

ENTRY = CalibratedHydrogen("SevenNet 7net-0", -3.382, -3.323, 9, 0.012, "GPAW PBE")
METHOD = Method(id="f" * 12, name="sevennet", label="SevenNet 7net-0", evidence="ML")


@pytest.fixture(autouse=True)
def table(monkeypatch):
    monkeypatch.setattr(hydrogen, "_table", lambda: (ENTRY,))


def record(own: float, which: str, name: str = "H2 molecule in a box", method: Method = METHOD):
    phase = reference_phase(name)
    relaxation = Relaxation(
        structure=phase.structure, energy_per_atom=own, max_force=0.0, max_stress=0.0, steps=1, is_converged=True,
        core_seconds=0.0,
    )  # fmt: skip
    return reference_record("c", phase, relaxation, method, which)


def test_a_calibrated_engine_has_its_fitted_hydrogen_and_says_so():
    found = record(-3.3235, "calibrated")
    assert found.energy_per_atom == -3.382
    [note] = [note for note in found.notes if note.startswith("energy of H2")]
    assert "fitted to the formation energies of 9 binary hydrides by GPAW PBE" in note
    assert "own molecule has -3.323" in note


@pytest.mark.parametrize(
    ("own", "which", "method"),
    [
        (-3.3235, "own", METHOD),
        (-3.30, "calibrated", METHOD),  # another version: its molecule is not the one that was measured
        (-3.3235, "calibrated", METHOD.model_copy(update={"label": "CHGNet 0.3.0"})),
    ],
)
def test_else_it_is_the_engine_s_own_molecule(own, which, method):
    found = record(own, which, method=method)
    assert found.energy_per_atom == own
    [note] = [note for note in found.notes if note.startswith("energy of H2")]
    assert "the engine's own molecule in a box" in note
    assert note.endswith("no calibration is at hand") == (which == "calibrated")


def test_solids_are_as_the_engine_has_them():
    found = record(-3.3235, "calibrated", "LiH rocksalt")
    assert found.energy_per_atom == -3.3235
    assert not any("energy of H2" in note for note in found.notes)
