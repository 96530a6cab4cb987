"""Values of a filter in the store's spelling.

Formulas, chemical systems, elements and space groups have many spellings, of which the store knows one. A value in
another one is translated; a value that no document can hold is refused, since a filter that matches nothing, or
everything behind a NOT, would look like an answer.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Mapping
from typing import Literal

from ninefold.chemistry.anions import AnionClass
from ninefold.chemistry.elements import SYMBOLS
from ninefold.chemistry.formula import ISOTOPES, formula_of, ion_of, plain_digits, read_formula, reduced
from ninefold.errors import InputError

Match = Literal["CONTAINS", "STARTS", "ENDS"]

STATUSES = (
    "selected", "searched", "ranked", "no_structure", "no_hull", "h2_ligand", "rejected", "competitor",
)  # fmt: skip
"""Of a candidate."""
_ORDER = "metals stand by rising electronegativity and hydrogen last, as in K2ReH9"
_MINUS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺\N{MINUS SIGN}", "0123456789-+-")


def exact(key: str, value: str) -> str:
    """A value that a field is compared with by = or !=, or a member of a list.

    Args:
        key: The field, by our name.
        value: As it was written.

    Raises:
        InputError: if no document can hold it, with what is allowed.
    """
    return _EXACT[key](value) if key in _EXACT else value


def part(key: str, how: Match, value: str) -> str | tuple[str, ...]:
    """A value that a field's text contains, starts or ends with.

    Args:
        key: The field, by our name.
        how: Where it stands.
        value: As it was written; an empty one stands in every text.

    Returns:
        The part in the store's spelling; or, as a tuple, the whole texts that have it, where the spelling differs from
        text to text.

    Raises:
        InputError: as `exact`.
    """
    return _PART[key](how, value) if key in _PART and value else value


def _formula(value: str) -> str:
    """H9K2Re, K2[ReH9], K4Re2H18 and K2ReD9 are K2ReH9."""
    try:
        read = read_formula(value)
    except InputError as error:
        raise _refused(
            value, f"is no formula: it {error.problem}", 'a whole formula, as in formula = "K2ReH9"',
            'a part of one: formula CONTAINS "ReH"',
        ) from error  # fmt: skip
    if read.charge:
        anion = ion_of(formula_of(read.amounts), read.charge)
        raise _refused(value, "is an ion, and a formula is neutral", hint=f'anion = "{anion}"')
    return formula_of(reduced(read.amounts) if len(read.amounts) > 1 else read.amounts)


def _anion(value: str) -> str:
    """[ReH₉]²⁻ and [H9Re]2- are [ReH9]2-."""
    allowed = 'an anion with its charge, as in anion = "[ReH9]2-"'
    try:
        read = read_formula(value)
    except InputError as error:
        raise _refused(value, f"is no anion: it {error.problem}", allowed, 'anion CONTAINS "ReH9"') from error
    if not read.charge:
        raise _refused(value, "carries no charge", allowed, 'anion CONTAINS "ReH9"')
    return ion_of(formula_of(read.amounts), read.charge)


def _element(value: str) -> str:
    """``re`` is Re, D is H."""
    name = value.strip()
    if name in ISOTOPES:
        return "H"
    if (symbol := name.capitalize()) in SYMBOLS:
        return symbol
    raise _refused(value, "is no element", 'a symbol, as in "Re"')


def _system(value: str) -> str:
    """K-Re-H and D-K-Re are H-K-Re."""
    symbols = {_element(name) for name in re.split(r"[-\s,]+", value.strip()) if name}
    if not symbols:
        raise _refused(value, "names no element", 'symbols joined by dashes, as in "H-K-Re"')
    return "-".join(sorted(symbols))


def _space_group(value: str) -> str:
    """P -6 2 m, P63/mmc and P 1 21/c 1 are P-62m, P6_3/mmc and P2_1/c."""
    from ninefold.structures.symmetry import spellings, standard_symbol

    if (symbol := standard_symbol(value)) is not None:
        return symbol
    near = difflib.get_close_matches(value, sorted(set(spellings().values())), n=3)
    raise _refused(
        value, "is no Hermann-Mauguin symbol", ", ".join(near) if near else 'one of 230, as in "P6_3/mmc"',
        "space_group_number = 194 asks by the number",
    )  # fmt: skip


def _word(words: tuple[str, ...], value: str) -> str:
    word = re.sub(r"[\s-]+", "_", value.strip().lower())
    if word in words:
        return word
    raise _refused(value, "is a value that it never has", ", ".join(words))


def _part_of_formula(how: Match, value: str) -> str:
    text = _without_isotopes(plain_digits(value), how)
    found = re.fullmatch(r"(?P<head>[a-z]?[0-9]*)(?P<body>(?:[A-Z][a-z]?[0-9]*)*)", text)
    if found is None or (how == "STARTS" and found["head"]):
        raise _refused(value, "is no part of a formula", 'element symbols with counts, as in "K2Re"')
    symbols = re.findall(r"[A-Z][a-z]?", found["body"])
    if not symbols:
        return text
    # more of the last symbol may follow: Ti after T
    is_open = how != "ENDS" and not text[-1].isdigit()
    lasts = [symbol for symbol in SYMBOLS if symbol.startswith(symbols[-1])] if is_open else symbols[-1:]
    for symbol in [*symbols[:-1], *(lasts or symbols[-1:])]:
        if symbol not in SYMBOLS:
            raise _refused(value, f"names {symbol!r}, which is no element", 'element symbols, as in "K2Re"')
    if not any(_is_ordered([*symbols[:-1], last]) for last in lasts):
        names = ", ".join(f'"{symbol}"' for symbol in sorted(set(symbols)) if symbol in SYMBOLS)
        raise _refused(
            value, f"stands so in no formula of the store: {_ORDER}",
            hint=f"elements HAS ALL {names} asks for elements, formula = for a whole formula, in any order",
        )  # fmt: skip
    return text


def _is_ordered(symbols: list[str]) -> bool:
    return len(set(symbols)) == len(symbols) and "".join(symbols) == formula_of(dict.fromkeys(symbols, 1))


def _part_of_anion(how: Match, value: str) -> str:
    text = _without_isotopes(plain_digits(value.translate(_MINUS)), how)
    if how == "STARTS" and not text.startswith("["):
        raise _refused(value, "begins no anion", 'a square bracket first, as in anion STARTS "[ReH"')
    return text


def _part_of_system(how: Match, value: str) -> str:
    names = value.split("-")
    last = len(names) - 1
    for place, name in enumerate(names):
        may_go_on = place == last and how != "ENDS"
        if name in ISOTOPES and not may_go_on:
            names[place] = name = "H"
        is_end = place == 0 and how != "STARTS" and any(symbol.endswith(name) for symbol in SYMBOLS)
        is_beginning = may_go_on and any(symbol.startswith(name) for symbol in SYMBOLS)
        if name and not (name in SYMBOLS or is_end or is_beginning):
            raise _refused(value, f"names {name!r}, which is no element", 'symbols joined by dashes, as in "H-Li"')
    if len(names) == 1:
        return names[0]
    complete = [name for name in names[:-1] if name in SYMBOLS]
    lasts = [symbol for symbol in SYMBOLS if symbol == names[-1] or (how != "ENDS" and symbol.startswith(names[-1]))]
    if not _is_rising(complete) or (names[-1] and not any(_is_rising([*complete, symbol]) for symbol in lasts)):
        ordered = sorted({*complete, *lasts[:1]})
        raise _refused(
            value, "stands so in no chemical system of the store: symbols are sorted",
            hint=f'write "{"-".join(ordered)}", or elements HAS ALL',
        )  # fmt: skip
    return "-".join(names)


def _is_rising(names: list[str]) -> bool:
    return names == sorted(set(names))


def _part_of_space_group(how: Match, value: str) -> str | tuple[str, ...]:
    from ninefold.structures.symmetry import bare_symbol, spellings

    symbols = sorted(set(spellings().values()))
    compact = re.sub(r"\s", "", value)
    if any(_stands(how, compact, symbol) for symbol in symbols):
        return compact
    found = tuple(symbol for symbol in symbols if _stands(how, bare_symbol(value), bare_symbol(symbol)))
    if found:
        return found
    raise _refused(value, "is no part of a Hermann-Mauguin symbol", 'as in "P6_3"')


def _stands(how: Match, piece: str, text: str) -> bool:
    return {"CONTAINS": piece in text, "STARTS": text.startswith(piece), "ENDS": text.endswith(piece)}[how]


def _without_isotopes(text: str, how: Match) -> str:
    """D and T as H; at the end of what may go on they may be the beginning of Dy or Ti."""
    return re.sub(r"[DT](?![a-z])" if how == "ENDS" else r"[DT](?![a-z]|$)", "H", text)


def _refused(value: str, problem: str, allowed: str | None = None, hint: str | None = None) -> InputError:
    return InputError("filter", value, problem=problem, allowed=allowed, hint=hint)


_EXACT: Mapping[str, Callable[[str], str]] = {
    "formula": _formula, "anion": _anion, "chemical_system": _system, "elements": _element, "cations": _element,
    "centre": _element, "space_group_symbol": _space_group,
    "anion_class": functools.partial(_word, tuple(item.value for item in AnionClass)),
    "status": functools.partial(_word, STATUSES),
}  # fmt: skip
"""Field -> its value in the store's spelling."""
_PART: Mapping[str, Callable[[Match, str], str | tuple[str, ...]]] = {
    "formula": _part_of_formula, "anion": _part_of_anion, "chemical_system": _part_of_system,
    "space_group_symbol": _part_of_space_group,
}  # fmt: skip
