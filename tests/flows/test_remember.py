"""An engine that remembers: results and faults of a structure once, faults of the machine never."""

import numpy as np
import pytest
from ase.calculators.calculator import SCFError
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure

import ninefold.flows.remember as remember
from ninefold.engines.ase_engine import ASEEngine, CalculationError
from ninefold.engines.base import Evaluation, Relaxation
from ninefold.engines.settings import RelaxSettings
from ninefold.flows.remember import RememberingEngine
from ninefold.store import open_repository
from ninefold.store.documents import ResultDocument

COPPER = Structure(Lattice.cubic(3), ["Cu"], [[0, 0, 0]])
SETTINGS = RelaxSettings(max_steps=2)


class Faulty(LennardJones):
    """Raises what it is told, once; then computes."""

    def __init__(self, error):
        super().__init__(sigma=2.0, epsilon=0.1, rc=5.0)
        self.faults, self.calls = [error], 0

    def calculate(self, *arguments, **options):
        self.calls += 1
        if self.faults:
            raise self.faults.pop()
        super().calculate(*arguments, **options)


class Counting:
    """Counts what it is asked; every answer differs from the one before."""

    name, label, evidence, batch = "counting", "counting", "test", 1

    def __init__(self, fingerprint="one"):
        self.fingerprint, self.count = fingerprint, 0

    def evaluate(self, structures):
        return [Evaluation(float(self._next()), None, None, 0.0) for _ in structures]

    def relax(self, structures, settings):
        return [Relaxation(item, float(self._next()), 0.0, 0.0, 1, True, 0.0) for item in structures]

    def _next(self):
        self.count += 1
        return self.count


OTHER_SETTINGS = {"fmax": 0.02, "max_steps": 3, "pressure": 5.0, "relax_cell": False, "keep_symmetry": True}


@pytest.fixture
def counting(tmp_path):
    engine = Counting()
    return engine, RememberingEngine(engine, open_repository(tmp_path / "s.db", mode="write"), "x")


def test_every_setting_has_another_value_here():
    assert set(OTHER_SETTINGS) == set(RelaxSettings.model_fields)


@pytest.mark.parametrize("field", OTHER_SETTINGS)
def test_a_relaxation_with_another_setting_is_another_calculation(counting, field):
    engine, remembering = counting
    other = SETTINGS.model_copy(update={field: OTHER_SETTINGS[field]})
    energies = [remembering.relax([COPPER], each)[0].energy_per_atom for each in (SETTINGS, other, SETTINGS, other)]
    assert energies == [1.0, 2.0, 1.0, 2.0]
    assert engine.count == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda structure: structure.replace(0, "Ag"),
        lambda structure: structure.scale_lattice(structure.volume * 1.001),
        lambda structure: structure.append("Cu", [0.5, 0.5, 0.5]),
    ],
    ids=["another element", "another cell", "another atom"],
)
def test_another_structure_is_another_calculation(counting, change):
    _, remembering = counting
    other = COPPER.copy()
    change(other)
    assert [result.energy_per_atom for result in remembering.evaluate([COPPER, other, COPPER.copy()])][:2] == [1.0, 2.0]
    assert remembering.evaluate([other])[0].energy_per_atom == 2.0


def test_another_engine_and_another_kind_of_calculation_are_not_mixed(tmp_path):
    repository = open_repository(tmp_path / "s.db", mode="write")
    one, other = Counting("one"), Counting("other")
    first, second = (RememberingEngine(engine, repository, "x") for engine in (one, other))
    for remembering in (first, second):
        remembering.evaluate([COPPER])
        remembering.relax([COPPER], SETTINGS)
    assert (one.count, other.count) == (2, 2)
    # and the same engine in another campaign finds what is there
    assert RememberingEngine(Counting("one"), repository, "y").evaluate([COPPER])[0].energy_per_atom == 1.0


def test_a_changed_optimizer_relaxes_again(counting, monkeypatch):
    engine, remembering = counting
    remembering.relax([COPPER], SETTINGS)
    monkeypatch.setattr(remember, "RELAXATION_VERSION", remember.RELAXATION_VERSION + 1)
    remembering.relax([COPPER], SETTINGS)
    assert engine.count == 2


