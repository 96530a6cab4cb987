"""Evaluation, relaxation and guards with calculators that cost nothing."""

import math

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.units import GPa
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, RelaxSettings, engine_names, make_engine, registry
from ninefold.engines.ase_engine import ASEEngine
from ninefold.errors import InputError, MissingDependencyError


class Faulty(Calculator):
    """Whatever the test wants it to return."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, energy=0.0, force=0.0, stress=0.0):
        super().__init__()
        self.values = energy, force, stress

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, force, stress = self.values
        forces = np.zeros((len(atoms), 3))
        forces[0], forces[-1] = force, -force
        self.results = {"energy": energy, "forces": forces, "stress": np.array([stress] * 3 + [0.0] * 3)}


def faulty(**values):
    return ASEEngine("faulty", "Faulty", Faulty(**values), ())


def copper(a=3.61, jitter=0.0, repeat=1, seed=0):
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Cu"], [[0, 0, 0]]) * repeat
    return structure.perturb(jitter) if jitter else structure


@pytest.fixture(scope="module")
def emt():
    return make_engine(EngineSettings(name="emt"))


def test_evaluation_is_ase_s(emt):
    atoms = bulk("Cu", cubic=True, a=3.7)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    structure = Structure(atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions())
    [evaluation] = emt.evaluate([structure])
    assert evaluation.energy_per_atom == pytest.approx(atoms.get_potential_energy() / 4)
    np.testing.assert_allclose(evaluation.forces, atoms.get_forces(), atol=1e-10)
    np.testing.assert_allclose(evaluation.stress, atoms.get_stress(voigt=False), atol=1e-10)


@pytest.mark.parametrize("pressure", [0.0, 10.0])
def test_relaxation_ends_where_ase_s_own_optimizer_does(emt, pressure):
    structure = copper(3.75)
    structure.perturb(0.05)
    atoms = structure.to_ase_atoms()
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms, scalar_pressure=pressure * GPa), logfile=None).run(fmax=1e-4, steps=500)
    [relaxation] = emt.relax([structure], RelaxSettings(fmax=1e-3, max_steps=200, pressure=pressure))
    assert relaxation.is_converged
    assert relaxation.energy_per_atom == pytest.approx(atoms.get_potential_energy() / 4, abs=1e-4)
    assert relaxation.structure.volume == pytest.approx(atoms.get_volume(), rel=1e-3)
    assert relaxation.max_stress < 0.1


@pytest.mark.parametrize("fmax", [0.1, 0.01])
def test_converged_means_forces_and_virial(emt, fmax):
    structure = copper(3.8)
    structure.perturb(0.1)
    [relaxation] = emt.relax([structure], RelaxSettings(fmax=fmax, max_steps=300))
    [evaluation] = emt.evaluate([relaxation.structure])
    assert relaxation.is_converged
    assert np.linalg.norm(evaluation.forces, axis=1).max() <= fmax
    virial = evaluation.stress * relaxation.structure.volume / len(structure)
    assert np.abs(virial).max() <= 1.05 * fmax
    assert relaxation.max_stress == pytest.approx(np.abs(evaluation.stress).max() / GPa, rel=1e-6)


def test_too_few_steps_are_not_converged(emt):
    [relaxation] = emt.relax([copper(3.9)], RelaxSettings(fmax=1e-4, max_steps=1))
    assert not relaxation.is_converged
    assert relaxation.error is None
    assert math.isfinite(relaxation.energy_per_atom)


def test_no_step_is_an_evaluation(emt):
    [relaxation] = emt.relax([copper(3.9)], RelaxSettings(max_steps=0))
    assert relaxation.steps == 0
    assert relaxation.energy_per_atom == pytest.approx(emt.evaluate([copper(3.9)])[0].energy_per_atom)


def test_the_cell_stays_where_it_is_asked_to(emt):
    structure = copper(3.7)
    structure.perturb(0.1)
    [relaxation] = emt.relax([structure], RelaxSettings(relax_cell=False))
    np.testing.assert_allclose(relaxation.structure.lattice.matrix, structure.lattice.matrix)
    assert relaxation.is_converged


def test_relaxing_twice_gives_the_same(emt):
    structure = copper(3.75)
    structure.perturb(0.1)
    first, second = (emt.relax([structure], RelaxSettings())[0] for _ in range(2))
    assert first.structure == second.structure
    assert first.energy_per_atom == second.energy_per_atom


def test_results_come_in_order(emt):
    lattice_parameters = [3.5, 3.7, 3.6]
    energies = [result.energy_per_atom for result in emt.evaluate([copper(a) for a in lattice_parameters])]
    assert energies == [emt.evaluate([copper(a)])[0].energy_per_atom for a in lattice_parameters]


def test_what_cannot_be_computed_is_recorded_and_the_batch_goes_on(emt):
    overlapping = Structure(Lattice.cubic(5), ["Cu", "Cu"], [[0, 0, 0], [0.02, 0, 0]])
    tiny = Structure(Lattice.cubic(0.4), ["Cu"], [[0, 0, 0]])
    unknown = Structure(Lattice.cubic(5), ["Re"], [[0, 0, 0]])
    disordered = Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    structures = [overlapping, copper(), unknown, disordered, tiny]
    for results in (emt.evaluate(structures), emt.relax(structures, RelaxSettings())):
        assert [result.error for result in results] == [
            "atoms overlap", None, "element unknown to the engine: Re", "disordered structure",
            "cell smaller than 1 Å³ per atom",
        ]  # fmt: skip
        assert [result.energy_per_atom is None for result in results] == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"energy": math.nan}, "energy or forces are not numbers"),
        ({"force": math.nan}, "energy or forces are not numbers"),
        ({"force": 1e5}, "forces explode"),
        ({"stress": 5.0}, "volume runs away|cell smaller|atoms overlap"),
        ({"stress": -5.0}, "volume runs away"),
        ({"force": 5.0}, "atoms overlap|volume runs away|optimizer failed: .*"),
    ],
)
def test_a_calculator_gone_wrong_is_recorded(values, reason):
    import re

    structure = Structure(Lattice.cubic(4), ["Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    [relaxation] = faulty(**values).relax([structure], RelaxSettings(max_steps=200))
    assert re.fullmatch(reason, relaxation.error)
    assert relaxation.energy_per_atom is None
    assert relaxation.structure == structure
    assert not relaxation.is_converged


class Drifting(Faulty):
    """Pushes two atoms together, and runs out of memory on atoms that overlap, or from a number of calls on."""

    def __init__(self, failing_from=10**9):
        super().__init__()
        self.left = failing_from

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        self.left -= 1
        if self.left < 0 or atoms.get_distance(0, 1, mic=True) < 0.5:
            raise MemoryError("neighbours")
        self.values = 0.0, 3.0 / atoms.get_distance(0, 1, mic=True), 0.0
        super().calculate(atoms, properties, system_changes)


@pytest.mark.parametrize(
    ("failing_from", "error", "is_transient"),
    [(10**9, "atoms overlap", False), (2, "MemoryError: neighbours", True)],
    ids=["the geometry's", "the machine's"],
)
def test_what_a_calculator_raises_on_a_geometry_gone_wrong_is_the_structure_s(failing_from, error, is_transient):
    structure = Structure(Lattice.cubic(4), ["Cu", "Cu"], [[0.2] * 3, [0.5] * 3])
    engine = ASEEngine("drifting", "drifting", Drifting(failing_from), ())
    [relaxation] = engine.relax([structure], RelaxSettings(max_steps=200, relax_cell=False))
    assert (relaxation.error, relaxation.is_transient) == (error, is_transient)


def test_an_error_of_the_calculator_is_recorded_in_one_line(monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError("out of\nmemory")

    engine = faulty()
    monkeypatch.setattr(Faulty, "calculate", fail)
    assert [result.error for result in engine.evaluate([copper()])] == ["RuntimeError: out of"]


def test_lennard_jones_makes_argon_close_packed():
    engine = make_engine(EngineSettings(name="lj"))
    [relaxation] = engine.relax([copper(2.8)], RelaxSettings(fmax=1e-3))
    assert relaxation.is_converged
    # the fcc crystal of an infinite Lennard-Jones potential: a = 1.542 sigma; the cutoff moves it a little
    assert relaxation.structure.lattice.a == pytest.approx(1.542 * 1.8, rel=0.02)


def test_an_unknown_engine_lists_those_there_are():
    assert {"chgnet", "emt", "lj"} <= set(engine_names())
    with pytest.raises(InputError, match=r"engine.name: 'castep' is not an engine; allowed: .*chgnet.*emt.*lj"):
        make_engine(EngineSettings(name="castep"))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(registry.ENGINES.shipped, "mace", "package_that_is_not_there.calculators:mace")
    with pytest.raises(MissingDependencyError, match="package_that_is_not_there"):
        make_engine(EngineSettings(name="mace"))


@pytest.mark.parametrize("name", ["emt", "lj"])
def test_a_test_engine_takes_no_model(name):
    with pytest.raises(InputError, match="allowed: none"):
        make_engine(EngineSettings(name=name, model="x"))


@pytest.mark.parametrize(("field", "value"), [("fmax", 0), ("fmax", -1), ("max_steps", -1), ("pressure", "high")])
def test_settings_refuse_what_cannot_be(field, value):
    with pytest.raises(ValueError, match=field):
        RelaxSettings(**{field: value})


# an engine of a user's

MINE = """
from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine

