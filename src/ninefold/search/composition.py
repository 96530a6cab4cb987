"""One composition searched by itself, without a campaign: pool, single points, relaxations."""

from __future__ import annotations

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Engine
from ninefold.machine import use_one_thread
from ninefold.search.budget import SearchBudget
from ninefold.search.pool import build_pool
from ninefold.search.prescreen import SearchOutcome, prescreen
from ninefold.structures.proposal import Notify, Stop, never


def search_composition(
    assignment: Assignment,
    budget: SearchBudget,
    engine: Engine,
    seed: int = 0,
    notify: Notify | None = None,
    stop: Stop = never,
) -> SearchOutcome:
    """Find structures of one composition, lowest energy first.

    Args:
        assignment: The composition, its centre and what its hydrogens are bound to.
        budget: Sources, counts and criteria.
        engine: Computes energies.
        seed: Fixes every random choice; the same seed and budget give the same structures.
        notify: Told of progress.
        stop: Asked between two calculations; ends the search with what it has.
    """
    use_one_thread()
    pool = build_pool(assignment, budget, seed, notify, stop)
    outcome = prescreen(assignment, pool.proposals, budget, engine, notify, stop)
    outcome.reasons.update(pool.reasons)
    return outcome
