"""What the symmetry that a CIF's data block gives may mean: operations, symbols and number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ninefold.structures.reading import space_groups
from ninefold.structures.reading.cif_syntax import Block
from ninefold.structures.reading.model import UnreadableError
from ninefold.structures.reading.space_groups import IDENTITY, Group

_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_operation_xyz_bns")
_CENTRINGS = "_space_group_symop_magn_centering_xyz"
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_SYMBOL = (
    "_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m",
    "_space_group_name_h-m_full",
)  # fmt: skip
SYMBOLS = (*_HALL, *_SYMBOL)
NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
SYMMETRY_HINT = "give the symmetry operations, or a symbol with its setting such as F d -3 m :2"


@dataclass(frozen=True)
class Candidate:
    """One meaning of the symmetry that a block gives."""

    group: Group
    name: str
    is_explicit: bool = False
    """Whether the file gives the operations themselves."""


def candidates_of(block: Block, cell: np.ndarray, notes: list[str]) -> list[Candidate]:
    """What the symmetry of a block may mean, as far as the cell allows it.

    Args:
        block: Of a CIF.
        cell: Å, rows, shape (3, 3).
        notes: What is to be said of it is added.

    Raises:
        UnreadableError: if it cannot be read, or the cell does not have it.
    """
    operations = [text for text in block.column(*_OPERATIONS) if text is not None]
    if magnetic := [text for text in block.column(*MAGNETIC) if text is not None]:
        notes.append("magnetic moments are left out")
        group = space_groups.group_of(_without_time_reversal(text) for text in magnetic)
        if centrings := [text for text in block.columns.get(_CENTRINGS, []) if text is not None]:
            vectors = space_groups.group_of(_without_time_reversal(text) for text in centrings).translations
            group = space_groups.centred(group, vectors)
        found = [Candidate(group, "its operations", True)]
    elif operations:
        found = [Candidate(space_groups.group_of(operations), "its operations", True)]
    else:
        halls, said = claimed(block)
        if said is None:
            notes.append("symmetry not given: taken as P1")
            return [Candidate(IDENTITY, "P1")]
        if not halls:
            raise UnreadableError(f"gives {said}, which is no known symbol of a space group", SYMMETRY_HINT)
        found = [Candidate(space_groups.setting(hall), space_groups.name_of_hall(hall)) for hall in halls]
        fitting = [hall for hall in halls if space_groups.keeps_cell(space_groups.setting(hall), cell)]
        if block.value(*_SYMBOL) is not None and any(space_groups.unique_axis(hall) == "b" for hall in fitting):
            # the short symbols of the tables are of unique axis b, which decides where all angles are 90 degrees
            fitting = [hall for hall in fitting if space_groups.unique_axis(hall) == "b"]
        if fitting:
            return [Candidate(space_groups.setting(hall), space_groups.name_of_hall(hall)) for hall in fitting]
    if not any(space_groups.keeps_cell(candidate.group, cell) for candidate in found):
        raise UnreadableError(f"contradicts its own symmetry: the cell does not have that of {found[0].name}")
    return found


def _without_time_reversal(text: str) -> str:
    return ",".join(text.split(",")[:3])


def claimed(block: Block) -> tuple[list[int], str | None]:
    """Hall numbers of the symbols and the number that a block gives, and what it gives; None if it gives none.

    Raises:
        UnreadableError: if they contradict each other.
    """
    hall, symbol, number = block.value(*_HALL), block.value(*_SYMBOL), block.number(*NUMBER)
    halls = [] if hall is None else space_groups.by_hall_symbol(hall)
    if hall is not None and not halls and block.column(*_OPERATIONS, *MAGNETIC):
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
