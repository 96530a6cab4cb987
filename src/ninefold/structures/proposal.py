"""What a structure source offers, and what happened while it tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.structures.packing import Packing


@dataclass(frozen=True)
class Proposal:
    """A structure to be looked at by an engine."""

    structure: Structure
    source: str
    """How it was made: `type:K2PtCl6`, `host:fcc`, `random:Z2`."""


class Source(Protocol):
    """Offers packings of a composition for as long as it is asked."""

    def __call__(
        self, assignment: Assignment, formula_units: int, rng: np.random.Generator, failures: Counter[str]
    ) -> Packing | None:
        """One packing with so many formula units, or None with the reason counted in `failures`."""
        ...


Notify = Callable[[str, int, int], None]
"""Told of progress: step, done, total."""


def never() -> bool:
    """For a search that nobody stops."""
    return False


Stop = Callable[[], bool]
"""Asked between two structures: True ends the search with what it has."""


def attempts(
    source: Source,
    assignment: Assignment,
    formula_units: int,
    wanted: int,
    rng: np.random.Generator,
    failures: Counter[str],
    tries_each: int = 5,
) -> Iterator[Packing]:
    """Up to `wanted` packings of a source, giving up after `tries_each` tries for each wanted one."""
    made = 0
    for _ in range(wanted * tries_each):
        if made == wanted:
            return
        packing = source(assignment, formula_units, rng, failures)
        if packing is not None:
            made += 1
            yield packing
