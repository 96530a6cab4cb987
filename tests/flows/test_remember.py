"""An engine that remembers: results and faults of a structure once, faults of the machine never."""

import pytest
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure

from ninefold.engines.ase_engine import ASEEngine, CalculationError
from ninefold.engines.settings import RelaxSettings
from ninefold.flows.remember import RememberingEngine
from ninefold.store import open_repository

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


@pytest.fixture
def engine(tmp_path):
    def of(error):
        calculator = Faulty(error)
        repository = open_repository(tmp_path / "s.db", mode="write")
        return calculator, RememberingEngine(ASEEngine("faulty", "faulty", calculator, ()), repository, "x")

    return of


@pytest.mark.parametrize("error", [MemoryError(), OSError("disk"), RuntimeError("device")], ids=repr)
def test_a_fault_of_the_machine_is_computed_again(engine, error):
    _, remembering = engine(error)
    assert remembering.evaluate([COPPER])[0].error
    assert remembering.transient_failures == 1
    assert remembering.evaluate([COPPER])[0].error is None
    assert remembering.relax([COPPER], SETTINGS)[0].error is None


def test_a_fault_of_the_structure_is_remembered(engine):
    calculator, remembering = engine(CalculationError("atoms overlap"))
    first = remembering.relax([COPPER], SETTINGS)[0].error
    calls = calculator.calls
    assert remembering.relax([COPPER], SETTINGS)[0].error == first == "atoms overlap"
    assert calculator.calls == calls
    assert remembering.transient_failures == 0
