"""A phase with its energy, as it enters a hull."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

CANDIDATE = "candidate"
KNOWN_SEARCHED = "known, searched"
"""Kind of a compound that has been made and is no candidate here; its structure was searched as the candidates' are."""
MOLECULE = "molecule"
HYDROGEN = "H"


@dataclass(frozen=True)
class Phase:
    """A phase with its energy."""

    name: str
    formula: str
    amounts: Mapping[str, float]
    """Atoms by symbol, of any number of formula units."""
    energy_per_atom: float
    """Static, eV/atom."""
    volume_per_atom: float | None = None
    """Å³/atom; None for the molecule in its box. A solid without it is left out of conditions."""
    kind: str = CANDIDATE
    """candidate; known, searched; or a reference's kind: element, molecule, binary, ternary, intermetallic,
    known_hydride."""
    centre: str | None = None
    """Symbol of the central atom of a complex hydride: what a synthesis starts from as the metal."""
    source: str = ""
    provenance: str = ""
    """published, from memory or derived."""
    search_spread: float | None = None
    """Highest less lowest of the energies that repeated searches found, eV/atom; None where it was searched once."""
    refuted: str | None = None
    """Why this structure must not carry a hull: it is no facet's corner, and is listed with its composition only."""
    method: str = ""
    """What computed the energy; phases of two methods never share a hull."""
    polymorphs: tuple[Phase, ...] = ()
    """Other stored minima of the same composition; at a condition the lowest E + pV of all of them counts."""

    @cached_property
    def composition(self) -> tuple[tuple[str, float], ...]:
        """Atom fractions, rounded: equal for every multiple of one formula."""
        return tuple((symbol, round(self.amounts[symbol] / self._size, 8)) for symbol in sorted(self.amounts))

    @cached_property
    def hydrogen(self) -> float:
        """Fraction of its atoms that are hydrogen."""
        return self.amounts.get(HYDROGEN, 0) / self._size

    @cached_property
    def _size(self) -> float:
        return sum(self.amounts.values())
