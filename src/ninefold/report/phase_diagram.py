"""The phases of a chemical system and their lower hull, for the picture of it.

The hull here is of every phase, so that a stable candidate is a corner of a facet, and is made by the same
`LowerHull` that the distances in tables come from. Those are the store's: `phase_separation_energy` is against every
*other* composition, and negative for such a candidate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninefold.chemistry.elements import ELECTRONEGATIVITY
from ninefold.chemistry.formula import parse_formula
from ninefold.thermo.lower_hull import LowerHull

_TINY = 1e-9


@dataclass(frozen=True)
class DiagramPhase:
    """One phase of a system: a reference or a candidate."""

    formula: str
    fractions: dict[str, float]
    """Atom fractions by symbol."""
    energy_per_atom: float
    """eV/atom, of the engine."""
    kind: str
    """candidate | reference."""
    name: str = ""
    key: str = ""
    """The candidate's id; empty for a reference."""
    distance: float | None = None
    """Stored signed distance of a candidate to the hull of other compositions, eV/atom."""
    rank: int | None = None
    is_competing: bool = True
    """Whether it can be a corner of the hull."""


@dataclass(frozen=True)
class PhaseDiagram:
    """A system's phases on their lower hull."""

    elements: list[str]
    """The corners: metals by rising electronegativity, hydrogen last."""
    phases: list[DiagramPhase]
    fractions: NDArray[np.float64]
    """shape (n_phases, n_elements), atom fractions in the order of `elements`."""
    formation_energies: NDArray[np.float64]
    """shape (n_phases,), eV/atom, from the lowest elements."""
    distances: NDArray[np.float64]
    """shape (n_phases,), eV/atom above the hull of all phases; 0 for a stable one."""
    facets: list[tuple[int, ...]] = field(default_factory=list)
    """Indices of the phases at the corners of each facet of the lower hull."""

    @property
    def stable(self) -> set[int]:
        """Phases at corners of facets."""
        return {index for facet in self.facets for index in facet}


def phases_of(
    elements: Sequence[str],
    candidates: Iterable[Mapping[str, Any]],
    references: Iterable[Mapping[str, Any]],
    *,
    candidates_compete: bool = True,
) -> list[DiagramPhase]:
    """The phases with an energy that lie in a chemical system, its subsystems included.

    Args:
        elements: Symbols of the system.
        candidates: Stored candidates of any system, or flat rows of them.
        references: Stored references of any system.
        candidates_compete: Whether candidates may be corners of facets; made compounds that were searched always may.
    """
    wanted = set(elements)
    phases = []
    for reference in references:
        amounts = parse_formula(reference["formula"])
        if reference.get("energy_per_atom") is not None and set(amounts) <= wanted:
            phases.append(
                DiagramPhase(
                    reference["formula"], _fractions(amounts), reference["energy_per_atom"], "reference",
                    name=reference["name"], is_competing=not reference.get("refuted"),
                )
            )  # fmt: skip
    for candidate in candidates:
        if candidate.get("energy_per_atom") is None:
            continue
        amounts = _amounts_of_candidate(candidate)
        if set(amounts) <= wanted:
            phases.append(
                DiagramPhase(
                    candidate["formula"], _fractions(amounts), candidate["energy_per_atom"], "candidate",
                    name=candidate.get("label") or candidate["formula"], key=candidate["id"],
                    distance=signed_distance(candidate), rank=candidate.get("rank"),
                    is_competing=bool(candidate.get("is_competitor")) or candidates_compete,
                )
            )  # fmt: skip
    return phases


def signed_distance(candidate: Mapping[str, Any]) -> float | None:
    """Distance to the hull of all other compositions, eV/atom; negative below it."""
    value = candidate.get("phase_separation_energy")
    return candidate.get("e_above_hull") if value is None else value


def corners(elements: Iterable[str]) -> list[str]:
    """Elements in the order of a formula: metals by rising electronegativity, hydrogen last."""
    return sorted(elements, key=lambda symbol: (symbol == "H", ELECTRONEGATIVITY.get(symbol, 9.9), symbol))


def build_phase_diagram(elements: Sequence[str], phases: list[DiagramPhase]) -> PhaseDiagram:
    """The lower convex hull of a system.

    Args:
        elements: Symbols of the system, at least two.
        phases: Its phases.

    Raises:
        ValueError: if an element has no phase; the message names it.
    """
    order = corners(elements)
    fractions = np.array([[phase.fractions.get(symbol, 0.0) for symbol in order] for phase in phases])
    fractions = fractions.reshape(len(phases), len(order))
    energies = np.array([phase.energy_per_atom for phase in phases])
    is_pure = fractions > 1 - _TINY
    for column, symbol in enumerate(order):
        if not is_pure[:, column].any():
            raise ValueError(f"no relaxed phase of the element {symbol}")
    # the elements carry the hull whatever is said of them: without one there is none
    competing = np.flatnonzero(np.array([phase.is_competing for phase in phases], dtype=bool) | is_pure.any(axis=1))
    hull = LowerHull(fractions[competing], energies[competing])
    return PhaseDiagram(
        order, phases, fractions, energies - fractions @ hull.corner_energies,
        np.maximum(energies - hull.energy(fractions), 0.0),
        [tuple(int(competing[corner]) for corner in facet) for facet in hull.facets],
    )  # fmt: skip


def _amounts_of_candidate(candidate: Mapping[str, Any]) -> dict[str, int]:
    """Atoms per centre; a flat row has its formula alone."""
    if "cation_counts" in candidate:
        return {**candidate["cation_counts"], candidate["centre"]: 1, "H": candidate["n"] + candidate["m"]}
    return parse_formula(candidate["formula"])


def _fractions(amounts: Mapping[str, int]) -> dict[str, float]:
    total = sum(amounts.values())
    return {symbol: amount / total for symbol, amount in amounts.items()}
