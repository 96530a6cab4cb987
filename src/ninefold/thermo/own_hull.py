"""Reference phases above the hull of the others: structures that a method refutes, or energies that it has wrong.

A compound that has been made lies on the hull at 0 K or little above it. One that is far above was given the wrong
structure or cell, or the method fails on it; either way it must not carry a facet. The reaction that it would undergo
tells which: into its saline hydrides, metal and hydrogen for K3ReH6, whose cell was estimated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ninefold.thermo.ensembles import Closed, PhaseHull
from ninefold.thermo.phase import MOLECULE, Phase


@dataclass(frozen=True)
class Height:
    """A phase and the hull of the others of its system."""

    name: str
    formula: str
    distance: float
    """To that hull, eV/atom; negative on it."""
    products: tuple[str, ...]
    """Formulas of what it would decompose to, largest fraction first."""
    provenance: str
    source: str
    refuted: str | None
    """Why it is kept out of every hull already."""


def heights(phases: Iterable[Phase]) -> list[Height]:
    """Every compound's distance to the hull of the other compositions of its system, farthest above first.

    Of several structures of a composition the lowest counts; one that is refuted already is judged for itself and
    carries no other's hull.

    Args:
        phases: Of one method, elements and hydrogen among them. A compound of a system that lacks an element is left
            out.
    """
    every = list(phases)
    bearing = [phase for phase in every if not phase.refuted]
    found = []
    for phase in every:
        elements = {symbol for symbol, amount in phase.amounts.items() if amount}
        if len(elements) < 2 or phase.kind == MOLECULE or not _is_lowest(phase, bearing):
            continue
        others = [
            other for other in bearing
            if {symbol for symbol, amount in other.amounts.items() if amount} <= elements
            and other.composition != phase.composition
        ]  # fmt: skip
        if not all(any(other.amounts.keys() == {symbol} for other in others) for symbol in elements):
            continue
        hull = PhaseHull(Closed(tuple(sorted(elements))), others)
        products = tuple(dict.fromkeys(each.formula for each in hull.competitors(phase)))
        found.append(
            Height(
                phase.name, phase.formula, hull.distance(phase), products, phase.provenance, phase.source, phase.refuted
            )
        )
    return sorted(found, key=lambda height: -height.distance)


def _is_lowest(phase: Phase, bearing: Sequence[Phase]) -> bool:
    same = [other for other in bearing if other.composition == phase.composition]
    return bool(phase.refuted) or phase is min(same, key=lambda other: other.energy_per_atom)
