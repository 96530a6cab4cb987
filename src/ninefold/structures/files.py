"""Structures from files that users have, and the only place where they are read.

A file is read as the one structure that it certainly means, or refused with the reason. What a user should know of how
it was read, such as which of several frames, comes with it as notes.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from pathlib import Path

from ninefold.errors import InputError, description
from ninefold.paths import readable_file
from ninefold.structures.reading.content import Content, content_of, has_mark, text_of
from ninefold.structures.reading.model import ReadStructure, UnreadableError

__all__ = [
    "ENDINGS", "FORMATS", "ReadStructure", "UnreadableError", "is_structure_file", "read_structure", "read_structures",
    "read_text", "stem_of",
]  # fmt: skip

FORMATS = (
    "CIF, POSCAR, SHELX .res, pymatgen JSON, extended XYZ, ASE trajectory, XDATCAR, vasprun.xml, OUTCAR, or an input "
    "of another program in docs/files.md; also compressed (.gz, .bz2, .xz)"
)
ENDINGS = (
    ".cif", ".mcif", ".vasp", ".poscar", ".contcar", ".res", ".ins", ".json", ".xyz", ".extxyz", ".traj", ".cell",
    ".xsf", ".gen", ".pwi", ".pwo", ".castep", ".db",
)  # fmt: skip
"""Endings of names that are taken for structure files where a name may be something else."""
_COMPRESSED = (".gz", ".bz2", ".xz")
_POSCAR = ("poscar", "contcar")
_VASP = (*_POSCAR, "xdatcar", "outcar", "vasprun")
_READERS = {
    ".cif": "cif", ".mcif": "cif", ".vasp": "poscar", ".poscar": "poscar", ".contcar": "poscar", ".res": "shelx",
    ".ins": "shelx", ".json": "json",
}  # fmt: skip
_CIF_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s+|#[^\r\n]*)*data_", re.IGNORECASE)
_OF_ASE = {"cif": "cif", "vasp": "poscar", "res": "shelx"}
"""ASE's name of a format, known by a file's content -> our reader, which reads it with its occupancies."""


def read_structure(path: Path) -> ReadStructure:
    """The structure of a file: of several frames the last, of several data blocks the first with atoms.

    Raises:
        InputError: if the file is missing, broken, not periodic, disordered, or contradicts itself; in one line.
    """
    return _all(path, every=False)[0]


def read_structures(path: Path) -> list[ReadStructure]:
    """Every structure of a file: all frames, all data blocks with atoms.

    Raises:
        InputError: as `read_structure`; for one of them.
    """
    return _all(path, every=True)


def read_text(text: str, kind: str) -> ReadStructure:
    """The structure of a text, as `read_structure` reads it from a file.

    Args:
        text: All of a file.
        kind: cif, poscar or extxyz.

    Raises:
        UnreadableError: as a reason that follows "it".
    """
    content = Content("", text.encode("utf-8"), False)
    if kind != "extxyz":
        [read] = _by_our_reader(kind, content, False) or []
        return read
    from ninefold.structures.reading.frames import read_extxyz

    return read_extxyz(text)


def is_structure_file(name: str) -> bool:
    """Whether a name is that of a structure file, by its ending or as VASP names them."""
    base = _inner(os.path.basename(name)).lower()
    is_of_vasp = any(word in base for word in _VASP) and not base.endswith(".py") and ":" not in base
    return base.endswith(ENDINGS) or is_of_vasp


def stem_of(path: Path) -> str:
    """A file's name without the endings for format and compression."""
    return Path(_inner(path.name)).stem


def _inner(name: str) -> str:
    return next((name[: -len(end)] for end in _COMPRESSED if name.lower().endswith(end)), name)


def _all(path: Path, every: bool) -> list[ReadStructure]:
    path = readable_file(path, "file", what=FORMATS)
    try:
        found = _read(path, content_of(path), every)
        for read in found:
            _check_distances(read)
    except UnreadableError as error:
        raise InputError("file", str(path), problem=f"cannot be read: it {error.problem}", hint=error.hint) from error
    except MemoryError:
        raise
    except Exception as error:  # ASE's parsers raise whatever a broken file makes them
        raise InputError("file", str(path), problem=f"cannot be read: {description(error)}", allowed=FORMATS) from error
    return found


def _read(path: Path, content: Content, every: bool) -> list[ReadStructure]:
    kind = _kind_by_name(content.name.lower())
    if kind is None and _CIF_BEGINS.match(content.data):
        kind = "cif"
    if kind is not None:
        found = _by_our_reader(kind, content, every)
        if found is not None:
            return found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ASE warns of keys that say nothing of the atoms
        is_marked = has_mark(content.data)
        if not content.is_compressed and not is_marked:
            return _by_ase(path, content, every)
        with tempfile.TemporaryDirectory() as folder:  # ASE tells formats by names and reads files
            plain = Path(folder) / content.name
            plain.write_bytes(text_of(content.data).encode("utf-8") if is_marked else content.data)
            return _by_ase(plain, content, every)


def _kind_by_name(name: str) -> str | None:
    """Our reader for a file of this name."""
    kind = next((kind for ending, kind in _READERS.items() if name.endswith(ending)), None)
    if kind is None and not name.endswith(ENDINGS) and any(word in name for word in _POSCAR):
        return "poscar"
    return kind


def _by_our_reader(kind: str, content: Content, every: bool) -> list[ReadStructure] | None:
    """The structures of a format that we read; None for JSON of ASE."""
    text = text_of(content.data)
    if kind == "cif":
        from ninefold.structures.reading import cif_content

        return cif_content.read_blocks(text) if every else [cif_content.read_first_block(text)]
    if kind == "poscar":
        from ninefold.structures.reading.poscar import read_poscar

        return [read_poscar(text)]
    if kind == "shelx":
        from ninefold.structures.reading.shelx import read_shelx

        return [read_shelx(text)]
    from ninefold.structures.reading import documents

    if found := documents.documents_of(text):
        read = [documents.read_document(item) for item in (found if every else found[-1:])]
        if len(found) == 1 or every:
            return read
        note = f"of {len(found)} structures the last was read (--all-frames takes all)"
        return [ReadStructure(read[0].structure, (note, *read[0].notes))]
    if not documents.is_ase_database(text):
        raise UnreadableError("is JSON without a structure of pymatgen or ASE")
    return None


def _by_ase(path: Path, content: Content, every: bool) -> list[ReadStructure]:
    from ninefold.structures.reading import frames

    kind = frames.format_of(path)
    if kind in _OF_ASE:
        return _by_our_reader(_OF_ASE[kind], content, every) or []
    return frames.read_frames(path, kind, every)


def _check_distances(read: ReadStructure) -> None:
    from ninefold.structures.reading.expansion import check_distances

    structure = read.structure
    labels = [f"{site.specie.symbol} (atom {place})" for place, site in enumerate(structure, start=1)]
    check_distances(structure.frac_coords, structure.lattice.matrix, labels)
