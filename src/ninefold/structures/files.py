"""Structures from files that users have: CIF, POSCAR, and whatever else ASE reads."""

from __future__ import annotations

import warnings
from pathlib import Path

from pymatgen.core import Structure

from ninefold.errors import InputError, description
from ninefold.paths import readable_file

FORMATS = "CIF, POSCAR, extended XYZ, or another periodic format that ASE reads"


def read_structure(path: Path) -> Structure:
    """The first structure of a file.

    Raises:
        InputError: if the file is missing, broken, not periodic, or disordered; in one line.
    """
    path = readable_file(path, "file", what=FORMATS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # both readers warn of rounded coordinates and spare keys
            structure = _read(path)
    except Exception as error:  # parsers raise whatever a broken file makes them
        raise InputError("file", str(path), problem=f"cannot be read: {description(error)}", allowed=FORMATS) from error
    if len(structure) == 0 or structure.volume < 1e-3:
        raise InputError("file", str(path), problem="holds no periodic structure", allowed=FORMATS)
    if not structure.is_ordered:
        raise InputError(
            "file", str(path), problem="holds a disordered structure", hint="give whole atoms on its sites"
        )
    return structure


def _read(path: Path) -> Structure:
    name = path.name.lower()
    if name.endswith((".cif", ".vasp", ".poscar")) or "poscar" in name or "contcar" in name:
        if name.endswith(".poscar"):
            from pymatgen.io.vasp import Poscar

            return Poscar.from_str(path.read_text(encoding="utf-8")).structure
        return Structure.from_file(path)
    import ase.io
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = ase.io.read(path, index=0)
    if isinstance(atoms, list) or not all(atoms.pbc):
        raise ValueError("not periodic in three directions")
    return AseAtomsAdaptor.get_structure(atoms)
