"""Judge the results by the rules, score and rank."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.stages.stage import Counts, Resources, Stage

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate
    from ninefold.models.quantities import Kind
    from ninefold.ranking import Ranked
    from ninefold.ranking.settings import RankingSettings
    from ninefold.rules import RuleSet, Verdict

STAGE = Stage(
    "rank",
    "stability",
    evidence="ML",
    resources=Resources(memory_GB=2.0, minutes=60.0),
    meaning="candidates with a rank",
)  # fmt: skip


class Ranking:
    """Places of all candidates of a campaign; rows are read one by one and not held.

    Args:
        rule_set: Judges the results.
        settings: Weights of the terms.
        noise: Of hull distances without a measured uncertainty, eV/atom.
        columns: Column -> kind, that stages of the user's add to every candidate.
    """

    def __init__(
        self, rule_set: RuleSet, settings: RankingSettings, noise: float, columns: Mapping[str, Kind] | None = None
    ) -> None:
        self._rule_set, self._settings, self._noise = rule_set, settings, noise
        self._columns = columns or {}
        self._places: dict[str, Ranked] = {}
        self.counts = Counts()

    def rank(self, rows: Iterable[Candidate]) -> None:
        """Place every candidate.

        Args:
            rows: Of the method that stands for each composition.
        """
        from ninefold.ranking import rank

        items = [self._item(row) for row in rows]
        self._places = {place.id: place for place in rank(items, self._settings, self._noise)}

    def ranked(self, rows: Iterable[Candidate]) -> Iterator[Candidate]:
        """The rows with verdicts on results, score and rank; status says ranked, or why not."""
        for row in rows:
            place = self._places.get(row.id)
            verdicts = [verdict.to_dict() for verdict in self._judged(row)]
            update: dict[str, Any] = {"verdicts": verdicts}
            if place is not None:
                update |= {
                    "rank": place.rank, "rank_best": place.rank_best, "rank_worst": place.rank_worst,
                    "score": place.score, "is_pareto": place.is_pareto, "terms": place.terms,
                    "status": (place.reason or "ranked") if row.structures_found else _without_structure(row),
                }  # fmt: skip
            elif row.is_competitor and row.structures_found:
                update["status"] = "competitor"  # by whichever method: it is no candidate
            ranked = row.model_copy(update=update)
            if place is not None and not row.is_competitor:
                self.counts.count_in += 1
                self.counts.count_out += ranked.rank is not None
                reason = "not searched" if ranked.status == "selected" else ranked.status
                self.counts.reasons.update(Counter() if ranked.rank is not None else {reason: 1})
            yield ranked

    def _judged(self, row: Candidate) -> Sequence[Verdict]:
        return self._rule_set.judge(_values(row))

    def _item(self, row: Candidate) -> Any:
        from ninefold.ranking import Rankable
        from ninefold.ranking.stored import OF_CONDITIONS
        from ninefold.ranking.terms import Quantities

        verdicts = self._judged(row)
        return Rankable(
            id=row.id,
            phase_separation_energy=row.phase_separation_energy,
            e_above_same_composition=row.e_above_same_composition or 0.0,
            uncertainty=row.e_above_hull_uncertainty,
            prior=row.prior * math.prod(verdict.score for verdict in verdicts if verdict.mode == "score"),
            hydrogen_fraction=_hydrogen_fraction(row),
            group=row.group,
            is_converged=bool(row.is_converged),
            anion_class=row.anion_class,
            is_competitor=row.is_competitor,
            **{key: getattr(row, key) for key in OF_CONDITIONS},
            is_rejected=any(verdict.mode == "gate" and verdict.passed is False for verdict in verdicts),
            quantities=Quantities(_values(row), self._columns),
        )


def best_methods(rows: Iterable[Candidate], methods: Sequence[str]) -> dict[str, str]:
    """The method whose row stands for each composition: the most trusted one that has a hull distance for it.

    Args:
        rows: Of every method.
        methods: Ids, by rising trust: the search's method first, then those of `energies` as the campaign lists them.

    Returns:
        Id of the composition -> id of the method.
    """
    trust = {method: place for place, method in enumerate(methods)}
    best: dict[str, tuple[bool, int, str]] = {}
    for row in rows:
        found = (row.phase_separation_energy is not None, trust.get(row.method, -1), row.method)
        best[row.composition] = max(best.get(row.composition, found), found)
    return {composition: method for composition, (_, _, method) in best.items()}


def _values(row: Candidate) -> Mapping[str, Any]:
    """What rules on results may judge: the row's own scalars, and what stages of the user's have computed."""
    return {**row.properties, **dict(row)}


def _without_structure(row: Candidate) -> str:
    """Whether a search found nothing, or none has been finished."""
    return "no_structure" if row.search_rounds else "selected"


def _hydrogen_fraction(row: Candidate) -> float:
    hydrogen = row.n + row.m
    return hydrogen / (sum(row.cation_counts.values()) + 1 + hydrogen)
