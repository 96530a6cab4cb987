"""The complex hydrides of the trust set on the hull of each method: DFT, and engines on the same geometries.

A distance needs no reference but the phases of its own method, and each method's energy is that of its own minimum
along a phase's volumes. So what changes from one method to the next is energy alone, not the search.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninefold.chemistry.equations import decomposition
from ninefold.chemistry.formula import parse_formula

if TYPE_CHECKING:
    from ninefold.chemistry.equations import Equation
    from ninefold.thermo.phase import Phase
    from ninefold.trust.errors import EngineErrors


@dataclass(frozen=True)
class HullPlace:
    """One complex hydride on the hull of all other phases of its chemical system, by one method."""

    name: str
    formula: str
    distance: float
    """eV/atom; negative below the hull of the others."""
    equation: Equation | None
    """Into the facet below it, balanced."""
    missing: tuple[str, ...] = ()
    """Phases of its system without an energy by this method: they do not compete."""


def heights(formations: Mapping[str, float | None], formulas: Mapping[str, str]) -> list[HullPlace]:
    """Complex hydrides on the hull of all other phases, by system in their order.

    Args:
        formations: Name -> formation energy, eV/atom; elements have 0, a phase without energy None.
        formulas: Name -> formula of the same phases.

    Returns:
        Of every phase of three elements or more that has an energy and whose elements are there.
    """
    from ninefold.thermo.ensembles import Closed, PhaseHull

    phases = {name: _phase(name, formulas[name], energy) for name, energy in formations.items() if energy is not None}
    elements = {next(iter(phase.amounts)) for phase in phases.values() if len(phase.amounts) == 1}
    found = []
    for phase in phases.values():
        system = set(phase.amounts)
        if len(system) < 3 or not system <= elements:
            continue
        others = [
            other for other in phases.values()
            if other.composition != phase.composition and set(other.amounts) <= system
        ]  # fmt: skip
        hull = PhaseHull(Closed(tuple(sorted(system))), others)
        products = list(dict.fromkeys(product.formula for product in hull.competitors(phase)))
        missing = tuple(
            name for name, energy in formations.items()
            if energy is None and set(parse_formula(formulas[name])) <= system
        )  # fmt: skip
        found.append(
            HullPlace(phase.name, phase.formula, hull.distance(phase), decomposition(phase.formula, products), missing)
        )
    return found


def heights_by_method(errors: Sequence[EngineErrors]) -> dict[str, dict[str, HullPlace]]:
    """Label of the method -> name of the phase -> its place; DFT's are under the key `DFT`.

    Args:
        errors: Of engines on one trust set, each with the energy of hydrogen that it is to be judged with.
    """
    formulas = {phase.name: phase.formula for phase in errors[0].phases}
    by_method = {"DFT": _formations((phase.name, phase.formula, phase.formation) for phase in errors[0].phases)}
    for one in errors:
        by_method[one.engine] = _formations((phase.name, phase.formula, phase.formation_engine) for phase in one.phases)
    return {
        label: {height.name: height for height in heights(formations, formulas)}
        for label, formations in by_method.items()
    }


def _formations(phases: Iterable[tuple[str, str, float | None]]) -> dict[str, float | None]:
    """Elements have no formation energy: zero."""
    return {name: 0.0 if len(parse_formula(formula)) == 1 else energy for name, formula, energy in phases}


def _phase(name: str, formula: str, energy: float) -> Phase:
    from ninefold.thermo.phase import Phase

    amounts = {symbol: float(count) for symbol, count in parse_formula(formula).items()}
    return Phase(name, formula, amounts, energy)
