"""Structures from files that users have, and the only place where they are read.

A file is read as the one structure that it certainly means, or refused with the reason. What a user should know of how
it was read, such as which of several frames, comes with it as notes.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

from ninefold.errors import InputError, description
from ninefold.paths import readable_file
from ninefold.structures.reading.content import Content, content_of, text_of
from ninefold.structures.reading.model import ReadStructure, UnreadableError

__all__ = ["ENDINGS", "FORMATS", "ReadStructure", "is_structure_file", "read_structure", "read_structures", "stem_of"]

FORMATS = (
    "CIF, POSCAR, SHELX .res, pymatgen JSON, extended XYZ, ASE trajectory, XDATCAR, vasprun.xml, OUTCAR, or an input "
    "of another program in docs/files.md; also compressed (.gz, .bz2, .xz)"
)
ENDINGS = (
    ".cif", ".mcif", ".vasp", ".poscar", ".contcar", ".res", ".ins", ".json", ".xyz", ".extxyz", ".traj", ".cell", ".xsf",
    ".gen",
)  # fmt: skip
"""Endings of names that are taken for structure files where a name may be something else."""
_COMPRESSED = (".gz", ".bz2", ".xz")


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


def is_structure_file(name: str) -> bool:
    """Whether a name is that of a structure file, by its ending or as VASP names them."""
    return (base := _inner(os.path.basename(name)).lower()).endswith(ENDINGS) or _is_poscar(base)


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
        raise InputError("file", str(path), problem=error.problem, hint=error.hint) from error
    except MemoryError:
        raise
    except Exception as error:  # ASE's parsers raise whatever a broken file makes them
        raise InputError("file", str(path), problem=f"cannot be read: {description(error)}", allowed=FORMATS) from error
    return found


def _read(path: Path, content: Content, every: bool) -> list[ReadStructure]:
    name = content.name.lower()
    if name.endswith((".cif", ".mcif")):
        from ninefold.structures.reading import cif_content

        text = text_of(content.data)
        return cif_content.read_blocks(text) if every else [cif_content.read_first_block(text)]
    if _is_poscar(name):
        from ninefold.structures.reading.poscar import read_poscar

        return [read_poscar(text_of(content.data))]
    if name.endswith((".res", ".ins")):
        from ninefold.structures.reading.shelx import read_shelx

        return [read_shelx(text_of(content.data))]
    if name.endswith(".json"):
        from ninefold.structures.reading import documents

        text = text_of(content.data)
        if found := documents.documents_of(text):
            read = [documents.read_document(item) for item in (found if every else found[-1:])]
            if len(found) > 1 and not every:
                note = f"of {len(found)} structures the last was read (--all-frames takes all)"
                return [ReadStructure(read[0].structure, (note, *read[0].notes))]
            return read
        if not documents.is_ase_database(text):
            raise UnreadableError("is JSON without a structure of pymatgen or ASE")
    from ninefold.structures.reading.frames import read_frames

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ASE warns of keys that say nothing of the atoms
        if not content.is_compressed and not content.data.startswith(b"\xef\xbb\xbf"):
            return read_frames(path, every)
        with tempfile.TemporaryDirectory() as folder:  # ASE tells formats by names and reads files
            plain = Path(folder) / content.name
            plain.write_bytes(content.data.removeprefix(b"\xef\xbb\xbf"))
            return read_frames(plain, every)


def _is_poscar(name: str) -> bool:
    return name.endswith((".vasp", ".poscar", ".contcar")) or "poscar" in name or "contcar" in name


def _check_distances(read: ReadStructure) -> None:
    from ninefold.structures.reading.expansion import check_distances

    structure = read.structure
    labels = [f"{site.specie.symbol} (atom {place})" for place, site in enumerate(structure, start=1)]
    check_distances(structure.frac_coords, structure.lattice.matrix, labels)
