"""Search a pool with an engine: single points, coarse relaxations, refinements."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ninefold.clock import now
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.search import MinimaRecord, Minimum, SearchRecord
from ninefold.models.structure import StructureRecord
from ninefold.stages.stage import Counts, Resources, Stage, StageResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ninefold.chemistry.anions import Assignment
    from ninefold.engines.base import Engine
    from ninefold.search import SearchOutcome
    from ninefold.search.budget import SearchBudget
    from ninefold.structures import Proposal

STAGE = Stage(
    "prescreen", "build", evidence="ML", is_in_rounds=True, resources=Resources(memory_GB=2.0),
    meaning="compositions with a structure of the anion asked for",
)  # fmt: skip

WITHOUT_STRUCTURE = "no structure with the coordination asked"

SEARCH_SETTINGS = (
    "single_points", "coarse_relaxations", "refinements", "relaxations", "patience", "coarse_fmax", "coarse_steps",
    "final_fmax", "final_steps",
)  # fmt: skip
"""Of the budget, what a search depends on besides its pool."""


def search_id(pool: str, budget: SearchBudget, method: str) -> str:
    """Id of the search of a pool.

    Args:
        pool: Its id.
        budget: Counts and criteria.
        method: Id of the method.
    """
    from ninefold.engines.base import RELAXATION_VERSION
    from ninefold.search.version import structures_version

    return content_key(
        "search", pool, budget.model_dump(mode="json", include=set(SEARCH_SETTINGS)), method, structures_version(),
        RELAXATION_VERSION, KEY_VERSION,
    )  # fmt: skip


def prescreen(
    campaign: str,
    assignment: Assignment,
    proposals: Sequence[Proposal],
    budget: SearchBudget,
    engine: Engine,
    pool: str,
    number: int,
) -> StageResult:
    """The search of one composition's pool.

    Args:
        campaign: That asks for it.
        assignment: The composition.
        proposals: The pool, lowest force-field energy first.
        budget: Counts and criteria.
        engine: Computes energies.
        pool: Id of the pool.
        number: Of the round.
    """
    from ninefold.search import prescreen as search

    outcome = search(assignment, proposals, budget, engine)
    minima, structures = minima_of(outcome)
    record = SearchRecord(
        id=search_id(pool, budget, engine.fingerprint),
        campaign=campaign,
        label=assignment.label,
        round=number,
        pool=pool,
        method=engine.fingerprint,
        minima=minima,
        origins=dict(outcome.origins),
        reasons=dict(outcome.reasons),
        relaxations=outcome.relaxations,
        core_seconds=outcome.core_seconds,
        created=now(),
    )
    return StageResult([*structures, record], counts(record))


def minima_of(outcome: SearchOutcome) -> tuple[list[Minimum], list[StructureRecord]]:
    """What a search found, and its structures."""
    structures = [StructureRecord.of(found.structure) for found in outcome.found]
    shared = [name for name in Minimum.model_fields if name != "structure"]
    minima = [
        Minimum(structure=structure.id, **{name: getattr(found, name) for name in shared})
        for structure, found in zip(structures, outcome.found, strict=True)
    ]
    return minima, structures


def counts(record: SearchRecord) -> Counts:
    """Whether a search found a structure, and what it cost."""
    has_structure = any(minimum.is_valid for minimum in record.minima)
    reasons: Counter[str] = Counter() if has_structure else Counter({WITHOUT_STRUCTURE: 1})
    return Counts("compositions", 1, int(has_structure), reasons, record.core_seconds)


def minima_id(searches: Sequence[str]) -> str:
    """Id of what some searches of one composition found together."""
    return content_key("minima", list(searches), KEY_VERSION)


def merge_rounds(searches: Sequence[SearchRecord], structures: Mapping[str, StructureRecord]) -> MinimaRecord:
    """What the rounds of the search of one composition found together, no two minima alike.

    Args:
        searches: By round, at least one.
        structures: By id, those of the minima.
    """
    first = searches[0]
    found = list(first.minima)
    for search in searches[1:]:
        found = _merged([*found, *search.minima], structures)
    lowest = [
        min((minimum.energy_per_atom for minimum in search.minima if minimum.is_valid), default=None)
        for search in searches
    ]
    reasons: Counter[str] = Counter()
    for search in searches:
        reasons.update(search.reasons)
    return MinimaRecord(
        id=minima_id([search.id for search in searches]),
        campaign=first.campaign,
        label=first.label,
        method=first.method,
        searches=[search.id for search in searches],
        minima=representative_first(found),
        lowest_by_round=lowest,
        reasons=dict(reasons),
        relaxations=sum(search.relaxations for search in searches),
    )


def representative_first(minima: Sequence[Minimum]) -> list[Minimum]:
    """The minimum that stands for the composition first, the others as they are.

    Refined ones if there are any: a coarse one that lies lower is shown, and does not stand for the composition.
    """
    from ninefold.search.minima import COARSE
    from ninefold.search.preference import representative
    from ninefold.structures.symmetry import operation_count

    valid = [minimum for minimum in minima if minimum.is_valid]
    able = [minimum for minimum in valid if COARSE not in minimum.notes] or valid
    if not able:
        return list(minima)
    best = able[
        representative(
            [minimum.energy_per_atom for minimum in able],
            [operation_count(minimum.space_group_number) for minimum in able],
            [minimum.nsites for minimum in able],
        )
    ]
    return [best, *(minimum for minimum in minima if minimum is not best)]


def _merged(minima: Sequence[Minimum], structures: Mapping[str, StructureRecord]) -> list[Minimum]:
    from ninefold.search.minima import COARSE, kept
    from ninefold.structures.duplicates import distinct

    valid = [minimum for minimum in minima if minimum.is_valid]
    cells = [structures[minimum.structure].to_structure() for minimum in valid]
    unlike = distinct(cells, [minimum.energy_per_atom for minimum in valid])
    # refined ones first, as within one round: a coarse one that lies lower is shown, not ranked by
    ordered = sorted((valid[index] for index in unlike), key=lambda minimum: COARSE in minimum.notes)
    others = sorted((item for item in minima if not item.is_valid), key=lambda minimum: minimum.energy_per_atom)
    return [*kept(ordered, lambda minimum: minimum.source), *others[:2]]
