"""The two equations of the field, and a composition read through them.

    G + n + q = electron_count (18)      and      Z = q + m

with G the group number of the centre M, n the hydrogens on M, q the charge of [MH_n]^q-,
m the interstitial hydride ions and Z the total charge of the counter-cations, all per M.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ninefold.chemistry.elements import GROUP
from ninefold.chemistry.formula import formula_of, ion_of


class AnionClass(StrEnum):
    """What n alone says of the anion's bonding."""

    CLASSICAL = "classical"
    """n <= 9: every hydrogen can be a hydride, the oxidation state stays within 0..G."""
    H2_LIGAND = "h2_ligand"
    """n >= 10: OS = n - q would exceed G, so some hydrogens must bind as H2; never ranked with the rest."""


class Cation(NamedTuple):
    """A kind of counter-cation and how many of it there are per centre."""

    symbol: str
    count: int  # type: ignore[assignment]  # hides tuple.count, which a cation does not need
    charge: int


@dataclass(frozen=True, slots=True, order=True)
class Assignment:
    """One assignment of a composition: which metal is the centre and where the hydrogens are.

    All counts are per centre atom. `cations` is sorted by symbol. Li5ScYH7 has two assignments,
    with either metal as the centre; both share `formula`.
    """

    centre: str
    n: int
    q: int
    m: int
    cations: tuple[Cation, ...]

    @property
    def formula(self) -> str:
        """Formula per centre: metals by rising electronegativity, hydrogen last (K2ReH9)."""
        return formula_of(self.amounts)

    @property
    def amounts(self) -> dict[str, int]:
        """Atoms per formula unit, by symbol."""
        return {
            **{cation.symbol: cation.count for cation in self.cations},
            self.centre: 1,
            "H": self.n + self.m,
        }

    @property
    def anion(self) -> str:
        """The anion as chemists write it: [ReH9]2-."""
        return ion_of(f"{self.centre}H{self.n if self.n != 1 else ''}", -self.q)

    @property
    def label(self) -> str:
        """Formula and assignment, unique in a campaign: `Li5MoH11 = [MoH9]3- + 2 H-`."""
        hydride = f" + {self.m} H-" if self.m else ""
        return f"{self.formula} = {self.anion}{hydride}"

    @property
    def group(self) -> int:
        """Group number of the centre, G."""
        return GROUP[self.centre]

    @property
    def electron_count(self) -> int:
        """Valence electrons at the centre, G + n + q."""
        return self.group + self.n + self.q

    @property
    def oxidation_state(self) -> int:
        """Formal oxidation state of the centre with every hydrogen as hydride, n - q."""
        return self.n - self.q

    @property
    def cation_charge(self) -> int:
        """Z, the total charge of the counter-cations."""
        return sum(cation.count * cation.charge for cation in self.cations)

    @property
    def anion_class(self) -> AnionClass:
        """Classical hydride or H2-ligand complex."""
        return AnionClass.CLASSICAL if self.n <= 9 else AnionClass.H2_LIGAND

    @property
    def chemical_system(self) -> str:
        """Element symbols, sorted, joined by dashes (H-K-Re)."""
        return "-".join(sorted(self.amounts))
