"""How a rule set treats what is known, and how two rule sets differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ninefold.chemistry.compounds import KnownCompound, known_compounds
from ninefold.chemistry.table import CandidateTable
from ninefold.rules.rule import Mode
from ninefold.rules.rule_set import RuleSet


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
        high = [row for row in wanted if row["n"] >= 7]
        violators = [row for row in self.rows if row["expected"] == "rejected"]
        low = [row for row in wanted if row["n"] < 7]
        return (
            f"n >= 7: {sum(row['kept'] for row in high)} of {len(high)} kept; "
            f"n < 7: {sum(row['kept'] for row in low)} of {len(low)} kept; "
            f"known violators: {sum(not row['kept'] for row in violators)} of {len(violators)} rejected"
        )


def recall(rule_set: RuleSet, compounds: Iterable[KnownCompound] | None = None) -> Recall:
    """Run a rule set against compounds that have been made and known violators.

    Args:
        rule_set: What to test.
        compounds: Default: those that ninefold ships.
    """
    rows = []
    for compound in known_compounds() if compounds is None else compounds:
        rejected = [
            verdict.rule
            for verdict in rule_set.explain(compound.assignment)
            if verdict.mode == Mode.GATE.value and not verdict.passed
        ]
        rows.append(
            {
                "name": compound.formula,
                "anion": compound.assignment.anion,
                "n": compound.assignment.n,
                "expected": "rejected" if compound.violates else "kept",
                "kept": not rejected,
                "rejected_by": ", ".join(rejected) or None,
                "source": compound.source,
                "mark": compound.mark,
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
