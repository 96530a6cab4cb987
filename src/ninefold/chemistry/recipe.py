"""What to weigh in: starting materials of a synthesis under hydrogen, and a source of the hydrogen.

Amounts come from balanced equations alone, so that the masses hold the atoms of the product.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ninefold.chemistry.compounds import KnownCompound
from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.equations import Equation, formation
from ninefold.chemistry.formula import formula_of, parse_formula, reduced
from ninefold.errors import InputError

HYDROGEN = "H2"
MOST_MG = 1e6
_HYDRIDES = {1: "{}H", 2: "{}H2", 3: "{}H3"}
_HYDRIDE_OF = {"Eu": "EuH2", "Yb": "YbH2", "Ce": "CeH2", "Sc": "ScH2"}
"""Where the hydride that one can buy or make at 1 bar is not the one of the usual charge."""
_NO_METALS = frozenset("H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Te I Xe At Rn Ts Og".split())
"""Semimetals among them."""
_NOT_WEIGHED = frozenset("He N O F Ne Cl Ar Br Kr Xe Rn Hg".split())
"""Gases and liquids: a default mixture holds none of them as an element."""
_RELATIVES = 4


@dataclass(frozen=True)
class HydrogenSource:
    """A solid that is heated in the capsule and gives hydrogen off."""

    formula: str
    equation: str
    """As it decomposes to the end."""
    hydrogen: float
    """mol H2 per mol, to the end."""
    conditions: str
    releases: str
    """What else comes, and what stays."""
    source: str
    hydrogen_at_least: float
    """mol H2 per mol on which one can count below 1000 K."""


SOURCES = (
    HydrogenSource(
        "AlH3", "AlH3 -> Al + 3/2 H2", 1.5, "complete above some 400 to 500 K at 1 bar; it forms again above 9 GPa",
        "leaves aluminium metal, which alloys with transition metals: keep it apart by a layer of BN",
        "Saitoh et al., Appl. Phys. Lett. 93, 151918 (2008), for its formation under pressure; from memory",
        1.5,
    ),
    HydrogenSource(
        "NH3BH3", "NH3BH3 -> BN + 3 H2", 3.0,
        "some 1 H2 by 390 K, a second by 450 K, the third only above some 1000 K: count on 2 to 2.5 below",
        "leaves BN, before that polymeric BNHx; may give off ammonia, borazine and diborane, which react with hydrides",
        "Staubitz, Robertson & Manners, Chem. Rev. 110, 4079 (2010), doi:10.1021/cr100088b; from memory",
        2.0,
    ),
)  # fmt: skip
"""Sources of hydrogen for sealed capsules."""


@dataclass(frozen=True)
class Weighed:
    """One starting material."""

    formula: str
    mmol: float
    """With the excess."""
    mg: float
    excess: float
    """0.05: 5 % more than the equation says."""


@dataclass(frozen=True)
class Charge:
    """Starting materials of one equation."""

    equation: Equation
    solids: tuple[Weighed, ...]
    hydrogen: Weighed | None
    """None where no hydrogen is bound."""


@dataclass(frozen=True)
class SourceAmount:
    """How much of a source gives the hydrogen."""

    source: HydrogenSource
    mmol: float
    """If it decomposes to the end, as the next."""
    mg: float

    @property
    def mg_at_least(self) -> float:
        """Mass where it gives `hydrogen_at_least` alone."""
        if self.source.hydrogen_at_least == self.source.hydrogen:
            return self.mg  # not by a product and a quotient, which would round to another number
        return self.mg * self.source.hydrogen / self.source.hydrogen_at_least


@dataclass(frozen=True)
class Recipe:
    """What makes so much of a compound."""

    formula: str
    mg: float
    mmol: float
    charges: tuple[Charge, ...]
    """From hydrides first, then from metals."""
    sources: tuple[SourceAmount, ...]
    """For the hydrogen of the first charge, excess included; none that is the compound itself."""
    made: tuple[KnownCompound, ...]
    """How the compound itself was made, in ninefold's list."""
    relatives: tuple[KnownCompound, ...]
    """Made compounds of the same cations and a centre of the same group, or of the same centre, with a synthesis."""


