"""Ranking by visible terms: every score is a weighted mean of terms that are shown beside it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ninefold.ranking.settings import RankingSettings
from ninefold.ranking.terms import TERMS, Rankable, load_terms, shown_name

_DIGITS = 9
"""Digits to which scores are compared; what is smaller comes from the order of summation."""


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


def rank(items: Sequence[Rankable], settings: RankingSettings, noise_eV_per_atom: float = 0.0) -> list[Ranked]:
    """Score and rank; in the order of the input.

    Ties are broken by hull distance, then by id, so that the same candidates give the same ranks.

    Args:
        items: Candidates of one campaign.
        settings: Weights of terms, ours and the user's.
        noise_eV_per_atom: Uncertainty of a hull distance that was not measured; `rank_best` and
            `rank_worst` say which ranks the uncertainties leave open.

    Raises:
        InputError: if a term cannot be loaded, raises, or gives anything but a number from 0 to 1.
    """
    total = sum(settings.weights.values())
    chosen = [name for name, weight in settings.weights.items() if weight > 0]
    terms = load_terms(chosen)
    has_foreign = not all(map(TERMS.is_shipped, chosen))
    shares = {shown_name(name, chosen): settings.weights[name] / total for name in chosen}
    weights = {name: shares[name] for name in terms}

    def values_of(item: Rankable) -> dict[str, float]:
        return {name: term(item, settings) for name, term in terms.items()}

    def score_of(values: Mapping[str, float]) -> float:
        return sum(weights[name] * value for name, value in values.items())

    def shifted(item: Rankable, energy: float) -> float:
        moved = replace(
            item,
            phase_separation_energy=(item.phase_separation_energy or 0.0) + energy,
            quantities=item.quantities.shifted(energy) if has_foreign else item.quantities,
        )
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
