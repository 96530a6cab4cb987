"""From a pool to minima: single points, coarse relaxations, recompression, refinement, choice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Engine
from ninefold.search.budget import SearchBudget
from ninefold.search.coarse import coarse_starts, recompress, relax_coarsely
from ninefold.search.minima import COARSE, FoundStructure, distinct_minima, kept, representative_first
from ninefold.search.refinement import MAX_RELAXATIONS, refine
from ninefold.search.single_points import alternating, evaluate_proposals
from ninefold.search.state import SearchState
from ninefold.search.together import Search, run_alone
from ninefold.structures.proposal import Notify, Proposal, Stop, never

KEPT_REJECTED = 2
"""Structures that are shown though they are none of this anion: the lowest."""


@dataclass(frozen=True)
class SearchOutcome:
    """What the search of one composition found and spent."""

    found: tuple[FoundStructure, ...]
    """Valid structures, the one that stands for the composition first, then lowest first, refined ones before coarse
    ones; then those that are not valid."""
    reasons: Counter[str]
    counts: dict[str, int]
    """Structures after each step."""
    relaxations: int
    core_seconds: float
    history: tuple[float | None, ...] = ()
    """Lowest energy of a valid structure, eV/atom, after each relaxation; None until there is one."""
    origins: Mapping[str, list[str]] = field(default_factory=dict)
    """By id of each structure found, those that it was made from, one from the other, the first start first."""


def prescreen(
    assignment: Assignment,
    proposals: Sequence[Proposal],
    budget: SearchBudget,
    engine: Engine,
    notify: Notify | None = None,
    stop: Stop = never,
) -> SearchOutcome:
    """Search a pool with an engine.

    Args:
        assignment: The composition, its centre and what its hydrogens are bound to.
        proposals: The pool, lowest force-field energy first.
        budget: Counts and criteria.
        engine: Computes energies; asked only through `evaluate` and `relax`.
        notify: Told of progress.
        stop: Asked between two calculations; ends the search with what it has.
    """
    at_once = getattr(engine, "batch", 1)  # a plug-in may not say
    return run_alone(prescreen_steps(assignment, proposals, budget, at_once, notify, stop), engine)


def prescreen_steps(
    assignment: Assignment,
    proposals: Sequence[Proposal],
    budget: SearchBudget,
    at_once: int = 1,
    notify: Notify | None = None,
    stop: Stop = never,
) -> Search[SearchOutcome]:
    """The search of a pool as a sequence of requests, for what runs many together.

    Args:
        assignment: As in `prescreen`, with the next two.
        proposals: The pool.
        budget: Counts and criteria.
        at_once: Coarse relaxations that are asked for together; `budget.patience` is looked at between them.
        notify: Told of progress.
        stop: Asked between two requests.
    """
    state = SearchState(assignment, budget, notify, stop)
    points = yield from evaluate_proposals(state, alternating(proposals, budget.single_points), at_once)
    starts = coarse_starts(points, budget)
    state.limit, coarse_limit = _limits(budget, len(starts))
    coarse = yield from relax_coarsely(state, starts[:coarse_limit], at_once)
    minima = distinct_minima(coarse)
    state.reasons["duplicate"] += len(coarse) - len(minima)
    minima = yield from recompress(state, minima)
    refined, tried = yield from refine(state, minima)
    final = representative_first(distinct_minima(refined))
    state.reasons["duplicate"] += len(refined) - len(final)
    found = _found(final, minima[tried:], state.rejected)
    return SearchOutcome(
        found=found,
        reasons=Counter({reason: count for reason, count in state.reasons.items() if count}),
        counts={
            "pool": len(proposals), "single_points": len(points), "coarse": len(coarse), "distinct": len(minima),
            "refined": len(final),
        },
        relaxations=len(state.history),
        core_seconds=state.core_seconds,
        history=tuple(state.history),
        origins=state.lineage.origins(item.structure for item in found),
    )  # fmt: skip


def _limits(budget: SearchBudget, starts: int) -> tuple[int, int]:
    """Relaxations at most: of both kinds together, and coarse ones.

    Of a limited number, one is kept back for each refinement, a third of them at most.
    """
    if budget.relaxations is None:
        return starts + budget.refinements * MAX_RELAXATIONS, starts
    kept_back = min(budget.refinements, math.ceil(budget.relaxations / 3))
    return budget.relaxations, max(1, budget.relaxations - kept_back)


def _found(
    final: Sequence[FoundStructure], coarse: Sequence[FoundStructure], rejected: Sequence[FoundStructure]
) -> tuple[FoundStructure, ...]:
    """Refined minima, those that were relaxed coarsely only, and the lowest of what is no structure of this anion.

    A coarse one may lie below the best refined one, where refinement lost what started lower: it is shown, not
    ranked by.
    """
    told = [replace(item, notes=[*item.notes, COARSE]) for item in coarse]
    lowest = sorted(rejected, key=lambda item: item.energy_per_atom)[:KEPT_REJECTED]
    return (*kept([*final, *told], lambda item: item.source), *lowest)
