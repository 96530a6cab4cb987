"""What a pool counts and keeps, with a force field that answers what the test says."""

from types import SimpleNamespace

import pytest
from pymatgen.core import Lattice, Structure

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.search import build_pool
from ninefold.search.budget import SearchBudget
from ninefold.search.pool import MAX_WITHOUT_GAIN

K2REH9 = Assignment("Re", 9, 2, 0, (Cation("K", 2, 1),))
BUDGET = SearchBudget(pool=60, sources=("rigid_units",), formula_units=(1,))
CELL = Structure(Lattice.cubic(5), ["Re"], [[0, 0, 0]])


@pytest.fixture
def settled(monkeypatch):
    """Force-field energies, volumes and faults of the packings, one after another, the last one for all that follow."""
    answers = []

    def settle(packing, assignment):
        energy = answers[0][0]
        return SimpleNamespace(
            energy_per_atom=energy, packing=SimpleNamespace(to_structure=lambda: CELL, source=packing.source)
        )

    def check(structure, assignment):
        _, volume, faults = answers.pop(0) if len(answers) > 1 else answers[0]
        return SimpleNamespace(is_valid=not faults, faults=faults, volume_per_formula_unit=volume)

    monkeypatch.setattr("ninefold.search.pool.settle", settle)
    monkeypatch.setattr("ninefold.search.pool.check_shells", check)
    return answers


def test_every_packing_that_is_lost_has_its_reason(settled):
    nothing = float("nan")
    settled += [(-1.0, 150.0, ()), (-1.0, 150.0, ("H2 ligand",)), (nothing, 150.0, ()), (-1.0, 150.0, ())]
    pool = build_pool(K2REH9, BUDGET.model_copy(update={"pool": 10}), seed=0)
    reasons = {reason: count for reason, count in pool.reasons.items() if not reason.startswith("not made")}
    assert reasons == {"force field: H2 ligand": 1, "force field: no energy": 1, "same minimum": 7}
    assert (pool.count_in, len(pool.proposals)) == (10, 1)


def test_of_equal_minima_the_lowest_is_kept_and_all_are_ordered(settled):
    settled += [(-1.00002, 150.0, ()), (-1.00004, 150.0, ()), (-0.99999, 150.0, ()), (-2.0, 150.0, ())]
    pool = build_pool(K2REH9, BUDGET.model_copy(update={"pool": 4}), seed=0)
    assert len(pool.proposals) == 2
    assert pool.reasons["same minimum"] == 2


@pytest.mark.parametrize(
    ("energy", "volume", "is_same"), [(1e-4, 0, True), (4e-4, 0, False), (0, 0.1, True), (0, 0.5, False)]
)
def test_minima_are_told_apart_by_energy_and_volume(settled, energy, volume, is_same):
    settled += [(-1.0, 150.0, ()), (-1.0 + energy, 150.0 + volume, ())]
    pool = build_pool(K2REH9, BUDGET.model_copy(update={"pool": 2}), seed=0)
    assert len(pool.proposals) == (1 if is_same else 2)


def test_a_source_that_brings_nothing_new_is_asked_no_more(settled):
    settled += [(-1.0, 150.0, ())]
    pool = build_pool(K2REH9, BUDGET, seed=0)
    # 18 in a row bring nothing; packings are taken six at a time
    assert MAX_WITHOUT_GAIN == 18
    assert 19 <= pool.count_in <= 24
    assert sum(pool.spent.values()) == pool.count_in


def test_a_pool_that_is_stopped_says_so(settled):
    settled += [(-1.0 - 0.01 * index, 150.0, ()) for index in range(60)]
    told = iter([False] * 5 + [True] * 100)
    pool = build_pool(K2REH9, BUDGET, seed=0, stop=lambda: next(told))
    assert pool.reasons["stopped before the pool was full"] == 1
    assert pool.count_in < 10
    assert len(pool.proposals) == pool.count_in
