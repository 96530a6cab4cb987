"""Vibrations at several volumes: phonopy by hand, volume for volume and fit for fit; and volumes that are left out."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from lattices import Direct
from pymatgen.io.ase import AseAtomsAdaptor

from ninefold.engines import EngineSettings, make_engine
from ninefold.errors import InputError
from ninefold.models.structure import StructureRecord
from ninefold.stages import quasiharmonic, vibrations
from ninefold.stages.vibrations import VibrationsSettings
from ninefold.thermo.harmonic import HarmonicVibrations

SETTINGS = VibrationsSettings.checked(
    {"method": {"name": "emt"}, "min_width": 5.0, "volumes": 5, "smallest_volume": 0.97, "largest_volume": 1.09}, "test"
)


@pytest.fixture(scope="module")
def copper():
    """Record at rest, the record of volumes, and the vibrations at each; all blobs."""
    engine = make_engine(EngineSettings(name="emt"))
    source = Direct(engine)
    start = StructureRecord.of(AseAtomsAdaptor.get_structure(bulk("Cu")))
    result = vibrations.compute("", "Cu", start, source, engine.fingerprint, SETTINGS.phonons())
    record = result.records[-1]
    [cell] = [item for item in result.records if item.id == record.structure]
    kept = []
    made = quasiharmonic.expand(record, cell, source, SETTINGS, kept.append)
    return cell, made, kept


def test_phonopy_by_hand_gives_the_same_volumes(copper):
    """Oracle: a script as phonopy's manual has it, forces by ASE's EMT, and phonopy's quasi-harmonic fit."""
    from phonopy import Phonopy, PhonopyQHA
    from phonopy.structure.atoms import PhonopyAtoms

    cell, made, kept = copper
    blobs = {name: blob for result in kept for name, blob in result.blobs.items()}
    solid = quasiharmonic.quasi_harmonic_of(made, blobs)
    temperatures = np.arange(0.0, 603.0, 1.0)
    volumes, energies, thermal = [], [], []
    matrices = [result.records[-1].supercell for result in kept]
    assert all(matrix == matrices[0] for matrix in matrices), "one supercell at every volume"
    for ratio in np.linspace(0.97, 1.09, 5):
        lattice = cell.to_structure().lattice.matrix * ratio ** (1 / 3)
        atoms = Atoms("Cu", cell=lattice, pbc=True, calculator=EMT())
        by_hand = Phonopy(
            PhonopyAtoms(symbols=["Cu"], cell=lattice, scaled_positions=[[0, 0, 0]]),
            supercell_matrix=np.array(matrices[0]).T, log_level=0,
        )  # fmt: skip
        by_hand.generate_displacements(distance=0.01)
        forces = []
        for supercell in by_hand.supercells_with_displacements:
            moved = Atoms(supercell.symbols, cell=supercell.cell, scaled_positions=supercell.scaled_positions, pbc=True)
            moved.calc = EMT()
            forces.append(moved.get_forces())
        by_hand.forces = forces
        by_hand.produce_force_constants()
        by_hand.symmetrize_force_constants()
        mesh = np.ceil(60.0 * np.linalg.norm(np.linalg.inv(cell.to_structure().lattice.matrix).T, axis=1)).astype(int)
        by_hand.run_mesh(mesh, is_gamma_center=True)
        by_hand.run_thermal_properties(temperatures=temperatures, cutoff_frequency=1e-3)
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
        thermal.append(by_hand.thermal_properties)
    oracle = PhonopyQHA(
        volumes=volumes, electronic_energies=energies, temperatures=temperatures, eos="vinet", t_max=600,
        free_energy=np.array([each.free_energy for each in thermal]).T,
        entropy=np.array([each.entropy for each in thermal]).T, cv=np.array([each.heat_capacity for each in thermal]).T,
    )  # fmt: skip
    assert solid.volumes == pytest.approx(volumes, rel=1e-6)
    for kelvin in (0, 300, 600):
        found = solid.at(float(kelvin))
        assert found.gibbs_energy == pytest.approx(oracle.gibbs_temperature[kelvin], abs=2e-6)
        assert found.volume_per_atom == pytest.approx(oracle.volume_temperature[kelvin], rel=2e-5)
    # copper's linear expansion is 1.7e-5/K: EMT has it within a third
    assert solid.thermal_expansion(300.0) / 3 == pytest.approx(1.7e-5, rel=0.33)


def test_each_volume_is_kept_as_soon_as_it_is_there(copper):
    _, made, kept = copper
    assert [result.records[-1].id for result in kept] == made.values["records"]
    assert made.reason is None
    assert made.stage == "quasi-harmonic"
    for result, name, energy in zip(kept, made.values["spectra"], made.values["energies"], strict=True):
        spectrum = HarmonicVibrations.from_dict(json.loads(result.blobs[name]))
        assert spectrum.zero_point_energy == pytest.approx(result.records[-1].zero_point_energy)
        assert energy == result.records[-1].energy_per_atom


def test_volumes_with_imaginary_modes_are_left_out_and_told(copper, monkeypatch):
    """As where a lattice goes soft when it is stretched."""
    cell, _, _ = copper
    engine = make_engine(EngineSettings(name="emt"))
    compute = vibrations.compute

    def softened(campaign, label, *arguments, **options):
        result = compute(campaign, label, *arguments, **options)
        record = result.records[-1]
        if "V/V0 = 1.090" in label:
            mode = vibrations.StoredMode(q=[0.5, 0, 0], frequency_meV=-4.21)
            record = record.model_copy(update={"n_imaginary": 2, "imaginary": [mode, mode]})
        return result._replace(records=[*result.records[:-1], record])

    start = compute("", "Cu", cell, Direct(engine), engine.fingerprint, SETTINGS.phonons()).records[-1]
    monkeypatch.setattr(vibrations, "compute", softened)
    made = quasiharmonic.expand(start, cell, Direct(engine), SETTINGS, lambda result: None)
    assert made.values["notes"] == ["V/V0 = 1.090: left out: 2 imaginary modes, to 4.2i meV"]
    assert made.values["ratios"] == [0.97, 1.0, 1.03, 1.06]
    assert made.reason == "quasi-harmonic: 4 volumes without imaginary modes, 5 are needed"
    assert quasiharmonic.quasi_harmonic_of(made, {}) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"volumes": 3}, "volumes: 3 is not allowed: .*must be 1, for none, or 5 and more"),
        ({"volumes": 26}, "volumes: 26"),
        ({"smallest_volume": 1.1}, "smallest_volume: 1.1"),
        ({"largest_volume": 2.0}, "largest_volume: 2.0"),
    ],
)
def test_bad_input_is_refused(values, words):
    with pytest.raises(InputError, match=words):
        VibrationsSettings.checked(values, "vibrations")
