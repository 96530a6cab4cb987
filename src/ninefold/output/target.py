"""Where an output goes: a file or a folder, and its format by its ending."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ninefold.atomic_files import ProtectedFileError, write_atomically
from ninefold.errors import InputError
from ninefold.paths import user_path

TABLES = ("csv", "json", "parquet")
STRUCTURES = ("cif", "extxyz", "poscar")
FORMAT_OF = {
    ".csv": "csv", ".json": "json", ".parquet": "parquet", ".cif": "cif", ".xyz": "extxyz", ".extxyz": "extxyz",
    ".poscar": "poscar", ".vasp": "poscar",
}  # fmt: skip
"""Ending of a file -> what is written into it."""
ENDING = {"cif": "cif", "poscar": "POSCAR", "extxyz": "xyz"}
"""Format -> ending of a file in a folder."""


class Target(NamedTuple):
    """Where an export goes."""

    path: Path
    kind: str
    """One of `TABLES` or `STRUCTURES`."""
    is_folder: bool


def target_of(out: str | os.PathLike[str], kind: str | None = None, only: Sequence[str] = ()) -> Target:
    """What an output path and a format mean.

    A path with a known ending is a file. One that ends with a slash, is a folder, or has no ending is a folder, for
    structures; for a table it is a file.

    Args:
        out: As the user wrote it.
        kind: The format asked for; by the ending if None, CIF where there is none.
        only: Formats that may be written; all of them by default.

    Raises:
        InputError: if no file can have this name; if the ending is not known, or says another format than asked for.
    """
    text, path = str(out), user_path(str(out), "--out")
    allowed = tuple(only) or (*STRUCTURES, *TABLES)
    endings = ", ".join(ending for ending, of in FORMAT_OF.items() if of in allowed)
    ending = path.suffix.lower()
    if text.endswith(("/", os.sep)) or path.is_dir() or not ending or not ending[1:].isalnum():
        chosen = kind or "cif"
        if chosen in TABLES and (text.endswith(("/", os.sep)) or path.is_dir()):
            raise InputError("--out", text, problem=f"is a folder, and {chosen} is one table", allowed="a file")
        return Target(path, chosen, chosen not in TABLES)
    by_ending = FORMAT_OF.get(ending)
    if by_ending not in allowed and (by_ending is not None or kind is None):
        raise InputError(
            "--out", text, problem=f"ends with {path.suffix!r}, which is no format that can be written here",
            allowed=f"a file that ends with {endings}", hint=f"{text}/ is a folder",
        )  # fmt: skip
    if kind is not None and by_ending not in (kind, None):
        raise InputError(
            "--out", text, problem=f"ends with {path.suffix!r}, and --format says {kind}",
            allowed=f"a file that ends with {_endings_of(kind)}, or a folder",
        )  # fmt: skip
    return Target(path, kind or str(by_ending), False)


def structure_ending(kind: str) -> str:
    """How the files of a structure format end, with the dot."""
    return f".{ENDING[kind]}"


def write_whole(path: Path, content: bytes, field: str) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        InputError: if it cannot be written, naming the field.
    """
    try:
        write_atomically(path, content)
    except ProtectedFileError as error:
        raise InputError(field, str(path), problem=str(error.strerror), hint="name another file") from error
    except OSError as error:
        raise InputError(field, str(path), problem=f"cannot be written: {error.strerror}") from error


def _endings_of(kind: str) -> str:
    return " or ".join(ending for ending, of in FORMAT_OF.items() if of == kind)
