"""From a pool to minima: engine single points, coarse relaxations, refinement with symmetry, checks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TypeVar

from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Engine, Evaluation, Relaxation, RelaxSettings
from ninefold.search.budget import SearchBudget
from ninefold.search.preference import representative
from ninefold.search.together import Request, Search, run_alone
from ninefold.structures.checks import Shells, check_shells
from ninefold.structures.duplicates import distinct
from ninefold.structures.labels import structure_type
from ninefold.structures.proposal import Notify, Proposal, Stop, never
from ninefold.structures.symmetry import LADDER, operation_count, space_group, symmetrised

Found = TypeVar("Found")

SYMMETRY_PENALTY = 0.01
"""eV/atom that a coarsely relaxed structure may rise by when moved onto a higher symmetry."""
OF_ENGINE, OF_MACHINE = "engine: ", "machine: "
"""Before the reason why there is no energy: a failure that is the structure's, or one of the machine."""
NO_ENERGY = "energy is not a number"
BATCH = 16
"""Structures whose single points an engine is asked for at once, or more where it gains by more."""
IMPROVEMENT = 1e-3
"""eV/atom; less than this is no progress."""
OPEN_VOLUME = 1.15
"""Over the densest of the coarse minima; one above is pressed together once, since layers that drift apart creep."""
RECOMPRESSION_PRESSURE = 5.0
"""GPa."""
TYPE_SOURCE = "type:"
"""What the source of a structure of a known type begins with."""
COARSE = "relaxed coarsely only"
PRESSED = "pressed together from an open structure"
KEPT_STRUCTURES = 8
"""Distinct structures that are kept of a composition, besides those of a known type, which are kept however high they
lie: a published type that comes out far above the lowest is something to know."""


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
    structure_type: str | None = None
    """The known structure type that it belongs to."""
    relaxations: int = 0
    """Relaxations that the search had spent when it found this one."""
    shortest_m_m: float | None = None
    """Å, between two centres, periodic images included."""
    shortest_m_interstitial: float | None = None
    """Å, from a centre to the nearest hydrogen that no centre is bonded to, within 3.2 Å."""


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
        assignment: The composition and its reading.
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
    reasons: Counter[str] = Counter()
    chosen = _mixed(proposals, budget.single_points)
    points, seconds = yield from _single_points(chosen, at_once, reasons, notify, stop)
    starts = [proposal for _, proposal in points[: budget.coarse_relaxations]]
    # a known type is a published answer: it is relaxed, and first, whatever its unrelaxed energy says
    starts += [proposal for _, proposal in points[budget.coarse_relaxations :] if _is_type(proposal)]
    starts.sort(key=lambda proposal: not _is_type(proposal))
    limit = budget.relaxations or len(starts) + budget.refinements * (len(LADDER) + 1)
    coarse_limit = max(1, limit - _kept_for_refinement(budget)) if budget.relaxations else len(starts)

    coarse: list[FoundStructure] = []
    rejected: list[FoundStructure] = []
    history: list[float | None] = []

    def record(found: FoundStructure | None, spent: int) -> None:
        lowest = history[-1] if history else None
        history.extend([lowest] * (spent - 1))
        if found is not None and found.is_valid and (lowest is None or found.energy_per_atom < lowest):
            lowest = found.energy_per_atom
        history.append(lowest)

    settings = RelaxSettings(fmax=budget.coarse_fmax, max_steps=budget.coarse_steps)
    idle = 0
    starts = starts[:coarse_limit]
    for first in range(0, len(starts), at_once):
        batch = starts[first : first + at_once]
        if stop() or (idle >= budget.patience and not any(map(_is_type, batch))):
            break
        relaxations = yield Request([proposal.structure for proposal in batch], settings)
        for done, (proposal, relaxation) in enumerate(zip(batch, relaxations, strict=True), start=first + 1):
            seconds += relaxation.core_seconds
            found = _found(assignment, relaxation, proposal.source, reasons, is_final=False)
            before = history[-1] if history else None
            record(found, 1)
            lowest = history[-1]
            has_improved = lowest is not None and (before is None or lowest < before - IMPROVEMENT)
            idle = 0 if has_improved or lowest is None else idle + 1
            if found is not None:
                found = replace(found, relaxations=len(history))
                (coarse if found.is_valid else rejected).append(found)
            if notify:
                notify("coarse relaxation", done, len(starts))

    merged = _distinct(coarse)
    reasons["duplicate"] += len(coarse) - len(merged)
    densest = min((item.volume_per_formula_unit for item in merged), default=0.0)
    for place, candidate in enumerate(merged[: budget.refinements]):
        # a refinement is kept back for each; pressing one together takes two relaxations
        room = limit - len(history) - min(len(merged), budget.refinements)
        if candidate.volume_per_formula_unit <= OPEN_VOLUME * densest or room < 2 or stop():
            continue
        found, spent_seconds = yield from _recompressed(assignment, candidate, settings, reasons)
        seconds += spent_seconds
        record(found, 2)
        if found is not None and found.energy_per_atom < candidate.energy_per_atom - IMPROVEMENT:
            merged[place] = replace(found, relaxations=len(history))
    merged = _distinct(merged)
    refined: list[FoundStructure] = []
    tried = 0
    for done, candidate in enumerate(merged[: budget.refinements], start=1):
        if stop() or len(history) >= limit:
            break
        relaxation, spent, spent_seconds = yield from _refine(candidate, budget, limit - len(history))
        seconds += spent_seconds
        tried = done
        found = _found(assignment, relaxation, candidate.source, reasons, is_final=True)
        record(found, spent)
        if found is not None:
            told = [PRESSED] if PRESSED in candidate.notes else []
            found = replace(found, relaxations=len(history), notes=[*found.notes, *told])
            (refined if found.is_valid else rejected).append(found)
        if notify:
            notify("refinement", done, min(len(merged), budget.refinements))
    final = _representative_first(_distinct(refined))
    reasons["duplicate"] += len(refined) - len(final)
    # one may lie below the best refined one, where refinement lost what started lower: it is shown, not ranked by
    rest = [replace(item, notes=[*item.notes, COARSE]) for item in merged[tried:]]
    rejected.sort(key=lambda item: item.energy_per_atom)
    found_all = kept([*final, *rest], lambda item: item.source)
    return SearchOutcome(
        found=(*found_all, *rejected[:2]),
        reasons=Counter({reason: count for reason, count in reasons.items() if count}),
        counts={
            "pool": len(proposals), "single_points": len(points), "coarse": len(coarse), "distinct": len(merged),
            "refined": len(final),
        },
        relaxations=len(history),
        core_seconds=seconds,
        history=tuple(history),
    )  # fmt: skip


