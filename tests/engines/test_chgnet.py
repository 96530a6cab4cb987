"""The lean path against the shipped model."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.engines.chgnet import _network
from ninefold.errors import InputError
from ninefold.thermo import reference_phases


@pytest.fixture(scope="module")
def engine():
    return make_engine(EngineSettings())


def literature(name):
    elements = {"LiH": ["Li", "H"], "MgH2": ["Mg", "H"], "Mg2FeH6": ["Mg", "Fe", "H"], "K2ReH9": ["K", "Re", "H"]}
    return next(phase.structure for phase in reference_phases(elements[name]) if phase.formula == name)


def distorted(structure, seed=0):
    random = np.random.default_rng(seed)
    strain = random.normal(scale=0.02, size=(3, 3))
    lattice = structure.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
    positions = structure.frac_coords @ lattice + random.normal(scale=0.05, size=(len(structure), 3))
    return Structure(lattice, structure.species, positions, coords_are_cartesian=True)


@pytest.mark.parametrize("name", ["LiH", "MgH2", "Mg2FeH6", "K2ReH9"])
def test_same_numbers_as_the_shipped_model(engine, name):
    from chgnet.model import CHGNet, CHGNetCalculator

    structure = distorted(literature(name))
    [ours] = engine.evaluate([structure])
    shipped = CHGNet.load(use_device="cpu", verbose=False).predict_structure(structure)
    assert ours.error is None
    assert ours.energy_per_atom == pytest.approx(float(shipped["e"]), abs=1e-6)
    np.testing.assert_allclose(ours.forces, shipped["f"], atol=2e-5, rtol=5e-5)
    atoms = structure.to_ase_atoms()
    atoms.calc = CHGNetCalculator(use_device="cpu", verbose=False, on_isolated_atoms="ignore")
    assert ours.energy_per_atom * len(structure) == pytest.approx(atoms.get_potential_energy(), abs=2e-5)
    np.testing.assert_allclose(ours.stress, atoms.get_stress(voigt=False), atol=2e-6)


def test_forces_are_the_gradient_of_the_energy(engine):
    structure = distorted(literature("MgH2"))
    [evaluation] = engine.evaluate([structure])
    step = 0.01
    energies = []
    for sign in (1, -1):
        moved = structure.copy()
        moved.translate_sites([3], [sign * step, 0, 0], frac_coords=False)
        energies.append(engine.evaluate([moved])[0].energy_per_atom * len(structure))
    assert evaluation.forces[3, 0] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=0.02)


def test_the_model_is_loaded_once_and_frozen():
    network = _network("0.3.0")
    assert _network("0.3.0") is network
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_is_silent(capsys, recwarn, engine):
    make_engine(EngineSettings(name="chgnet", model="0.2.0")).evaluate([literature("LiH")])
    engine.evaluate([Structure(Lattice.cubic(20), ["H"], [[0, 0, 0]])])
    assert capsys.readouterr() == ("", "")
    assert not [warning for warning in recwarn if "chgnet" in str(warning.filename)]


def test_an_isolated_atom_is_an_error_and_the_batch_goes_on(engine):
    lonely = Structure(Lattice.cubic(20), ["H"], [[0, 0, 0]])
    far = Structure(Lattice.cubic(30), ["H", "H", "Li"], [[0, 0, 0], [0.025, 0, 0], [0.5, 0.5, 0.5]])
    evaluations = engine.evaluate([lonely, literature("LiH"), far])
    assert [evaluation.error for evaluation in evaluations] == ["isolated atom", None, "isolated atom"]
    assert evaluations[0].energy_per_atom is None
    [relaxation] = engine.relax([lonely], RelaxSettings())
    assert relaxation.error == "isolated atom"
    assert relaxation.structure == lonely


def test_hydrogen_stays_a_molecule_in_its_box(engine):
    [molecule] = [phase for phase in reference_phases(["H"]) if phase.kind == "molecule"]
    [relaxation] = engine.relax([molecule.structure], molecule.relax_settings)
    assert relaxation.is_converged
    assert relaxation.structure.volume == pytest.approx(12**3)
    assert relaxation.structure.get_distance(0, 1) == pytest.approx(0.75, abs=0.02)
    assert relaxation.energy_per_atom == pytest.approx(-3.334, abs=0.002)


def test_relaxing_in_symmetry_ends_in_the_same_place(engine):
    structure = literature("Mg2FeH6")
    [free, kept] = [
        engine.relax([structure], RelaxSettings(fmax=0.005, keep_symmetry=keep))[0] for keep in (False, True)
    ]
    assert free.is_converged
    assert kept.is_converged
    assert kept.energy_per_atom == pytest.approx(free.energy_per_atom, abs=1e-4)
    assert kept.structure.get_space_group_info(1e-4)[1] == 225
    assert kept.structure.volume == pytest.approx(literature("Mg2FeH6").volume, rel=0.03)


def test_unknown_model_lists_what_there_is():
    with pytest.raises(InputError, match=r"9\.9.*0\.3\.0, 0\.2\.0, r2scan"):
        make_engine(EngineSettings(name="chgnet", model="9.9"))


def test_fingerprints_tell_models_apart():
    fingerprints = {make_engine(EngineSettings(model=model)).fingerprint for model in ("0.3.0", "0.2.0", None)}
    assert len(fingerprints) == 2
