"""Chemical equations, balanced exactly.

Every equation that ninefold prints comes from here. Coefficients are solved in rational numbers from
the formulas alone, never rounded from fractions of a hull, so that an equation balances or is not made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ninefold.chemistry.formula import parse_formula


@dataclass(frozen=True)
class Equation:
    """A balanced equation in which one formula unit of the target stands on one side.

    Coefficients are positive; each side lists formulas in the order in which they were given.
    """

    left: tuple[tuple[Fraction, str], ...]
    right: tuple[tuple[Fraction, str], ...]

    def __str__(self) -> str:
        return f"{_side(self.left)} -> {_side(self.right)}"

    def coefficient(self, formula: str) -> Fraction:
        """Amount of a formula, positive on the right, negative on the left, 0 where it does not occur."""
        right = sum((amount for amount, name in self.right if name == formula), Fraction(0))
        return right - sum((amount for amount, name in self.left if name == formula), Fraction(0))


def decomposition(formula: str, products: Sequence[str]) -> Equation | None:
    """`K2ReH9 -> 2/3 K3ReH10 + 1/3 Re + 7/6 H2`: one formula unit and what it decomposes into.

    Args:
        formula: Of the phase on the left.
        products: Formulas of the other phases; one of which less than nothing would form is taken up and
            stands on the left.

    Returns:
        None where no amounts of these products have the phase's atoms, or more than one set of amounts has.
    """
    amounts = _solved(parse_formula(formula), [parse_formula(product) for product in products])
    if amounts is None:
        return None
    pairs = [(amount, product) for amount, product in zip(amounts, products, strict=True) if amount]
    taken = tuple((-amount, product) for amount, product in pairs if amount < 0)
    return Equation(
        left=((Fraction(1), formula), *taken),
        right=tuple((amount, product) for amount, product in pairs if amount > 0),
    )


def formation(formula: str, reactants: Sequence[str]) -> Equation | None:
    """`2 KH + Re + 7/2 H2 -> K2ReH9`: the same the other way round."""
    reverse = decomposition(formula, reactants)
    return None if reverse is None else Equation(reverse.right, reverse.left)


def _solved(target: Mapping[str, int], parts: Sequence[Mapping[str, int]]) -> list[Fraction] | None:
    """Amounts of the parts whose atoms sum to the target's, by Gauss-Jordan elimination."""
    symbols = sorted({*target, *(symbol for part in parts for symbol in part)})
    rows = [[*(Fraction(part.get(symbol, 0)) for part in parts), Fraction(target.get(symbol, 0))] for symbol in symbols]
    for column in range(len(parts)):
        pivot = next((index for index in range(column, len(rows)) if rows[index][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = rows[column][column]
        rows[column] = [value / scale for value in rows[column]]
        for index, row in enumerate(rows):
            if index != column and row[column]:
                factor = row[column]
                rows[index] = [value - factor * own for value, own in zip(row, rows[column], strict=True)]
    if any(row[-1] for row in rows[len(parts) :]):
        return None
    return [row[-1] for row in rows[: len(parts)]]


def _side(terms: Sequence[tuple[Fraction, str]]) -> str:
    return " + ".join(formula if amount == 1 else f"{amount} {formula}" for amount, formula in terms)
