"""Every complex hydride of a chemical system that a complete search holds, whatever the rules say of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.elements import CATION_CHARGES, ELECTRONEGATIVITY, GROUP
from ninefold.enumeration.enumerate import enumerate_assignments
from ninefold.enumeration.space import ChemicalSpace

N, M, ELECTRONS = (4, 9), (0, 3), (16, 17, 18)
"""Of a complete search: hydrogens on the centre, interstitial ones, valence electrons at the centre. The made compounds
of ninefold's list lie within, but for two with more interstitial hydrogen and those of 20 electrons and more."""
MOST_CATIONS = 3
"""Different ones in a composition."""


def complete_assignments(elements: Iterable[str]) -> list[Assignment]:
    """The compositions of a complete search, each in one assignment, sorted by formula.

    Those of the systems within the system are among them: K-Re-H lies on the hull of K-Na-Re-H. Where a formula has
    several assignments, that of most electrons at the centre (18 before 16) stands for it, and of two centres the more
    electronegative one.

    Args:
        elements: Of the system, hydrogen among them.
    """
    metals = sorted(set(elements) - {"H"})
    if "H" not in elements:
        return []
    found: dict[str, Assignment] = {}
    for assignment in itertools.chain.from_iterable(_of_centre(centre, metals) for centre in metals):
        known = found.get(assignment.formula)
        if known is None or _preference(assignment) > _preference(known):
            found[assignment.formula] = assignment
    return [found[formula] for formula in sorted(found)]


def _of_centre(centre: str, metals: list[str]) -> Iterable[Assignment]:
    cations = [symbol for symbol in metals if symbol != centre and symbol in CATION_CHARGES]
    if centre not in GROUP or not cations:
        return
    space = ChemicalSpace(
        centres=(centre,), cations=tuple(cations), n=N, m=M, electron_counts=ELECTRONS,
        cation_kinds=(1, min(len(cations), MOST_CATIONS)),
    )  # fmt: skip
    for table in enumerate_assignments(space):
        yield from table.assignments()


def _preference(assignment: Assignment) -> tuple[int, float, str]:
    return assignment.electron_count, ELECTRONEGATIVITY[assignment.centre], assignment.label
