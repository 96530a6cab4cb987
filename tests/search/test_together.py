"""Searches that share an engine's batches end as each by itself, with fewer calls of the engine."""

import pytest
from pymatgen.core import Lattice, Structure
from test_search import K2REH9, MG3CRH8, FakeEngine

from ninefold.engines import RelaxSettings
from ninefold.search import Request, build_pool, prescreen, prescreen_steps, run_alone, run_together
from ninefold.search.budget import SearchBudget

SMALL = SearchBudget(pool=10, single_points=8, coarse_relaxations=3, refinements=1, formula_units=(1, 2))
COARSE = RelaxSettings(fmax=0.1)


class CountingEngine(FakeEngine):
    """Says how many structures each call had."""

    batch = 256

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = []

    def evaluate(self, structures):
        self.calls.append(("evaluate", len(structures)))
        return super().evaluate(structures)

    def relax(self, structures, settings):
        self.calls.append((settings.fmax, len(structures)))
        return super().relax(structures, settings)


def cube(edge):
    return Structure(Lattice.cubic(edge), ["H"], [[0, 0, 0]])


def asks(*requests):
    """A search that asks for cubes of given edges and returns the volumes it was told."""
    told = []
    for settings, edges in requests:
        results = yield Request([cube(edge) for edge in edges], settings)
        told.append([result.energy_per_atom for result in results])
    return told


def volumes(*requests):
    return [[pytest.approx(edge**3) for edge in edges] for _, edges in requests]


def volume_engine():
    return CountingEngine(energy_of=lambda structure: structure.volume)


@pytest.fixture(scope="module")
def tasks():
    return [
        (assignment, build_pool(assignment, SMALL, seed=seed).proposals)
        for assignment, seed in ((K2REH9, 1), (MG3CRH8, 1), (K2REH9, 2))
    ]


def essence(outcome):
    found = [(item.source, item.energy_per_atom, item.space_group_number, item.relaxations) for item in outcome.found]
    return found, outcome.reasons, outcome.counts, outcome.relaxations, outcome.history


def test_searches_together_end_as_each_alone_with_fewer_calls(tasks):
    alone, together = CountingEngine(), CountingEngine()
    expected = [essence(prescreen(*task, SMALL, alone)) for task in tasks]
    searches = (prescreen_steps(*task, SMALL, together.batch) for task in tasks)
    found = dict(run_together(searches, together, width=8))
    assert [essence(found[place]) for place in range(len(tasks))] == expected
    assert len(together.calls) < len(alone.calls)
    assert together.calls[0] == (
        "evaluate",
        sum(count for kind, count in alone.calls if kind == "evaluate" and count > 1),
    )
    assert len(together.evaluated) == len(alone.evaluated)


@pytest.mark.parametrize("width", [1, 2, 3, 100])
def test_every_search_gets_its_own_results(width):
    requests = [
        ((None, [2, 3]), (COARSE, [4.5])),
        ((COARSE, [5, 6, 7]),),
        (),
        ((None, [8]), (None, [9, 10]), (RelaxSettings(fmax=0.01), [11])),
        ((None, []), (COARSE, [12])),
    ]
    found = dict(run_together((asks(*some) for some in requests), volume_engine(), width))
    assert [found[place] for place in range(len(requests))] == [volumes(*some) for some in requests]


def test_the_largest_group_goes_first_and_the_others_gather():
    engine = volume_engine()
    searches = [asks((None, [2] * 5), (COARSE, [3] * 4)), asks((COARSE, [4] * 3))]
    dict(run_together(iter(searches), engine, width=2))
    assert engine.calls == [("evaluate", 5), (0.1, 7)]


def test_the_next_search_is_taken_when_one_ends():
    begun = []

    def made():
        for place in range(6):
            begun.append(place)
            yield asks(*[(None, [2])] * (1 + place % 3))

    run = run_together(made(), volume_engine(), width=2)
    next(run)
    assert begun == [0, 1]
    assert sorted([0, *(place for place, _ in run)]) == [0, 1, 2, 3, 4, 5]


def test_a_search_that_fails_ends_no_other():
    def fails():
        yield Request([cube(2)])
        raise ValueError("no such thing")

    found = dict(run_together([fails(), asks((None, [3]))], volume_engine(), width=2))
    assert isinstance(found[0], ValueError)
    assert found[1] == volumes((None, [3]))


def test_one_alone_is_asked_in_its_own_order():
    engine = volume_engine()
    assert run_alone(asks((None, [2]), (COARSE, [3, 4])), engine) == volumes((None, [2]), (COARSE, [3, 4]))
    assert engine.calls == [("evaluate", 1), (0.1, 2)]
    assert run_alone(asks(), engine) == []
