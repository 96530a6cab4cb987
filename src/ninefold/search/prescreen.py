"""From a pool to minima: engine single points, coarse relaxations, refinement with symmetry, checks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Engine, Evaluation, Relaxation, RelaxSettings
from ninefold.search.budget import SearchBudget
from ninefold.structures.checks import Shells, check_shells
from ninefold.structures.duplicates import distinct
from ninefold.structures.proposal import Notify, Proposal
from ninefold.structures.symmetry import LADDER, space_group, symmetrised

SYMMETRY_PENALTY = 0.01
"""eV/atom that a coarsely relaxed structure may rise by when moved onto a higher symmetry."""
NO_ENERGY = "energy is not a number"
KEPT_STRUCTURES = 8
"""Distinct structures that are kept of a composition."""


@dataclass(frozen=True)
class FoundStructure:
    """A minimum, or the last look at one that is no structure of this anion."""

    structure: Structure
    """Symmetrised primitive cell."""
    energy_per_atom: float
    """eV/atom."""
    space_group_number: int
    space_group_symbol: str
    nsites: int
    volume_per_formula_unit: float
    """Å³."""
    volume_ratio: float
    coordination_numbers: list[int]
    shortest_m_h: float
    """Å."""
    shortest_h_h: float
    """Å."""
    max_force: float
    """eV/Å."""
    is_converged: bool
    """Relaxed to the final criterion."""
    source: str
    is_valid: bool
    """Coordination as asked and no H2 ligand."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SearchOutcome:
    """What the search of one composition found and spent."""

    found: tuple[FoundStructure, ...]
    """Valid structures, lowest first, refined ones before coarse ones; then those that are not valid."""
    reasons: Counter[str]
    counts: dict[str, int]
    """Structures after each step."""
    relaxations: int
    core_seconds: float


def prescreen(
    assignment: Assignment,
    proposals: Sequence[Proposal],
    budget: SearchBudget,
    engine: Engine,
    notify: Notify | None = None,
) -> SearchOutcome:
    """Search a pool with an engine.

    Args:
        assignment: The composition and its reading.
        proposals: The pool, lowest force-field energy first.
        budget: Counts and criteria.
        engine: Computes energies; asked only through `evaluate` and `relax`.
        notify: Told of progress.
    """
    reasons: Counter[str] = Counter()
    chosen = _mixed(proposals, budget.single_points)
    evaluations = engine.evaluate([proposal.structure for proposal in chosen])
    seconds = sum(evaluation.core_seconds for evaluation in evaluations)
    points = []
    for proposal, evaluation in zip(chosen, evaluations, strict=True):
        energy = _energy(evaluation)
        if energy is None:
            reasons[f"engine: {evaluation.error or NO_ENERGY}"] += 1
        else:
            points.append((energy, proposal))
    points.sort(key=lambda point: point[0])
    starts = [proposal for _, proposal in points[: budget.coarse_relaxations]]
    # a known type is a published answer: it is relaxed whatever its unrelaxed energy says
    starts += [proposal for _, proposal in points[budget.coarse_relaxations :] if proposal.source.startswith("type:")]

    coarse: list[FoundStructure] = []
    rejected: list[FoundStructure] = []
    settings = RelaxSettings(fmax=budget.coarse_fmax, max_steps=budget.coarse_steps)
    for done, proposal in enumerate(starts, start=1):
        [relaxation] = engine.relax([proposal.structure], settings)
        seconds += relaxation.core_seconds
        found = _found(assignment, relaxation, proposal.source, reasons, is_final=False)
        if found is not None:
            (coarse if found.is_valid else rejected).append(found)
        if notify:
            notify("coarse relaxation", done, len(starts))

    merged = _distinct(coarse)
    reasons["duplicate"] += len(coarse) - len(merged)
    refined: list[FoundStructure] = []
    relaxations = len(starts)
    for done, candidate in enumerate(merged[: budget.refinements], start=1):
        relaxation, spent, spent_seconds = _refine(candidate, budget, engine)
        relaxations += spent
        seconds += spent_seconds
        found = _found(assignment, relaxation, candidate.source, reasons, is_final=True)
        if found is not None:
            (refined if found.is_valid else rejected).append(found)
        if notify:
            notify("refinement", done, min(len(merged), budget.refinements))
    final = _distinct(refined)
    reasons["duplicate"] += len(refined) - len(final)
    # one may lie below the best refined one, where refinement lost what started lower: it is shown, not ranked by
    rest = [replace(item, notes=[*item.notes, "relaxed coarsely only"]) for item in merged[budget.refinements :]]
    rejected.sort(key=lambda item: item.energy_per_atom)
    found_all = [*final, *rest][:KEPT_STRUCTURES]
    return SearchOutcome(
        found=(*found_all, *rejected[:2]),
        reasons=Counter({reason: count for reason, count in reasons.items() if count}),
        counts={
            "pool": len(proposals), "single_points": len(points), "coarse": len(coarse), "distinct": len(merged),
            "refined": len(final),
        },
        relaxations=relaxations,
        core_seconds=seconds,
    )  # fmt: skip


