"""Equations of state of a stored structure, by a potential with a known bulk modulus."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import EquationOfState
from pymatgen.io.ase import AseAtomsAdaptor

from ninefold.engines import EngineSettings, make_engine
from ninefold.engines.base import Relaxation
from ninefold.engines.settings import RelaxSettings
from ninefold.models.search import Minimum
from ninefold.models.structure import StructureRecord
from ninefold.stages.compress import chosen_minima, compress, state_id, state_of
from ninefold.thermo.equation_of_state import EV_PER_GPA_A3


@pytest.fixture(scope="module")
def engine():
    return make_engine(EngineSettings(name="emt"))


@pytest.fixture(scope="module")
def copper(engine):
    [relaxed] = engine.relax(
        [AseAtomsAdaptor.get_structure(bulk("Cu"))], RelaxSettings(fmax=1e-3, keep_symmetry=True)
    )  # fmt: skip
    return relaxed


def test_copper_s_state_is_the_one_of_its_energies(engine, copper):
    """Oracle: ASE's Birch-Murnaghan fit to energies at fixed volumes, without any relaxation under pressure."""
    record = compress("mine", "Cu", StructureRecord.of(copper.structure), copper.energy_per_atom, engine)
    state = state_of(record)
    volumes, energies = [], []
    for scale in np.linspace(0.97, 1.01, 7):
        atoms = bulk("Cu")
        atoms.set_cell(atoms.cell * scale * (copper.structure.volume / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
        atoms.calc = EMT()
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    volume, _, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    assert state.volume_per_atom == pytest.approx(volume, rel=0.005)
    assert state.bulk_modulus == pytest.approx(modulus / EV_PER_GPA_A3, rel=0.06)
    assert record.values["pressures"] == pytest.approx([0, 2.5, 5, 10], abs=0.3)
    assert (record.reason, record.stage) == (None, "equation of state")
    assert record.id == state_id(record.structure, engine.fingerprint)


class Failing:
    """An engine that gives up above a pressure."""

    fingerprint, label = "failing", "failing"

    def __init__(self, *, is_transient):
        self.is_transient = is_transient

    def relax(self, structures, settings):
        return [Relaxation(one, None, 0, 0, 0, False, 0, "no memory", self.is_transient) for one in structures]


def test_a_structure_s_failure_is_its_reason_and_the_machine_s_is_none(copper):
    cell = StructureRecord.of(copper.structure)
    record = compress("mine", "Cu", cell, copper.energy_per_atom, Failing(is_transient=False))
    assert state_of(record) is None
    assert "at least 3 are needed; no relaxation at 2.5 GPa: no memory" in record.reason
    assert compress("mine", "Cu", cell, copper.energy_per_atom, Failing(is_transient=True)) == "no memory"


def minimum(structure, energy, volume, *, is_valid=True):
    return Minimum(
        structure=structure, energy_per_atom=energy, space_group_number=1, space_group_symbol="P1", nsites=12,
        volume_per_formula_unit=volume, volume_ratio=1.0, coordination_numbers=[9], shortest_m_h=1.7, shortest_h_h=1.9,
        max_force=0.0, is_converged=True, source="", is_valid=is_valid,
    )  # fmt: skip


def test_the_minima_that_pressure_may_prefer_are_chosen():
    """150 and 140 Å3 of 12 atoms: 10 Å3 at 10 GPa are 52 meV/atom."""
    lowest, dense, high = minimum("a", -4.0, 150), minimum("b", -3.97, 140), minimum("c", -3.9, 150)
    invalid = minimum("d", -5.0, 100, is_valid=False)
    found = chosen_minima([invalid, high, lowest, dense], most=2)
    assert [each.structure for each in found] == ["a", "b"]
    assert [each.structure for each in chosen_minima([high, lowest, dense], most=1)] == ["a"]
    assert chosen_minima([invalid]) == []
