"""How complete a hull is: which of its facets rest on guesses, and which compositions of its system were searched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninefold.enumeration.complete import ELECTRONS, M, N, complete_assignments
from ninefold.errors import listed
from ninefold.thermo.ensembles import Closed, PhaseHull
from ninefold.thermo.phase import CANDIDATE, KNOWN_SEARCHED, MOLECULE, Phase

if TYPE_CHECKING:
    from ninefold.thermo.system import ChemicalSystem

MOST_NAMED = 6


@dataclass(frozen=True)
class Searched:
    """Which compositions of a chemical system were searched, of those that a complete search has."""

    wanted: tuple[str, ...]
    """Formulas of a complete search; empty where the system has no complex hydrides by ninefold's rules."""
    searched: tuple[str, ...]
    """Of these, the ones that were searched, or whose structure was given."""
    with_structure: tuple[str, ...]
    """Of these, the ones with a structure in the hull at hand."""
    low_budget: tuple[str, ...] = ()
    """Of the searched ones, those that only a low budget was spent on."""
    given: tuple[str, ...] = ()
    """Of the searched ones, those that ninefold has not searched: their structure is published or imported."""

    @property
    def is_complete(self) -> bool:
        """Whether every one was searched."""
        return len(self.searched) == len(self.wanted)

    def describe(self) -> str:
        """For a reader."""
        if not self.wanted:
            return "no complex hydride of this system follows from the rules: nothing was to be searched"
        of_class = f"n {N[0]}-{N[1]}, m {M[0]}-{M[1]}, {ELECTRONS[0]}-{ELECTRONS[-1]} electrons"
        how = [f"{len(self.low_budget)} of them at low budget"] if self.low_budget else []
        how += [f"{len(self.given)} of them published or imported, not searched"] if self.given else []
        without = sorted(set(self.searched) - set(self.with_structure))
        how += [f"{len(without)} left no structure for this hull: {listed(without, MOST_NAMED)}"] if without else []
        told = "; ".join([f"{len(self.searched)} of {len(self.wanted)} compositions of {of_class}", *how])
        if self.is_complete:
            return f"completely searched: {told}"
        left = sorted(set(self.wanted) - set(self.searched))
        return f"not completely searched: {told}; not: {listed(left, MOST_NAMED)}"


@dataclass(frozen=True)
class Facets:
    """How many facets of a static hull have a corner that is a guess."""

    count: int
    guessed: int
    guesses: tuple[str, ...]
    """Names of these corners."""
    missing: tuple[str, ...]
    """Formulas of compounds that are known and have no coordinates here."""
    low_budget: tuple[str, ...] = ()
    """Names of the guesses that only a search with a low budget has found, and nobody has made."""

    def describe(self) -> str:
        """For a reader."""
        told = f"{self.guessed} of {self.count} facets rest on a guess"
        if self.guesses:
            told += f" (predicted, or of an estimated structure): {listed(self.guesses, MOST_NAMED)}"
        if self.low_budget:
            told += f"; of these found by a low-budget search alone: {listed(self.low_budget, MOST_NAMED)}"
        if self.missing:
            told += f"; known but not in the hull: {listed(self.missing, MOST_NAMED)}"
        return told


def searched_of(
    elements: Iterable[str],
    searched: Iterable[str],
    with_structure: Iterable[str],
    low_budget: Iterable[str] = (),
    given: Iterable[str] = (),
) -> Searched:
    """Compare what was searched with a complete search.

    Args:
        elements: Of the system.
        searched: Formulas of its compositions that were searched, those of the systems within it included.
        with_structure: Formulas that a structure was found of.
        low_budget: Formulas that only a low budget was spent on.
        given: Formulas with a published or imported structure in the hull.
    """
    wanted = [assignment.formula for assignment in complete_assignments(elements)]
    done, found, low, known = set(searched), set(with_structure), set(low_budget), set(given)

    def among(some: set[str]) -> tuple[str, ...]:
        return tuple(formula for formula in wanted if formula in some)

    return Searched(
        tuple(wanted), among(done | known), among(found | known), among((low & done) - known), among(known - done)
    )


def low_budget(compositions: Iterable[tuple[str, bool]]) -> set[str]:
    """Formulas on which nothing but a low budget was spent.

    Args:
        compositions: Formula, and whether its budget was low; several may share a formula.
    """
    every = list(compositions)
    return {formula for formula, is_low in every if is_low} - {formula for formula, is_low in every if not is_low}


def given(system: ChemicalSystem) -> set[str]:
    """Formulas of the phases of a system whose structure was published or imported, and not searched for.

    Args:
        system: Complete in its elements.
    """
    return {phase.formula for phase in system.references if phase.kind != KNOWN_SEARCHED}


def facets_of(system: ChemicalSystem, missing: Iterable[str] = ()) -> Facets:
    """Which facets of a system's static hull rest on guesses.

    Args:
        system: Complete in its elements.
        missing: Formulas of compounds that are known and have no coordinates here.
    """
    hull = PhaseHull(Closed(system.elements), system.competing)
    guessed = sum(any(is_guess(phase) for phase in facet) for facet in hull.facets)
    guesses = sorted({phase.name for phase in hull.stable if is_guess(phase)})
    low = sorted({phase.name for phase in hull.stable if is_guess(phase) and phase.is_low_budget})
    return Facets(len(hull.facets), guessed, tuple(guesses), tuple(missing), tuple(low))


def is_guess(phase: Phase) -> bool:
    """Whether nobody has made it, or its structure was searched for, derived or estimated.

    A compound that has been made and whose structure is not at hand stands there by what a search found.
    """
    if phase.kind == CANDIDATE:
        return not (phase.is_made and phase.is_structure_known)
    return phase.provenance == "derived" and phase.kind != MOLECULE
