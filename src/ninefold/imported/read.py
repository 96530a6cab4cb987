"""Whatever a user names: files, folders and addresses, each told by its content."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ninefold.errors import InputError
from ninefold.imported.run import ImportedRun
from ninefold.paths import user_path

FIELD = "import"
KINDS = "vasprun.xml, .gpw, output of GPAW or ABINIT, JSON of pymatgen or OPTIMADE, a folder of these, or an address"
MANIFEST = "manifest.json"
"""Of `ninefold export --format vasp-inputs`."""
MOST_BYTES = 500_000_000
_OF_MANIFEST: tuple[str, ...] = ("kind", "id", "name", "structure", "campaign")
_VASPRUN = ("vasprun*.xml", "vasprun*.xml.gz", "vasprun*.xml.bz2")
_IN_FOLDERS = (*_VASPRUN, "*.gpw")
"""Looked for below a folder; other files are named one by one."""


@dataclass(frozen=True)
class ImportOptions:
    """What the user says of files that do not say it themselves."""

    variant: str | None = None
    corrections: str = "none"
    method: str | None = None
    energy_field: str | None = None
    unit: str = "eV/atom"
    filter: str | None = None


def read_all(
    named: Sequence[str], options: ImportOptions, *, skips_bad: bool = False
) -> tuple[list[ImportedRun], list[str]]:
    """Every calculation behind some paths and addresses.

    Args:
        named: As the user wrote them.
        options: Of all of them.
        skips_bad: Whether a file, or a structure of an OPTIMADE answer, that cannot be used is left out.

    Returns:
        Runs, and why files were left out.

    Raises:
        InputError: of the first thing that cannot be used, with how many more there are, unless they are skipped; and
            where there is nothing at all.
    """
    runs: list[ImportedRun] = []
    errors: list[InputError] = []
    for source in [source for name in named for source in _sources(name)]:
        try:
            runs += _read(source, options, errors if skips_bad else None)
        except InputError as error:
            errors.append(error)
    if errors and not skips_bad:
        first = errors[0]
        more = f" (and {len(errors) - 1} more like it)" if len(errors) > 1 else ""
        hint = f"{first.hint}; --skip leaves it out" if first.hint else "--skip leaves it out"
        if first.field.startswith("--"):
            raise first
        raise InputError(
            first.field, first.value, problem=f"{first.problem}{more}", allowed=first.allowed, hint=hint
        ) from first
    if not runs and not errors:
        raise InputError(FIELD, " ".join(named), problem="holds no calculation", allowed=KINDS)
    return runs, [str(error) for error in errors]


def _sources(name: str) -> Iterator[str | Path]:
    """Addresses and files; of a folder, the files below it."""
    if "://" in name:
        yield name
        return
    path = user_path(name, FIELD)
    if path.is_dir():
        found = sorted({file for pattern in _IN_FOLDERS for file in path.rglob(pattern) if file.is_file()})
        if not found:
            raise InputError(FIELD, name, problem="holds no finished calculation", allowed=", ".join(_IN_FOLDERS))
        yield from found
    elif path.is_file():
        yield path
    else:
        raise InputError(FIELD, name, problem="is not there", allowed=KINDS)


def _read(source: str | Path, options: ImportOptions, left_out: list[InputError] | None) -> list[ImportedRun]:
    from ninefold.imported.ase_files import is_ase_file, read_ase
    from ninefold.imported.vasp import read_vasprun

    if isinstance(source, str):
        from ninefold.imported.provider import fetch

        return _of_json({"data": fetch(source, options.filter, options.energy_field)}, source, options, left_out)
    if source.name.startswith("vasprun"):
        return [_tied(read_vasprun(source, options.variant), source)]
    if source.suffix == ".gpw":
        return [_tied(read_ase(source, "gpw", options.variant), source)]
    start = _start(source)
    if start.lstrip()[:1] in (b"{", b"["):
        return _of_json(_json(source), str(source), options, left_out)
    if start.lstrip().startswith(b"<?xml"):
        return [_tied(read_vasprun(source, options.variant), source)]
    if kind := is_ase_file(start):
        return [_tied(read_ase(source, kind, options.variant), source)]
    raise InputError(FIELD, str(source), problem="is none of the files that can be imported", allowed=KINDS)


def _of_json(data: Any, source: str, options: ImportOptions, left_out: list[InputError] | None) -> list[ImportedRun]:
    from ninefold.imported.entries import are_entries, read_entries
    from ninefold.imported.optimade import is_optimade, read_structures

    if are_entries(data):
        return read_entries(data, source, options.corrections, options.variant)
    is_empty = isinstance(data, dict) and data.get("data") == []
    if is_optimade(data) or is_empty:
        named = (options.method, options.energy_field, options.unit, options.variant)
        return read_structures(data, source, *named, left_out)
    raise InputError(FIELD, source, problem="is JSON of neither pymatgen's entries nor OPTIMADE", allowed=KINDS)


def _tied(run: ImportedRun, file: Path) -> ImportedRun:
    """A run with what the manifest of an export says of its folder, if it lies below one.

    Raises:
        InputError: if the run is of another formula than the inputs of its folder.
    """
    for folder in (file.parent, *file.parent.parents):
        entries = _manifest(folder.parent)
        entry = next((each for each in entries if each.get("folder") == folder.name), None)
        if entry is None:
            continue
        from ninefold.chemistry.formula import formula_of, parse_formula, reduced

        wanted = formula_of(reduced(parse_formula(str(entry.get("formula")))))
        counted = {symbol: int(amount) for symbol, amount in run.structure.composition.get_el_amt_dict().items()}
        found = formula_of(reduced(counted))
        if found != wanted:
            raise InputError(
                FIELD, str(file), problem=f"is a run of {found}, and the inputs of its folder are of {wanted}",
                hint="the run belongs into another folder",
            )  # fmt: skip
        kept = {key: str(entry[key]) for key in _OF_MANIFEST if key in entry}
        return replace(run, of=kept)
    return run


def _manifest(folder: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        return [entry for entry in content["structures"] if isinstance(entry, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _start(path: Path) -> bytes:
    try:
        opener: Any = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            start: bytes = file.read(4096)
    except (OSError, EOFError) as error:
        raise InputError(FIELD, str(path), problem=f"cannot be read: {error}") from error
    return start


def _json(path: Path) -> Any:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InputError(FIELD, str(path), problem=f"is larger than {MOST_BYTES // 10**6} MB")
        return json.loads(content)
    except (OSError, EOFError) as error:
        raise InputError(FIELD, str(path), problem=f"cannot be read: {error}") from error
    except ValueError as error:
        raise InputError(FIELD, str(path), problem=f"is no JSON: {error}") from error