def recipe(
    formula: str,
    mg: float,
    known: Sequence[KnownCompound],
    *,
    starting: Sequence[str] | None = None,
    excess: Mapping[str, float] | None = None,
) -> Recipe:
    """Masses of starting materials.

    Args:
        formula: Of the product.
        mg: Of it.
        known: Compounds that have been made.
        starting: Formulas of solids; default: hydrides of the cations and the metals of the centres, and then the
            metals alone.
        excess: Formula -> fraction more than the equation says; hydrogen 1 (twice the amount) if it is not named.

    Raises:
        InputError: for a mass out of range, an excess that is negative or of something else, solids of which the
            product cannot be made, a product without hydrogen or without a metal, or, without `starting`, one of an
            element that is a gas or a liquid.
    """
    if not (math.isfinite(mg) and 0 < mg <= MOST_MG):
        raise InputError("--mg", mg, allowed=f"above 0, at most {MOST_MG:g}")
    amounts = reduced(parse_formula(formula))
    product = formula_of(amounts)
    if "H" not in amounts or _NO_METALS.issuperset(amounts):
        raise InputError(
            "formula", formula, problem="is no hydride of a metal", allowed="a metal and hydrogen, like Li5MoH11"
        )
    if not starting and (fluid := [symbol for symbol in amounts if symbol in _NOT_WEIGHED]):
        raise InputError(
            "formula", formula, problem=f"holds {fluid[0]}, which is not weighed in as an element",
            allowed=f"--from with a solid that brings {fluid[0]}",
        )  # fmt: skip
    sets = [tuple(starting)] if starting else list(dict.fromkeys([_hydrides(amounts), _metals(amounts)]))
    if not starting:  # a binary hydride is no starting material of its own
        sets = [some for some in sets if product not in some]
    every = {HYDROGEN, *(each for some in sets for each in some)}
    more = {HYDROGEN: 1.0, **_checked(excess or {}, every)}
    mmol = mg / molar_mass(product)
    charges = tuple(_charge(product, solids, mmol, more) for solids in sets)
    needed = charges[0].hydrogen.mmol if charges[0].hydrogen else 0.0
    sources = tuple(
        SourceAmount(each, needed / each.hydrogen, needed / each.hydrogen * molar_mass(each.formula))
        for each in SOURCES
        if needed > 0 and formula_of(reduced(parse_formula(each.formula))) != product
    )
    made = tuple(each for each in known if each.formula == product)
    return Recipe(product, mg, mmol, charges, sources, made, _relatives(amounts, product, known))


def molar_mass(formula: str) -> float:
    """g/mol, by pymatgen's table."""
    from pymatgen.core import Element

    return sum(float(Element(symbol).atomic_mass) * count for symbol, count in parse_formula(formula).items())


def _charge(product: str, solids: Sequence[str], mmol: float, excess: Mapping[str, float]) -> Charge:
    equation = formation(product, [*solids, HYDROGEN])
    if equation is None or any(equation.coefficient(solid) >= 0 for solid in solids):
        raise InputError(
            "--from", ",".join(solids),
            problem=f"cannot make {product}" + ("" if equation is None else f": {equation}"),
            hint="name one solid for each of its metals",
        )  # fmt: skip
    weighed = []
    for formula in (*solids, HYDROGEN):
        needed = -float(equation.coefficient(formula)) * mmol * (1 + excess.get(formula, 0.0))
        weighed.append(Weighed(formula, needed, needed * molar_mass(formula), excess.get(formula, 0.0)))
    return Charge(equation, tuple(weighed[:-1]), weighed[-1] if weighed[-1].mmol > 0 else None)


def _hydrides(amounts: Mapping[str, int]) -> tuple[str, ...]:
    """Hydrides of the cations, then the metals of the centres."""
    cations = [symbol for symbol in amounts if symbol in CATION_CHARGES]
    others = [symbol for symbol in amounts if symbol not in CATION_CHARGES and symbol != "H"]
    return (
        *(_HYDRIDE_OF.get(symbol) or _HYDRIDES[CATION_CHARGES[symbol][0]].format(symbol) for symbol in cations),
        *others,
    )


def _metals(amounts: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(symbol for symbol in amounts if symbol != "H")


def _checked(excess: Mapping[str, float], allowed: set[str]) -> dict[str, float]:
    for formula, fraction in excess.items():
        if formula not in allowed:
            problem = "is no starting material of this recipe"
            raise InputError("--excess", formula, problem=problem, allowed=", ".join(sorted(allowed)))
        if not (math.isfinite(fraction) and 0 <= fraction <= 100):
            raise InputError("--excess", fraction, problem=f"is no excess of {formula}", allowed="0 to 100 (times)")
    return dict(excess)


def _relatives(amounts: Mapping[str, int], product: str, known: Sequence[KnownCompound]) -> tuple[KnownCompound, ...]:
    """The nearest first: same centre and cations, same cations and group of the centre, same centre."""
    cations = {symbol for symbol in amounts if symbol in CATION_CHARGES}
    centres = {symbol for symbol in amounts if symbol not in cations and symbol != "H"}
    groups = {GROUP.get(symbol) for symbol in centres}

    def rank(compound: KnownCompound) -> int:
        assignment = compound.assignment
        own = {symbol for symbol in parse_formula(compound.formula) if symbol in CATION_CHARGES}
        is_same, is_akin = assignment.centre in centres, GROUP.get(assignment.centre) in groups
        if own == cations:
            return 0 if is_same else 1 if is_akin else 4
        return 2 if is_same else 3 if is_akin and own & cations else 4

    found = [each for each in known if each.formula != product and each.synthesis and rank(each) < 4]
    return tuple(sorted(found, key=rank)[:_RELATIVES])
