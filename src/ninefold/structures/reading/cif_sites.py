"""The cell, the formula and the sites of a CIF's data block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from ninefold.structures.reading.cif_syntax import Block, number_of
from ninefold.structures.reading.expansion import Site
from ninefold.structures.reading.model import HYDROGENS, UnreadableError, element_of

_VOLUME = 0.01
_VALENCE = ("va", "val")
"""Ends of type symbols for scattering by the valence state: `Cval`, `Siva`."""
_NO_ATOM = ("va", "vac", "vacancy", "void", "wat")
_GROUP = re.compile(r"[A-Z][a-z]?H[2-9]")
_DISORDER = ("_atom_site_disorder_group", "_atom_site_disorder_assembly")


def cell_of(block: Block, notes: list[str]) -> np.ndarray:
    """The cell of a block: Å, rows, shape (3, 3).

    Raises:
        UnreadableError: if it is none, or not of the volume that the block gives.
    """
    from pymatgen.core import Lattice

    lengths, angles = [], []
    for axis in "abc":
        length = block.number(f"_cell_length_{axis}")
        if length is None:
            raise UnreadableError(f"gives no _cell_length_{axis}")
        if not 0.5 < length < 1000:
            raise UnreadableError(f"gives _cell_length_{axis} {length:g}", "lengths are in Å")
        lengths.append(length)
    for name in ("alpha", "beta", "gamma"):
        angle = block.number(f"_cell_angle_{name}")
        if angle is None:
            notes.append(f"_cell_angle_{name} not given: taken as 90, as the CIF dictionary says")
            angle = 90.0
        if not 5 < angle < 175:
            raise UnreadableError(f"gives _cell_angle_{name} {angle:g}", "angles are in degrees")
        angles.append(angle)
    cosines = np.cos(np.radians(angles))
    if 1 + 2 * cosines.prod() - (cosines**2).sum() <= 1e-6:
        raise UnreadableError(f"gives the cell angles {angles}, which close no cell")
    cell = np.array(Lattice.from_parameters(*lengths, *angles).matrix)
    volume, given = abs(float(np.linalg.det(cell))), block.number("_cell_volume")
    if given is not None and abs(given / volume - 1) > _VOLUME:
        raise UnreadableError(
            f"contradicts its own cell: _cell_volume is {given:g} Å³, its edges and angles give {volume:.2f} Å³"
        )
    return cell


def formula_of(block: Block, notes: list[str]) -> dict[str, float] | None:
    """Atoms of `_chemical_formula_sum`; None where there is none that can be compared."""
    text = block.value("_chemical_formula_sum")
    if text is None:
        return None
    counts = _parsed_formula(text)
    if counts is None:
        notes.append(f"_chemical_formula_sum {text!r} cannot be compared with the atoms")
    return counts


def _parsed_formula(text: str) -> dict[str, float] | None:
    """Atoms by element of `Mg2 Fe1 H6`; D and T as hydrogen; None if it is no such formula."""
    tight = re.sub(r"\s+", "", text)
    parts = re.findall(r"([A-Z][a-z]?)(\d*\.?\d*)", tight)
    if not parts or "".join(symbol + number for symbol, number in parts) != tight:
        return None
    counts: Counter[str] = Counter()
    for symbol, number in parts:
        element = element_of(symbol)
        if element is None or number == ".":
            return None
        counts["H" if element in HYDROGENS else element] += float(number or 1)  # type: ignore[assignment]
    return {element: float(count) for element, count in counts.items() if count} or None


def sites_of(block: Block, formula: Mapping[str, float] | None, notes: list[str]) -> list[Site]:
    """The rows of a block's list of atoms, without dummies and empty sites, which are told.

    Raises:
        UnreadableError: if a row is no whole atom with an element and a place, or rows are alternatives.
    """
    columns = block.columns
    if not any(columns.get(f"_atom_site_fract_{axis}") for axis in "xyz"):
        raise UnreadableError("gives no fractional coordinates (_atom_site_fract_x)")
    count = max(len(values) for name, values in columns.items() if name in _site_loop(block))

    def column(*names: str) -> list[str | None]:
        found = next((columns[f"_atom_site_{name}"] for name in names if f"_atom_site_{name}" in columns), [])
        if found and len(found) != count:
            raise UnreadableError(f"gives _atom_site_{names[0]} in another loop than the coordinates")
        return found or [None] * count

    labels, types = column("label"), column("type_symbol")
    axes = [column(f"fract_{axis}") for axis in "xyz"]
    occupancies, attached = column("occupancy"), column("attached_hydrogens")
    multiplicities = column("site_symmetry_multiplicity", "symmetry_multiplicity")
    flags = column("calc_flag")
    sites: list[Site] = []
    calculated: list[str] = []
    for place in range(count):
        label = labels[place] or types[place] or f"number {place + 1}"
        if (flags[place] or "").lower() == "dum":
            notes.append(f"{label} is a dummy, as its calc_flag says, and left out")
            continue
        symbol = _element(label, types[place], formula)
        hydrogens = number_of(attached[place] or "0", "_atom_site_attached_hydrogens")
        if hydrogens:
            raise UnreadableError(
                f"has hydrogens without positions: {hydrogens:g} attached to {label} (_atom_site_attached_hydrogens)",
                "give every hydrogen its own site",
            )
        texts = [axis[place] for axis in axes]
        if any(text is None for text in texts):
            what = "hydrogens without positions" if symbol in HYDROGENS else "an atom without position"
            raise UnreadableError(f"has {what}: {label}", "give every atom its coordinates")
        occupancy = number_of(occupancies[place] or "1", "_atom_site_occupancy")
        if occupancy == 0:
            notes.append(f"{label} has occupancy 0 and is left out")
            continue
        point = [number_of(str(text), f"_atom_site_fract_{axis}") for text, axis in zip(texts, "xyz", strict=True)]
        given = multiplicities[place]
        sites.append(
            Site(
                label, symbol, np.array(point), occupancy,
                None if given is None else number_of(given, "_atom_site_symmetry_multiplicity"),
            )
        )  # fmt: skip
        if symbol in HYDROGENS and (flags[place] or "").lower() in ("calc", "c"):
            calculated.append(label)
    if calculated:
        notes.append(f"hydrogens at calculated, not refined positions (calc_flag): {', '.join(calculated[:5])}")
    if not sites:
        raise UnreadableError("holds no atoms")
    _check_disorder_groups(column(_DISORDER[0].removeprefix("_atom_site_")), labels)
    return sites


def _site_loop(block: Block) -> tuple[str, ...]:
    for loop in block.loops:
        if "_atom_site_fract_x" in loop:
            return loop
    return tuple(name for name in block.columns if name.startswith("_atom_site_"))


def _check_disorder_groups(groups: list[str | None], labels: list[str | None]) -> None:
    named = {group for group in groups if group not in (None, "0")}
    if len(named) > 1 or any(str(group).startswith("-") for group in named):
        which = ", ".join(str(label) for label, group in zip(labels, groups, strict=True) if group in named)
        raise UnreadableError(
            f"is disordered: {which} are of different disorder groups", "give one of them, with whole atoms"
        )


def _element(label: str, kind: str | None, formula: Mapping[str, float] | None) -> str:
    """The element of a site by its type symbol (`Fe3+`), else by its label (`Fe1`).

    Without a formula that would contradict it, a type symbol is an element and nothing more, and a label that may
    stand for a group or a vacancy is refused: `BH4` is neither boron nor bohrium.
    """
    text = kind or label
    letters = re.match(r"[A-Za-z]*", text)[0]  # type: ignore[index]
    if kind is not None:
        for length in (2, 1):
            rest = letters[length:].lower()
            if rest in ("", *_VALENCE) and (found := element_of(letters[:length])):
                return found
    possible = [name for length in (2, 1) if len(letters) >= length and (name := element_of(letters[:length]))]
    if letters[1:2].islower() and possible and len(possible[0]) == 2:
        possible = possible[:1]
    if formula is None:
        if kind is not None or letters.lower() in _NO_ATOM or _GROUP.fullmatch(text):
            possible = []
    elif len(possible) > 1:
        possible = [name for name in possible if ("H" if name in HYDROGENS else name) in formula] or possible
    if len(possible) != 1:
        what = f"may be {' or '.join(possible)}" if possible else "names no element"
        raise UnreadableError(f"has the site {text!r}, which {what}", "give _atom_site_type_symbol")
    return possible[0]
