"""Stored candidates as the ranking looks at them, many at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.ranking.terms import Quantities, Rankable
from ninefold.rules.results import ResultTable

if TYPE_CHECKING:
    from ninefold.models.quantities import Kind
    from ninefold.rules import RuleSet

OF_CONDITIONS = (
    "synthesis_separation", "ambient_separation", "window_width", "survives_ambient", "pseudorotation_barrier",
)  # fmt: skip
"""What terms and a ranking at a condition read."""
FIELDS = (
    "id", "formula", "phase_separation_energy", "e_above_same_composition", "e_above_hull_uncertainty", "prior", "n",
    "m", "group", "is_converged", "anion_class", "is_competitor", *OF_CONDITIONS,
)  # fmt: skip
"""What the ranking reads of a row, besides what rules on results and terms of a user's read."""
_AMOUNT = re.compile(r"[A-Z][a-z]?(\d*)")


def rankables(
    rows: Sequence[Mapping[str, Any]], rule_set: RuleSet, columns: Mapping[str, Kind] | None, *, with_quantities: bool
) -> list[Rankable]:
    """Flat rows of candidates for `Scores.add`, judged by the rules on results all at once.

    Args:
        rows: With `FIELDS`, and what the rules read.
        rule_set: Judges the results.
        columns: Column -> kind, that stages of the user's add to every candidate.
        with_quantities: Whether a term of the user's reads them; each row then has all of them.
    """
    kept, scores = rule_set.judge_all(ResultTable(rows, columns))
    return [
        Rankable(
            id=row["id"],
            phase_separation_energy=row["phase_separation_energy"],
            e_above_same_composition=row["e_above_same_composition"] or 0.0,
            uncertainty=row["e_above_hull_uncertainty"],
            prior=row["prior"] * score,
            hydrogen_fraction=(row["n"] + row["m"]) / _atoms(row["formula"]),
            group=row["group"],
            is_converged=bool(row["is_converged"]),
            anion_class=row["anion_class"],
            is_competitor=bool(row["is_competitor"]),
            is_rejected=not is_kept,
            **{key: row[key] for key in OF_CONDITIONS},
            quantities=Quantities(row, columns) if with_quantities else _NONE,
        )
        for row, is_kept, score in zip(rows, kept.tolist(), scores.tolist(), strict=True)
    ]


_NONE = Quantities({})


def _atoms(formula: str) -> int:
    """Atoms of a stored formula: it is one of a centre, without brackets or fractions."""
    return sum(int(amount or 1) for amount in _AMOUNT.findall(formula))
