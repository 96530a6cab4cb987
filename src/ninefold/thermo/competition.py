"""How complete a hull is: which of its facets rest on guesses, and which compositions of its system were searched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.errors import listed
from ninefold.thermo.ensembles import Closed, PhaseHull
from ninefold.thermo.phase import CANDIDATE, MOLECULE, Phase

if TYPE_CHECKING:
    from ninefold.thermo.system import ChemicalSystem

N, M, ELECTRONS = (4, 9), (0, 3), (16, 17, 18)
"""Of a complete search: hydrogens on the centre, interstitial ones, valence electrons at the centre. The made compounds
of ninefold's list lie within, but for two with more interstitial hydrogen and those of 20 electrons and more."""
MOST_NAMED = 6


@dataclass(frozen=True)
class Searched:
    """Which compositions of a chemical system were searched, of those that a complete search has."""

    wanted: tuple[str, ...]
    """Formulas of a complete search; empty where the system has no complex hydrides by ninefold's rules."""
    searched: tuple[str, ...]
    """Of these, the ones that were searched."""
    with_structure: tuple[str, ...]
    """Of these, the ones with a structure."""

    @property
    def is_complete(self) -> bool:
        """Whether every one was searched."""
        return len(self.searched) == len(self.wanted)

    def describe(self) -> str:
        """For a reader."""
        if not self.wanted:
            return "no complex hydride of this system follows from the rules: nothing was to be searched"
        of_class = f"n {N[0]}-{N[1]}, m {M[0]}-{M[1]}, {ELECTRONS[0]}-{ELECTRONS[-1]} electrons"
        if self.is_complete:
            return f"completely searched: all {len(self.wanted)} compositions of {of_class}"
        left = sorted(set(self.wanted) - set(self.searched))
        return (
            f"not completely searched: {len(self.searched)} of {len(self.wanted)} compositions of {of_class}; not: "
            f"{listed(left, MOST_NAMED)}"
        )


@dataclass(frozen=True)
class Facets:
    """How many facets of a static hull have a corner that is a guess."""

    count: int
    guessed: int
    guesses: tuple[str, ...]
    """Names of these corners."""
    missing: tuple[str, ...]
    """Formulas of compounds that are known and have no coordinates here."""

    def describe(self) -> str:
        """For a reader."""
        told = f"{self.guessed} of {self.count} facets rest on a guess"
        if self.guesses:
            told += f" (predicted, or of an estimated structure): {listed(self.guesses, MOST_NAMED)}"
        if self.missing:
            told += f"; known but not in the hull: {listed(self.missing, MOST_NAMED)}"
        return told


def searched_of(elements: Iterable[str], searched: Iterable[str], with_structure: Iterable[str]) -> Searched:
    """Compare what was searched with a complete search.

    Args:
        elements: Of the system.
        searched: Formulas of its compositions that were searched.
        with_structure: Formulas that a structure was found of.
    """
    wanted, done, found = _complete(frozenset(elements)), set(searched), set(with_structure)
    return Searched(
        tuple(wanted), tuple(formula for formula in wanted if formula in done),
        tuple(formula for formula in wanted if formula in found),
    )  # fmt: skip


def _complete(elements: frozenset[str]) -> list[str]:
    """Formulas of every complex hydride that holds all elements of a system."""
    from ninefold.enumeration import enumerate_assignments
    from ninefold.enumeration.space import ChemicalSpace

    metals = elements - {"H"}
    formulas: set[str] = set()
    for centre in sorted(metals & GROUP.keys()):
        cations = sorted(metals - {centre})
        if "H" not in elements or not cations or not CATION_CHARGES.keys() >= set(cations) or len(cations) > 3:
            continue
        space = ChemicalSpace(
            centres=(centre,), cations=tuple(cations), n=N, m=M, cation_kinds=(len(cations), len(cations)),
            electron_counts=ELECTRONS,
        )  # fmt: skip
        for table in enumerate_assignments(space):
            formulas |= {row.formula for row in table.assignments()}
    return sorted(formulas)


def facets_of(system: ChemicalSystem, missing: Iterable[str] = ()) -> Facets:
    """Which facets of a system's static hull rest on guesses.

    Args:
        system: Complete in its elements.
        missing: Formulas of compounds that are known and have no coordinates here.
    """
    hull = PhaseHull(Closed(system.elements), system.competing)
    guessed = sum(any(is_guess(phase) for phase in facet) for facet in hull.facets)
    guesses = sorted({phase.name for phase in hull.stable if is_guess(phase)})
    return Facets(len(hull.facets), guessed, tuple(guesses), tuple(missing))


def is_guess(phase: Phase) -> bool:
    """Whether nobody has made it, or its structure was derived or estimated."""
    return phase.kind == CANDIDATE or (phase.provenance == "derived" and phase.kind != MOLECULE)
