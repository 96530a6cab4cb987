"""Writing results to files: tables and structures, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ninefold.chemistry.quantities import QUANTITIES
from ninefold.errors import InputError
from ninefold.files import ProtectedFileError, write_atomically

_STRUCTURE_FILES = {"cif": "{}.cif", "poscar": "{}.POSCAR", "extxyz": "{}.xyz"}


def structure_ending(kind: str) -> str:
    """How the files of a structure format end, with the dot."""
    return _STRUCTURE_FILES[kind].format("")


def rows_to_csv(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """Rows as CSV with a header; lists joined by blanks, unknown values empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        writer.writerow([_cell(row.get(key)) for key in keys])
    return buffer.getvalue()


def write_table(rows: Sequence[dict[str, Any]], keys: Sequence[str], path: Path, kind: str) -> None:
    """Write a table.

    Args:
        rows: Plain values.
        keys: Columns.
        path: File.
        kind: csv, json or parquet.

    Raises:
        InputError: if the file cannot be written.
    """
    if kind == "csv":
        content = rows_to_csv(rows, keys).encode("utf-8")
    elif kind == "json":
        content = (json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    else:
        content = _parquet(rows, keys)
    write_whole(path, content, "--out")


def write_structures(rows: Sequence[dict[str, Any]], folder: Path, kind: str) -> list[Path]:
    """Write the lowest structure of each candidate.

    Args:
        rows: Candidate documents.
        folder: Made if it is not there.
        kind: cif, poscar or extxyz.

    Returns:
        The files, best rank first.

    Raises:
        InputError: if the folder cannot be written, or no candidate has a structure.
    """
    from pymatgen.core import Structure

    chosen = [
        (row, found) for row in rows if (found := next((item for item in row["structures"] if item["is_valid"]), None))
    ]
    if not chosen:
        raise InputError("filter", None, problem="matches no candidate with a structure; nothing written")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", str(folder), problem=f"cannot be made: {error.strerror}") from error
    written = []
    for row, found in chosen:
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{row['formula']}_n{row['n']}_{row['id'][:6]}")
        path = folder / _STRUCTURE_FILES[kind].format(name)
        text = _structure_text(Structure.from_dict(found["structure"]), row, found, kind)
        write_whole(path, text.encode("utf-8"), "--out")
        written.append(path)
    return written


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


def _parquet(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> bytes:
    """A parquet file whose columns carry unit and meaning, with the right type even where nothing is known."""
    import pyarrow
    import pyarrow.parquet

    types = {
        "string": pyarrow.string(),
        "integer": pyarrow.int64(),
        "float": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
        "list": pyarrow.list_(pyarrow.string()),
    }
    columns, fields = [], []
    for key in keys:
        column, about = pyarrow.array([row.get(key) for row in rows]), QUANTITIES.get(key)
        if about is not None and pyarrow.types.is_null(column.type):
            column = column.cast(types[about.kind])
        columns.append(column)
        metadata = {"unit": about.unit, "meaning": about.meaning} if about is not None else None
        fields.append(pyarrow.field(key, column.type, metadata=metadata))
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=pyarrow.schema(fields)), buffer)
    return buffer.getvalue()


def _structure_text(structure: Any, row: dict[str, Any], found: dict[str, Any], kind: str) -> str:
    if kind == "cif":
        from pymatgen.io.cif import CifWriter

        head = f"# {row['label']}: {found['energy_per_atom']:.4f} eV/atom, {row['engine']}, source {found['source']}\n"
        return head + str(CifWriter(structure, symprec=0.01))
    if kind == "poscar":
        from pymatgen.io.vasp import Poscar

        return str(Poscar(structure.get_sorted_structure(), comment=row["label"]).get_str())
    import ase.io
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure)
    atoms.info = {"formula": row["formula"], "energy_per_atom": found["energy_per_atom"], "engine": row["engine"]}
    buffer = io.StringIO()
    ase.io.write(buffer, atoms, format="extxyz")
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return " ".join(str(item) for item in value) if isinstance(value, list) else value
