"""Values and formulas as a chemist writes them, for the page and for the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from ninefold.models.quantities import QUANTITIES, Quantity

NO_COLUMNS: Mapping[str, Quantity] = MappingProxyType({})
MISSING = "–"
"""Stands where the store holds no value."""

_DIGITS = {
    QUANTITIES["e_above_hull"].unit: 3,
    QUANTITIES["shortest_m_h"].unit: 2,
    QUANTITIES["volume_per_formula_unit"].unit: 1,
    QUANTITIES["max_force"].unit: 3,
    QUANTITIES["reaction_energy_per_h2"].unit: 1,
    QUANTITIES["pseudorotation_barrier"].unit: 0,
    QUANTITIES["dynamics_length"].unit: 1,
    QUANTITIES["decomposition_temperature"].unit: 0,
}
"""Decimals that mean something, by unit; two for a number without one."""
_OF_MAGNITUDES = ("pseudorotation_rate_300", "cation_diffusion_300", "thermal_expansion_298")
_SPANNING = frozenset(QUANTITIES[key].unit for key in _OF_MAGNITUDES)
"""Units of what spans orders of magnitude: two digits, wherever the point is."""
_SPANNING_KEYS = frozenset({"paddle_wheel_p"})
"""Likewise, of what has no unit."""

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
# amounts stand behind a symbol or a round bracket, a charge behind a square one or behind a lone H
_PARTS = re.compile(r"(?<=\])(?P<charge>\d*[+-])|(?<=[A-Za-z)])(?P<amount>\d+)|(?<= H)(?P<hydride>-)")
# a closing bracket or full stop belongs to the sentence unless the DOI itself opened the bracket: 10.1016/S0925(01)4
_IDENTIFIERS = re.compile(
    r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?\b(?P<doi>10\.\d{4,9}/(?:\([^\s()<>\"]*\)|[^\s()<>\",;])*"
    r"(?:\([^\s()<>\"]*\)|[^\s()<>\",;.:]))"
    r"|arXiv:\s*(?P<arxiv>\d{4}\.\d{4,5}(?:v\d+)?)",
    re.IGNORECASE,
)


def quantity_of(key: str, columns: Mapping[str, Quantity] = NO_COLUMNS) -> Quantity:
    """The quantity behind a key; an unknown key is its own symbol, without a unit.

    Args:
        key: Of `QUANTITIES`, or another.
        columns: What stages of the user's have stored.
    """
    return QUANTITIES.get(key) or columns.get(key) or Quantity(key, "string", "", key, "")


def unit_of(key: str) -> str:
    """The unit of a quantity, or of a stored key that ends in one (`temperature_K`)."""
    if key in QUANTITIES:
        return QUANTITIES[key].unit
    return key.rpartition("_")[2] if "_" in key else ""


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """A number with a true minus sign; `MISSING` for None.

    A rounded zero has no sign.
    """
    if value is None:
        return MISSING
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if not text.strip("+-0."):
        text = text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def shown(key: str, value: Any) -> str:
    """A stored value as it is printed, without its unit.

    Args:
        key: A key of `QUANTITIES`; others are printed by their type.
        value: As stored.
    """
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and (key in _SPANNING_KEYS or quantity_of(key).unit in _SPANNING):
        text = f"{value:.2g}"
        return (f"{value:.1e}" if "e" in text else text).replace("-", "\N{MINUS SIGN}")
    if isinstance(value, float):
        return number(value, _DIGITS.get(quantity_of(key).unit, 2))
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or MISSING
    return str(value)


def with_unit(key: str, value: Any) -> str:
    """A stored value with its unit: `0.012 eV/atom`."""
    text = shown(key, value)
    unit = quantity_of(key).unit
    return f"{text} {unit}" if unit and text != MISSING else text


def formula_html(text: str) -> Markup:
    """A formula, an anion or an assignment with real sub- and superscripts."""
    return Markup(_PARTS.sub(_markup, str(escape(text))))


def formula_plain(text: str) -> str:
    """The same in characters alone, where markup does not go: K₂ReH₉, [ReH₉]²⁻."""
    return _PARTS.sub(
        lambda part: (
            part["amount"].translate(_SUBSCRIPTS)
            if part["amount"]
            else (part["charge"] or part["hydride"]).translate(_SUPERSCRIPTS)
        ),
        text,
    )


def space_group_html(symbol: str | None) -> Markup:
    """A Hermann-Mauguin symbol with screw axes as subscripts: P6_3/mmc."""
    if not symbol:
        return Markup(MISSING)
    text = re.sub(r"_(\d)", r"<sub>\1</sub>", str(escape(symbol)))
    return Markup(re.sub(r"-(\d)", r'<span class="overline">\1</span>', text))


def uncertainty_text(value: float) -> str:
    """An uncertainty in eV/atom without its unit; two searches that happen to agree do not make it zero."""
    return number(max(value, 0.0005), 3)


def percent(fraction: float) -> str:
    """A probability in per cent, without the sign; what is not certain is never 0 or 100."""
    value = 100 * fraction
    return "below 1" if value < 1 else "above 99" if value > 99 else f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """A time in the two largest units that matter: 3 min 12 s."""
    if seconds is None:
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    total = round(seconds)
    hours, rest = divmod(total, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def core_hours(hours: float) -> str:
    """Core time for people; of less than 0.1 h two digits that count.

    >>> core_hours(12.345), core_hours(0.0066227), core_hours(0.0)
    ('12.35', '0.0066', '0')
    """
    return f"{hours:.2f}" if hours >= 0.1 else f"{hours:.2g}" if hours >= 1e-4 else "0"


def listing(parts: Iterable[str | Markup]) -> Markup:
    """Words joined as in a sentence: a, b and c."""
    items = [escape(part) for part in parts]
    if len(items) < 2:
        return Markup("").join(items)
    return Markup(", ").join(items[:-1]) + Markup(" and ") + items[-1]


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """`1 composition`, `12 compositions`."""
    return f"{thousands(amount)} {noun if amount == 1 else plural or noun + 's'}"


def linked(text: str | None) -> Markup:
    """A reference whose DOIs and arXiv numbers are links; `MISSING` without one."""
    if not text:
        return Markup(MISSING)
    parts, end = [], 0
    for match in _IDENTIFIERS.finditer(text):
        parts += [escape(text[end : match.start()]), _link(match)]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def counted(amount: int, plural: str) -> str:
    """A count with its unit, given in the plural: `1 structure`, `12 structures`."""
    return count(amount, plural.removesuffix("s"), plural)


def reason_text(reason: str) -> str:
    """A reason of rejection in words: statuses are names, and read better without underscores; P6_3cm stays."""
    return reason if " " in reason else reason.replace("_", " ")


def thousands(amount: int) -> str:
    """A count in groups of three digits, as SI asks."""
    return f"{amount:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _link(match: re.Match[str]) -> Markup:
    if match["doi"]:
        address, shown_as = f"https://doi.org/{quote(match['doi'], safe='/()._-;:')}", f"doi:{match['doi']}"
    else:
        address, shown_as = f"https://arxiv.org/abs/{match['arxiv']}", f"arXiv:{match['arxiv']}"
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(address, shown_as)


def _markup(part: re.Match[str]) -> str:
    if part["amount"]:
        return f"<sub>{part['amount']}</sub>"
    return f"<sup>{(part['charge'] or part['hydride']).replace('-', chr(0x2212))}</sup>"
