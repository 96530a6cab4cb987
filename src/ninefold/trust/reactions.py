"""What the phases of the trust set form from: the elements, and what a synthesis starts with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ninefold.trust.phases import TrustPhase, TrustSet


def parts_by_element(trust: TrustSet, phase: TrustPhase) -> dict[str, float] | None:
    """Phases of the elements that a phase forms from -> share of its atoms; None where one is not in the set."""
    if len(phase.elements) == 1:
        return None
    total = sum(phase.elements.values())
    parts = {}
    for symbol, count in phase.elements.items():
        if (element := trust.of_element(symbol)) is None:
            return None
        parts[element.name] = count / total
    return parts


def parts_of_reaction(trust: TrustSet, phase: TrustPhase) -> dict[str, float] | None:
    """What a complex hydride forms from by its usual synthesis: saline hydrides, the metal of its anion, hydrogen.

    Returns:
        Name of each phase -> its atoms per atom of the product; hydrogen's may be negative. None where the phase is
        no complex hydride, or one of these is not in the set.
    """
    if phase.phase_class != "complex" or phase.centre is None:
        return None
    counts = dict(phase.elements)
    total = sum(counts.values())
    metal, molecule = trust.of_element(phase.centre), trust.of_element("H")
    if metal is None or molecule is None:
        return None
    parts = {metal.name: counts.pop(phase.centre) / total}
    hydrogens = float(counts.pop("H"))
    for symbol, count in counts.items():
        saline = next((one for one in trust.of_class(["saline"]) if set(one.elements) == {symbol, "H"}), None)
        if saline is None:
            return None
        bound = saline.elements["H"] / saline.elements[symbol] * count
        parts[saline.name] = (count + bound) / total
        hydrogens -= bound
    return {**parts, molecule.name: hydrogens / total}
