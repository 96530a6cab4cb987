"""Coarse relaxations of the most promising structures, and recompression of those that opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ninefold.engines import RelaxSettings
from ninefold.search.budget import SearchBudget
from ninefold.search.minima import COMPRESSED, FoundStructure, distinct_minima, is_type
from ninefold.search.state import IMPROVEMENT, SearchState
from ninefold.search.together import Search
from ninefold.structures.proposal import Proposal

OPEN_VOLUME = 1.15
"""Over the densest of the coarse minima; one above is compressed once, since layers that drift apart creep."""
RECOMPRESSION_PRESSURE = 5.0
"""GPa."""


def coarse_starts(points: Sequence[tuple[float, Proposal]], budget: SearchBudget) -> list[Proposal]:
    """What is relaxed coarsely, in order: known types, then the lowest single points.

    A known type is a published answer: it is relaxed, and first, whatever its unrelaxed energy says.

    Args:
        points: Energies and proposals, lowest first.
        budget: How many of them, besides known types.
    """
    count = budget.coarse_relaxations
    starts = [proposal for place, (_, proposal) in enumerate(points) if place < count or is_type(proposal.source)]
    return sorted(starts, key=lambda proposal: not is_type(proposal.source))


def relax_coarsely(state: SearchState, starts: Sequence[Proposal], at_once: int) -> Search[list[FoundStructure]]:
    """Coarse relaxations until the patience is used up; the valid structures, in the order of the starts."""
    valid: list[FoundStructure] = []
    without_progress = 0
    for first in range(0, len(starts), at_once):
        batch = starts[first : first + at_once]
        has_type = any(is_type(proposal.source) for proposal in batch)
        if state.stop() or (without_progress >= state.budget.patience and not has_type):
            break
        relaxations = yield from state.relax([proposal.structure for proposal in batch], coarse_settings(state.budget))
        for done, (proposal, relaxation) in enumerate(zip(batch, relaxations, strict=True), start=first + 1):
            before = state.lowest
            found = state.add(relaxation, proposal.source)
            lowest = state.lowest
            has_improved = lowest is not None and (before is None or lowest < before - IMPROVEMENT)
            without_progress = 0 if has_improved or lowest is None else without_progress + 1
            if found is not None:
                (valid if found.is_valid else state.rejected).append(found)
            state.tell("coarse relaxation", done, len(starts))
    return valid


def recompress(state: SearchState, minima: Sequence[FoundStructure]) -> Search[list[FoundStructure]]:
    """The minima, with each open one among those to be refined replaced where compression leads to a lower one."""
    minima = list(minima)
    refinements = min(len(minima), state.budget.refinements)
    densest = min((item.volume_per_formula_unit for item in minima), default=0.0)
    for place, candidate in enumerate(minima[:refinements]):
        # a refinement is kept back for each; compression and release take two relaxations
        affordable = state.relaxations_left - refinements >= 2
        if candidate.volume_per_formula_unit <= OPEN_VOLUME * densest or not affordable or state.stop():
            continue
        found = yield from _compressed_and_released(state, candidate)
        if found is not None and found.energy_per_atom < candidate.energy_per_atom - IMPROVEMENT:
            minima[place] = found
    return distinct_minima(minima)


def _compressed_and_released(state: SearchState, candidate: FoundStructure) -> Search[FoundStructure | None]:
    """An open structure relaxed under pressure and then without; None if that is not valid."""
    settings = coarse_settings(state.budget)
    [compressed] = yield from state.relax(
        [candidate.structure], settings.model_copy(update={"pressure": RECOMPRESSION_PRESSURE})
    )
    [released] = yield from state.relax([compressed.structure], settings)
    found = state.add(released, candidate.source, spent=2)
    if found is None or not found.is_valid:
        return None
    return replace(found, notes=[*found.notes, COMPRESSED])


def coarse_settings(budget: SearchBudget) -> RelaxSettings:
    """Of a coarse relaxation."""
    return RelaxSettings(fmax=budget.coarse_fmax, max_steps=budget.coarse_steps)
