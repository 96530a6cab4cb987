"""Choose the compositions that a further round searches again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ninefold.chemistry.anions import AnionClass
from ninefold.stages.stage import Counts, Resources, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninefold.models.candidate import Candidate

STAGE = Stage(
    "choose", "stability", evidence="ML", is_in_rounds=True, resources=Resources(memory_GB=1.0, minutes=10.0),
    meaning="compositions that are searched again",
)  # fmt: skip


class Outcome(NamedTuple):
    """What a round's choice looks at, of one composition."""

    composition: str
    phase_separation_energy: float | None
    e_above_same_composition: float | None
    anion_class: str
    is_competitor: bool
    structures_found: int
    is_low_budget: bool = False


def outcome_of(row: Candidate) -> Outcome:
    """Of a composition's row."""
    return Outcome(
        row.composition, row.phase_separation_energy, row.e_above_same_composition, row.anion_class,
        row.is_competitor, row.structures_found, row.is_low_budget,
    )  # fmt: skip


def choose(outcomes: Iterable[Outcome], number: int) -> tuple[list[str], Counts]:
    """Ids of the compositions for a round, the most promising first, then every competitor without a low budget.

    Args:
        outcomes: Of every composition of the campaign.
        number: Of the round, 2 or more.
    """
    from ninefold.search import Prospect, promising

    prospects: list[Prospect] = []
    competitors: list[str] = []
    for outcome in outcomes:
        if outcome.is_competitor:
            if not outcome.is_low_budget:
                competitors.append(outcome.composition)  # as often as the candidates that are measured against them
            continue
        separation, same = outcome.phase_separation_energy, outcome.e_above_same_composition
        # a signed distance, unless a lower phase of the composition is known: then what it lies above that one
        above = None if separation is None else max(separation, same) if same else separation
        can_be_ranked = outcome.anion_class == AnionClass.CLASSICAL.value
        prospects.append(Prospect(outcome.composition, above, can_be_ranked))
    chosen = promising(prospects, number)
    counts = Counts(count_in=len(prospects), count_out=len(chosen))
    counts.reasons["less promising"] = len(prospects) - len(chosen)
    return [*chosen, *sorted(competitors)], counts
