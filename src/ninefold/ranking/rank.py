"""Ranking by visible terms: every score is a weighted mean of terms that are shown beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ninefold.ranking.pareto import pareto_front
from ninefold.ranking.settings import RankingSettings
from ninefold.ranking.terms import TERMS, Rankable, RankableColumns, load_terms, shown_name

_DIGITS = 9
"""Digits to which scores are compared; what is smaller comes from the order of summation."""
_SHIFTS = (0.0, -1.0, 1.0)
"""As found; off by the noise in the candidate's favour; and against it."""


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
    scores = Scores(settings, noise_eV_per_atom)
    scores.add(items)
    return [scores.ranked(place) for place in range(len(items))]


class Scores:
    """Scores of a campaign's candidates, added some at a time; some 200 bytes of each are held.

    Args:
        settings: Weights of terms, ours and the user's.
        noise_eV_per_atom: As in `rank`.

    Raises:
        InputError: if a term cannot be loaded.
    """

    def __init__(self, settings: RankingSettings, noise_eV_per_atom: float = 0.0) -> None:
        total = sum(settings.weights.values())
        chosen = [name for name, weight in settings.weights.items() if weight > 0]
        shares = {shown_name(name, chosen): settings.weights[name] / total for name in chosen}
        self._settings, self._noise = settings, noise_eV_per_atom
        self._terms = load_terms(chosen)
        self._shipped = {shown_name(name, chosen) for name in chosen if TERMS.is_shipped(name)}
        self.weights: dict[str, float] = {name: shares[name] for name in self._terms}
        """Term -> weight; they sum to 1."""
        self.ids: list[str] = []
        self._reasons: list[str | None] = []
        self._hull: list[NDArray[np.float64]] = []
        self._values: list[NDArray[np.float64]] = []
        self._moved: list[NDArray[np.float64]] = []

    @property
    def needs_quantities(self) -> bool:
        """Whether a term of the user's reads `Rankable.quantities`; ninefold's own do not."""
        return self._shipped != set(self._terms)

    def add(self, items: Sequence[Rankable]) -> None:
        """Score some candidates; before the first question for a rank.

        Raises:
            InputError: if a term raises, or gives anything but a number from 0 to 1.
        """
        if self._settings.at is not None:
            items = [at_synthesis(item) for item in items]
        reasons = [_reason(item) for item in items]
        placed = [item for item, reason in zip(items, reasons, strict=True) if reason is None]
        self.ids += [item.id for item in items]
        self._reasons += reasons
        columns = RankableColumns.of(placed)
        half = np.array([self._noise if item.uncertainty is None else item.uncertainty for item in placed]) / 2
        values = [self._values_of(placed, columns, shift * half) for shift in _SHIFTS]
        weights = np.array(list(self.weights.values()))
        self._hull.append(columns.phase_separation_energy)
        self._values.append(values[0])
        self._moved.append(np.stack([_weighted(some, weights) for some in values], axis=1))

    def _values_of(
        self, items: Sequence[Rankable], columns: RankableColumns, energies: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Shape (n_items, n_terms), with hull distances moved by energies, shape (n_items,), eV/atom."""
        moved = columns.shifted(energies)
        values = np.empty((len(items), len(self._terms)))
        for place, (name, term) in enumerate(self._terms.items()):
            if name in self._shipped:
                values[:, place] = term(moved, self._settings)
            else:
                values[:, place] = [
                    term(_shifted(item, float(energy)), self._settings)
                    for item, energy in zip(items, energies, strict=True)
                ]
        return values

    def ranked(self, place: int) -> Ranked:
        """Where the candidate stands that was added at a place, 0 for the first."""
        if (reason := self._reasons[place]) is not None:
            return Ranked(self.ids[place], None, None, None, {}, reason=reason)
        row = int(self._rows[place])
        values = self.values[row]
        return Ranked(
            id=self.ids[place],
            rank=int(self.ranks[row]),
            score=float(self.scores[row]),
            is_pareto=bool(self.is_pareto[row]),
            terms={
                name: {"value": float(value), "weight": weight, "contribution": float(weight * value)}
                for (name, weight), value in zip(self.weights.items(), values, strict=True)
            },
            rank_best=int(self._ranges[row, 0]),
            rank_worst=int(self._ranges[row, 1]),
        )

    @cached_property
    def order(self) -> list[int]:
        """Places of the candidates that have a rank, the best first."""
        order = np.empty(len(self.ranks), dtype=int)
        order[self.ranks - 1] = np.arange(len(self.ranks))
        return [int(place) for place in self._placed[order]]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Shape (n_ranked, n_terms), 0 to 1, in the order in which they were added."""
        return np.concatenate(self._values) if self._values else np.empty((0, len(self._terms)))

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """Shape (n_ranked,), 0 to 1."""
        return self._all_moved[:, 0]

    @cached_property
    def ranks(self) -> NDArray[np.int_]:
        """Shape (n_ranked,), from 1."""
        hull = np.concatenate(self._hull) if self._hull else np.empty(0)
        identifiers = np.array([self.ids[place] for place in self._placed], dtype=np.str_)
        # compared by code points, as Python's own order
        order = np.lexsort((identifiers, hull, -np.round(self.scores, _DIGITS)))
        ranks = np.empty(len(order), dtype=int)
        ranks[order] = np.arange(1, len(order) + 1)
        return ranks

    @cached_property
    def is_pareto(self) -> NDArray[np.bool_]:
        """Shape (n_ranked,)."""
        return pareto_front(self.values)

    @cached_property
    def _ranges(self) -> NDArray[np.int_]:
        """Shape (n_ranked, 2): the best and the worst rank that the noise leaves open."""
        moved = np.round(self._all_moved, _DIGITS)
        highest, lowest = moved[:, 1], moved[:, 2]
        surely_ahead = len(moved) - np.searchsorted(np.sort(lowest), highest, side="right")
        surely_behind = np.searchsorted(np.sort(highest), lowest, side="left")
        return np.stack([1 + surely_ahead, len(moved) - surely_behind], axis=1)

    @cached_property
    def _all_moved(self) -> NDArray[np.float64]:
        """Shape (n_ranked, 3), scores by `_SHIFTS`."""
        return np.concatenate(self._moved) if self._moved else np.empty((0, len(_SHIFTS)))

    @cached_property
    def _placed(self) -> NDArray[np.int_]:
        """Shape (n_ranked,), places of those that have a rank."""
        return np.flatnonzero([reason is None for reason in self._reasons])

    @cached_property
    def _rows(self) -> NDArray[np.int_]:
        """Shape (n,), place -> row of the arrays; what has no rank is never asked for."""
        return np.cumsum([reason is None for reason in self._reasons]) - 1


def _weighted(values: NDArray[np.float64], weights: Iterable[float]) -> NDArray[np.float64]:
    """Shape (n,), summed term by term in one order: a score is the sum of what is shown."""
    total = np.zeros(len(values))
    for column, weight in zip(values.T, weights, strict=True):
        total += weight * column
    return total


def _shifted(item: Rankable, energy: float) -> Rankable:
    if not energy:
        return item
    return replace(
        item,
        phase_separation_energy=(item.phase_separation_energy or 0.0) + energy,
        quantities=item.quantities.shifted(energy),
    )


def at_synthesis(item: Rankable) -> Rankable:
    """As ranked at a condition: by its distance there, which lower structures of its composition are part of."""
    return replace(item, phase_separation_energy=item.synthesis_separation, e_above_same_composition=0.0)


def _reason(item: Rankable) -> str | None:
    if item.is_competitor:
        return "competitor"
    if item.anion_class == "h2_ligand":
        return "h2_ligand"
    if item.is_rejected:
        return "rejected"
    return "no_hull" if item.phase_separation_energy is None else None
