"""Minima of a search relaxed by another method: what was refined keeps its symmetry, what was not is refined anew."""

import numpy as np
import pytest

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.engines import Relaxation
from ninefold.engines.base import Evaluation
from ninefold.search import FoundStructure, run_alone
from ninefold.search.budget import SearchBudget
from ninefold.search.judged import relax_found
from ninefold.search.minima import COARSE
from ninefold.search.relaxed import relax_again
from ninefold.structures.symmetry import space_group
from ninefold.thermo.references import reference_phase

K2REH9 = Assignment("Re", 9, 2, 0, (Cation("K", 2, 1),))
BUDGET = SearchBudget()


class Still:
    """One energy for everything; relaxations move nothing."""

    def __init__(self, error=None):
        self.error, self.settings = error, []

    def evaluate(self, structures):
        return [Evaluation(-4.0, None, None, 1.0) for _ in structures]

    def relax(self, structures, settings):
        self.settings.append((len(structures), settings))
        energy = None if self.error else -4.0
        return [Relaxation(item, energy, 0.001, 0.0, 3, True, 2.0, self.error) for item in structures]


@pytest.fixture(scope="module")
def published():
    return reference_phase("K2ReH9 K2ReH9").structure


@pytest.fixture(scope="module")
def shaken(published):
    """Within the tolerance of a coarse relaxation of the published structure, and without its symmetry."""
    copy = published.copy()
    copy.perturb(0.03, seed=3)
    return copy


def relaxed(engine, starts, is_refined):
    sources = [f"start {place}" for place in range(len(starts))]
    return run_alone(relax_again(K2REH9, starts, sources, is_refined, BUDGET), engine)


def test_a_refined_minimum_takes_one_relaxation_and_keeps_its_symmetry(published, shaken):
    for start, number in ((published, 189), (shaken, 1)):
        engine = Still()
        outcome = relaxed(engine, [start], [True])
        [(count, settings)] = engine.settings
        assert (count, settings.fmax, settings.keep_symmetry) == (1, BUDGET.final_fmax, True)
        assert [item.space_group_number for item in outcome.found] == [number]
        assert outcome.relaxations == 1
        assert outcome.found[0].is_converged


def test_a_coarse_minimum_is_relaxed_coarsely_and_then_moved_onto_its_symmetry(shaken):
    assert space_group(shaken).number == 1
    engine = Still()
    outcome = relaxed(engine, [shaken], [False])
    assert [settings.fmax for _, settings in engine.settings] == [BUDGET.coarse_fmax, BUDGET.final_fmax]
    assert [settings.keep_symmetry for _, settings in engine.settings] == [False, True]
    [found] = outcome.found
    assert (found.space_group_number, found.source, found.is_valid) == (189, "start 0", True)
    assert outcome.relaxations == 2
    assert outcome.core_seconds >= 2 * 2.0


def test_two_starts_that_end_alike_are_one_minimum(published, shaken):
    outcome = relaxed(Still(), [published, shaken], [True, False])
    assert [item.space_group_number for item in outcome.found] == [189]
    assert outcome.counts == {"relaxed": 2}


def test_a_structure_without_energy_is_a_reason(published, shaken):
    outcome = relaxed(Still("forces explode"), [published, shaken], [True, False])
    assert outcome.found == ()
    assert outcome.reasons == {"engine: forces explode": 2}
    assert np.isfinite(outcome.core_seconds)


def found(structure, energy, spent, notes=()):
    return FoundStructure(
        structure=structure, energy_per_atom=energy, space_group_number=1, space_group_symbol="P1", nsites=12,
        volume_per_formula_unit=140.0, volume_ratio=1.0, coordination_numbers=[9], shortest_m_h=1.7, shortest_h_h=1.9,
        max_force=0.05, is_converged=True, source=f"after {spent}", is_valid=True, notes=list(notes), relaxations=spent,
    )  # fmt: skip


def test_minima_of_a_search_one_after_the_other(published, shaken):
    engine = Still()
    told = []
    starts = [found(shaken, -3.9, 2, [COARSE]), found(published, -3.8, 5)]
    outcome = relax_found(K2REH9, starts, BUDGET, engine, lambda *step: told.append(step))
    assert [settings.fmax for _, settings in engine.settings] == [
        BUDGET.coarse_fmax,
        BUDGET.final_fmax,
        BUDGET.final_fmax,
    ]
    assert told == [("final relaxation", 1, 2), ("final relaxation", 2, 2)]
    assert (outcome.counts, outcome.relaxations) == ({"relaxed": 2}, 3)
    [one] = outcome.found  # both end in the published structure
    assert (one.energy_per_atom, one.space_group_number, one.relaxations) == (-4.0, 189, 2)


def test_what_is_stopped_keeps_what_is_relaxed(published):
    engine = Still()
    outcome = relax_found(K2REH9, [found(published, -3.9, 1)] * 3, BUDGET, engine, stop=lambda: bool(engine.settings))
    assert outcome.counts == {"relaxed": 1}
    assert len(outcome.found) == 1
    nothing = relax_found(K2REH9, [found(published, -3.9, 1)], BUDGET, engine, stop=lambda: True)
    assert (nothing.found, nothing.counts) == ((), {"relaxed": 0})
