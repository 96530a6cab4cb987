"""A composition of a campaign: formula, centre, hydrogens on it, and what the rules say."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

from pydantic import Field

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES
from ninefold.models.record import Record


class CompositionRecord(Record):
    """One assignment of a campaign before any structure. id = hash of campaign and label, 16 digits."""

    collection: ClassVar[str] = "compositions"

    campaign: str
    formula: str
    anion: str
    label: str
    chemical_system: str
    elements: list[str]
    nelements: int
    centre: str
    cations: list[str]
    cation_counts: dict[str, int]
    group: int
    n: int
    q: int
    m: int
    assignment: dict[str, Any] | None = None
    """Centre, n, q, m and the cations with count and charge; None in a store made before it was recorded."""
    electron_count: int
    oxidation_state: int
    anion_class: str
    is_neighbour: bool = False
    is_competitor: bool = False
    is_low_budget: bool = False
    """Whether it is a competitor that a complete search adds, with the low budget of `stability.complete_search`."""
    is_known: bool = False
    prior: float
    """Product of the scores of the rules on the composition."""
    neighbour_of: str | None = None
    """Label of the composition that this one is a neighbour of."""
    other_assignments: list[str] = Field(default_factory=list)
    """Labels of the other assignments of the same formula: another centre, or other hydrogens interstitial."""
    verdicts: list[dict[str, Any]] = Field(default_factory=list)
    """Per rule on the composition: rule, mode, value, unit, bound, passed, score, reason, source."""
    rules: str = ""
    """Name of the rule set."""

    def to_assignment(self) -> Assignment:
        """As the science takes it.

        Raises:
            ValueError: of a record that was migrated and not selected since.
        """
        if self.assignment is None:
            raise ValueError(f"{self.label}: the charges of its cations are not stored")
        return unpack_assignment(self.assignment)


def pack_assignment(assignment: Assignment) -> dict[str, Any]:
    """An assignment as plain values."""
    return {
        "centre": assignment.centre,
        "n": assignment.n,
        "q": assignment.q,
        "m": assignment.m,
        "cations": [list(cation) for cation in assignment.cations],
    }


def unpack_assignment(packed: dict[str, Any]) -> Assignment:
    """The inverse of `pack_assignment`."""
    return Assignment(
        packed["centre"], packed["n"], packed["q"], packed["m"], tuple(Cation(*cation) for cation in packed["cations"])
    )


def with_assignment(record: CompositionRecord) -> CompositionRecord:
    """A record of an older store with its assignment: the cations take those of their usual charges that balance q + m.

    Raises:
        ValueError: if none do.
    """
    if record.assignment is not None:
        return record
    symbols = sorted(record.cation_counts)
    for charges in itertools.product(*(CATION_CHARGES[symbol] for symbol in symbols)):
        cations = tuple(Cation(s, record.cation_counts[s], z) for s, z in zip(symbols, charges, strict=True))
        assignment = Assignment(record.centre, record.n, record.q, record.m, cations)
        if assignment.cation_charge == record.q + record.m:
            return record.model_copy(update={"assignment": pack_assignment(assignment)})
    raise ValueError(f"{record.label}: no usual charges of its cations balance it")
