"""What a CIF means: the atoms of one data block, where all that the block says of them agrees.

Symmetry is taken from the operations, else from the Hall symbol, the Hermann-Mauguin symbol, the number, in this
order. A symbol or a number may mean several settings; each that fits the cell is tried, and of those whose atoms agree
with the block's formula, number of formula units, multiplicities, density and volume one must be left.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ninefold.structures.reading import space_groups
from ninefold.structures.reading.cif_agreement import check_content
from ninefold.structures.reading.cif_sites import cell_of, formula_of, sites_of
from ninefold.structures.reading.cif_symmetry import (
    MAGNETIC,
    NUMBER,
    SYMBOLS,
    SYMMETRY_HINT,
    Candidate,
    candidates_of,
    claimed,
)
from ninefold.structures.reading.cif_syntax import Block, blocks_of
from ninefold.structures.reading.expansion import Expanded, Site, expand
from ninefold.structures.reading.model import ReadStructure, UnreadableError, plain_structure


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
    cell = cell_of(block, notes)
    formula = formula_of(block, notes)
    sites = sites_of(block, formula, notes)
    candidates = candidates_of(block, cell, notes)
    expanded = _chosen(block, candidates, sites, cell, formula, notes)
    return plain_structure(cell, expanded.symbols, expanded.positions, [*notes, *expanded.notes])


def _chosen(
    block: Block, candidates: list[Candidate], sites: list[Site], cell: np.ndarray,
    formula: Mapping[str, float] | None, notes: list[str],
) -> Expanded:  # fmt: skip
    """The atoms by the one candidate that agrees with all that the block says."""
    fitting: list[tuple[Candidate, Expanded]] = []
    reasons: list[UnreadableError] = []
    for candidate in candidates:
        try:
            expanded = expand(sites, candidate.group, cell)
            check_content(block, expanded, cell, formula)
        except UnreadableError as error:
            reasons.append(error)
            continue
        if not any(expanded.is_same(other, cell) for _, other in fitting):
            fitting.append((candidate, expanded))
    if not fitting:
        raise reasons[0]
    if len(fitting) > 1:
        names = ", ".join(candidate.name for candidate, _ in fitting)
        raise UnreadableError(f"does not say which setting its coordinates are in: {names} fit", SYMMETRY_HINT)
    chosen, expanded = fitting[0]
    _check_claims(block, chosen, sites, cell, expanded, formula, notes)
    if len(candidates) > 1:
        notes.append(f"symmetry taken as {chosen.name}, the setting that fits the file")
    return expanded


def _check_claims(
    block: Block, chosen: Candidate, sites: list[Site], cell: np.ndarray, expanded: Expanded,
    formula: Mapping[str, float] | None, notes: list[str],
) -> None:  # fmt: skip
    """Compare the operations with the symbols beside them.

    Operations of another group or setting are believed where formula and number of formula units bear them out and
    speak against the symbol, as in files that list all atoms and keep the symbol of the crystal.
    """
    if not chosen.is_explicit or block.column(*MAGNETIC):
        return
    halls, said = claimed(block)
    number = block.number(*NUMBER)
    if said is None or (not halls and number is None):
        return
    named = {space_groups.number_of_hall(hall) for hall in halls} or {int(number or 0)}
    if halls and any(space_groups.setting(hall).is_same(chosen.group) for hall in halls):
        return
    own = space_groups.type_number(chosen.group)
    if own in named and (not halls or not block.column(*SYMBOLS)):
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
            check_content(block, by_symbol, cell, formula)
        except UnreadableError:
            continue
        agree.append(by_symbol.is_same(expanded, cell))
    is_borne_out = formula is not None and block.number("_cell_formula_units_z") is not None
    if not all(agree) or not (agree or is_borne_out):
        raise UnreadableError(against, SYMMETRY_HINT)
    notes.append(f"{said}, and {what}: the operations were used")
