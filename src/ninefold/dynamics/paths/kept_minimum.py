"""A relaxed structure that much begins with, all paths of a folder or a distillation: once, in a file written whole."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.atomic_files import write_atomically
from ninefold.dynamics.paths.bands import relax_in_cell
from ninefold.errors import InputError
from ninefold.keys import content_key

if TYPE_CHECKING:
    from ase import Atoms

DECIMALS = 6
"""Of positions and cell in a file's name, Å."""


def ends_file(folder: Path, method: str, atoms: Atoms) -> Path:
    """Where the ends of a folder's paths are kept.

    Args:
        folder: Of the paths.
        method: Fingerprint of the engine.
        atoms: As they were read, before any relaxation.
    """
    # -0.0 and 0.0 are one place
    rounded = [(np.round(value, DECIMALS) + 0.0).tolist() for value in (atoms.cell.array, atoms.positions)]
    return folder / f"ends-{content_key('ends', method, atoms.get_chemical_symbols(), *rounded)[:16]}.xyz"


def kept_minimum(atoms: Atoms, calculator: Any, path: Path | None, notify: Callable[[int], None] | None) -> Atoms:
    """The structure relaxed in its cell, with the calculator.

    Args:
        atoms: Changed.
        calculator: ASE's.
        path: Read if it is there, else written; None to keep nothing.
        notify: Called with the steps done.

    Returns:
        As it is in the file, so that the first call and the later ones have the same positions.

    Raises:
        InputError: if the file holds no structure.
    """
    from ase.io import write

    if path is None or not path.is_file():
        atoms.calc = calculator
        relax_in_cell(atoms, notify=notify)
    if path is None:
        return atoms
    if not path.is_file():
        atoms.calc = None
        text = io.StringIO()
        write(text, atoms, format="extxyz")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.getvalue().encode())
    kept = read_minimum(path)
    kept.calc = calculator
    return kept


def read_minimum(path: Path) -> Atoms:
    """A structure that was kept, without a calculator.

    Raises:
        InputError: if the file holds no structure.
    """
    from ase.io import read

    try:
        atoms: Any = read(path, format="extxyz")
    except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise InputError(
            "--out", str(path), problem="is no structure", hint="delete it: it is made again"
        ) from error  # fmt: skip
    return atoms
