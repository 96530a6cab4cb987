"""Whether VASP can run: its executable, its potentials and the packages around it, told before anything is queued."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ninefold.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.vasp_settings import VaspSettings

TABLES = {"PBE": "POT_GGA_PAW_PBE", "PBE_64": "POT_PAW_PBE_64"}
"""Release of POTCARs -> folder that pymatgen looks for below PMG_VASP_PSP_DIR."""


def check_packages() -> None:
    """Refuse to begin without atomate2 and custodian.

    Raises:
        MissingDependencyError: naming the package and the extra.
    """
    for package in ("atomate2", "custodian"):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            raise MissingDependencyError("verify", "vasp", package, "cluster") from error


def check_executable(command: str) -> None:
    """Refuse a command that is not found.

    Args:
        command: As a shell would run it; of `mpirun -n 4 vasp_std` both are looked for.

    Raises:
        InputError: naming what is missing.
    """
    words = shlex.split(os.path.expandvars(command))
    missing = [word for word in words[:1] if shutil.which(word) is None]
    # mpirun -n 4 vasp_std: what is started last is VASP, and must be there as well
    missing += [word for word in words[1:] if "vasp" in Path(word).name and shutil.which(word) is None]
    if not words or missing:
        raise InputError(
            "vasp_cmd", command, problem=f"cannot be started: {', '.join(missing) or 'nothing is named'} is not found",
            allowed="a command on PATH, or with its folder", hint="load the module of VASP first",
        )  # fmt: skip


def check_potentials(structures: Iterable[Structure], settings: VaspSettings) -> None:
    """Refuse to begin without a folder of potentials, or without one of them.

    Args:
        structures: To be computed.
        settings: Whose input set says which potentials.

    Raises:
        InputError: naming the folder or the potentials.
    """
    from pymatgen.core import SETTINGS

    from ninefold.engines.vasp_settings import input_set, potential_table

    folder = os.environ.get("PMG_VASP_PSP_DIR") or SETTINGS.get("PMG_VASP_PSP_DIR")
    hint = "PMG_VASP_PSP_DIR, or 'pmg config --add PMG_VASP_PSP_DIR FOLDER'"
    if not folder or not Path(str(folder)).is_dir():
        raise InputError("PMG_VASP_PSP_DIR", folder or "", problem="is no folder of POTCARs", hint=f"name one: {hint}")
    below = Path(str(folder)) / TABLES[potential_table(settings)]
    names: dict[str, str] = {}
    for structure in structures:
        for symbol in input_set(structure, settings, "static").potcar_symbols:
            names.setdefault(symbol.split("_")[0], symbol)
    missing = [name for name in sorted(names.values()) if not _is_there(below, name)]
    if missing:
        raise InputError(
            "PMG_VASP_PSP_DIR", str(folder), problem=f"has no POTCAR for {', '.join(missing)} in {below.name}",
            hint="'pmg config -p' makes such a folder from VASP's own",
        )  # fmt: skip


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / f"POTCAR.{name}{ending}").is_file() for ending in ("", ".gz")) or any(
        (folder / name / f"POTCAR{ending}").is_file() for ending in ("", ".gz")
    )
