"""Ranking by visible terms: every score is a weighted mean of terms that are shown beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ninefold.ranking.settings import RankingSettings


@dataclass(frozen=True)
class Rankable:
    """What the ranking looks at, of one candidate."""

    id: str
    e_above_hull: float | None
    """eV/atom; None without a valid structure or a hull: such a candidate has no rank."""
    prior: float
    """0 to 1, from the soft rules."""
    hydrogen_fraction: float
    """Hydrogen atoms over all atoms."""
    group: int
    """Group number of the centre."""
    is_converged: bool
    """Whether the structure reached its force criterion."""


@dataclass(frozen=True)
class Ranked:
    """Where a candidate stands and why."""

    id: str
    rank: int | None
    """1 is best; None where it cannot be ranked."""
    score: float | None
    is_pareto: bool | None
    """No other candidate is at least as good in every weighted term and better in one."""
    terms: dict[str, dict[str, float]]
    """Term -> value (0 to 1), weight (sums to 1), contribution (their product)."""


def _stability(item: Rankable, settings: RankingSettings) -> float:
    """1 on the hull or below, falling exponentially above it."""
    return math.exp(-max(item.e_above_hull or 0.0, 0.0) / settings.stability_scale_eV_per_atom)


def _novelty(item: Rankable, settings: RankingSettings) -> float:
    """Left of the old group wall: 1 in groups 3 and 4, 0.5 in 5 and 6, 0 from 7 on."""
    return 1.0 if item.group <= 4 else 0.5 if item.group <= 6 else 0.0


Term = Callable[[Rankable, RankingSettings], float]
TERMS: dict[str, Term] = {
    "stability": _stability,
    "prior": lambda item, settings: item.prior,
    "hydrogen": lambda item, settings: item.hydrogen_fraction,
    "convergence": lambda item, settings: float(item.is_converged),
    "novelty": _novelty,
}
"""Name -> value from 0 to 1, higher is better."""


def rank(items: Sequence[Rankable], settings: RankingSettings) -> list[Ranked]:
    """Score and rank; in the order of the input.

    Ties are broken by hull distance, then by id, so that the same candidates give the same ranks.
    """
    total = sum(settings.weights.values())
    weights = {name: settings.weights[name] / total for name in TERMS if settings.weights.get(name, 0) > 0}
    values = {
        item.id: {name: TERMS[name](item, settings) for name in weights}
        for item in items
        if item.e_above_hull is not None
    }
    scores = {key: sum(weights[name] * value for name, value in terms.items()) for key, terms in values.items()}
    hull = {item.id: item.e_above_hull for item in items if item.e_above_hull is not None}
    places = {
        key: place
        for place, key in enumerate(sorted(scores, key=lambda key: (-round(scores[key], 9), hull[key], key)), start=1)
    }
    ranked = []
    for item in items:
        if item.id not in values:
            ranked.append(Ranked(item.id, None, None, None, {}))
            continue
        mine = values[item.id]
        ranked.append(
            Ranked(
                id=item.id,
                rank=places[item.id],
                score=scores[item.id],
                is_pareto=not any(_dominates(other, mine) for key, other in values.items() if key != item.id),
                terms={
                    name: {"value": value, "weight": weights[name], "contribution": weights[name] * value}
                    for name, value in mine.items()
                },
            )
        )
    return ranked


def _dominates(other: dict[str, float], mine: dict[str, float]) -> bool:
    return all(other[name] >= mine[name] for name in mine) and any(other[name] > mine[name] for name in mine)
