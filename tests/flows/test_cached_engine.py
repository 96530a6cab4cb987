"""The cached engine: results and faults of a structure are stored once, faults of the machine never."""

from dataclasses import fields, replace

import numpy as np
import pytest
from ase.calculators.calculator import SCFError
from ase.calculators.lj import LennardJones
from ase.units import GPa
from pymatgen.core import Lattice, Structure

import ninefold.flows.cached_engine as cached_engine
from ninefold.engines.ase_engine import ASEEngine, CalculationError, atoms_of
from ninefold.engines.base import Evaluation, Relaxation
from ninefold.engines.settings import RelaxSettings
from ninefold.errors import InputError
from ninefold.flows.cached_engine import CachedEngine
from ninefold.machine import hardware
from ninefold.models.calculation import Calculation
from ninefold.models.structure import StructureRecord, pack_structure
from ninefold.store import open_store

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
    return engine, CachedEngine(engine, open_store(tmp_path / "s.db", mode="write"), "x")


def test_every_setting_has_another_value_here():
    assert set(OTHER_SETTINGS) == set(RelaxSettings.model_fields)


@pytest.mark.parametrize("field", OTHER_SETTINGS)
def test_a_relaxation_with_another_setting_is_another_calculation(counting, field):
    engine, cached = counting
    other = SETTINGS.model_copy(update={field: OTHER_SETTINGS[field]})
    energies = [cached.relax([COPPER], each)[0].energy_per_atom for each in (SETTINGS, other, SETTINGS, other)]
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
    _, cached = counting
    other = COPPER.copy()
    change(other)
    assert [result.energy_per_atom for result in cached.evaluate([COPPER, other, COPPER.copy()])][:2] == [1.0, 2.0]
    assert cached.evaluate([other])[0].energy_per_atom == 2.0


def test_another_engine_and_another_kind_of_calculation_are_not_mixed(tmp_path):
    store = open_store(tmp_path / "s.db", mode="write")
    one, other = Counting("one"), Counting("other")
    first, second = (CachedEngine(engine, store, "x") for engine in (one, other))
    for cached in (first, second):
        cached.evaluate([COPPER])
        cached.relax([COPPER], SETTINGS)
    assert (one.count, other.count) == (2, 2)
    # and the same engine in another campaign finds what is there
    assert CachedEngine(Counting("one"), store, "y").evaluate([COPPER])[0].energy_per_atom == 1.0


def test_a_changed_optimizer_relaxes_again(counting, monkeypatch):
    engine, cached = counting
    cached.relax([COPPER], SETTINGS)
    monkeypatch.setattr(cached_engine, "RELAXATION_VERSION", cached_engine.RELAXATION_VERSION + 1)
    cached.relax([COPPER], SETTINGS)
    assert engine.count == 2


RATTLED = Structure(Lattice([[3.1, 0, 0.2], [0, 3.3, 0], [0, 0.1, 3.0]]), ["Cu", "H"], [[0, 0, 0], [0.45, 0.5, 0.52]])


@pytest.fixture
def pairs(tmp_path):
    """A real engine, the same behind a store, and the store."""
    engine = ASEEngine("pairs", "pairs", LennardJones(sigma=2.0, epsilon=0.1, rc=5.0), ())
    store = open_store(tmp_path / "s.db", mode="write")
    return engine, CachedEngine(engine, store, "x"), store


@pytest.mark.parametrize(
    "settings", [SETTINGS, RelaxSettings(max_steps=3, pressure=5.0), RelaxSettings(max_steps=3, keep_symmetry=True)]
)
def test_a_relaxation_is_the_same_computed_and_found(pairs, settings):
    engine, cached, store = pairs
    computed, found = (cached.relax([RATTLED, COPPER], settings) for _ in range(2))
    assert store.count("calculations") == 2
    for one, other, plain in zip(computed, found, engine.relax([RATTLED, COPPER], settings), strict=True):
        for field in fields(Relaxation):
            values = [getattr(item, field.name) for item in (one, other)]
            if field.name in ("forces", "stress"):
                assert np.array_equal(*values)
                assert values[0] == pytest.approx(getattr(plain, field.name), rel=1e-12, abs=1e-15)
            elif field.name == "structure":
                assert pack_structure(values[0]) == pack_structure(values[1]) == pack_structure(plain.structure)
            else:
                assert values[0] == values[1]
                assert field.name == "core_seconds" or values[0] == getattr(plain, field.name)


