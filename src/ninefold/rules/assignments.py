"""Reading a formula: every way in which it is a complex hydride, or why it is none."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.formula import formula_of, parse_formula, reduced
from ninefold.errors import InputError

MOST_INTERSTITIAL = 6
"""Interstitial hydrides per centre up to which a formula is read."""
MOST_LIGANDS = 12
"""Hydrogens on the centre up to which a composition is suggested."""


@dataclass(frozen=True)
class Diagnosis:
    """Why a formula has no assignment, and what comes near."""

    formula: str
    problem: str
    nearest: tuple[str, ...]
    """Formulas that satisfy both equations, fewest hydrogens changed first."""

    def __str__(self) -> str:
        near = f"; nearest compositions that satisfy both equations: {', '.join(self.nearest)}" if self.nearest else ""
        return f"{self.formula}: {self.problem}{near}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"formula": self.formula, "problem": self.problem, "nearest": list(self.nearest)}


def assignments(formula: str, electron_counts: Iterable[int] = (18,)) -> list[Assignment]:
    """Every assignment of a formula that satisfies both equations.

    From G + n + q = E, Z = q + m and n + m = hydrogens follows n = (E - G - Z + hydrogens) / 2.

    Args:
        formula: Such as Li5MoH11; a formula with several centres is divided by their number.
        electron_counts: Valence electrons at the centre that count.

    Raises:
        InputError: if the formula is malformed, or is no hydride of a metal.
    """
    amounts = _amounts(formula)
    found = set()
    for centre, cations, hydrogen in _splits(amounts):
        charge = sum(cation.count * cation.charge for cation in cations)
        for electrons in electron_counts:
            doubled = electrons - GROUP[centre] - charge + hydrogen
            n = doubled // 2
            m = hydrogen - n
            q = charge - m
            if doubled % 2 == 0 and n >= 1 and 0 <= m <= MOST_INTERSTITIAL and q >= 1:
                found.add(Assignment(centre, n, q, m, cations))
    return sorted(found)


def diagnose(formula: str, electron_count: int = 18) -> Diagnosis:
    """Which equation a formula without an assignment breaks, by how much, and what comes near.

    Raises:
        InputError: as `assignments`.
    """
    amounts = _amounts(formula)
    name = formula_of(amounts)
    problems: list[str] = []
    nearest: list[tuple[int, str]] = []
    for centre, cations, hydrogen in _splits(amounts):
        charge = sum(cation.count * cation.charge for cation in cations)
        doubled = electron_count - GROUP[centre] - charge + hydrogen
        n, m = doubled / 2, hydrogen - doubled / 2
        q = charge - m
        equation = (
            f"with {centre} as the centre, G + n + q = {electron_count} and Z = q + m need "
            f"n = {n:g}, m = {m:g}, q = {q:g}"
        )
        if doubled % 2:
            problems.append(f"{equation}: half a hydrogen is left over; one hydrogen more or less balances")
        elif m < 0:
            problems.append(f"{equation}: {-m:g} hydrogens too few (m would be negative)")
        elif m > MOST_INTERSTITIAL:
            problems.append(f"{equation}: more than {MOST_INTERSTITIAL} interstitial hydrides")
        elif q < 1:
            problems.append(f"{equation}: the anion would carry no negative charge; cation charge short by {1 - q:g}")
        else:
            problems.append(f"{equation}: n must be positive")
        counter = {cation.symbol: cation.count for cation in cations}
        for other in range(2, MOST_LIGANDS + MOST_INTERSTITIAL + 1):
            balanced = assignments(formula_of({**counter, centre: 1, "H": other}), (electron_count,))
            nearest += [(abs(other - hydrogen), item.formula) for item in balanced if item.n <= MOST_LIGANDS]
    if not problems:
        problems.append(_no_split(amounts, electron_count))
    ordered = list(dict.fromkeys(text for _, text in sorted(nearest)))
    return Diagnosis(name, problems[0], tuple(ordered[:5]))


def _no_split(amounts: dict[str, int], electron_count: int) -> str:
    """Why no metal of the formula can be the centre, with the others as counter-cations."""
    if several := list(_several_centres(amounts, electron_count)):
        # one that balances says more than one that does not
        return min(several, key=lambda item: not item[0])[1]
    metals = [symbol for symbol in amounts if symbol != "H"]
    if len(metals) == 1 and metals[0] in GROUP:
        [centre] = metals
        n, left = divmod(amounts["H"], amounts[centre])
        charge = electron_count - GROUP[centre] - n
        if left == 0 and charge >= 1:
            anion = Assignment(centre, n, charge, 0, ()).anion
            return (
                f"no counter-cation; with {electron_count} electrons the anion is {anion}: ninefold explain '{anion}'"
            )
        return "no counter-cation"
    if foreign := [symbol for symbol in metals if symbol not in GROUP and symbol not in CATION_CHARGES]:
        return f"{', '.join(foreign)}: neither a centre (groups 3 to 12) nor a counter-cation that ninefold knows"
    if not any(symbol in GROUP for symbol in metals):
        return "no metal of groups 3 to 12, so no centre"
    return "no metal of groups 3 to 12 can be the centre with the other metals as counter-cations"


def _several_centres(amounts: dict[str, int], electron_count: int) -> Iterator[tuple[bool, str]]:
    """Per metal of which there are several, and by whose number the others do not divide: whether equal anions balance.

    With k centres, h hydrogens and the total cation charge Z, G + n + q = E and k (n - q) = h - Z give n of each.
    """
    for centre in sorted(symbol for symbol in amounts if symbol in GROUP and amounts[symbol] > 1):
        number, hydrogen = amounts[centre], amounts["H"]
        others = {symbol: amount for symbol, amount in amounts.items() if symbol not in (centre, "H")}
        if not others or any(symbol not in CATION_CHARGES for symbol in others):
            continue
        names = ", ".join(f"{amount} {symbol}" for symbol, amount in others.items())
        shares = f"{number} {centre} centres share {names} and {hydrogen} H"
        unlike: list[str] = []
        for charges in itertools.product(*(CATION_CHARGES[symbol] for symbol in others)):
            charge = sum(amount * each for amount, each in zip(others.values(), charges, strict=True))
            n = (electron_count - GROUP[centre] + (hydrogen - charge) / number) / 2
            q = electron_count - GROUP[centre] - n
            left = hydrogen - number * n
            if n.is_integer() and n >= 1 and q >= 1 and left >= 0:
                anion = Assignment(centre, int(n), int(q), 0, ()).anion
                hydride = f" and {left:g} interstitial H- for all" if left else ""
                yield (
                    True,
                    f"{shares}, which do not divide among them: with {electron_count} electrons each is {anion}"
                    f"{hydride}. ninefold reads and searches formulas with whole numbers of cations and hydrogens per "
                    f"centre; the anion by itself: ninefold explain '{anion}'",
                )
            unlike.append(f"n = {n:g}, q = {q:g}")
        yield (
            False,
            f"{shares}, which do not divide among them, and equal anions with {electron_count} electrons would need "
            f"{' or '.join(unlike)}; unlike anions in one formula are not read",
        )


def _amounts(formula: str) -> dict[str, int]:
    amounts = reduced(parse_formula(formula))
    if "H" not in amounts:
        raise InputError("formula", formula, problem="holds no hydrogen", allowed="a hydride, like K2ReH9")
    if len(amounts) < 2:
        raise InputError("formula", formula, problem="holds no metal", allowed="a hydride, like K2ReH9")
    return amounts


def _splits(amounts: dict[str, int]) -> Iterator[tuple[str, tuple[Cation, ...], int]]:
    """Centre, counter-cations and hydrogens per centre, for every metal that can be the centre."""
    for centre in sorted(symbol for symbol in amounts if symbol in GROUP):
        number = amounts[centre]
        others = {symbol: amount for symbol, amount in amounts.items() if symbol not in (centre, "H")}
        if not others or any(symbol not in CATION_CHARGES for symbol in others):
            continue
        if any(amount % number for amount in amounts.values()):
            continue
        symbols = sorted(others)
        for charges in itertools.product(*(CATION_CHARGES[symbol] for symbol in symbols)):
            cations = tuple(
                Cation(symbol, others[symbol] // number, charge)
                for symbol, charge in zip(symbols, charges, strict=True)
            )
            yield centre, cations, amounts["H"] // number
