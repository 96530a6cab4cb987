"""Formulas as the field writes them: metals by rising electronegativity, hydrogen last.

pymatgen orders by electronegativity alone and writes Li5H11W, because tungsten (2.36) lies above
hydrogen (2.20); a chemist writes Li5WH11.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from ninefold.chemistry.elements import ELECTRONEGATIVITY, SYMBOLS
from ninefold.errors import InputError

MOST_ATOMS = 1000
"""Atoms of one element in a formula; a formula unit of a hydride has a few dozen."""
LONGEST = 200
"""Characters of a formula."""
MOST_CHARGE = 20
"""Charge number of an ion."""
ISOTOPES = {"D": "deuterium", "T": "tritium"}
"""Read as hydrogen: the chemistry is the same, and the neutron papers name the deuterides."""

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
"""A formula is read as it is printed, too."""
_MINUS = "-\N{MINUS SIGN}\N{EN DASH}\N{SUPERSCRIPT MINUS}"
_PLUS = "+\N{SUPERSCRIPT PLUS SIGN}"
_CHARGE = re.compile(
    rf"""(?P<before>[\])]\s*\^?\s*|\s+|\^\s*|(?=[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]))   # what tells a charge from a count
    (?P<digits>[0-9⁰¹²³⁴⁵⁶⁷⁸⁹]*) \s* (?P<sign>[{re.escape(_MINUS + _PLUS)}]) (?P<after>[0-9⁰¹²³⁴⁵⁶⁷⁸⁹]*) $""",
    re.VERBOSE,
)
_TOKEN = re.compile(r"[A-Z][a-z]?|[0-9₀₁₂₃₄₅₆₇₈₉]+|\S")
_DIGITS = frozenset("0123456789₀₁₂₃₄₅₆₇₈₉")
_PAIRS = {")": "(", "]": "["}
_EXAMPLE = "element symbols with whole-number counts, like K2ReH9 or K2[ReH9]"


class Formula(NamedTuple):
    """A formula as it was written."""

    amounts: dict[str, int]
    """Atoms by symbol, D and T as H, in order of appearance."""
    charge: int
    """Of the whole; 0 for a compound."""
    anions: tuple[dict[str, int], ...]
    """What stands in square brackets, counts behind them left out."""
    isotopes: tuple[str, ...]
    """D, T: symbols that were read as hydrogen."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read in another way than it was written."""
        return tuple(f"{symbol} ({ISOTOPES[symbol]}) is read as hydrogen" for symbol in self.isotopes)


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


