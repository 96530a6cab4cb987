"""Single points: which structures of a pool the engine evaluates, and their energies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from ninefold.search.minima import is_type
from ninefold.search.state import SearchState, energy_of, failure_of
from ninefold.search.together import Search
from ninefold.structures.proposal import Proposal

BATCH = 16
"""Structures whose single points an engine is asked for at once, or more where it gains by more."""


def alternating(proposals: Sequence[Proposal], wanted: int) -> list[Proposal]:
    """The first `wanted`, taken in turn from every source and cell size, in the order given; and every known type."""
    strata: dict[tuple[str, int], list[Proposal]] = {}
    for proposal in proposals:
        strata.setdefault((proposal.source.split(":")[0], len(proposal.structure)), []).append(proposal)
    in_turn = [proposal for row in zip_longest(*strata.values()) for proposal in row if proposal is not None]
    return [*in_turn[:wanted], *(proposal for proposal in in_turn[wanted:] if is_type(proposal.source))]


def evaluate_proposals(
    state: SearchState, chosen: Sequence[Proposal], at_once: int
) -> Search[list[tuple[float, Proposal]]]:
    """Energies of the proposals as they stand, eV/atom, lowest first; without those that have none."""
    points: list[tuple[float, Proposal]] = []
    at_once = max(BATCH, at_once)
    for start in range(0, len(chosen), at_once):
        if state.stop():
            break
        batch = chosen[start : start + at_once]
        evaluations = yield from state.evaluate([proposal.structure for proposal in batch])
        for proposal, evaluation in zip(batch, evaluations, strict=True):
            energy = energy_of(evaluation)
            if energy is None:
                state.reasons[failure_of(evaluation)] += 1
            else:
                points.append((energy, proposal))
        state.tell("single point", start + len(batch), len(chosen))
    points.sort(key=lambda point: point[0])
    return points
