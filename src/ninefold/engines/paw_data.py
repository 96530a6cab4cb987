"""PAW data sets as GPAW and ABINIT read them: one file per element, by the name of GPAW's (`H.PBE.gz`)."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from ninefold.engines.weights import checksum
from ninefold.errors import InputError

DATA_SETS = "PBE"
"""Functional of the PAW data sets, for PBEsol as well."""


def shipped_folders() -> list[Path]:
    """Where data sets are looked for without GPAW: GPAW_SETUP_PATH, then the package gpaw-data."""
    folders = [Path(folder) for folder in os.environ.get("GPAW_SETUP_PATH", "").split(os.pathsep) if folder]
    try:
        import gpaw_data
    except ModuleNotFoundError:
        return folders
    return [*folders, Path(gpaw_data.datapath())]


def data_sets(folders: Sequence[Path], engine: str) -> dict[str, Path]:
    """Symbol -> file; of two the one in the first folder, there the compressed one, as GPAW takes them.

    Args:
        folders: In their order.
        engine: That needs them, for the error.

    Raises:
        InputError: if there is none at all.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.iterdir(), reverse=True):  # X.PBE.gz before X.PBE
                symbol, _, rest = path.name.partition(".")
                if rest in (DATA_SETS, f"{DATA_SETS}.gz"):
                    found.setdefault(symbol, path)
    if not found:
        where = ", ".join(map(str, folders))
        raise InputError(
            "engine.name", engine,
            problem=f"finds no PAW data sets ({DATA_SETS})" + (f" in {where}" if where else ": no folder is named"),
            hint="pip install gpaw-data, or set GPAW_SETUP_PATH to the folder of the data sets",
        )  # fmt: skip
    return found


def check_data_sets(symbols: Sequence[str], there: frozenset[str], folders: Sequence[Path], engine: str) -> None:
    """Refuse elements without a PAW data set.

    Raises:
        InputError: naming them, and where a data set is looked for.
    """
    if missing := sorted({*symbols} - there):
        raise InputError(
            "engine.name", engine, problem=f"has no PAW data set ({DATA_SETS}) for {', '.join(missing)}",
            hint=f"put {missing[0]}.{DATA_SETS}.gz into a folder of GPAW_SETUP_PATH, or leave the element out; "
            f"looked for in {', '.join(map(str, folders)) or 'no folder'}",
        )  # fmt: skip


@functools.lru_cache(maxsize=4)
def data_checksum(files: tuple[Path, ...]) -> list[list[str]]:
    """Name and SHA-256 of each data set: a file that changes behind its name changes energies."""
    return [[path.name, checksum(path)] for path in files]