def _mixed(proposals: Sequence[Proposal], wanted: int) -> list[Proposal]:
    """The first `wanted`, taken in turn from every source and cell size, in the order given."""
    strata: dict[tuple[str, int], list[Proposal]] = {}
    for proposal in proposals:
        strata.setdefault((proposal.source.split(":")[0], len(proposal.structure)), []).append(proposal)
    dealt = [proposal for row in zip_longest(*strata.values()) for proposal in row if proposal is not None]
    return dealt[:wanted]


def _refine(found: FoundStructure, budget: SearchBudget, engine: Engine) -> tuple[Relaxation, int, float]:
    """Relax to the end in the highest symmetry that costs little; without it, if that fails.

    Returns:
        The relaxation that counts, how many were run for it, and the core-seconds of everything.
    """
    settings = RelaxSettings(fmax=budget.final_fmax, max_steps=budget.final_steps, keep_symmetry=True)
    tried = {space_group(found.structure).number}
    spent, seconds = 0, 0.0
    for symprec in LADDER:
        number = space_group(found.structure, symprec).number
        if number in tried:
            continue
        tried.add(number)
        ordered = symmetrised(found.structure, symprec)
        if len(found.structure) % len(ordered):
            continue
        [evaluation] = engine.evaluate([ordered])
        seconds += evaluation.core_seconds
        energy = _energy(evaluation)
        if energy is None or energy > found.energy_per_atom + SYMMETRY_PENALTY:
            continue
        [relaxation] = engine.relax([ordered], settings)
        spent, seconds = spent + 1, seconds + relaxation.core_seconds
        energy = _energy(relaxation)
        if energy is not None and energy <= found.energy_per_atom + 1e-3:
            return relaxation, spent, seconds
    [relaxation] = engine.relax([symmetrised(found.structure)], settings)
    return relaxation, spent + 1, seconds + relaxation.core_seconds


def _energy(result: Evaluation | Relaxation) -> float | None:
    """eV/atom, if it is a number: a plug-in that lets a NaN through must not decide an order."""
    energy = result.energy_per_atom
    return energy if energy is not None and math.isfinite(energy) else None


def _found(
    assignment: Assignment, relaxation: Relaxation, source: str, reasons: Counter[str], *, is_final: bool
) -> FoundStructure | None:
    if _energy(relaxation) is None:
        reasons[f"engine: {relaxation.error or NO_ENERGY}"] += 1
        return None
    structure = symmetrised(relaxation.structure) if is_final else relaxation.structure
    shells = check_shells(structure, assignment)
    for fault in shells.faults:
        reasons[fault] += 1
    return _describe(structure, relaxation, shells, source, is_final)


def _describe(
    structure: Structure, relaxation: Relaxation, shells: Shells, source: str, is_final: bool
) -> FoundStructure:
    group = space_group(structure)
    return FoundStructure(
        structure=structure,
        energy_per_atom=float(relaxation.energy_per_atom or 0.0),
        space_group_number=group.number,
        space_group_symbol=group.symbol,
        nsites=len(structure),
        volume_per_formula_unit=shells.volume_per_formula_unit,
        volume_ratio=shells.volume_ratio,
        coordination_numbers=list(shells.coordination_numbers),
        shortest_m_h=shells.shortest_m_h,
        shortest_h_h=shells.shortest_h_h,
        max_force=relaxation.max_force,
        is_converged=is_final and relaxation.is_converged,
        source=source,
        is_valid=shells.is_valid,
        notes=[*shells.faults, *shells.notes],
    )


def _distinct(found: list[FoundStructure]) -> list[FoundStructure]:
    kept = distinct([item.structure for item in found], [item.energy_per_atom for item in found])
    return [found[index] for index in kept]
