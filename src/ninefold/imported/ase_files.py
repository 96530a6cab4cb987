"""Finished runs of GPAW (.gpw) and ABINIT (its text output), read by ASE; neither code has to be installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ninefold.errors import InputError, description
from ninefold.imported.run import ImportedMethod, ImportedRun

FIELD = "import"
_ABINIT = re.compile(rb"Version\s+\S+\s+of ABINIT")
_IXC = {"1": "LDA", "7": "LDA", "11": "PBE", "116133": "PBEsol", "-116133": "PBEsol", "-101130": "PBE"}
"""ABINIT's number of a functional -> name."""
HARTREE = 27.211386245988
"""eV; CODATA 2018."""


def is_ase_file(start: bytes) -> str | None:
    """Which code wrote a text output, by its first lines; None for another."""
    return "abinit" if _ABINIT.search(start) else None


def read_ase(path: Path, kind: str, variant: str | None = None) -> ImportedRun:
    """One finished run.

    Args:
        path: The file.
        kind: gpw or abinit.
        variant: Keeps its method apart.

    Raises:
        InputError: if the file is broken, or holds no converged energy.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    try:
        atoms, results, method = (_gpw if kind == "gpw" else _abinit)(path, variant)
        structure = AseAtomsAdaptor.get_structure(atoms)
        energy = float(results["energy"])
    except InputError:
        raise
    except KeyError as error:
        raise InputError(FIELD, str(path), problem=f"holds no {error.args[0]}") from error
    except Exception as error:  # whatever a reader says of a broken file
        raise InputError(
            FIELD, str(path), problem=f"cannot be read, or ends before its end: {description(error)}"
        ) from error
    forces, stress = results.get("forces"), results.get("stress")
    return ImportedRun(
        structure=structure,
        energy_per_atom=energy / len(structure),
        method=method,
        potentials={},
        source=str(path),
        forces=None if forces is None else np.asarray(forces, dtype=float),
        stress=None if stress is None else [float(value) * 160.21766208 for value in stress],  # eV/Å³ to GPa
    )


def _gpw(path: Path, variant: str | None) -> tuple[Any, dict[str, Any], ImportedMethod]:
    import ase.io
    from ase.io import ulm

    file: Any = ulm.open(path)
    try:
        parameters = file.parameters.asdict()
        release = str(getattr(file, "gpaw_version", ""))
    finally:
        file.close()
    atoms: Any = ase.io.read(path, format="gpw")
    mode = parameters.get("mode") or {}
    mode = {"name": mode} if isinstance(mode, str) else mode
    functional = parameters.get("xc", "LDA")
    functional = functional.get("name") if isinstance(functional, dict) else functional
    settings = {
        "basis": str(mode.get("name", "fd")),
        "cutoff_eV": float(mode.get("ecut", 340)) if mode.get("name") == "pw" else None,
        "setups": str(parameters.get("setups", "paw")),
    }
    return atoms, dict(atoms.calc.results), ImportedMethod(
        "GPAW", release, str(functional), settings, variant=variant
    )  # fmt: skip


def _abinit(path: Path, variant: str | None) -> tuple[Any, dict[str, Any], ImportedMethod]:
    from ase.io.abinit import read_abinit_out

    text = path.read_text(errors="replace")
    if "not enough scf cycles to converge" in text:
        raise InputError(
            FIELD, str(path), problem="is not converged: self-consistency took all of its cycles",
            hint="an energy that is not converged is no energy: continue the run",
        )  # fmt: skip
    with path.open(errors="replace") as file:
        results = read_abinit_out(file)
    number = _echoed(text, "ixc") or "unknown"
    cutoff = _echoed(text, "ecut")
    paw = _echoed(text, "pawecutdg")
    settings = {
        "cutoff_eV": None if cutoff is None else round(float(cutoff) * HARTREE, 6),
        "fine_cutoff_eV": None if paw is None else round(float(paw) * HARTREE, 6),
    }
    method = ImportedMethod(
        "ABINIT", str(results["version"]), _IXC.get(number, f"ixc {number}"), settings, variant=variant
    )
    return results["atoms"], results, method


def _echoed(text: str, name: str) -> str | None:
    """The value of an input variable as ABINIT echoes it."""
    found = re.search(rf"^-?\s*{name}\s+(-?[\d.Ee+-]+)", text, re.MULTILINE)
    return found.group(1) if found else None
