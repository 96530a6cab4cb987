"""What ASE reads: trajectories, and outputs of other programs whose formats hold whole atoms with their elements.

Formats that may hold partial occupancies, half of a cell's atoms, or types without elements are not among them: ASE
drops what it has no place for.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ninefold.errors import description
from ninefold.structures.reading.model import FULL, HEAVIEST, ReadStructure, UnreadableError, plain_structure

FORMATS = {
    "extxyz": "extended XYZ", "xyz": "extended XYZ", "traj": "ASE trajectory", "vasp-xdatcar": "XDATCAR",
    "vasp-xml": "vasprun.xml", "vasp-out": "OUTCAR", "aims": "FHI-aims geometry.in",
    "espresso-in": "Quantum ESPRESSO input",
    "espresso-out": "Quantum ESPRESSO output", "castep-cell": "CASTEP .cell", "castep-castep": "CASTEP .castep",
    "gen": "DFTB+ .gen", "xsf": "XCrySDen .xsf", "json": "ASE JSON", "db": "ASE database",
}  # fmt: skip
"""ASE's name of a format -> ours."""
_UNCERTAIN = {
    "abinit-in": "is an ABINIT input, of which ASE takes comments after '!' for values and overlooks scalecart, "
    "mixalch and the units of xcart",
    "cube": "is a cube file, which does not say whether it is of a crystal or of a molecule in a box",
}
"""ASE's name of a format -> why it is refused: ASE reads it, and may read another structure than it means."""
NAMES = ", ".join(dict.fromkeys(("CIF", "POSCAR", "SHELX .res", "pymatgen JSON", *FORMATS.values())))
_LABEL = re.compile(r"[A-Z][a-z]?\d*")
"""What stands for an element: `H1`."""
_OCCUPANCIES = ("occupancy", "occupancies", "occ")


def format_of(path: Path) -> str:
    """ASE's name of a file's format.

    Raises:
        UnreadableError: if ASE knows none.
    """
    from ase.io.formats import UnknownFileTypeError, filetype

    try:
        return str(filetype(str(path), read=True))
    except UnknownFileTypeError as error:
        raise UnreadableError("is in no known format, by its name and its content", f"formats: {NAMES}") from error


def _unknown(kind: str) -> str:
    from ase.io.formats import ioformats

    if kind in ioformats:
        return f"is in ASE's format {kind!r}, which is not read here"
    return "is in no known format, by its name and its content"  # ASE takes any ending for a format


def read_frames(path: Path, kind: str, every: bool) -> list[ReadStructure]:
    """The last frame of a file, or all.

    Args:
        path: The file, not compressed, with its own name.
        kind: Its format, as `format_of`.
        every: All frames; else the last, with a note if there are more.

    Raises:
        UnreadableError: if the format is none that is read, or a frame is not periodic or disordered.
    """
    if kind not in FORMATS:
        raise UnreadableError(_UNCERTAIN.get(kind, _unknown(kind)), f"convert it; formats: {NAMES}")
    if kind == "castep-cell" and "mixture" in path.read_text(encoding="utf-8", errors="replace").lower():
        raise UnreadableError("is disordered: it has MIXTURE atoms")
    try:
        frames, told = list(_frames(path, kind, every)), []
    except UnreadableError as error:
        try:
            with _isotopes():
                frames, told = list(_frames(path, kind, every)), ["deuterium or tritium is read as hydrogen"]
        except UnreadableError:
            raise error from None
    count, frames = frames[-1][0] if frames else 0, frames if every else frames[-1:]
    if not frames:
        raise UnreadableError("holds no periodic structure: it has no frames")
    if count > 1 and not every:
        told.insert(0, f"of {count} frames the last was read (--all-frames takes all)")
    return [_read(atoms, told) for _, atoms in frames]


def read_extxyz(text: str) -> ReadStructure:
    """The last frame of the text of an extended XYZ file.

    Raises:
        UnreadableError: if it is not periodic or disordered.
    """
    import ase.io

    return _read(ase.io.read(io.StringIO(text), index=-1, format="extxyz"), [])


def _frames(path: Path, kind: str, every: bool) -> Iterator[tuple[int, Any]]:
    """Frames with their numbers from 1; without `every`, the last alone.

    Raises:
        UnreadableError: with the frame at which ASE's parser stops; it raises whatever a broken file makes it.
    """
    import ase.io

    last = None
    try:
        for number, atoms in enumerate(ase.io.iread(str(path), index=":", format=kind), start=1):
            if every:
                yield number, atoms
            last = number, atoms
    except MemoryError:
        raise
    except Exception as error:
        name = error.args[0] if isinstance(error, KeyError) and error.args else None
        is_name = isinstance(name, str) and _LABEL.fullmatch(name)
        why = f"it names {name!r}, which is no element" if is_name else description(error)
        where = f", after frame {last[0]}" if last else ""
        raise UnreadableError(f"is no {FORMATS[kind]} that ASE can read{where}: {why}") from error
    if last is not None and not every:
        yield last


@contextmanager
def _isotopes() -> Iterator[None]:
    """ASE's readers take D and T for hydrogen, those too that look a symbol up in its list."""
    from ase.data import atomic_numbers, chemical_symbols

    atomic_numbers |= {"D": 1, "T": 1}
    chemical_symbols.extend(("D", "T"))
    try:
        yield
    finally:
        del chemical_symbols[-2:]
        for symbol in ("D", "T"):
            atomic_numbers.pop(symbol, None)


def _read(atoms: Any, told: list[str]) -> ReadStructure:
    import numpy as np

    if not all(atoms.pbc):
        raise UnreadableError("is not periodic in three directions")
    shares = [np.asarray(atoms.arrays[name], dtype=float) for name in _OCCUPANCIES if name in atoms.arrays]
    if "occupancy" in atoms.info or any((np.abs(share - 1) > FULL).any() for share in shares):
        raise UnreadableError("is disordered: it gives occupancies of its atoms", "give whole atoms")
    is_odd = (atoms.numbers == 0) | (atoms.numbers > HEAVIEST)
    if is_odd.any():
        raise UnreadableError(f"holds atoms of no element that crystals hold ({atoms[is_odd].symbols[0]})")
    notes = list(told)
    if atoms.constraints:
        notes.append("atoms that the file holds fixed are moved by a relaxation too")
    if abs(np.linalg.det(atoms.cell.array)) < 1e-3:
        raise UnreadableError("holds no periodic structure: its cell has no volume")
    return plain_structure(
        atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions(wrap=False), notes
    )
