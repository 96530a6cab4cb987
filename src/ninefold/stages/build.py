"""Generate structures of a composition and settle them with the ionic force field."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ninefold.clock import now
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.composition import pack_assignment
from ninefold.models.lines import blob_id, encode_lines
from ninefold.models.search import PoolRecord
from ninefold.models.structure import pack_structure, unpack_structure
from ninefold.stages.stage import Counts, Resources, Stage, StageResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninefold.chemistry.anions import Assignment
    from ninefold.search.budget import SearchBudget
    from ninefold.structures.proposal import Proposal

STAGE = Stage(
    "build", "select", takes="structures", gives="structures", evidence="force field", is_in_rounds=True,
    resources=Resources(memory_GB=1.0), meaning="random and known packings, settled with the ionic force field",
)  # fmt: skip

POOL_SETTINGS = ("sources", "withhold_types", "formula_units", "max_atoms", "pool", "single_points")
"""Of the budget, what a pool depends on: `single_points` decides when a source is asked no more."""


def pool_id(assignment: Assignment, budget: SearchBudget, seed: int, number: int) -> str:
    """Id of the pool of a composition in a round of the search."""
    from ninefold.search.version import structures_version
    from ninefold.structures.sources import source_label, sources_checksum

    settings = budget.model_dump(mode="json", include=set(POOL_SETTINGS))
    # a user's source counts by its content, not by where its file lies
    settings["sources"] = [source_label(name) for name in budget.sources]
    return content_key(
        "pool",
        pack_assignment(assignment),
        settings,
        seed,
        number,
        structures_version(),
        sources_checksum(budget.sources),
        KEY_VERSION,
    )


def build(campaign: str, assignment: Assignment, budget: SearchBudget, seed: int, number: int) -> StageResult:
    """The pool of one composition.

    Args:
        campaign: That asks for it.
        assignment: The composition.
        budget: Sources and counts.
        seed: With composition and round it fixes every random choice.
        number: Of the round; each draws anew.
    """
    from ninefold.search import build_pool

    pool = build_pool(assignment, budget, seed, a_round=number)
    packings = encode_lines(
        {"source": proposal.source, **pack_structure(proposal.structure)} for proposal in pool.proposals
    )
    record = PoolRecord(
        id=pool_id(assignment, budget, seed, number),
        campaign=campaign,
        label=assignment.label,
        round=number,
        packings=blob_id(packings),
        count_in=pool.count_in,
        count_out=len(pool.proposals),
        reasons=dict(pool.reasons),
        core_seconds=pool.core_seconds,
        created=now(),
    )
    return StageResult([record], counts(record), {record.packings: packings})


def counts(record: PoolRecord) -> Counts:
    """What a pool let through."""
    return Counts("structures", record.count_in, record.count_out, Counter(record.reasons), record.core_seconds)


def proposals(lines: Iterable[dict[str, object]]) -> list[Proposal]:
    """The structures of a pool, from its blob's lines."""
    from ninefold.structures import Proposal

    return [Proposal(unpack_structure(line), str(line["source"])) for line in lines]
