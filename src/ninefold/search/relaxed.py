"""Structures relaxed by another method than the one that searched, described as minima."""

from __future__ import annotations

from collections.abc import Sequence

from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Relaxation
from ninefold.search.budget import SearchBudget
from ninefold.search.minima import FoundStructure, distinct_minima, representative_first
from ninefold.search.prescreen import SearchOutcome
from ninefold.search.state import SearchState


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
    valid = distinct_minima([minimum for minimum in found if minimum.is_valid])
    rejected = sorted((item for item in found if not item.is_valid), key=lambda item: item.energy_per_atom)
    kept = (*representative_first(valid), *rejected[:2])
    return SearchOutcome(
        found=kept,
        reasons=state.reasons,
        counts={"relaxed": len(relaxations)},
        relaxations=len(relaxations),
        core_seconds=state.core_seconds,
        origins=state.lineage.origins(item.structure for item in kept),
    )
