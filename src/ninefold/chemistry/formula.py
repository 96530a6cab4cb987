"""Formulas as the field writes them: metals by rising electronegativity, hydrogen last.

pymatgen orders by electronegativity alone and writes Li5H11W, because tungsten (2.36) lies above
hydrogen (2.20); a chemist writes Li5WH11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ninefold.chemistry.elements import ELECTRONEGATIVITY, SYMBOLS
from ninefold.errors import InputError

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
"""A formula is read as it is printed, too."""


def formula_of(amounts: Mapping[str, int]) -> str:
    """Formula of the amounts as they are given, not reduced.

    Args:
        amounts: Atoms by symbol; zeros are left out.

    Returns:
        Metals by rising electronegativity (ties by symbol), hydrogen last.
    """
    symbols = sorted(
        (symbol for symbol, amount in amounts.items() if amount),
        key=lambda symbol: (symbol == "H", ELECTRONEGATIVITY.get(symbol, 9.9), symbol),
    )
    return "".join(f"{symbol}{amounts[symbol] if amounts[symbol] != 1 else ''}" for symbol in symbols)


def parse_formula(text: str) -> dict[str, int]:
    """Atoms by symbol of a formula with whole-number counts; parentheses may nest.

    Args:
        text: Such as `K2ReH9`, `Mg(AlH4)2`.

    Returns:
        Atoms by symbol, in order of appearance.

    Raises:
        InputError: if it is malformed, or names an unknown element.
    """
    plain = text.translate(_SUBSCRIPTS)
    tokens = re.findall(r"[A-Z][a-z]?|[0-9]+|[()]|\S", plain)
    stack: list[dict[str, int]] = [{}]
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token == "(":
            stack.append({})
            continue
        if token == ")":
            if len(stack) == 1:
                raise _malformed(text, "has a ')' without '('")
            group = stack.pop()
        elif token[0].isalpha() and token[0].isupper():
            if token not in SYMBOLS:
                raise InputError("formula", text, problem=f"names {token!r}, which is no element")
            group = {token: 1}
        else:
            raise _malformed(text, f"has {token!r} where an element or '(' should stand")
        factor = 1
        if position < len(tokens) and tokens[position][0] in "0123456789":
            factor = int(tokens[position])
            position += 1
            if factor == 0:
                raise _malformed(text, "has a count of zero")
        for symbol, amount in group.items():
            stack[-1][symbol] = stack[-1].get(symbol, 0) + amount * factor
    if len(stack) > 1:
        raise _malformed(text, "has a '(' without ')'")
    if not stack[0]:
        raise _malformed(text, "is empty")
    return stack[0]


def _malformed(text: str, problem: str) -> InputError:
    return InputError("formula", text, problem=problem, allowed="element symbols with whole-number counts, like K2ReH9")
