"""What rows say of the dynamics of their candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ninefold.models.dynamics import DynamicsRecord
from ninefold.stages.dynamics_fields import preferred, row_values
from ninefold.store.filling import pages
from ninefold.store.records import read_all

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate
    from ninefold.store import Store

_PAGE = 500
"""Structures that are asked for at once."""


class KnownDynamics:
    """Dynamics of the compositions of some rows: of any structure among their minima, by any method.

    Args:
        store: Where.
        rows: Every method's, read once.
    """

    def __init__(self, store: Store, rows: Iterable[Candidate]) -> None:
        self._by_composition: dict[str, dict[str, DynamicsRecord]] = {}
        if not store.count("dynamics"):
            return
        holders: dict[str, set[str]] = {}
        for row in rows:
            for minimum in row.minima:
                holders.setdefault(minimum.structure, set()).add(row.composition)
        for page in pages(sorted(holders), _PAGE):
            for record in read_all(store, DynamicsRecord, equal={"structure": list(page)}):
                for composition in holders[record.structure]:
                    self._by_composition.setdefault(composition, {})[record.id] = record

    def told(self, rows: Iterable[Candidate]) -> Iterator[Candidate]:
        """Rows with what is known of their composition; what they said of dynamics before is forgotten."""
        for row in rows:
            some = self._by_composition.get(row.composition, {})
            chosen = preferred(list(some.values()), row.minima[0].structure if row.minima else None)
            yield row.model_copy(update=row_values(chosen))
