"""Minima of one composition's search relaxed to the end by a further method, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Engine
from ninefold.machine import use_one_thread
from ninefold.search.budget import SearchBudget
from ninefold.search.minima import COARSE, FoundStructure, distinct_minima, representative_first
from ninefold.search.prescreen import KEPT_REJECTED, SearchOutcome
from ninefold.search.relaxed import relax_again
from ninefold.search.together import run_alone
from ninefold.structures.proposal import Notify, Stop, never


def relax_found(
    assignment: Assignment,
    found: Sequence[FoundStructure],
    budget: SearchBudget,
    engine: Engine,
    notify: Notify | None = None,
    stop: Stop = never,
) -> SearchOutcome:
    """Minima as another method has them, in its order.

    Args:
        assignment: The composition.
        found: What is passed on to it, see `passed_on`.
        budget: Criteria.
        engine: Of the method.
        notify: Told of progress.
        stop: Asked before each; what is left is not relaxed, as `counts["relaxed"]` tells.

    Returns:
        Of each minimum, `relaxations` is what the search had spent when it found it.
    """
    use_one_thread()
    relaxed: list[FoundStructure] = []
    reasons: Counter[str] = Counter()
    seconds, spent, done = 0.0, 0, 0
    for start in found:
        if stop():
            break
        steps = relax_again(assignment, [start.structure], [start.source], [COARSE not in start.notes], budget)
        outcome = run_alone(steps, engine)
        relaxed += [replace(item, relaxations=start.relaxations) for item in outcome.found]
        reasons.update(outcome.reasons)
        seconds, spent, done = seconds + outcome.core_seconds, spent + outcome.relaxations, done + 1
        if notify:
            notify("final relaxation", done, len(found))
    valid = distinct_minima([item for item in relaxed if item.is_valid])
    rejected = sorted((item for item in relaxed if not item.is_valid), key=lambda item: item.energy_per_atom)
    return SearchOutcome(
        found=(*representative_first(valid), *rejected[:KEPT_REJECTED]), reasons=reasons, counts={"relaxed": done},
        relaxations=spent, core_seconds=seconds,
    )  # fmt: skip
