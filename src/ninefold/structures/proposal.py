"""What a structure source offers, and what happened while it tried."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.structures.packing import Packing

MAX_CONSECUTIVE_FAILURES = 40
"""Attempts of a source in a row without a packing, after which no more are drawn from it."""
GUARD_SECONDS = 120.0
"""Wall clock that one source may take for one cell size of one composition; ours take a tenth of it at most."""


@dataclass(frozen=True)
class Proposal:
    """A structure to be looked at by an engine."""

    structure: Structure
    source: str
    """How it was made: `type:K2PtCl6`, `type:K2ReH9:K 3f, Na 3g`, `prototype:AB2_cF12_225_a_c:Z1`, `host:fcc:Z2`,
    `symmetric:160:Z1`, `random:Z2`."""


class Exhausted(Exception):  # noqa: N818  # an end, not an error, as StopIteration
    """Raised by a source that has nothing more, or never anything, for this composition and size; its words say why."""


class Source(Protocol):
    """Offers packings of a composition for as long as it is asked.

    Draw from `rng` and from nothing else: then one seed gives one result. `assemble` makes a packing of
    centres, cations, hydrides and polyhedra; `packing_of` makes one of a whole structure. What is offered is
    settled with the force field and checked like any other packing.
    """

    def __call__(
        self, assignment: Assignment, formula_units: int, rng: np.random.Generator, failures: Counter[str]
    ) -> Packing | None:
        """One packing with so many formula units, or None with the reason counted in `failures`.

        Raises:
            Exhausted: where asking again is of no use.
        """
        ...


Notify = Callable[[str, int, int], None]
"""Told of progress: step, done, total."""


def never() -> bool:
    """The `Stop` of a search that runs to its end."""
    return False


Stop = Callable[[], bool]
"""Asked between two structures: True ends the search with what it has."""


class Stream:
    """The packings of one source and cell size, drawn until its budget of attempts or of time is used up.

    Args:
        name: Of the source, for reasons.
        source: Makes packings.
        assignment: The composition, its centre and what its hydrogens are bound to.
        formula_units: Per cell.
        rng: The stream's own.
        failures: Counts why attempts gave nothing, and what ended the stream.
        max_failures: Attempts without a packing, in a row, that end it.
        seconds: Wall-clock time in the source, in all, that ends it: a guard against a source that hardly ever
            succeeds, far above what one of ours takes.
    """

    def __init__(
        self, name: str, source: Source, assignment: Assignment, formula_units: int, rng: np.random.Generator,
        failures: Counter[str], max_failures: int = MAX_CONSECUTIVE_FAILURES, seconds: float = GUARD_SECONDS,
    ) -> None:  # fmt: skip
        self.name = f"{name} Z={formula_units}"
        self._make = functools.partial(source, assignment, formula_units, rng, failures)
        self._amounts = {symbol: count * formula_units for symbol, count in assignment.amounts.items()}
        self._failures = failures
        self._max_failures, self._seconds_left = max_failures, seconds
        self.is_open = True
        """Whether it may give more."""

    def draw(self, wanted: int) -> Iterator[Packing]:
        """Up to `wanted` packings; fewer, and the stream is closed."""
        in_a_row = 0
        while wanted and self.is_open:
            start = time.monotonic()
            packing = self._attempt()
            self._seconds_left -= time.monotonic() - start
            if packing is not None:
                wanted, in_a_row = wanted - 1, 0
                yield packing
                continue
            in_a_row += 1
            if in_a_row >= self._max_failures:
                self.is_open = False
            elif self._seconds_left < 0:
                self._close(f"{self.name}: ended by the wall-clock guard")

    def _attempt(self) -> Packing | None:
        """One attempt; an error in a source ends this stream and nothing else."""
        try:
            packing = self._make()
        except Exhausted as end:
            self._close(str(end))
            return None
        except (MemoryError, OSError, ImportError):  # of the machine or the installation: no property of a source
            raise
        except (Exception, SystemExit) as error:  # whatever a user's source raises; an exit would end the campaign
            self._close(f"{self.name}: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:120]}")
            return None
        if packing is not None and Counter(packing.symbols) != self._amounts:
            self._close(f"{self.name}: gave another composition than asked")
            return None
        return packing

    def _close(self, reason: str) -> None:
        self.is_open = False
        self._failures[reason] += 1
