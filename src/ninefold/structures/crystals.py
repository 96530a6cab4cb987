"""A crystal from its asymmetric unit, as publications print it."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup

_COORDINATE = re.compile(r"([+-]?)(\d*)([a-z])")


def build_structure(
    space_group: str,
    cell: Mapping[str, float],
    sites: Sequence[tuple[str, Sequence[Sequence[Any]]]],
    parameters: Mapping[str, float] | None = None,
    origin: int | None = None,
) -> Structure:
    """A crystal from its asymmetric unit.

    Args:
        space_group: Hermann-Mauguin symbol; hexagonal axes where there is a choice.
        cell: a, b, c in Å and alpha, beta, gamma in degrees, as far as the crystal system leaves them free.
        sites: Symbol and fractional coordinates; a coordinate is a number, a fraction (`1/3`) or a
            parameter with a factor and a shift (`x`, `-2x`, `x+1/2`).
        parameters: Values of the letters.
        origin: 1 or 2 where the space group has two; 2 is the centre of inversion.

    Returns:
        The primitive cell.

    Raises:
        ValueError: if the group or a coordinate cannot be read, or atoms fall together.
    """
    a = cell["a"]
    b, c = cell.get("b", a), cell.get("c", a)
    angles = [cell.get("alpha", 90.0), cell.get("beta", 90.0), cell.get("gamma", _gamma(space_group))]
    values = {name: float(value) for name, value in (parameters or {}).items()}
    group = _group(space_group if origin is None else f"{space_group}:{origin}")
    lattice = Lattice.from_parameters(a, b, c, *angles)
    if not group.is_compatible(lattice):
        raise ValueError(f"cell {tuple(cell.values())} does not fit {space_group}")
    species: list[str] = []
    positions: list[Any] = []
    for symbol, orbits in sites:
        for position in orbits:
            orbit = group.get_orbit([_coordinate(text, values) for text in position])
            species += [symbol] * len(orbit)
            positions += orbit
    crystal = Structure(lattice, species, positions)
    if not crystal.is_valid(tol=0.5):
        raise ValueError("atoms fall together")
    return crystal.get_primitive_structure()


@functools.cache
def _group(symbol: str) -> SpaceGroup:
    """Building a group takes pymatgen 0.2 s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that P2_1/n has a standard setting
        return SpaceGroup(symbol)


def _gamma(space_group: str) -> float:
    """120° for the trigonal and hexagonal groups on hexagonal axes, 90° for all others."""
    axis = space_group[1:].lstrip("-")[:1]
    return 120.0 if axis in {"3", "6"} and "m-3" not in space_group and "d-3" not in space_group else 90.0


def _coordinate(text: Any, parameters: Mapping[str, float]) -> float:
    if isinstance(text, (int, float)):
        return float(text)
    total = 0.0
    for term in re.findall(r"[+-]?[^+-]+", text.replace(" ", "")):
        if match := _COORDINATE.fullmatch(term):
            sign, factor, name = match.groups()
            total += (-1 if sign == "-" else 1) * int(factor or 1) * parameters[name]
        else:
            total += float(Fraction(term))
    return total
