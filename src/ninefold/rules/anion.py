"""A bare anion: the rules that need no counter-cations, and the compounds that it may stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES, ELECTRONEGATIVITY, GROUP
from ninefold.chemistry.formula import Formula, formula_of
from ninefold.chemistry.table import CandidateTable
from ninefold.errors import InputError

if TYPE_CHECKING:
    from ninefold.rules.rule_set import RuleSet

MOST_HYDRIDES = 2
"""Interstitial hydrides per centre among which compounds of an anion are looked for."""


class NeedsCations(Exception):  # noqa: N818  # an answer, not an error
    """A rule asked a bare anion for something that only a compound has."""


class AnionTable:
    """What rules may ask of a bare anion: a `CandidateTable` of one row without counter-cations and hydrides.

    Args:
        anion: Its `cations` and `m` are not looked at.
    """

    def __init__(self, anion: Assignment) -> None:
        self.centres = (anion.centre,)
        self.centre = np.zeros(1, dtype=np.int16)
        self.n, self.q = np.array([anion.n]), np.array([anion.q])
        self.group = np.array([GROUP[anion.centre]])
        self.electron_count = self.group + self.n + self.q
        self.oxidation_state = self.n - self.q
        self.centre_electronegativity = np.array([ELECTRONEGATIVITY[anion.centre]])

    def __len__(self) -> int:
        return 1

    def of_centre(self, values: dict[str, Any]) -> np.ndarray:
        """Shape (1,), a property of the centre."""
        return np.array([values[self.centres[0]]])

    def __getattr__(self, name: str) -> Any:
        raise NeedsCations(name)


class Salt(NamedTuple):
    """A compound of an anion that the rules accept."""

    assignment: Assignment
    prior: float


def read_anion(formula: Formula, text: str) -> Assignment:
    """The anion of a charged formula, as an assignment without cations.

    Raises:
        InputError: if it is a cation, or not one centre with hydrogens.
    """
    like = "one centre of groups 3 to 12 with hydrogens and a negative charge, like [ReH9]2-"
    if formula.charge > 0:
        raise InputError("formula", text, problem="is a cation", allowed=like)
    others = [symbol for symbol in formula.amounts if symbol != "H"]
    if len(others) != 1 or others[0] not in GROUP:
        known = [symbol for symbol in others if symbol in CATION_CHARGES]
        hint = (
            f"with its cations it is a compound: {formula_of(formula.amounts)}" if known and len(others) > 1 else None
        )
        raise InputError("formula", text, problem="is not the anion of one centre", allowed=like, hint=hint)
    [centre] = others
    if formula.amounts[centre] != 1:
        raise InputError("formula", text, problem=f"has {formula.amounts[centre]} centres", allowed=like)
    if "H" not in formula.amounts:
        raise InputError("formula", text, problem="holds no hydrogen", allowed=like)
    return Assignment(centre, formula.amounts["H"], -formula.charge, 0, ())


def salts(rule_set: RuleSet, anion: Assignment) -> list[Salt]:
    """Compounds of the anion with one kind of counter-cation that the rules accept, highest prior first.

    Args:
        rule_set: Judges.
        anion: Its `cations` and `m` are not looked at.
    """
    found = []
    for m in range(MOST_HYDRIDES + 1):
        for symbol, charges in CATION_CHARGES.items():
            for charge in charges:
                number, left = divmod(anion.q + m, charge)
                if left == 0 and symbol != anion.centre:
                    found.append(Assignment(anion.centre, anion.n, anion.q, m, (Cation(symbol, number, charge),)))
    verdicts = rule_set.apply(CandidateTable.from_assignments(found))
    kept = [Salt(found[row], float(verdicts.prior[row])) for row in verdicts.kept_rows]
    return sorted(kept, key=lambda salt: (-round(salt.prior, 6), salt.assignment.m))
