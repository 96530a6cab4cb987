"""Structures relaxed by another method than the one that searched, described as minima."""

from __future__ import annotations

from collections.abc import Sequence

from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Relaxation
from ninefold.search.budget import SearchBudget
from ninefold.search.coarse import coarse_settings
from ninefold.search.minima import FoundStructure, distinct_minima, representative_first
from ninefold.search.prescreen import KEPT_REJECTED, SearchOutcome
from ninefold.search.refinement import MAX_RELAXATIONS, final_settings, refine_one
from ninefold.search.state import SearchState, energy_of
from ninefold.search.together import Search


def described_minima(
    assignment: Assignment,
    starts: Sequence[Structure],
    relaxations: Sequence[Relaxation],
    sources: Sequence[str],
    budget: SearchBudget,
) -> SearchOutcome:
    """What is left of some minima after another method has relaxed them to the end.

    Args:
        assignment: The composition.
        starts: Its minima.
        relaxations: Of them.
        sources: Where each came from.
        budget: Of the search.
    """
    state = SearchState(assignment, budget, limit=len(relaxations))
    found: list[FoundStructure] = []
    for start, relaxation, source in zip(starts, relaxations, sources, strict=True):
        state.core_seconds += relaxation.core_seconds
        state.lineage.add(relaxation.structure, start)
        minimum = state.add(relaxation, source, is_final=True)
        if minimum is not None:
            found.append(minimum)
    return _outcome(state, found, len(starts))


def relax_again(
    assignment: Assignment,
    starts: Sequence[Structure],
    sources: Sequence[str],
    is_refined: Sequence[bool],
    budget: SearchBudget,
) -> Search[SearchOutcome]:
    """Minima of a search relaxed to the end by another method.

    What the search refined keeps its symmetry. What it relaxed coarsely is first relaxed coarsely by this method, whose
    minimum lies elsewhere, and then refined as in a search: only at rest can it be seen which symmetry costs little.

    Args:
        assignment: The composition.
        starts: Its minima.
        sources: Where each came from.
        is_refined: Whether the search refined it.
        budget: Criteria.
    """
    state = SearchState(assignment, budget, limit=len(starts) * (MAX_RELAXATIONS + 1))
    each = list(zip(starts, sources, is_refined, strict=True))
    found: list[FoundStructure] = []

    def add(relaxation: Relaxation, source: str, spent: int = 1) -> None:
        minimum = state.add(relaxation, source, spent=spent, is_final=True)
        if minimum is not None:
            found.append(minimum)

    refined = [(start, source) for start, source, has_symmetry in each if has_symmetry]
    if refined:
        relaxations = yield from state.relax([start for start, _ in refined], final_settings(budget))
        for relaxation, (_, source) in zip(relaxations, refined, strict=True):
            add(relaxation, source)
    coarse = [(start, source) for start, source, has_symmetry in each if not has_symmetry]
    if coarse:
        relaxations = yield from state.relax([start for start, _ in coarse], coarse_settings(budget))
        for relaxation, (_, source) in zip(relaxations, coarse, strict=True):
            energy = energy_of(relaxation)
            if energy is None:
                add(relaxation, source)
                continue
            best, spent = yield from refine_one(state, relaxation.structure, energy, MAX_RELAXATIONS)
            add(best, source, spent + 1)
    return _outcome(state, found, len(starts))


def _outcome(state: SearchState, found: Sequence[FoundStructure], count: int) -> SearchOutcome:
    valid = distinct_minima([minimum for minimum in found if minimum.is_valid])
    rejected = sorted((item for item in found if not item.is_valid), key=lambda item: item.energy_per_atom)
    kept = (*representative_first(valid), *rejected[:KEPT_REJECTED])
    return SearchOutcome(
        found=kept,
        reasons=state.reasons,
        counts={"relaxed": count},
        relaxations=len(state.history),
        core_seconds=state.core_seconds,
        origins=state.lineage.origins(item.structure for item in kept),
    )
