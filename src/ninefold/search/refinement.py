"""Refinement: relaxation to the end, in the highest symmetry that costs little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pymatgen.core import Structure

from ninefold.engines import Relaxation, RelaxSettings
from ninefold.search.budget import SearchBudget
from ninefold.search.minima import COMPRESSED, FoundStructure
from ninefold.search.state import IMPROVEMENT, SearchState, energy_of
from ninefold.search.together import Search
from ninefold.structures.symmetry import SYMPREC_SEQUENCE, space_group

SYMMETRY_PENALTY = 0.01
"""eV/atom that a coarsely relaxed structure may rise by when moved onto a higher symmetry."""
MAX_RELAXATIONS = len(SYMPREC_SEQUENCE) + 1
"""Relaxations that are counted for one refinement where the budget sets no limit."""


def refine(state: SearchState, minima: Sequence[FoundStructure]) -> Search[tuple[list[FoundStructure], int]]:
    """Refine the first of the coarse minima.

    Returns:
        The valid structures, in the order of the minima; and how many minima were refined.
    """
    valid: list[FoundStructure] = []
    tried = 0
    chosen = minima[: state.budget.refinements]
    for done, candidate in enumerate(chosen, start=1):
        if state.stop() or state.relaxations_left <= 0:
            break
        relaxation, spent = yield from refine_one(
            state, candidate.structure, candidate.energy_per_atom, state.relaxations_left
        )
        tried = done
        found = state.add(relaxation, candidate.source, spent=spent, is_final=True)
        if found is not None:
            if COMPRESSED in candidate.notes:
                found = replace(found, notes=[*found.notes, COMPRESSED])
            (valid if found.is_valid else state.rejected).append(found)
        state.tell("refinement", done, len(chosen))
    return valid, tried


def refine_one(state: SearchState, structure: Structure, energy: float, limit: int) -> Search[tuple[Relaxation, int]]:
    """Relax to the end in the highest symmetry that costs little, and from there on to a higher one while there is one.

    Args:
        state: Of the search.
        structure: Coarsely relaxed.
        energy: Of it, eV/atom.
        limit: Relaxations at most, one or more.

    Returns:
        The relaxation that counts, and how many were run for it.
    """
    settings = final_settings(state.budget)
    # one relaxation is kept for that without added symmetry
    best, spent = yield from _onto_symmetry(state, structure, energy, limit - 1)
    if best is None:
        [best] = yield from state.relax([state.symmetrised(structure)], settings)
        spent += 1
    # a refined structure is nearer to a higher symmetry than a coarse one is
    while (end := energy_of(best)) is not None:
        higher, more = yield from _onto_symmetry(state, best.structure, end, limit - spent)
        spent += more
        if higher is None:
            break
        best = higher
    return best, spent


def _onto_symmetry(
    state: SearchState, structure: Structure, energy: float, limit: int
) -> Search[tuple[Relaxation | None, int]]:
    """Relax with a higher symmetry, the widest tolerance first, where that costs little and ends no higher.

    Args:
        state: Of the search.
        structure: Where to start.
        energy: Of it, eV/atom.
        limit: Relaxations at most.

    Returns:
        The relaxation, None if there is none; and how many were run.
    """
    tried = {space_group(structure).number}
    spent = 0
    for symprec in SYMPREC_SEQUENCE:
        number = space_group(structure, symprec).number
        if number in tried or spent >= limit:
            continue
        tried.add(number)
        ordered = state.symmetrised(structure, symprec)
        if len(structure) % len(ordered):
            continue
        [evaluation] = yield from state.evaluate([ordered])
        start = energy_of(evaluation)
        if start is None or start > energy + SYMMETRY_PENALTY:
            continue
        [relaxation] = yield from state.relax([ordered], final_settings(state.budget))
        spent += 1
        end = energy_of(relaxation)
        if end is not None and end <= energy + IMPROVEMENT:
            return relaxation, spent
    return None, spent


def final_settings(budget: SearchBudget) -> RelaxSettings:
    """Of a relaxation to the end."""
    return RelaxSettings(fmax=budget.final_fmax, max_steps=budget.final_steps, keep_symmetry=True)
