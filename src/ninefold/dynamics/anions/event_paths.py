"""How far the hydrogens of an anion move in a permutation, beside the barrier that they cross."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from ninefold.dynamics.anions.pseudorotation import Event

MASSES = {"H": 1.008, "D": 2.014}
"""u."""


class EventPath(NamedTuple):
    """Of permutations, the mean; between ideal polyhedra and in the anion's own frame: vibration adds to it."""

    events: int
    length: float
    """Å; root of the summed squares of all ligands' displacements."""
    longest_displacement: float
    """Å; of the ligand that moves farthest."""

    def mass_weighted(self, isotope: str) -> float:
        """Length times the root of the hydrogens' mass, Å u^1/2.

        Args:
            isotope: H or D.
        """
        return self.length * math.sqrt(MASSES[isotope])

    @property
    def sentence(self) -> str:
        """For people."""
        weighted = ", ".join(f"{name} {self.mass_weighted(name):.2f}" for name in MASSES)
        return (
            f"{self.length:.2f} Å of all ligands together (mass-weighted {weighted} Å u^1/2), "
            f"{self.longest_displacement:.2f} Å of the one that moves farthest"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return self._asdict() | {f"mass_weighted_{name}": self.mass_weighted(name) for name in MASSES}


def event_path(events: Iterable[Event], centres: Collection[int] | None = None) -> EventPath | None:
    """Mean over permutations; None without one.

    Args:
        events: Of any trajectories.
        centres: Indices of the centres that count; None: all.
    """
    chosen = [event for event in events if centres is None or event.centre in centres]
    if not chosen:
        return None
    return EventPath(
        len(chosen), math.fsum(event.path_length for event in chosen) / len(chosen),
        math.fsum(event.longest_displacement for event in chosen) / len(chosen),
    )  # fmt: skip
