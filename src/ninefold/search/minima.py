"""The minima of a search: what is kept of each, which are the same, and in which order they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.engines import Relaxation
from ninefold.search.preference import representative
from ninefold.structures.checks import Shells
from ninefold.structures.duplicates import distinct
from ninefold.structures.labels import structure_type
from ninefold.structures.symmetry import operation_count, space_group

Found = TypeVar("Found")


class _Judged(Protocol):
    @property
    def is_valid(self) -> bool: ...

    @property
    def energy_per_atom(self) -> float: ...


Valued = TypeVar("Valued", bound=_Judged)

TYPE_SOURCE = "type:"
"""What the source of a structure of a known type begins with."""
COARSE = "relaxed coarsely only"
COMPRESSED = "re-relaxed after compression of an open structure"
KEPT_STRUCTURES = 8
"""Distinct structures that are kept of a composition, besides those of a known type, which are kept however high they
lie: a published type that comes out far above the lowest is something to know."""


@dataclass(frozen=True)
class FoundStructure:
    """A minimum, or the last look at one that is no structure of this anion."""

    structure: Structure
    """Symmetrised primitive cell."""
    energy_per_atom: float
    """eV/atom."""
    space_group_number: int
    space_group_symbol: str
    nsites: int
    volume_per_formula_unit: float
    """Å³."""
    volume_ratio: float
    coordination_numbers: list[int]
    shortest_m_h: float
    """Å."""
    shortest_h_h: float
    """Å."""
    max_force: float
    """eV/Å."""
    is_converged: bool
    """Relaxed to the final criterion."""
    source: str
    is_valid: bool
    """Coordination as asked and no H2 ligand."""
    notes: list[str] = field(default_factory=list)
    structure_type: str | None = None
    """The known structure type that it belongs to."""
    relaxations: int = 0
    """Relaxations that the search had spent when it found this one."""
    shortest_m_m: float | None = None
    """Å, between two centres, periodic images included."""
    shortest_m_interstitial: float | None = None
    """Å, from a centre to the nearest hydrogen that no centre is bonded to, within 3.2 Å."""


def kept(found: Sequence[Found], source: Callable[[Found], str]) -> list[Found]:
    """The first `KEPT_STRUCTURES`, and of the others those that come from a known type.

    Args:
        found: Distinct structures, in the order of preference.
        source: Names where one comes from.
    """
    return [item for place, item in enumerate(found) if place < KEPT_STRUCTURES or is_type(source(item))]


def lowest_valid(found: Sequence[Valued], most: int, window: float) -> list[Valued]:
    """The lowest valid minima and those near the lowest, in order of energy.

    Args:
        found: Of one composition and method.
        most: How many.
        window: eV/atom above the lowest.
    """
    valid = sorted((item for item in found if item.is_valid), key=lambda item: item.energy_per_atom)
    return [item for item in valid[:most] if item.energy_per_atom <= valid[0].energy_per_atom + window]


def is_type(source: str) -> bool:
    """Whether a structure comes from a known type."""
    return source.startswith(TYPE_SOURCE)


def describe_minimum(
    assignment: Assignment, structure: Structure, relaxation: Relaxation, shells: Shells, source: str, is_final: bool
) -> FoundStructure:
    """A relaxed structure with its symmetry, shells and, where it is valid and refined, its structure type."""
    group = space_group(structure)
    return FoundStructure(
        structure=structure,
        energy_per_atom=float(relaxation.energy_per_atom or 0.0),
        space_group_number=group.number,
        space_group_symbol=group.symbol,
        nsites=len(structure),
        volume_per_formula_unit=shells.volume_per_formula_unit,
        volume_ratio=shells.volume_ratio,
        coordination_numbers=list(shells.coordination_numbers),
        shortest_m_h=shells.shortest_m_h,
        shortest_h_h=shells.shortest_h_h,
        shortest_m_m=shells.shortest_m_m,
        shortest_m_interstitial=shells.shortest_m_interstitial,
        max_force=relaxation.max_force,
        is_converged=is_final and relaxation.is_converged,
        source=source,
        is_valid=shells.is_valid,
        notes=[*shells.faults, *shells.notes],
        structure_type=structure_type(structure, assignment) if shells.is_valid and is_final else None,
    )


def representative_first(found: list[FoundStructure]) -> list[FoundStructure]:
    """The minimum that stands for the composition, then the others, lowest first."""
    if not found:
        return []
    first = representative(
        [item.energy_per_atom for item in found],
        [operation_count(item.space_group_number) for item in found],
        [item.nsites for item in found],
    )
    return [found[first], *(item for place, item in enumerate(found) if place != first)]


def distinct_minima(found: list[FoundStructure]) -> list[FoundStructure]:
    """One of each structure, in order of energy."""
    chosen = distinct([item.structure for item in found], [item.energy_per_atom for item in found])
    return [found[index] for index in chosen]
