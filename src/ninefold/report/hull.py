"""The phases of a chemical system and their lower hull, for the picture of it.

The hull here is of every phase, so that a stable candidate is a corner of a facet. The distances in
tables are the store's, against every *other* composition; they are negative for such a candidate.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninefold.chemistry.elements import ELECTRONEGATIVITY

_TINY = 1e-9


@dataclass(frozen=True)
class Phase:
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
    """Stored hull distance of a candidate, eV/atom."""
    rank: int | None = None


@dataclass(frozen=True)
class Hull:
    """A system's phases on their lower hull."""

    elements: list[str]
    """The corners: metals by rising electronegativity, hydrogen last."""
    phases: list[Phase]
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


def phases_of(elements: list[str], candidates: list[dict[str, Any]], references: list[dict[str, Any]]) -> list[Phase]:
    """The phases with an energy that lie in a chemical system, its subsystems included.

    Args:
        elements: Symbols of the system.
        candidates: Stored candidates of any system.
        references: Stored references of any system.
    """
    wanted = set(elements)
    phases = []
    for reference in references:
        amounts = _amounts_of_structure(reference.get("structure"))
        if reference.get("energy_per_atom") is not None and amounts and set(amounts) <= wanted:
            phases.append(
                Phase(
                    reference["formula"], _fractions(amounts), reference["energy_per_atom"], "reference",
                    name=reference["name"],
                )
            )  # fmt: skip
    for candidate in candidates:
        amounts = amounts_of_candidate(candidate)
        if candidate.get("energy_per_atom") is not None and set(amounts) <= wanted:
            phases.append(
                Phase(
                    candidate["formula"], _fractions(amounts), candidate["energy_per_atom"], "candidate",
                    name=candidate["label"], key=candidate["id"], distance=candidate.get("e_above_hull"),
                    rank=candidate.get("rank"),
                )
            )  # fmt: skip
    return phases


def build_hull(elements: list[str], phases: list[Phase]) -> Hull:
    """The lower convex hull of a system.

    Args:
        elements: Symbols of the system, at least two.
        phases: Its phases.

    Raises:
        ValueError: if an element has no phase; the message names it.
    """
    order = sorted(elements, key=lambda symbol: (symbol == "H", ELECTRONEGATIVITY.get(symbol, 9.9), symbol))
    fractions = np.array([[phase.fractions.get(symbol, 0.0) for symbol in order] for phase in phases])
    energies = np.array([phase.energy_per_atom for phase in phases])
    corners = []
    for column, symbol in enumerate(order):
        pure = np.flatnonzero(fractions[:, column] > 1 - _TINY) if len(phases) else np.array([], dtype=int)
        if not len(pure):
            raise ValueError(f"no relaxed phase of the element {symbol}")
        corners.append(int(pure[np.argmin(energies[pure])]))
    formation = energies - fractions @ energies[corners]

    lowest: dict[tuple[float, ...], int] = {}
    for index in np.argsort(formation, kind="stable"):
        lowest.setdefault(tuple(np.round(fractions[index], 8)), int(index))
    chosen = [index for index in sorted(lowest.values()) if index in corners or formation[index] < -_TINY]
    facets, planes = _lower_facets(fractions[chosen][:, :-1], formation[chosen], len(order))
    on_hull = (fractions[:, :-1] @ planes[:, :-1].T + planes[:, -1]).max(axis=1)
    return Hull(
        order, phases, fractions, formation, np.maximum(formation - on_hull, 0.0),
        [tuple(chosen[corner] for corner in facet) for facet in facets],
    )  # fmt: skip


def amounts_of_candidate(candidate: dict[str, Any]) -> dict[str, int]:
    """Atoms of a candidate per centre, by symbol."""
    return {**candidate["cation_counts"], candidate["centre"]: 1, "H": candidate["n"] + candidate["m"]}


def _lower_facets(
    places: NDArray[np.float64], energies: NDArray[np.float64], n_elements: int
) -> tuple[list[tuple[int, ...]], NDArray[np.float64]]:
    """Facets of the lower hull, and their planes as (slopes, offset); planes: shape (n_facets, n_elements)."""
    from scipy.spatial import ConvexHull

    points = np.column_stack([places, energies])
    # a point above everything closes the hull, so that it has a volume even if only elements are there
    roof = np.append(np.full(n_elements - 1, 1 / n_elements), energies.max() + 1.0)
    hull = ConvexHull(np.vstack([points, roof]))
    lower = np.flatnonzero((hull.equations[:, -2] < -_TINY) & (hull.simplices != len(points)).all(axis=1))
    equations = hull.equations[lower]
    planes = np.column_stack([equations[:, :-2], equations[:, -1]]) / -equations[:, -2:-1]
    return [tuple(int(corner) for corner in hull.simplices[which]) for which in lower], planes


def _amounts_of_structure(structure: dict[str, Any] | None) -> dict[str, int]:
    sites = (structure or {}).get("sites") or []
    return dict(Counter(str(site["species"][0]["element"]) for site in sites))


def _fractions(amounts: dict[str, int]) -> dict[str, float]:
    total = sum(amounts.values())
    return {symbol: amount / total for symbol, amount in amounts.items()}