PARAMETERS = {"sigma": 1.8, "epsilon": 0.1, "rc": 5.0, "smooth": True}


class MyEngine(ASEEngine):
    def __init__(self, settings):
        super().__init__("mine", f"mine, {settings.model}", LennardJones(**PARAMETERS), (PARAMETERS,), evidence="test")


broken = 3
def nothing(settings): return None
def half(settings): return type("Half", (), {"name": "half", "label": "half", "relax": print})()
def raises(settings): raise ValueError("told")
def exits(settings): exit(3)
def needs(settings): import no_such_package
"""


def test_an_engine_of_a_file_computes_as_ours(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    name = f"{tmp_path}/mine.py:MyEngine"
    engine, ours = make_engine(EngineSettings(name=name, model="m1")), make_engine(EngineSettings(name="lj"))
    assert (engine.label, engine.evidence, engine.batch) == ("mine, m1", "test", ours.batch)
    [mine], [reference] = engine.evaluate([copper(2.8)]), ours.evaluate([copper(2.8)])
    assert mine.energy_per_atom == reference.energy_per_atom
    [mine], [reference] = (one.relax([copper(2.8)], RelaxSettings(fmax=0.05)) for one in (engine, ours))
    assert mine.energy_per_atom == reference.energy_per_atom


def test_an_edited_file_is_another_engine(tmp_path):
    def fingerprint(folder, code, name="MyEngine"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "mine.py").write_text(code)
        return make_engine(EngineSettings(name=f"{tmp_path / folder}/mine.py:{name}")).fingerprint

    # its author may have forgotten to say that a parameter counts
    code = MINE.replace("(PARAMETERS,)", "()")
    before = fingerprint("a", code)
    assert fingerprint("b", code) == before, "where the file lies does not count"
    assert fingerprint("a", code.replace('"epsilon": 0.1', '"epsilon": 0.2')) != before


def test_an_engine_that_is_pickled_or_copied_stays_one(tmp_path):
    import copy

    (tmp_path / "mine.py").write_text(MINE)
    engine = make_engine(EngineSettings(name=f"{tmp_path}/mine.py:MyEngine"))
    again = copy.copy(engine)
    assert (again.fingerprint, again.label) == (engine.fingerprint, engine.label)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", ["int 3", "takes EngineSettings"]),
        ("nothing", ["gives a NoneType without name, label, fingerprint", "ASEEngine"]),
        ("half", ["gives a Half without fingerprint, evidence, batch, evaluate;"]),
        ("raises", ["raises ValueError: told"]),
        ("exits", ["ends the program"]),
        ("needs", ["needs the package 'no_such_package'", "pip install"]),
        ("absent", ["has no 'absent'"]),
    ],
)
def test_an_engine_of_a_file_that_cannot_be_used(tmp_path, name, words):
    (tmp_path / "mine.py").write_text(MINE)
    with pytest.raises(InputError) as caught:
        make_engine(EngineSettings(name=f"{tmp_path}/mine.py:{name}"))
    for word in ["engine.name: ", f"mine.py:{name}" if name != "absent" else "mine.py", *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
