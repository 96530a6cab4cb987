"""Ranking by visible terms: every score is a weighted mean of terms that are shown beside it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ninefold.ranking.settings import RankingSettings

_DIGITS = 9
"""Digits to which scores are compared; what is smaller comes from the order of summation."""


@dataclass(frozen=True)
class Rankable:
    """What the ranking looks at, of one candidate."""

    id: str
    phase_separation_energy: float | None
    """eV/atom, signed; None without a valid structure or a hull: such a candidate has no rank."""
    prior: float
    """0 to 1, from the soft rules."""
    hydrogen_fraction: float
    """Hydrogen atoms over all atoms."""
    group: int
    """Group number of the centre."""
    is_converged: bool
    """Whether the structure reached its force criterion."""
    anion_class: str = "classical"
    """`classical`, or `h2_ligand`: such complexes are no hydrides in this sense and have no rank among them."""
    e_above_same_composition: float = 0.0
    """eV/atom above the lowest structure of its composition at hand; a higher one is not what would form."""
    uncertainty: float | None = None
    """Of the hull distance, eV/atom, as measured; None where it was not."""
    is_competitor: bool = False
    """Whether it is no candidate but a made compound that was searched as a competitor."""
    is_rejected: bool = False
    """Whether a rule on results rejects it."""


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
    rank_best: int | None = None
    """The rank it could have if hull distances were off by the noise in its favour."""
    rank_worst: int | None = None
    """The rank it could have if they were off by the noise against it."""
    reason: str | None = None
    """Why it has no rank: `competitor`, `h2_ligand`, `rejected` or `no_hull`."""


def _stability(item: Rankable, settings: RankingSettings) -> float:
    """1 on the hull or below, falling exponentially above it, or above a lower structure of the same composition."""
    above = max(item.phase_separation_energy or 0.0, item.e_above_same_composition, 0.0)
    return math.exp(-above / settings.stability_scale_eV_per_atom)


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


def rank(items: Sequence[Rankable], settings: RankingSettings, noise_eV_per_atom: float = 0.0) -> list[Ranked]:
    """Score and rank; in the order of the input.

    Ties are broken by hull distance, then by id, so that the same candidates give the same ranks.

    Args:
        items: Candidates of one campaign.
        settings: Weights.
        noise_eV_per_atom: Uncertainty of a hull distance that was not measured; `rank_best` and
            `rank_worst` say which ranks the uncertainties leave open.
    """
    total = sum(settings.weights.values())
    weights = {name: settings.weights[name] / total for name in TERMS if settings.weights.get(name, 0) > 0}

    def values_of(item: Rankable) -> dict[str, float]:
        return {name: TERMS[name](item, settings) for name in weights}

    def score_of(values: Mapping[str, float]) -> float:
        return sum(weights[name] * value for name, value in values.items())

    def shifted(item: Rankable, energy: float) -> float:
        moved = replace(item, phase_separation_energy=(item.phase_separation_energy or 0.0) + energy)
        return round(score_of(values_of(moved)), _DIGITS)

    placed = [item for item in items if _reason(item) is None]
    values = {item.id: values_of(item) for item in placed}
    scores = {key: score_of(terms) for key, terms in values.items()}
    hull = {item.id: item.phase_separation_energy or 0.0 for item in placed}
    order = sorted(scores, key=lambda key: (-round(scores[key], _DIGITS), hull[key], key))
    places = {key: place for place, key in enumerate(order, start=1)}
    front = _pareto_front([tuple(terms.values()) for terms in values.values()])

    def half_range(item: Rankable) -> float:
        """Half the uncertainty: the difference of two hull distances is what is known to within it."""
        return (noise_eV_per_atom if item.uncertainty is None else item.uncertainty) / 2

    highest = {item.id: shifted(item, -half_range(item)) for item in placed}
    lowest = {item.id: shifted(item, half_range(item)) for item in placed}
    rising_highest, rising_lowest = sorted(highest.values()), sorted(lowest.values())

    def ranked(item: Rankable) -> Ranked:
        if (reason := _reason(item)) is not None:
            return Ranked(item.id, None, None, None, {}, reason=reason)
        surely_ahead = len(placed) - bisect_right(rising_lowest, highest[item.id])
        surely_behind = bisect_left(rising_highest, lowest[item.id])
        return Ranked(
            id=item.id,
            rank=places[item.id],
            score=scores[item.id],
            is_pareto=tuple(values[item.id].values()) in front,
            terms={
                name: {"value": value, "weight": weights[name], "contribution": weights[name] * value}
                for name, value in values[item.id].items()
            },
            rank_best=1 + surely_ahead,
            rank_worst=len(placed) - surely_behind,
        )

    return [ranked(item) for item in items]


def _reason(item: Rankable) -> str | None:
    if item.is_competitor:
        return "competitor"
    if item.anion_class == "h2_ligand":
        return "h2_ligand"
    if item.is_rejected:
        return "rejected"
    return "no_hull" if item.phase_separation_energy is None else None


def _pareto_front(points: Sequence[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """The points that no other dominates: at least as good everywhere and better somewhere.

    A dominating point is the greater in lexicographic order, so one pass from the greatest down need
    look only at the front so far.
    """
    front: list[tuple[float, ...]] = []
    for point in sorted(set(points), reverse=True):
        if not any(all(theirs >= ours for theirs, ours in zip(other, point, strict=True)) for other in front):
            front.append(point)
    return set(front)