@pytest.mark.parametrize("pressure", [0.0, 5.0])
def test_stored_forces_and_stress_are_those_of_the_final_structure_as_ase_has_them(pairs, pressure):
    engine, cached, store = pairs
    [relaxed] = cached.relax([RATTLED], RelaxSettings(max_steps=2, pressure=pressure))
    [document] = store.find("calculations")
    atoms = atoms_of(relaxed.structure, None)
    atoms.calc = engine._calculator
    assert document["forces"] == pytest.approx(atoms.get_forces(), abs=1e-9)
    assert document["stress"] == pytest.approx(atoms.get_stress() / GPa, abs=1e-9)
    assert min(map(abs, document["stress"])) > 1e-6, "each component tells its place"
    assert np.abs(document["forces"]).max() > 0.01
    evaluated = engine.evaluate([relaxed.structure])[0]
    assert relaxed.stress == pytest.approx(evaluated.stress, abs=1e-12)


@pytest.mark.parametrize("forces", [None, np.zeros((3, 3)), np.full((1, 3), np.nan), "none", [[0.0, 0.0]]])
def test_forces_of_a_plug_in_that_are_none_are_left_out(tmp_path, forces):
    class Odd(Counting):
        def relax(self, structures, settings):
            return [replace(item, forces=forces, stress=forces) for item in super().relax(structures, settings)]

    cached = CachedEngine(Odd(), open_store(tmp_path / "s.db", mode="write"), "x")
    computed, found = (cached.relax([COPPER], SETTINGS)[0] for _ in range(2))
    assert computed.forces is found.forces is None
    assert found.energy_per_atom == 1.0


def test_a_calculation_names_its_structures_and_they_are_there(pairs):
    _, cached, store = pairs
    cached.evaluate([COPPER])
    [relaxed] = cached.relax([RATTLED], SETTINGS)
    calculations = {document["kind"]: document for document in store.find("calculations")}
    start, final = (StructureRecord.of(structure) for structure in (RATTLED, relaxed.structure))
    assert (calculations["relax"]["start"], calculations["relax"]["final"]) == (start.id, final.id)
    assert store.get("structures", start.id) == start.model_dump(mode="json")
    assert store.get("structures", final.id) == final.model_dump(mode="json")
    assert calculations["evaluate"]["start"] == StructureRecord.of(COPPER).id
    assert calculations["evaluate"]["final"] is calculations["evaluate"]["forces"] is None
    assert store.count("structures") == 2, "that of a single point is in its pool"
    assert calculations["relax"]["machine"] == calculations["evaluate"]["machine"] == hardware()


class Watched:
    """A store that counts look-ups, and fails at an insert into a collection."""

    def __init__(self, store, fails_at=None):
        self._store, self.fails_at, self.asked = store, fails_at, []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def get_many(self, collection, ids):
        self.asked.append(collection)
        return self._store.get_many(collection, ids)

    def insert(self, collection, records):
        if collection == self.fails_at:
            raise InputError("store", "s.db", problem="cannot be written: the disk is full")
        if collection == "calculations":
            for record in records:
                named = {name for name in (record.start, record.final) if name}
                assert record.kind == "evaluate" or set(self._store.get_many("structures", list(named))) == named
        return self._store.insert(collection, records)


@pytest.mark.parametrize("fails_at", ["structures", "calculations"])
def test_what_fails_between_two_writes_leaves_no_calculation_without_its_structure(pairs, fails_at):
    engine, _, store = pairs
    cached = CachedEngine(engine, Watched(store, fails_at), "x")
    with pytest.raises(InputError):
        cached.relax([RATTLED], SETTINGS)
    assert store.count("calculations") == 0
    assert store.count("structures") == (2 if fails_at == "calculations" else 0)
    [relaxed] = CachedEngine(engine, Watched(store), "x").relax([RATTLED], SETTINGS)
    assert relaxed.error is None
    assert (store.count("calculations"), store.count("structures")) == (1, 2)


