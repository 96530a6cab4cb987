"""Formulas as the field writes them: metals by rising electronegativity, hydrogen last.

pymatgen orders by electronegativity alone and writes Li5H11W, because tungsten (2.36) lies above
hydrogen (2.20); a chemist writes Li5WH11.
"""

from __future__ import annotations

from collections.abc import Mapping

from ninefold.chemistry.elements import ELECTRONEGATIVITY


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
