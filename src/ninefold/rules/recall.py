"""How a rule set treats what is known, and how two rule sets differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ninefold.chemistry.compounds import KnownCompound, known_compounds
from ninefold.chemistry.table import CandidateTable
from ninefold.rules.rule import Mode, Stage
from ninefold.rules.rule_set import RuleSet

SELECTS_NOTHING = 0.9
"""Share of a space; gates that keep more of it select almost nothing."""
FEW = 10
"""Compositions below which a share says nothing."""
_BINS = 2000
"""Of the histogram of priors: a space may hold millions of rows."""


@dataclass(frozen=True)
class Recall:
    """Per compound that has been made: kept, or rejected and by which gates."""

    rows: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"compounds": list(self.rows), "summary": self.summary()}

    def summary(self) -> str:
        """Counts by class, in one line."""
        wanted = [row for row in self.rows if row["expected"] == "kept"]
        violators = [row for row in self.rows if row["expected"] == "rejected"]
        return "; ".join(
            [
                f"n >= 7: {_kept([row for row in wanted if row['n'] >= 7])}",
                f"n < 7: {_kept([row for row in wanted if row['n'] < 7])}",
                f"known violators: {sum(not row['kept'] for row in violators)} of {len(violators)} rejected",
                f"compounds that no threshold was fitted to: {_kept([row for row in wanted if not row['fitted']])}, "
                f"{_kept([row for row in wanted if not row['fitted'] and row['n'] >= 7])} with n >= 7"
                f"{_median_prior([row['prior'] for row in wanted if not row['fitted']])}",
            ]
        )


def _kept(rows: list[dict[str, Any]]) -> str:
    return f"{sum(row['kept'] for row in rows)} of {len(rows)} kept" if rows else "none listed"


def _median_prior(priors: list[float]) -> str:
    return f", median prior {np.median(priors):.2f}" if priors else ""


@dataclass(frozen=True)
class Selectivity:
    """How much of a space a rule set keeps, and how its scores spread over that."""

    rules: str
    compositions: int
    kept: int
    priors: tuple[float, float, float] | None
    """Prior below which a tenth, a half and nine tenths of what is kept lie; None without scores, or if nothing is."""
    reasons: Counter[str]
    """First gate that rejects -> compositions."""

    @property
    def share(self) -> float:
        """Of the compositions, 0 to 1; 1 for an empty space."""
        return self.kept / self.compositions if self.compositions else 1.0

    @property
    def is_selective(self) -> bool:
        """Whether the gates reject a tenth or more, or the space is too small to say."""
        return self.compositions < FEW or self.share <= SELECTS_NOTHING

    def summary(self, space: str) -> str:
        """One sentence for people, with a warning where the gates select almost nothing."""
        share = _percent(self.share)
        text = f"{self.rules} keeps {self.kept:,} of {self.compositions:,} compositions of {space} ({share})"
        if self.is_selective:
            return text
        text += ": its gates select almost nothing here, since the space holds only what satisfies both equations; "
        if self.priors is None:
            return f"{text}no score orders them either"
        low, median, high = self.priors
        return f"{text}the scores order them (prior: median {median:.2f}, eight in ten from {low:.2f} to {high:.2f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "compositions": self.compositions, "kept": self.kept, "share": round(self.share, 4),
            "selects_almost_nothing": not self.is_selective,
            "prior_deciles_1_5_9": None if self.priors is None else [round(value, 4) for value in self.priors],
        }  # fmt: skip


def selectivity(rule_set: RuleSet, tables: Iterable[CandidateTable]) -> Selectivity:
    """How much of some compositions a rule set keeps."""
    compositions = kept = 0
    reasons: Counter[str] = Counter()
    histogram = np.zeros(_BINS, dtype=np.int64)
    for table in tables:
        verdicts = rule_set.apply(table)
        compositions += len(table)
        kept += int(verdicts.kept.sum())
        reasons.update(verdicts.reasons)
        histogram += np.histogram(verdicts.prior[verdicts.kept], bins=_BINS, range=(0.0, 1.0))[0]
    has_scores = any(rule.mode is Mode.SCORE for rule in rule_set.active(Stage.COMPOSITION))
    priors = None
    if kept and has_scores:
        places = np.searchsorted(np.cumsum(histogram), [0.1 * kept, 0.5 * kept, 0.9 * kept])
        low, median, high = (float((min(place, _BINS - 1) + 0.5) / _BINS) for place in places)
        priors = (low, median, high)
    return Selectivity(rule_set.name, compositions, kept, priors, reasons)


def _percent(share: float) -> str:
    """Whole percents, never rounded up to all or down to none."""
    percent = 100 * share
    rounded = round(percent)
    if (rounded == 100 and share < 1) or (rounded == 0 and share > 0):
        return f"{percent:.2g} %" if percent < 1 else f"{math.floor(percent * 10) / 10:.1f} %"
    return f"{rounded} %"


def recall(rule_set: RuleSet, compounds: Iterable[KnownCompound] | None = None) -> Recall:
    """Run a rule set against compounds that have been made and known violators.

    Args:
        rule_set: What to test.
        compounds: Default: those that ninefold ships.
    """
    rows = []
    for compound in known_compounds() if compounds is None else compounds:
        verdicts = rule_set.explain(compound.assignment)
        rejected = [verdict.rule for verdict in verdicts if verdict.mode == Mode.GATE.value and not verdict.passed]
        rows.append(
            {
                "name": compound.formula,
                "anion": compound.assignment.anion,
                "n": compound.assignment.n,
                "expected": "rejected" if compound.violates else "kept",
                "kept": not rejected,
                "rejected_by": ", ".join(rejected) or None,
                "prior": round(math.prod(verdict.score for verdict in verdicts if verdict.mode == Mode.SCORE.value), 4),
                "fitted": compound.fitted,
                "source": compound.source,
                "provenance": compound.provenance,
            }
        )
    return Recall(tuple(rows))


def compare(first: RuleSet, second: RuleSet, tables: Iterable[CandidateTable]) -> list[dict[str, Any]]:
    """What two rule sets keep of the same compositions, by group of the centre, and in all."""
    counts: dict[str, list[int]] = {}
    for table in tables:
        kept = first.apply(table).kept, second.apply(table).kept
        for group in sorted({int(group) for group in table.group}):
            of_group = table.group == group
            row = counts.setdefault(f"group {group}", [0, 0, 0, 0])
            row[0] += int(of_group.sum())
            row[1] += int((kept[0] & of_group).sum())
            row[2] += int((kept[1] & of_group).sum())
            row[3] += int((kept[0] & kept[1] & of_group).sum())
    ordered = sorted(counts.items(), key=lambda item: int(item[0].split()[1]))
    total = [sum(row[place] for _, row in ordered) for place in range(4)]
    return [
        {"centres": name, "compositions": row[0], first.name: row[1], second.name: row[2], "both": row[3]}
        for name, row in [*ordered, ("all", total)]
    ]
