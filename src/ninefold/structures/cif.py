"""A structure as the text of a CIF, with its symmetry and with data items of our own.

The atoms written are those of the described structure, which stand exactly on their positions: a symmetry table beside
atoms that are a few thousandths of an Ångström off theirs is read as more atoms than there are.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import moyopy
import numpy as np

from ninefold.structures.description import StructureDescription
from ninefold.structures.reading.space_groups import hall_symbol

PREFIX = "_ninefold_"
_LONGEST_NAME = 70
"""Characters of a data block's name; CIF 1.1 allows 75."""
_MEETS = 1e-6


class PartialSite(NamedTuple):
    """Equivalent sites that are taken part of the time."""

    element: str
    multiplicity: int
    """In the conventional cell."""
    position: tuple[float, float, float]
    """Of one of them, exactly on its special position."""
    occupancy: float
    """0 to 1."""


def cif_text(
    description: StructureDescription,
    name: str,
    tags: Mapping[str, Any],
    comment: str = "",
    partial: Sequence[PartialSite] = (),
) -> str:
    """One data block.

    Args:
        description: Of the structure; its conventional cell is written.
        name: Of the block; what a name may not hold becomes an underscore.
        tags: Key -> value of items `_ninefold_KEY`; None is left out, a list is joined by `; `.
        comment: A line before the block.
        partial: Sites of the same cell besides those described.

    Returns:
        ASCII text that ends with a line feed.
    """
    head = [f"# {_ascii(comment)}"] if comment else []
    counts: defaultdict[str, float] = defaultdict(float)
    for site in description.sites:
        counts[site.element] += site.multiplicity
    for taken in partial:
        counts[taken.element] += taken.multiplicity * taken.occupancy
    lines = [
        *head,
        f"data_{re.sub(r'[^A-Za-z0-9_.+-]+', '_', name)[:_LONGEST_NAME]}",
        _item("_chemical_formula_sum", " ".join(f"{symbol}{count:.10g}" for symbol, count in sorted(counts.items()))),
        *(_item(f"_cell_length_{axis}", getattr(description, axis)) for axis in "abc"),
        *(_item(f"_cell_angle_{angle}", getattr(description, angle)) for angle in ("alpha", "beta", "gamma")),
        _item("_cell_volume", description.volume),
        _item("_space_group_IT_number", description.space_group_number),
        _item("_space_group_name_H-M_alt", _hermann_mauguin(description)),
        _item("_space_group_name_Hall", hall_symbol(description.hall_number)),
    ]
    lines += [_item(f"{PREFIX}{key}", value) for key, value in tags.items() if value is not None]
    lines += ["loop_", "  _space_group_symop_operation_xyz"]
    lines += [f"  '{text}'" for text in operations(description)]
    lines += ["loop_"]
    lines += [
        f"  _atom_site_{column}"
        for column in (
            "label", "type_symbol", "site_symmetry_multiplicity", "Wyckoff_symbol", "fract_x", "fract_y", "fract_z",
            "occupancy",
        )
    ]  # fmt: skip
    met: Counter[str] = Counter()
    for site in description.sites:
        met[site.element] += 1
        position = " ".join(f"{value:.10f}" for value in site.position)
        lines.append(
            f"  {site.element}{met[site.element]} {site.element} {site.multiplicity} {site.letter} {position} 1"
        )
    for taken in partial:
        met[taken.element] += 1
        position = " ".join(f"{value:.10f}" for value in taken.position)
        lines.append(
            f"  {taken.element}{met[taken.element]} {taken.element} {taken.multiplicity} . {position} "
            f"{taken.occupancy:.10g}"
        )
    return "\n".join(lines) + "\n"


def operations(description: StructureDescription) -> list[str]:
    """The symmetry operations of the conventional cell, as `-x+y,-x,z+1/3`, the identity first."""
    group = moyopy.operations_from_number(
        description.space_group_number, setting=moyopy.Setting.hall_number(description.hall_number)
    )
    return sorted(_texts(group), key=lambda text: (text != "x,y,z", text))


def _coordinate(row: Sequence[int], shift: float) -> str:
    terms = "".join(
        f"{'+' if factor > 0 else '-'}{name}" for factor, name in zip(np.round(row), "xyz", strict=True) if factor
    )
    part = Fraction(shift % 1.0).limit_denominator(12)
    if abs(float(part) - shift % 1.0) > _MEETS:
        raise ValueError(f"{shift} is no translation of a space group")
    return terms.removeprefix("+") + (f"+{part}" if part % 1 else "")


def _hermann_mauguin(description: StructureDescription) -> str:
    """Symbol with the setting where a group has several, as CIF writes it: `F d -3 m :2`, `R -3 c :H`."""
    entry = moyopy.HallSymbolEntry(description.hall_number)
    symbol = entry.hm_short.replace("_", "")
    if symbol.startswith("R"):
        return f"{symbol} :H"
    return f"{symbol} :2" if _has_two_origins(description.space_group_number) else symbol


def _has_two_origins(number: int) -> bool:
    """Whether the tables give a group with two origins: then the setting of the first Hall number is the other one."""
    if number < 16 or 143 <= number <= 167:  # settings of these are axes
        return False
    first = moyopy.operations_from_number(number, setting=moyopy.Setting.spglib())
    standard = moyopy.operations_from_number(number, setting=moyopy.Setting.standard())
    return _texts(first) != _texts(standard)


def _texts(group: Any) -> set[str]:
    return {
        ",".join(_coordinate(row, shift) for row, shift in zip(rotation, translation, strict=True))
        for rotation, translation in zip(group.rotations, group.translations, strict=True)
    }


def _item(tag: str, value: Any) -> str:
    return f"{tag:<40} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:.10g}"
    text = "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    text = _ascii(text).replace("#", "\\x23")  # pymatgen takes a # after a blank for a comment even inside quotes
    if "'" not in text:
        return f"'{text}'"
    # readers differ in where a quote inside quotes ends a value: what holds both kinds loses one
    return '"' + text.replace('"', "''") + '"'


def _ascii(text: str) -> str:
    """One line of ASCII, which is all that CIF 1.1 allows."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii")
