"""Relax the minima that the search found with another method, for that method's own hull."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.search import MinimaRecord
from ninefold.models.structure import StructureRecord
from ninefold.stages.prescreen import minima_of, representative_first
from ninefold.stages.stage import Counts, Resources, Stage, StageResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ninefold.chemistry.anions import Assignment
    from ninefold.engines.base import Engine
    from ninefold.models.method import Method
    from ninefold.models.search import Minimum
    from ninefold.search.budget import SearchBudget

STAGE = Stage(
    "energies", "prescreen", evidence="ML", resources=Resources(memory_GB=4.0),
    meaning="compositions with a structure relaxed by a further method",
)  # fmt: skip

LOST = "no structure of the anion is left after relaxation"


USUAL_WINDOW = 0.05
"""eV/atom above the lowest minimum, where the search's method has no trust table: two minima of one composition differ
from method to method by some 0.02."""


def with_window(budget: SearchBudget, search: Method | None) -> SearchBudget:
    """A budget with a number for its window, so that what is made by it depends on that number.

    Args:
        budget: Of the campaign.
        search: Method of the search, whose energies decide which minima are passed on.
    """
    if budget.passed_on_window is not None:
        return budget
    from ninefold.trust.uncertainty import model_errors

    errors = None if search is None else model_errors(search.label, search.evidence)
    error = None if errors is None else errors.of_minima()
    return budget.model_copy(update={"passed_on_window": USUAL_WINDOW if error is None else round(error, 3)})


def relaxed_id(minima: str, budget: SearchBudget, method: str) -> str:
    """Id of what a method makes of some minima.

    Args:
        minima: Id of the `MinimaRecord` that the search left.
        budget: Its final force criterion and steps, and how many minima are passed on; see `with_window`.
        method: Id of the method.
    """
    from ninefold.engines.base import RELAXATION_VERSION

    criteria = budget.model_dump(mode="json", include={"final_fmax", "final_steps", "passed_on", "passed_on_window"})
    return content_key("relaxed minima", minima, criteria, method, RELAXATION_VERSION, KEY_VERSION)


def relax_minima(
    campaign: str,
    assignment: Assignment,
    found: MinimaRecord,
    structures: Mapping[str, StructureRecord],
    budget: SearchBudget,
    engine: Engine,
) -> StageResult:
    """The lowest minima of one composition relaxed to the end with an engine, in the symmetry that they have.

    Args:
        campaign: That asks for it.
        assignment: The composition.
        found: What the search left.
        structures: By id, those of the minima.
        budget: The final force criterion and steps; see `with_window`.
        engine: Of the method.
    """
    from ninefold.engines import RelaxSettings
    from ninefold.search.relaxed import described_minima

    wanted = passed_on(found, budget)
    settings = RelaxSettings(fmax=budget.final_fmax, max_steps=budget.final_steps, keep_symmetry=True)
    starts = [structures[minimum.structure].to_structure() for minimum in wanted]
    relaxations = engine.relax(starts, settings)
    outcome = described_minima(assignment, starts, relaxations, [minimum.source for minimum in wanted], budget)
    minima, relaxed = minima_of(outcome)
    lowest = min((minimum.energy_per_atom for minimum in minima if minimum.is_valid), default=None)
    record = MinimaRecord(
        id=relaxed_id(found.id, budget, engine.fingerprint),
        campaign=campaign,
        label=assignment.label,
        method=engine.fingerprint,
        searches=found.searches,
        minima=representative_first(minima),
        origins=dict(outcome.origins),
        lowest_by_round=[lowest],
        reasons=dict(outcome.reasons),
        relaxations=len(wanted),
        core_seconds=outcome.core_seconds,
    )
    return StageResult([*relaxed, record], counts(record))


def passed_on(found: MinimaRecord, budget: SearchBudget) -> list[Minimum]:
    """The minima that a further method relaxes: valid, the lowest, and near the lowest."""
    valid = sorted((minimum for minimum in found.minima if minimum.is_valid), key=lambda one: one.energy_per_atom)
    return [
        minimum
        for minimum in valid[: budget.passed_on]
        if minimum.energy_per_atom <= valid[0].energy_per_atom + (budget.passed_on_window or 0.0)
    ]


def counts(record: MinimaRecord) -> Counts:
    """Whether a structure is left."""
    has_structure = any(minimum.is_valid for minimum in record.minima)
    return Counts(
        "compositions", 1, int(has_structure), Counter() if has_structure else Counter({LOST: 1}), record.core_seconds
    )