def kept(found: Sequence[Found], source: Callable[[Found], str]) -> list[Found]:
    """The first `KEPT_STRUCTURES`, and of the others those that come from a known type.

    Args:
        found: Distinct structures, in the order of preference.
        source: Names where one comes from.
    """
    return [item for place, item in enumerate(found) if place < KEPT_STRUCTURES or source(item).startswith(TYPE_SOURCE)]


def _is_type(proposal: Proposal) -> bool:
    return proposal.source.startswith(TYPE_SOURCE)


def _kept_for_refinement(budget: SearchBudget) -> int:
    """Of a limited number of relaxations: one for each refinement, a third of them at most."""
    return min(budget.refinements, math.ceil((budget.relaxations or 0) / 3))


def _single_points(
    chosen: Sequence[Proposal], at_once: int, reasons: Counter[str], notify: Notify | None, stop: Stop
) -> Search[tuple[list[tuple[float, Proposal]], float]]:
    """Energies of the proposals as they stand, lowest first, and the core-seconds spent."""
    points: list[tuple[float, Proposal]] = []
    seconds = 0.0
    at_once = max(BATCH, at_once)
    for start in range(0, len(chosen), at_once):
        if stop():
            break
        batch = chosen[start : start + at_once]
        evaluations = yield Request([proposal.structure for proposal in batch])
        for proposal, evaluation in zip(batch, evaluations, strict=True):
            seconds += evaluation.core_seconds
            energy = _energy(evaluation)
            if energy is None:
                reasons[_reason(evaluation)] += 1
            else:
                points.append((energy, proposal))
        if notify:
            notify("single point", start + len(batch), len(chosen))
    points.sort(key=lambda point: point[0])
    return points, seconds


def _mixed(proposals: Sequence[Proposal], wanted: int) -> list[Proposal]:
    """The first `wanted`, taken in turn from every source and cell size, in the order given; and every known type."""
    strata: dict[tuple[str, int], list[Proposal]] = {}
    for proposal in proposals:
        strata.setdefault((proposal.source.split(":")[0], len(proposal.structure)), []).append(proposal)
    dealt = [proposal for row in zip_longest(*strata.values()) for proposal in row if proposal is not None]
    return [*dealt[:wanted], *filter(_is_type, dealt[wanted:])]


def _recompressed(
    assignment: Assignment, open_one: FoundStructure, settings: RelaxSettings, reasons: Counter[str]
) -> Search[tuple[FoundStructure | None, float]]:
    """An open structure relaxed under pressure and then without; None if it is lost on the way. And core-seconds."""
    pressed = settings.model_copy(update={"pressure": RECOMPRESSION_PRESSURE})
    [under] = yield Request([open_one.structure], pressed)
    [after] = yield Request([under.structure], settings)
    found = _found(assignment, after, open_one.source, reasons, is_final=False)
    seconds = under.core_seconds + after.core_seconds
    if found is None or not found.is_valid:
        return None, seconds
    return replace(found, notes=[*found.notes, PRESSED]), seconds