def reduced(amounts: Mapping[str, int]) -> dict[str, int]:
    """The amounts divided by their greatest common divisor: K4Re2H18 is K2ReH9."""
    divisor = math.gcd(*amounts.values()) or 1
    return {symbol: amount // divisor for symbol, amount in amounts.items()}


def plain_digits(text: str) -> str:
    """Subscripts as digits on the line."""
    return text.translate(_SUBSCRIPTS)


def ion_of(formula: str, charge: int) -> str:
    """An ion as chemists write it: [ReH9]2-, [TcH9]-; no sign for a charge of zero."""
    size = abs(charge) if abs(charge) > 1 else ""
    return f"[{formula}]{size}{'-' if charge < 0 else '+' if charge > 0 else ''}"


def parse_formula(text: str) -> dict[str, int]:
    """Atoms by symbol of a compound's formula.

    Args:
        text: Such as `K2ReH9`, `K2[ReH9]`, `K2ReD9`, `K₂ReH₉`, `Mg(AlH4)2`.

    Returns:
        Atoms by symbol, in order of appearance.

    Raises:
        InputError: as `read_formula`; or if it is an ion's.
    """
    read = read_formula(text)
    if read.charge:
        raise InputError(
            "formula", text, problem="carries a charge",
            allowed="a neutral compound, like K2ReH9; 'ninefold explain' reads an anion, like [ReH9]2-",
        )  # fmt: skip
    return read.amounts


def read_formula(text: str) -> Formula:
    """A formula with whole-number counts; round and square brackets may nest; an ion ends with its charge.

    Args:
        text: Such as `K2ReH9`, `Rb3[ReH9]H`, `K2ReD9`, `[ReH9]2-`, `[ReH₉]²⁻`.

    Raises:
        InputError: with the position, if it is malformed, names an unknown element, or is larger than any compound.
    """
    if len(text) > LONGEST:
        raise InputError(
            "formula", f"{text[:40]}...", problem=f"has {len(text)} characters", allowed=f"up to {LONGEST}"
        )
    body, charge = _without_charge(text)
    _check_fractions(body, text)
    _check_blanks(body, text)
    isotopes: list[str] = []
    anions: list[dict[str, int]] = []
    open_brackets: list[tuple[str, int]] = []
    stack: list[dict[str, int]] = [{}]
    tokens = [(found.group(), found.start() + 1) for found in _TOKEN.finditer(body)]
    place = 0
    while place < len(tokens):
        token, position = tokens[place]
        place += 1
        if token in "([":
            stack.append({})
            open_brackets.append((token, position))
            continue
        if token in _PAIRS:
            if not open_brackets or open_brackets[-1][0] != _PAIRS[token]:
                raise _malformed(text, f"has {token!r} at position {position} without {_PAIRS[token]!r} before it")
            open_brackets.pop()
            group = stack.pop()
            if not group:
                raise _malformed(text, f"has empty brackets at position {position}")
            if token == "]":
                anions.append(group)
        elif token in ISOTOPES:
            isotopes.append(token)
            group = {"H": 1}
        elif token[0].isascii() and token[0].isupper():
            if token not in SYMBOLS:
                raise _malformed(text, f"names {token!r} at position {position}, which is no element")
            group = {token: 1}
        else:
            raise _malformed(text, _unexpected(token, position))
        factor = 1
        if place < len(tokens) and tokens[place][0][0] in _DIGITS:
            factor = _count(*tokens[place], text)
            place += 1
        for symbol, amount in group.items():
            total = stack[-1].get(symbol, 0) + amount * factor
            if total > MOST_ATOMS:
                raise InputError(
                    "formula", text, problem=f"holds {total} {symbol}", allowed=f"up to {MOST_ATOMS} of an element"
                )
            stack[-1][symbol] = total
    if open_brackets:
        bracket, position = open_brackets[-1]
        raise _malformed(text, f"has {bracket!r} at position {position} that is never closed")
    if not stack[0]:
        raise _malformed(text, "is empty")
    return Formula(stack[0], charge, tuple(anions), tuple(sorted(set(isotopes))))


def isotope_notes(text: str) -> tuple[str, ...]:
    """What a text's D and T are read as, if it is a formula that has some."""
    try:
        return read_formula(text).notes
    except InputError:
        return ()


def _without_charge(text: str) -> tuple[str, int]:
    """The formula without the charge at its end, and the charge."""
    text = text.rstrip()
    found = _CHARGE.search(text)
    if found is None:
        return text, 0
    digits = (found["digits"] or found["after"]).translate(_SUPERSCRIPTS)
    if found["digits"] and found["after"]:
        raise _malformed(text, f"has a sign between two numbers at position {found.start('sign') + 1}")
    size = int(digits[:4] or 1)
    if not 1 <= size <= MOST_CHARGE:
        raise InputError("formula", text, problem=f"carries a charge of {digits[:8]}", allowed=f"1 to {MOST_CHARGE}")
    bracket = found["before"][:1] if found["before"][:1] in ("]", ")") else ""
    return text[: found.start()] + bracket, -size if found["sign"] in _MINUS else size


def _check_fractions(body: str, text: str) -> None:
    """Refuse mixed and partly occupied sites, and say what the formula would be in whole numbers."""
    found = re.search(r"\d*\.\d+", body)
    if found is None:
        return
    whole = _in_whole_numbers(body)
    raise InputError(
        "formula", text, problem=f"has the fraction {found.group()} at position {found.start() + 1}",
        allowed="whole numbers of atoms; sites that elements share are not read",
        hint=f"in whole numbers it is {whole}" if whole else None,
    )  # fmt: skip


def _in_whole_numbers(body: str) -> str | None:
    """The smallest formula with whole-number counts; None if the brackets or symbols are broken."""
    stack: list[dict[str, Fraction]] = [{}]
    for found in re.finditer(
        r"(?P<open>[(\[])|(?P<item>[A-Z][a-z]?|[)\]])(?P<count>[\d.]*)", body.translate(_SUBSCRIPTS)
    ):
        if found["open"]:
            stack.append({})
            continue
        if found["item"] in _PAIRS and len(stack) == 1:
            return None
        try:
            factor = Fraction(found["count"] or 1)
        except ValueError:
            return None
        group = stack.pop() if found["item"] in _PAIRS else {found["item"]: Fraction(1)}
        for symbol, amount in group.items():
            name = "H" if symbol in ISOTOPES else symbol
            stack[-1][name] = stack[-1].get(name, Fraction(0)) + amount * factor
    amounts = stack[0]
    if len(stack) > 1 or not amounts or not all(amounts.values()) or not {*amounts} <= {*SYMBOLS}:
        return None
    denominator = math.lcm(*(amount.denominator for amount in amounts.values()))
    counts = reduced({symbol: int(amount * denominator) for symbol, amount in amounts.items()})
    return formula_of(counts) if max(counts.values()) <= MOST_ATOMS else None


def _check_blanks(body: str, text: str) -> None:
    """Refuse what follows a blank and is no part of the formula: a space group would be read as elements (Cm, Pm).

    Raises:
        InputError: if it stands behind a metal and hydrogen, and is no bracket and no further hydrogen.
    """
    if not body.strip():
        return  # an empty formula is told as such
    first, *rest = body.split(maxsplit=1)
    tail = rest[0].strip() if rest else ""
    symbols = {*re.findall(r"[A-Z][a-z]?", first)}
    is_whole = bool(symbols & {"H", *ISOTOPES}) and len(symbols) > 1
    if tail and is_whole and not re.fullmatch(r"\[.*|[HDT]\d*", tail.translate(_SUBSCRIPTS)):
        raise InputError(
            "formula", text, problem=f"ends with {tail!r} behind a blank",
            allowed="the formula alone: a space group, a phase or an assignment is no part of it",
            hint=f"write {first!r}",
        )  # fmt: skip


def _count(token: str, position: int, text: str) -> int:
    digits = token.translate(_SUBSCRIPTS)
    if len(digits) > 6:  # the interpreter refuses to convert thousands of digits
        raise InputError(
            "formula", f"{text[:40]}..." if len(text) > 40 else text,
            problem=f"has a count of {len(digits)} digits at position {position}",
            allowed=f"up to {MOST_ATOMS} of an element",
        )  # fmt: skip
    if int(digits) == 0:
        raise _malformed(text, f"has a count of zero at position {position}")
    return int(digits)


def _unexpected(token: str, position: int) -> str:
    where = f"has {token!r} at position {position}"
    if token in _MINUS + _PLUS:
        return f"{where}; a charge stands at the end, behind a square bracket, as in [ReH9]2-"
    if token == ".":
        return f"{where}; counts are whole numbers"
    if token in "·•*:":
        return f"{where}; write an adduct as one formula"
    return f"{where}, where an element symbol (capital letter first) or a bracket should stand"


def _malformed(text: str, problem: str) -> InputError:
    return InputError("formula", text, problem=problem, allowed=_EXAMPLE)
