"""Relaxed structures of a composition described as minima, outside of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Relaxation
from ninefold.search.prescreen import FoundStructure, SearchOutcome, _distinct, _found, _representative_first


def described_minima(
    assignment: Assignment, relaxations: Sequence[Relaxation], sources: Sequence[str]
) -> SearchOutcome:
    """What is left of some structures after another method has relaxed them to the end.

    Args:
        assignment: The composition.
        relaxations: Of its minima.
        sources: Where each came from.
    """
    reasons: Counter[str] = Counter()
    found: list[FoundStructure] = []
    for relaxation, source in zip(relaxations, sources, strict=True):
        minimum = _found(assignment, relaxation, source, reasons, is_final=True)
        if minimum is not None:
            found.append(minimum)
    valid = _distinct([minimum for minimum in found if minimum.is_valid])
    rejected = sorted((item for item in found if not item.is_valid), key=lambda item: item.energy_per_atom)
    return SearchOutcome(
        found=(*_representative_first(valid), *rejected[:2]),
        reasons=reasons,
        counts={"relaxed": len(relaxations)},
        relaxations=len(relaxations),
        core_seconds=sum(relaxation.core_seconds for relaxation in relaxations),
    )
