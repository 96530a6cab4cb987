"""What the search of one composition has found, rejected and spent, and the requests that it makes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Evaluation, Relaxation, RelaxSettings
from ninefold.search.budget import SearchBudget
from ninefold.search.lineage import Lineage
from ninefold.search.minima import FoundStructure, describe_minimum
from ninefold.search.together import Request, Search
from ninefold.structures.checks import check_shells
from ninefold.structures.proposal import Notify, Stop, never
from ninefold.structures.symmetry import SYMPREC, symmetrised

OF_ENGINE, OF_MACHINE = "engine: ", "machine: "
"""Before the reason why there is no energy: a failure that is the structure's, or one of the machine."""
NO_ENERGY = "energy is not a number"
IMPROVEMENT = 1e-3
"""eV/atom; less than this is no progress."""


@dataclass
class SearchState:
    """The course of one search; each step is handed it, asks for calculations through it and adds what came of them."""

    assignment: Assignment
    budget: SearchBudget
    notify: Notify | None = None
    stop: Stop = never
    limit: int = 0
    """Relaxations at most."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why structures were rejected."""
    rejected: list[FoundStructure] = field(default_factory=list)
    """Relaxed, and no structures of this anion."""
    history: list[float | None] = field(default_factory=list)
    """Lowest energy of a valid structure, eV/atom, after each relaxation; None until there is one."""
    core_seconds: float = 0.0
    lineage: Lineage = field(default_factory=Lineage)
    """Which structure each one was made from."""

    @property
    def lowest(self) -> float | None:
        """Energy of the lowest valid structure so far, eV/atom."""
        return self.history[-1] if self.history else None

    @property
    def relaxations_left(self) -> int:
        """Before the limit."""
        return self.limit - len(self.history)

    def evaluate(self, structures: Sequence[Structure]) -> Search[list[Evaluation]]:
        """Single points of structures as they stand."""
        evaluations: list[Evaluation] = yield Request(list(structures))
        self.core_seconds += sum(evaluation.core_seconds for evaluation in evaluations)
        return evaluations

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> Search[list[Relaxation]]:
        """Relaxations; `add` counts them."""
        relaxations: list[Relaxation] = yield Request(list(structures), settings)
        self.core_seconds += sum(relaxation.core_seconds for relaxation in relaxations)
        for start, relaxation in zip(structures, relaxations, strict=True):
            self.lineage.add(relaxation.structure, start)
        return relaxations

    def symmetrised(self, structure: Structure, symprec: float = SYMPREC) -> Structure:
        """See `ninefold.structures.symmetry.symmetrised`; remembered as where the result comes from."""
        ordered = symmetrised(structure, symprec)
        self.lineage.add(ordered, structure)
        return ordered

    def add(
        self, relaxation: Relaxation, source: str, *, spent: int = 1, is_final: bool = False
    ) -> FoundStructure | None:
        """Check and describe a relaxed structure, and add what was spent on it to the history.

        Args:
            relaxation: The one that counts.
            source: Of the structure.
            spent: Relaxations that were run for it.
            is_final: Whether it was refined, and is shown with its symmetry.

        Returns:
            None where there is no energy; the reason is then counted.
        """
        found = self._described(relaxation, source, is_final)
        lowest = self.lowest
        self.history.extend([lowest] * (spent - 1))
        if found is not None and found.is_valid and (lowest is None or found.energy_per_atom < lowest):
            lowest = found.energy_per_atom
        self.history.append(lowest)
        return None if found is None else replace(found, relaxations=len(self.history))

    def tell(self, step: str, done: int, total: int) -> None:
        """Announce progress."""
        if self.notify:
            self.notify(step, done, total)

    def _described(self, relaxation: Relaxation, source: str, is_final: bool) -> FoundStructure | None:
        if energy_of(relaxation) is None:
            self.reasons[failure_of(relaxation)] += 1
            return None
        structure = self.symmetrised(relaxation.structure) if is_final else relaxation.structure
        shells = check_shells(structure, self.assignment)
        for fault in shells.faults:
            self.reasons[fault] += 1
        return describe_minimum(self.assignment, structure, relaxation, shells, source, is_final)


def energy_of(result: Evaluation | Relaxation) -> float | None:
    """eV/atom, if it is a number: a plug-in that lets a NaN through must not decide an order."""
    energy = result.energy_per_atom
    return energy if energy is not None and math.isfinite(energy) else None


def failure_of(result: Evaluation | Relaxation) -> str:
    """Why there is no energy: a failure of the structure's calculation, or of the machine."""
    return f"{OF_MACHINE if result.is_transient else OF_ENGINE}{result.error or NO_ENERGY}"