def test_a_remembered_relaxation_is_the_one_that_was_made(counting):
    _, remembering = counting
    made, again = (remembering.relax([COPPER], SETTINGS)[0] for _ in range(2))
    assert again.structure == made.structure
    for name in ("energy_per_atom", "max_force", "max_stress", "steps", "is_converged", "core_seconds", "error"):
        assert getattr(again, name) == getattr(made, name)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_only_what_is_unknown_is_computed_and_the_order_is_kept(tmp_path, batch):
    engine = Counting()
    engine.batch = batch
    remembering = RememberingEngine(engine, open_repository(tmp_path / "s.db", mode="write"), "x")
    cells = [Structure(Lattice.cubic(3 + 0.1 * index), ["Cu"], [[0, 0, 0]]) for index in range(5)]
    known = [result.energy_per_atom for result in remembering.evaluate(cells[1:3])]
    energies = [result.energy_per_atom for result in remembering.evaluate(cells)]
    assert energies[1:3] == known == [1.0, 2.0]
    assert [energies[0], *energies[3:]] == [3.0, 4.0, 5.0]


@pytest.fixture
def engine(tmp_path):
    def of(error):
        calculator = Faulty(error)
        repository = open_repository(tmp_path / "s.db", mode="write")
        return calculator, RememberingEngine(ASEEngine("faulty", "faulty", calculator, ()), repository, "x")

    return of


MACHINE = [
    MemoryError(), OSError("disk"), RuntimeError("CUDA error: device-side assert"), ImportError("libtorch"),
    ValueError("of a library"), KeyError("of a library"), AssertionError(),
]  # fmt: skip
STRUCTURE = [
    CalculationError("atoms overlap"), np.linalg.LinAlgError("no eigenvalues"), SCFError("not converged"),
    NotImplementedError("no potential for Re"),
]  # fmt: skip


@pytest.mark.parametrize("error", MACHINE, ids=repr)
def test_a_fault_of_the_machine_is_computed_again(engine, error):
    _, remembering = engine(error)
    assert remembering.evaluate([COPPER])[0].error
    assert sum(remembering.faults.values()) == 1
    assert remembering.evaluate([COPPER])[0].error is None
    assert remembering.relax([COPPER], SETTINGS)[0].error is None


@pytest.mark.parametrize("error", STRUCTURE, ids=repr)
def test_a_fault_of_the_structure_is_remembered(engine, error):
    calculator, remembering = engine(error)
    first = remembering.relax([COPPER], SETTINGS)[0].error
    calls = calculator.calls
    assert remembering.relax([COPPER], SETTINGS)[0].error == first
    assert first
    assert calculator.calls == calls
    assert not remembering.faults


class Raising:
    """A plug-in that raises instead of returning an error."""

    name, label, fingerprint, evidence, batch = "raising", "raising", "raising", "test", 2

    def __init__(self, error):
        self.error = error

    def evaluate(self, structures):
        raise self.error

    def relax(self, structures, settings):
        raise self.error


@pytest.mark.parametrize("error", [*MACHINE, *STRUCTURE], ids=repr)
def test_a_plug_in_that_raises_is_judged_as_one_that_returns_the_error(tmp_path, error):
    repository = open_repository(tmp_path / "s.db", mode="write")
    remembering = RememberingEngine(Raising(error), repository, "x")
    results = [*remembering.evaluate([COPPER, COPPER]), *remembering.relax([COPPER], SETTINGS)]
    assert [result.is_transient for result in results] == [error in MACHINE] * 3
    assert (repository.count("results") == 0) == (error in MACHINE)


def test_a_fault_that_an_earlier_version_stored_is_not_believed(counting):
    _, remembering = counting
    remembering.evaluate([COPPER])
    [document] = remembering._repository.find("results")
    for error, expected in (("ImportError: libtorch", 2.0), ("forces explode", None)):
        document["value"].update(error=error, energy_per_atom=None)
        remembering._repository.put("results", [ResultDocument(**document)])
        assert remembering.evaluate([COPPER])[0].energy_per_atom == expected