@pytest.mark.parametrize("count", [1, 7])
def test_what_is_known_is_looked_up_at_once(pairs, count):
    engine, cached, store = pairs
    cells = [Structure(Lattice.cubic(3 + 0.1 * index), ["Cu"], [[0, 0, 0]]) for index in range(count)]
    cached.relax(cells, SETTINGS)
    watched = Watched(store)
    CachedEngine(engine, watched, "x").relax(cells, SETTINGS)
    assert watched.asked == ["calculations", "structures"]


def test_a_calculation_whose_structure_is_lost_is_computed_again_once(counting):
    engine, cached = counting
    store = cached._store
    cached.relax([COPPER], SETTINGS)
    [document] = store.find("calculations")
    store.delete("structures", equal={"id": document["final"]})
    assert [cached.relax([COPPER], SETTINGS)[0].energy_per_atom for _ in range(2)] == [2.0, 2.0]
    assert engine.count == 2
    [document] = store.find("calculations")
    assert store.get("structures", document["final"]) is not None


def test_an_evaluation_is_the_same_made_and_found(tmp_path):
    calculator = LennardJones(sigma=2.0, epsilon=0.1, rc=5.0)
    engine = ASEEngine("pairs", "pairs", calculator, ())
    cached = CachedEngine(engine, open_store(tmp_path / "s.db", mode="write"), "x")
    made, again = (cached.evaluate([COPPER])[0] for _ in range(2))
    assert made == again
    assert made.energy_per_atom == engine.evaluate([COPPER])[0].energy_per_atom
    assert made.forces is made.stress is None, "never stored, so never given"


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_only_what_is_unknown_is_computed_and_the_order_is_kept(tmp_path, batch):
    engine = Counting()
    engine.batch = batch
    cached = CachedEngine(engine, open_store(tmp_path / "s.db", mode="write"), "x")
    cells = [Structure(Lattice.cubic(3 + 0.1 * index), ["Cu"], [[0, 0, 0]]) for index in range(5)]
    known = [result.energy_per_atom for result in cached.evaluate(cells[1:3])]
    energies = [result.energy_per_atom for result in cached.evaluate(cells)]
    assert energies[1:3] == known == [1.0, 2.0]
    assert [energies[0], *energies[3:]] == [3.0, 4.0, 5.0]


@pytest.fixture
def engine(tmp_path):
    def of(error):
        calculator = Faulty(error)
        store = open_store(tmp_path / "s.db", mode="write")
        return calculator, CachedEngine(ASEEngine("faulty", "faulty", calculator, ()), store, "x")

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
    _, cached = engine(error)
    assert cached.evaluate([COPPER])[0].error
    assert sum(cached.faults.values()) == 1
    assert cached.evaluate([COPPER])[0].error is None
    assert cached.relax([COPPER], SETTINGS)[0].error is None


@pytest.mark.parametrize("error", STRUCTURE, ids=repr)
def test_a_fault_of_the_structure_is_stored(engine, error):
    calculator, cached = engine(error)
    first = cached.relax([COPPER], SETTINGS)[0].error
    calls = calculator.calls
    assert cached.relax([COPPER], SETTINGS)[0].error == first
    assert first
    assert calculator.calls == calls
    assert not cached.faults


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
    store = open_store(tmp_path / "s.db", mode="write")
    cached = CachedEngine(Raising(error), store, "x")
    results = [*cached.evaluate([COPPER, COPPER]), *cached.relax([COPPER], SETTINGS)]
    assert [result.is_transient for result in results] == [error in MACHINE] * 3
    assert (store.count("calculations") == 0) == (error in MACHINE)


def test_a_fault_that_an_earlier_version_stored_is_not_believed(counting):
    _, cached = counting
    cached.evaluate([COPPER])
    [document] = cached._store.find("calculations")
    for error, expected in (("ImportError: libtorch", 2.0), ("forces explode", None)):
        document.update(error=error, energy_per_atom=None)
        cached._store.put("calculations", [Calculation(**document)])
        assert cached.evaluate([COPPER])[0].energy_per_atom == expected
