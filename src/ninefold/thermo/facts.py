"""What is known of hydrides and must come out of the hulls: compounds with the conditions that they were made at.

A verdict is shown as it is; nothing is fitted to it. A synthesis says an inequality: what was made at 5 GPa is stable
there, and what no press below it has ever given is not stable at 1 bar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninefold.chemistry.compounds import KnownCompound
from ninefold.thermo.phase import Phase
from ninefold.thermo.settings import PRESSURE_RANGE, TEMPERATURE_RANGE

if TYPE_CHECKING:
    from ninefold.thermo.system import ChemicalSystem

AMBIENT = (300.0, 1e-4)
"""K, GPa."""
USUAL_TEMPERATURE = 973.0
"""K, of a press, where a synthesis names none."""
LARGE_PRESS = 1.0
"""GPa; what needed as much and no less is not expected at 1 bar."""
AT_AMBIENT = "ambient pressure"
"""How the list says that a synthesis needed no pressure."""
NO_HYDRIDE = ("Cr", "Mo")
"""Metals of which no hydride, binary or complex, is known to be stable at 1 bar. CrH from the electrolyte gives off
its hydrogen (from memory)."""


@dataclass(frozen=True)
class Fact:
    """Something that must hold."""

    statement: str
    temperature_K: float
    pressure_GPa: float
    is_stable: bool
    """Whether the phases it speaks of are to be stable there."""
    source: str
    formula: str | None = None
    """Of the compound; None where it speaks of every hydride of `metal`."""
    metal: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What the hulls of a system say of a fact."""

    fact: Fact
    system: str
    holds: bool | None
    """None where no phase is there to judge by."""
    distance: float | None
    """Of the phase that decides, to the hull of other compositions at the condition, eV/atom; negative: stable."""
    phase: str
    """Its name, or why there is none."""
    uncertainty: float | None = None
    """Of the distance, a standard deviation, eV/atom; None where the phase has none."""

    @property
    def is_resolved(self) -> bool:
        """Whether the distance is larger than its uncertainty; not where that is unknown."""
        return self.distance is not None and self.uncertainty is not None and abs(self.distance) > self.uncertainty


def verdict_text(verdict: Verdict) -> str:
    """A verdict in words: whether it holds, and whether the distance to the hull is larger than its uncertainty."""
    if verdict.holds is None:
        return "not judged"
    words = "holds" if verdict.holds else "FAILS"
    if verdict.uncertainty is None:
        return f"{words}, ± unknown"
    return words if verdict.is_resolved else f"{words}, within ±"


def summary(verdicts: Iterable[Verdict], method: str) -> str:
    """How many facts hold, of how many the distance is larger than its uncertainty, and of how many that is unknown.

    Args:
        verdicts: Of all facts.
        method: Label of the one whose hulls they are by.
    """
    judged = [each for each in verdicts if each.holds is not None]
    held, resolved = sum(each.holds is True for each in judged), sum(each.is_resolved for each in judged)
    unknown = sum(each.uncertainty is None for each in judged)
    of_unknown = f", of {unknown} the uncertainty is unknown" if unknown else ""
    return (
        f"{held} of {len(judged)} facts hold by {method}, {resolved} of {len(judged)} are told by more than the "
        f"uncertainty (±, a standard deviation){of_unknown}; meV/atom: distance to the hull there"
    )


def facts_of(compounds: Iterable[KnownCompound], elements: Iterable[str]) -> list[Fact]:
    """What must hold in a chemical system.

    Args:
        compounds: That have been made, with conditions.
        elements: Of the system.
    """
    system = frozenset(elements)
    facts = [
        Fact(f"no hydride of {metal} is stable at 1 bar", *AMBIENT, False, "from memory", metal=metal)
        for metal in NO_HYDRIDE
        if metal in system
    ]
    for compound in compounds:
        if {*compound.assignment.amounts} == system:
            facts += _of_compound(compound)
    return facts


def _of_compound(compound: KnownCompound) -> list[Fact]:
    formula, source, pressure = compound.formula, compound.source, compound.pressure_GPa
    if pressure is None:
        if AT_AMBIENT not in (compound.synthesis or ""):
            return []
        return [Fact(f"{formula} is stable at 1 bar", *AMBIENT, True, source, formula)]
    temperature = compound.temperature_K or USUAL_TEMPERATURE
    if not (pressure <= PRESSURE_RANGE[1] and TEMPERATURE_RANGE[0] <= temperature <= TEMPERATURE_RANGE[1]):
        return []
    guessed = "" if compound.temperature_K else " (temperature assumed)"
    made = Fact(
        f"{formula} is stable where it was made{guessed}", temperature, pressure, True, source, formula
    )  # fmt: skip
    if pressure < LARGE_PRESS:
        return [made]
    return [made, Fact(f"{formula} is not stable at 1 bar", *AMBIENT, False, source, formula)]


def verdict_on(fact: Fact, system: ChemicalSystem) -> Verdict:
    """What a system's hulls say of a fact.

    Args:
        fact: Of its elements.
        system: With every element.
    """
    name = "-".join(system.elements)
    judged = [phase for phase in system.competing if _is_meant(fact, phase)]
    found = [
        (system.separation(phase, fact.temperature_K, fact.pressure_GPa), phase)
        for phase in judged
        if phase.volume_per_atom is not None
    ]
    if not found:
        return Verdict(fact, name, None, None, "no structure of it here")
    distance, decides = min(found, key=lambda pair: (pair[0], pair[1].name))
    return Verdict(fact, name, (distance <= 0) == fact.is_stable, distance, decides.name)


def _is_meant(fact: Fact, phase: Phase) -> bool:
    from ninefold.chemistry.formula import parse_formula

    if fact.formula is None:
        return bool(phase.hydrogen) and phase.hydrogen < 1 and fact.metal in phase.amounts
    wanted = parse_formula(fact.formula)
    total = sum(wanted.values())
    return phase.composition == tuple((symbol, round(wanted[symbol] / total, 8)) for symbol in sorted(wanted))
