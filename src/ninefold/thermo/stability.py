"""How far each candidate is from what competes with it.

The static hull is closed: hydrogen is one more element, its corner the molecule. At a condition
hydrogen is a reservoir: every phase exchanges hydrogen with the gas at its chemical potential, and the
hull is that of the grand potential over the other elements. There each composition is represented by
whichever of its stored minima has the lowest free energy.

Two distances, by the names that pymatgen and the Materials Project use: `e_above_hull`, never negative, to
the hull of all phases, those of the candidate's own composition included; and `phase_separation_energy`, to
the hull of all other compositions, negative for a phase that is stable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ninefold.errors import NinefoldError
from ninefold.thermo.free_energy import AT_REST
from ninefold.thermo.phase import Phase
from ninefold.thermo.results import Stability
from ninefold.thermo.settings import SYNTHESIS, Condition, StabilitySettings
from ninefold.thermo.system import ChemicalSystem
from ninefold.thermo.window import formation_of
from ninefold.thermo.zero_point import EnergyScale


class MixedMethodsError(NinefoldError):
    """Energies of two methods were about to share a hull."""


def assess(
    candidates: Sequence[Phase],
    references: Sequence[Phase],
    settings: StabilitySettings,
    others: Sequence[Phase] = (),
    synthesis: Condition = SYNTHESIS,
    scale: EnergyScale = AT_REST,
) -> list[Stability]:
    """Distances to the hull, static and at each condition.

    Args:
        candidates: One phase for each candidate, with its other minima as polymorphs; several candidates may
            share a composition.
        references: Competing phases, relaxed with the same method.
        settings: Conditions, and whether other candidates compete.
        others: Further candidates that compete, and for which no result is asked.
        synthesis: Where the candidates are to be made.
        scale: What the energies hold of zero-point energies already.

    Returns:
        One result per candidate, in their order. A candidate whose system lacks an element's
        reference has None for distances and a note.

    Raises:
        MixedMethodsError: if not all energies are of one method.
    """
    competing = [*candidates, *others]
    check_one_method([*competing, *references])
    systems: dict[frozenset[str], ChemicalSystem] = {}
    results = []
    for candidate in candidates:
        elements = frozenset(symbol for symbol, amount in candidate.amounts.items() if amount)
        if elements not in systems:
            systems[elements] = ChemicalSystem(elements, competing, references, settings, scale)
        system = systems[elements]
        result = system.assess(candidate)
        if result.phase_separation_energy is not None and system.has_hydrides and candidate.volume_per_atom is not None:
            result = replace(result, formation=formation_of(system, candidate, synthesis))
        results.append(result)
    return results


def check_one_method(phases: Iterable[Phase]) -> None:
    """Refuse phases whose energies cannot be compared.

    Raises:
        MixedMethodsError: naming two of them.
    """
    first: Phase | None = None
    for phase in phases:
        first = first or phase
        if phase.method != first.method:
            raise MixedMethodsError(
                f"hull: energies of two methods cannot share one: {first.name} has method {first.method[:8]!r}, "
                f"{phase.name} has {phase.method[:8]!r}"
            )
