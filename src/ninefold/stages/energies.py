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
    from collections.abc import Mapping, Sequence

    from ninefold.chemistry.anions import Assignment
    from ninefold.engines.base import Engine
    from ninefold.models.method import Method
    from ninefold.models.search import Minimum
    from ninefold.search import FoundStructure
    from ninefold.search.budget import SearchBudget

STAGE = Stage(
    "energies", "prescreen", evidence="ML", resources=Resources(memory_GB=4.0),
    meaning="compositions with a structure relaxed by a further method",
)  # fmt: skip

LOST = "no structure of the anion is left after relaxation"
ALGORITHM = 2
"""Rises when another minimum can come out of the same relaxations."""
CRITERIA = ("coarse_fmax", "coarse_steps", "final_fmax", "final_steps", "passed_on", "passed_on_window")
"""Of the budget, what the result depends on besides the minima."""


DEFAULT_SEARCH_FMAX = 0.05
"""eV/Å, to which a search refines its minima where the default methods follow: within some 1 meV/atom."""
USUAL_WINDOW = 0.05
"""eV/atom above the lowest minimum, where the search's method has no trust table: two minima of one composition differ
from method to method by some 0.02."""


def with_window(budget: SearchBudget, search: Method | Engine | None) -> SearchBudget:
    """A budget with a number for its window, so that what is made by it depends on that number.

    Args:
        budget: Of the campaign.
        search: Method of the search, or its engine, whose energies decide which minima are passed on.
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
        budget: Its criteria, and how many minima are passed on; see `with_window`.
        method: Id of the method.
    """
    from ninefold.engines.base import RELAXATION_VERSION

    criteria = budget.model_dump(mode="json", include=set(CRITERIA))
    return content_key("relaxed minima", ALGORITHM, minima, criteria, method, RELAXATION_VERSION, KEY_VERSION)


def relax_minima(
    campaign: str,
    assignment: Assignment,
    found: MinimaRecord,
    structures: Mapping[str, StructureRecord],
    budget: SearchBudget,
    engine: Engine,
) -> StageResult:
    """The lowest minima of one composition relaxed to the end with an engine.

    Those that the search refined keep their symmetry; see `relax_again`.

    Args:
        campaign: That asks for it.
        assignment: The composition.
        found: What the search left.
        structures: By id, those of the minima.
        budget: Criteria of both kinds of relaxation; see `with_window`.
        engine: Of the method.
    """
    from ninefold.search import run_alone
    from ninefold.search.minima import COARSE
    from ninefold.search.relaxed import relax_again

    wanted = passed_on(found, budget)
    starts = [structures[minimum.structure].to_structure() for minimum in wanted]
    sources = [minimum.source for minimum in wanted]
    is_refined = [COARSE not in minimum.notes for minimum in wanted]
    outcome = run_alone(relax_again(assignment, starts, sources, is_refined, budget), engine)
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
        lowest_by_round=rounds_of(found.lowest_by_round, lowest),
        reasons=dict(outcome.reasons),
        relaxations=outcome.relaxations,
        core_seconds=outcome.core_seconds,
    )
    return StageResult([*relaxed, record], counts(record))


def rounds_of(searched: Sequence[float | None], lowest: float | None) -> list[float | None]:
    """The lowest energies of the rounds, as far apart as the search's method had them: noise is the search's.

    Args:
        searched: Of the rounds with the search's method, eV/atom; None where one found nothing.
        lowest: Of the further method, eV/atom; None if no structure is left.
    """
    found = [energy for energy in searched if energy is not None]
    if lowest is None or not found:
        return [lowest]
    return [None if energy is None else lowest + energy - min(found) for energy in searched]


def rougher(budget: SearchBudget) -> SearchBudget:
    """A search without a campaign, whose minima another method relaxes to the end, refines them as far as one with."""
    return budget.model_copy(update={"final_fmax": max(budget.final_fmax, DEFAULT_SEARCH_FMAX)})


def to_relax(found: Sequence[FoundStructure], budget: SearchBudget, searched: Engine) -> list[FoundStructure]:
    """As `passed_on`, of a search without a campaign.

    Args:
        found: What it found.
        budget: How many, and how near to the lowest.
        searched: Whose energies they have.
    """
    from ninefold.search.minima import lowest_valid

    budget = with_window(budget, searched)
    return lowest_valid(found, budget.passed_on, budget.passed_on_window or 0.0)


def passed_on(found: MinimaRecord, budget: SearchBudget) -> list[Minimum]:
    """The minima that a further method relaxes: valid, the lowest, and near the lowest."""
    from ninefold.search.minima import lowest_valid

    return lowest_valid(found.minima, budget.passed_on, budget.passed_on_window or 0.0)


def counts(record: MinimaRecord) -> Counts:
    """Whether a structure is left."""
    has_structure = any(minimum.is_valid for minimum in record.minima)
    return Counts(
        "compositions", 1, int(has_structure), Counter() if has_structure else Counter({LOST: 1}), record.core_seconds
    )
