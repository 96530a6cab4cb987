"""What a CIF means: the atoms of one data block, where all that the block says of them agrees.

Symmetry is taken from the operations, else from the Hall symbol, the Hermann-Mauguin symbol, the number, in this
order. A symbol or a number may mean several settings; each that fits the cell is tried, and of those whose atoms agree
with the block's formula, number of formula units, multiplicities, density and volume one must be left.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ninefold.structures.reading import space_groups
from ninefold.structures.reading.cif_syntax import Block, blocks_of, number_of
from ninefold.structures.reading.expansion import Expanded, Site, expand
from ninefold.structures.reading.model import (
    HYDROGENS,
    ReadStructure,
    UnreadableError,
    element_of,
    plain_structure,
)  # fmt: skip
from ninefold.structures.reading.space_groups import IDENTITY, Group

_SHARE = 5e-3
"""Share by which atoms may differ from those of a formula with rounded amounts."""
_EXACT = 1e-9
_DENSITY = 0.02
_VOLUME = 0.01
_GRAMS = 1.66053906892
"""g/cm³ of 1 u/Å³; CODATA 2022."""
_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_operation_xyz_bns")
_CENTRINGS = "_space_group_symop_magn_centering_xyz"
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_SYMBOL = (
    "_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m",
    "_space_group_name_h-m_full",
)  # fmt: skip
_NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
_SYMMETRY_HINT = "give the symmetry operations, or a symbol with its setting such as F d -3 m :2"
_VALENCE = ("va", "val")
"""Ends of type symbols for scattering by the valence state: `Cval`, `Siva`."""
_NO_ATOM = ("va", "vac", "vacancy", "void", "wat")
_GROUP = re.compile(r"[A-Z][a-z]?H[2-9]")
_DISORDER = ("_atom_site_disorder_group", "_atom_site_disorder_assembly")


@dataclass(frozen=True)
class _Candidate:
    """One meaning of the symmetry that a block gives."""

    group: Group
    name: str
    is_explicit: bool = False
    """Whether the file gives the operations themselves."""


def read_blocks(text: str) -> list[ReadStructure]:
    """The structure of every data block that holds atoms.

    Raises:
        UnreadableError: if none does, or one cannot be read with certainty.
    """
    with_atoms, _ = _blocks(text)
    return [_read(block) for block in with_atoms]


def read_first_block(text: str) -> ReadStructure:
    """The structure of the first data block that holds atoms.

    Raises:
        UnreadableError: if none does, or it cannot be read with certainty.
    """
    with_atoms, count = _blocks(text)
    read = _read(with_atoms[0])
    if count == 1:
        return read
    note = f"of {count} data blocks, {len(with_atoms)} with atoms, the first with atoms was read: {with_atoms[0].name}"
    return ReadStructure(read.structure, (note, *read.notes))


def _blocks(text: str) -> tuple[list[Block], int]:
    blocks = blocks_of(text)
    found = [block for block in blocks if any(name.startswith("_atom_site_") for name in block.columns)]
    found = [block for block in found if _has_sites(block)]
    if not found:
        raise UnreadableError("holds no data block with atoms" if blocks else "is no CIF: it has no data_ block")
    return found, len(blocks)


def _has_sites(block: Block) -> bool:
    return any(block.columns.get(f"_atom_site_{name}") for name in ("label", "type_symbol", "fract_x", "cartn_x"))


def _read(block: Block) -> ReadStructure:
    if (block.number("_cell_modulation_dimension") or 0) > 0 or "_space_group_ssg_name" in block.columns:
        raise UnreadableError("holds a modulated structure", "give a commensurate approximant")
    notes: list[str] = []
    cell = _cell(block, notes)
    formula = _formula(block, notes)
    sites = _sites(block, formula, notes)
    candidates = _candidates(block, cell, notes)
    expanded = _chosen(block, candidates, sites, cell, formula, notes)
    return plain_structure(cell, expanded.symbols, expanded.positions, [*notes, *expanded.notes])


def _chosen(
    block: Block, candidates: list[_Candidate], sites: list[Site], cell: np.ndarray,
    formula: Mapping[str, float] | None, notes: list[str],
) -> Expanded:  # fmt: skip
    """The atoms by the one candidate that agrees with all that the block says."""
    fitting: list[tuple[_Candidate, Expanded]] = []
    reasons: list[UnreadableError] = []
    for candidate in candidates:
        try:
            expanded = expand(sites, candidate.group, cell)
            _check_content(block, expanded, cell, formula)
        except UnreadableError as error:
            reasons.append(error)
            continue
        if not any(expanded.is_same(other, cell) for _, other in fitting):
            fitting.append((candidate, expanded))
    if not fitting:
        raise reasons[0]
    if len(fitting) > 1:
        names = ", ".join(candidate.name for candidate, _ in fitting)
        raise UnreadableError(f"does not say which setting its coordinates are in: {names} fit", _SYMMETRY_HINT)
    chosen, expanded = fitting[0]
    _check_claims(block, chosen, sites, cell, expanded, formula, notes)
    if len(candidates) > 1:
        notes.append(f"symmetry taken as {chosen.name}, the setting that fits the file")
    return expanded


def _cell(block: Block, notes: list[str]) -> np.ndarray:
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


def _formula(block: Block, notes: list[str]) -> dict[str, float] | None:
    """Atoms of `_chemical_formula_sum`; None where there is none that can be compared."""
    text = block.value("_chemical_formula_sum")
    if text is None:
        return None
    counts = parsed_formula(text)
    if counts is None:
        notes.append(f"_chemical_formula_sum {text!r} cannot be compared with the atoms")
    return counts


def parsed_formula(text: str) -> dict[str, float] | None:
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


def _sites(block: Block, formula: Mapping[str, float] | None, notes: list[str]) -> list[Site]:
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


def _candidates(block: Block, cell: np.ndarray, notes: list[str]) -> list[_Candidate]:
    """What the symmetry of a block may mean, as far as the cell allows it."""
    operations = [text for text in block.column(*_OPERATIONS) if text is not None]
    if magnetic := [text for text in block.column(*_MAGNETIC) if text is not None]:
        notes.append("magnetic moments are left out")
        group = space_groups.group_of(_without_time_reversal(text) for text in magnetic)
        if centrings := [text for text in block.columns.get(_CENTRINGS, []) if text is not None]:
            vectors = space_groups.group_of(_without_time_reversal(text) for text in centrings).translations
            group = space_groups.centred(group, vectors)
        found = [_Candidate(group, "its operations", True)]
    elif operations:
        found = [_Candidate(space_groups.group_of(operations), "its operations", True)]
    else:
        halls, said = _claimed(block)
        if said is None:
            notes.append("symmetry not given: taken as P1")
            return [_Candidate(IDENTITY, "P1")]
        if not halls:
            raise UnreadableError(f"gives {said}, which is no known symbol of a space group", _SYMMETRY_HINT)
        found = [_Candidate(space_groups.setting(hall), space_groups.name_of_hall(hall)) for hall in halls]
        fitting = [hall for hall in halls if space_groups.keeps_cell(space_groups.setting(hall), cell)]
        if block.value(*_SYMBOL) is not None and any(space_groups.unique_axis(hall) == "b" for hall in fitting):
            # the short symbols of the tables are of unique axis b, which decides where all angles are 90 degrees
            fitting = [hall for hall in fitting if space_groups.unique_axis(hall) == "b"]
        if fitting:
            return [_Candidate(space_groups.setting(hall), space_groups.name_of_hall(hall)) for hall in fitting]
    if not any(space_groups.keeps_cell(candidate.group, cell) for candidate in found):
        raise UnreadableError(f"contradicts its own symmetry: the cell does not have that of {found[0].name}")
    return found


def _without_time_reversal(text: str) -> str:
    return ",".join(text.split(",")[:3])


def _claimed(block: Block) -> tuple[list[int], str | None]:
    """Hall numbers of the symbols and the number that a block gives, and what it gives."""
    hall, symbol, number = block.value(*_HALL), block.value(*_SYMBOL), block.number(*_NUMBER)
    halls = [] if hall is None else space_groups.by_hall_symbol(hall)
    if hall is not None and not halls and block.column(*_OPERATIONS, *_MAGNETIC):
        hall = None  # of another setting than the tables have: the operations say it, and the symbol bears them out
    if hall is not None:
        said = f"the Hall symbol {hall!r}"
    elif symbol is not None:
        halls, said = space_groups.by_symbol(symbol), f"the space group {symbol!r}"
    elif number is not None:
        halls, said = space_groups.by_number(int(number)), f"the space group number {number:g}"
    else:
        return [], None
    if halls and number is not None and int(number) != space_groups.number_of_hall(halls[0]):
        raise UnreadableError(
            f"contradicts its own symmetry: {said} is number {space_groups.number_of_hall(halls[0])}, the file says "
            f"{number:g}"
        )
    if hall is not None and halls and symbol is not None:
        by_symbol = space_groups.by_symbol(symbol)
        if by_symbol and not set(map(space_groups.number_of_hall, by_symbol)) & set(
            map(space_groups.number_of_hall, halls)
        ):
            raise UnreadableError(f"contradicts its own symmetry: {said} is not {symbol!r}")
    return halls, said


def _check_claims(
    block: Block, chosen: _Candidate, sites: list[Site], cell: np.ndarray, expanded: Expanded,
    formula: Mapping[str, float] | None, notes: list[str],
) -> None:  # fmt: skip
    """Compare the operations with the symbols beside them.

    Operations of another group or setting are believed where formula and number of formula units bear them out and
    speak against the symbol, as in files that list all atoms and keep the symbol of the crystal.
    """
    if not chosen.is_explicit or block.column(*_MAGNETIC):
        return
    halls, said = _claimed(block)
    number = block.number(*_NUMBER)
    if said is None or (not halls and number is None):
        return
    named = {space_groups.number_of_hall(hall) for hall in halls} or {int(number or 0)}
    if halls and any(space_groups.setting(hall).is_same(chosen.group) for hall in halls):
        return
    own = space_groups.type_number(chosen.group)
    if own in named and (not halls or not block.column(*_HALL, *_SYMBOL)):
        return
    what = (
        f"its symmetry operations are those of group {own}"
        if own not in named
        else "its operations are of another setting"
    )
    against = f"contradicts its own symmetry: {said}, and {what} ({len(chosen.group.rotations)} operations)"
    agree = []
    for other in (space_groups.setting(hall) for hall in halls):
        if not space_groups.keeps_cell(other, cell):
            continue
        try:
            by_symbol = expand(sites, other, cell)
            _check_content(block, by_symbol, cell, formula)
        except UnreadableError:
            continue
        agree.append(by_symbol.is_same(expanded, cell))
    is_borne_out = formula is not None and block.number("_cell_formula_units_z") is not None
    if not all(agree) or not (agree or is_borne_out):
        raise UnreadableError(against, _SYMMETRY_HINT)
    notes.append(f"{said}, and {what}: the operations were used")


def _check_content(block: Block, expanded: Expanded, cell: np.ndarray, formula: Mapping[str, float] | None) -> None:
    """Refuse atoms that are not those of the block's formula, number of formula units and density."""
    counts = expanded.counts
    if formula is not None:
        _check_formula(counts, formula, block.number("_cell_formula_units_z"))
    density = block.number("_exptl_crystal_density_diffrn")
    if density:
        own = _densities(expanded, cell)
        if all(abs(value / density - 1) > _DENSITY for value in own):
            raise UnreadableError(
                f"contradicts its own density: it says {density:g} g/cm³, its atoms ({_name(counts)}) give {own[0]:.3f}"
            )