def _refine(found: FoundStructure, budget: SearchBudget, limit: int) -> Search[tuple[Relaxation, int, float]]:
    """Relax to the end in the highest symmetry that costs little, and from there on to a higher one while there is one.

    Args:
        found: From a coarse relaxation.
        budget: Criteria.
        limit: Relaxations at most; one is kept for the relaxation without added symmetry.

    Returns:
        The relaxation that counts, how many were run for it, and the core-seconds of everything.
    """
    settings = RelaxSettings(fmax=budget.final_fmax, max_steps=budget.final_steps, keep_symmetry=True)
    best, spent, seconds = yield from _onto_symmetry(found.structure, found.energy_per_atom, settings, limit - 1)
    if best is None:
        [best] = yield Request([symmetrised(found.structure)], settings)
        spent, seconds = spent + 1, seconds + best.core_seconds
    # at the end of its way a structure is nearer to a higher symmetry than a coarse one is
    while (energy := _energy(best)) is not None:
        higher, more, further = yield from _onto_symmetry(best.structure, energy, settings, limit - spent)
        spent, seconds = spent + more, seconds + further
        if higher is None:
            break
        best = higher
    return best, spent, seconds


def _onto_symmetry(
    structure: Structure, energy: float, settings: RelaxSettings, limit: int
) -> Search[tuple[Relaxation | None, int, float]]:
    """Relax with a higher symmetry, the widest tolerance first, where that costs little and ends no higher."""
    tried = {space_group(structure).number}
    spent, seconds = 0, 0.0
    for symprec in LADDER:
        number = space_group(structure, symprec).number
        if number in tried or spent >= limit:
            continue
        tried.add(number)
        ordered = symmetrised(structure, symprec)
        if len(structure) % len(ordered):
            continue
        [evaluation] = yield Request([ordered])
        seconds += evaluation.core_seconds
        start = _energy(evaluation)
        if start is None or start > energy + SYMMETRY_PENALTY:
            continue
        [relaxation] = yield Request([ordered], settings)
        spent, seconds = spent + 1, seconds + relaxation.core_seconds
        end = _energy(relaxation)
        if end is not None and end <= energy + IMPROVEMENT:
            return relaxation, spent, seconds
    return None, spent, seconds


def _energy(result: Evaluation | Relaxation) -> float | None:
    """eV/atom, if it is a number: a plug-in that lets a NaN through must not decide an order."""
    energy = result.energy_per_atom
    return energy if energy is not None and math.isfinite(energy) else None


def _reason(result: Evaluation | Relaxation) -> str:
    """Why there is no energy, and whose fault it is."""
    return f"{OF_MACHINE if result.is_transient else OF_ENGINE}{result.error or NO_ENERGY}"


def _found(
    assignment: Assignment, relaxation: Relaxation, source: str, reasons: Counter[str], *, is_final: bool
) -> FoundStructure | None:
    if _energy(relaxation) is None:
        reasons[_reason(relaxation)] += 1
        return None
    structure = symmetrised(relaxation.structure) if is_final else relaxation.structure
    shells = check_shells(structure, assignment)
    for fault in shells.faults:
        reasons[fault] += 1
    return _describe(assignment, structure, relaxation, shells, source, is_final)


def _describe(
    assignment: Assignment, structure: Structure, relaxation: Relaxation, shells: Shells, source: str, is_final: bool
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
        shortest_m_m=shells.shortest_m_m,
        shortest_m_interstitial=shells.shortest_m_interstitial,
        max_force=relaxation.max_force,
        is_converged=is_final and relaxation.is_converged,
        source=source,
        is_valid=shells.is_valid,
        notes=[*shells.faults, *shells.notes],
        structure_type=structure_type(structure, assignment) if shells.is_valid and is_final else None,
    )


def _representative_first(found: list[FoundStructure]) -> list[FoundStructure]:
    """The minimum that stands for the composition, then the others, lowest first."""
    if not found:
        return []
    first = representative(
        [item.energy_per_atom for item in found],
        [operation_count(item.space_group_number) for item in found],
        [item.nsites for item in found],
    )
    return [found[first], *(item for place, item in enumerate(found) if place != first)]


def _distinct(found: list[FoundStructure]) -> list[FoundStructure]:
    kept = distinct([item.structure for item in found], [item.energy_per_atom for item in found])
    return [found[index] for index in kept]