def _check_formula(counts: Mapping[str, int], formula: Mapping[str, float], units: float | None) -> None:
    if _is_multiple(counts, formula):
        factor = sum(counts.values()) / sum(formula.values())
        if units is None or abs(factor - units) < _share(formula) * units or _is_whole_cell(counts, factor, units):
            return
        raise UnreadableError(
            f"contradicts its own formula: _chemical_formula_sum {_name(formula)} with Z = {units:g}, its sites and "
            f"symmetry give {factor:.4g} of it per cell"
        )
    others = {element: count for element, count in formula.items() if element != "H"}
    if "H" in formula and "H" not in counts and _is_multiple(counts, others):
        raise UnreadableError(
            f"has hydrogens missing: _chemical_formula_sum says {_name(formula)}, its sites give {_name(counts)}",
            "give every hydrogen its own site",
        )
    raise UnreadableError(
        f"contradicts its own formula: _chemical_formula_sum says {_name(formula)}, its sites and symmetry give "
        f"{_name(counts)}",
        "correct the formula, the sites or the symmetry",
    )


def _is_whole_cell(counts: Mapping[str, int], factor: float, units: float) -> bool:
    """Whether the formula is that of the whole cell, as some programs write it beside the number of reduced units."""
    return abs(factor - 1) < _SHARE and units >= 1 and not any(count % round(units) for count in counts.values())


def _is_multiple(counts: Mapping[str, int], formula: Mapping[str, float]) -> bool:
    if set(counts) != set(formula):
        return False
    factor = sum(counts.values()) / sum(formula.values())
    share = _share(formula)
    return all(abs(counts[element] / (factor * amount) - 1) < share for element, amount in formula.items())


def _share(formula: Mapping[str, float]) -> float:
    """By how much atoms may differ from a formula: not at all from whole amounts; a vacancy among 200 is 0.005."""
    return _EXACT if all(amount == round(amount) for amount in formula.values()) else _SHARE


def _name(counts: Mapping[str, float]) -> str:
    from pymatgen.core import Composition

    return str(Composition(dict(counts)).reduced_formula)


def _densities(expanded: Expanded, cell: np.ndarray) -> list[float]:
    """g/cm³ with isotopes as they are, as hydrogen and all as deuterium: files give any of them."""
    from pymatgen.core import Element

    volume = abs(float(np.linalg.det(cell)))

    def density(hydrogen: str | None) -> float:
        names = [hydrogen if hydrogen and symbol in HYDROGENS else symbol for symbol in expanded.symbols]
        return sum(float(Element(name).atomic_mass) for name in names) * _GRAMS / volume

    return [density(None), density("H"), density("D")]
