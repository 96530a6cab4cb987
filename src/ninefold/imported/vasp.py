"""Finished runs of VASP, from `vasprun.xml` alone."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ninefold.errors import InputError, description
from ninefold.imported.run import ImportedMethod, ImportedRun

FIELD = "import"
KBAR = 0.1
"""GPa."""
_GGA = {"PE": "PBE", "PS": "PBEsol", "RP": "RPBE", "RE": "revPBE", "AM": "AM05", "91": "PW91", "CA": "LDA"}
_OF_POTCAR = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA"}
"""First word of a POTCAR's title -> functional that it was made with, which counts where INCAR names none."""
_SOFT_STOP = "soft stop encountered"
_TAIL = 200_000
"""Bytes at the end of an OUTCAR in which a stop would stand."""


def read_vasprun(path: Path, variant: str | None = None) -> ImportedRun:
    """One finished run.

    Args:
        path: `vasprun.xml`, compressed or not.
        variant: Keeps its method apart.

    Raises:
        InputError: if the file is broken or ends before its end, or the run is no converged calculation of an energy.
    """
    run = _parsed(path)
    structure = run.final_structure
    _check_converged(run, path)
    energy = float(run.final_energy)
    if not math.isfinite(energy):
        raise InputError(FIELD, str(path), problem="holds no total energy")
    last = run.ionic_steps[-1]
    forces, stress = last.get("forces"), last.get("stress")
    notes = []
    if (run.parameters.get("NSW") or 0) > 1:
        notes.append("last step of a relaxation: plane waves are those of its first cell; a static run has its own")
    if (run.parameters.get("ISMEAR") or 0) > 0 and (run.parameters.get("SIGMA") or 0) > 0.2:
        notes.append(f"smearing of {run.parameters['SIGMA']:g} eV")
    return ImportedRun(
        structure=structure,
        energy_per_atom=energy / len(structure),
        method=_method(run, variant),
        potentials=_potentials(run),
        source=str(path),
        forces=None if forces is None else np.asarray(forces, dtype=float),
        stress=None if stress is None else _voigt(stress),
        steps=len(run.ionic_steps),
        notes=tuple(notes),
    )


def _parsed(path: Path) -> Any:
    from xml.etree.ElementTree import ParseError

    from pymatgen.io.vasp.outputs import Vasprun

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Vasprun(str(path), parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    except (ParseError, EOFError) as error:
        problem = f"ends before its end or is no XML: {description(error)}"
        hint = "the run was killed or is still going on: continue it from its CONTCAR"
        raise InputError(FIELD, str(path), problem=problem, hint=hint) from error
    except OSError as error:
        raise InputError(FIELD, str(path), problem=f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever a parser says of a file that is not what it expects
        if "XMLSyntax" in type(error).__name__:
            hint = "the run was killed or is still going on: continue it from its CONTCAR"
            raise InputError(FIELD, str(path), problem=f"ends before its end: {error}", hint=hint) from error
        raise InputError(FIELD, str(path), problem=f"is no vasprun.xml: {description(error)}") from error


def _check_converged(run: Any, path: Path) -> None:
    """Refuse what is no energy of a converged density, or the last step of an interrupted relaxation."""

    def refuse(problem: str, hint: str) -> None:
        raise InputError(FIELD, str(path), problem=problem, hint=hint)

    if not run.ionic_steps:
        refuse("holds no finished ionic step", "the run was killed: continue it")
    again = "an energy that is not converged is no energy: continue the run"
    if run.parameters.get("IBRION") == 0:
        refuse("is molecular dynamics", "import a relaxation or a static run")
    if not run.converged_electronic:
        refuse(f"is not converged: self-consistency took all NELM = {run.parameters.get('NELM')} steps", again)
    steps = run.parameters.get("NSW") or 0
    if steps <= 1:
        return
    if len(run.ionic_steps) >= steps:
        refuse(f"is not converged: all NSW = {steps} ionic steps were taken", again)
    if _was_stopped(path):
        refuse("is not converged: VASP was stopped (STOPCAR, wall time)", again)
    criterion, forces = float(run.parameters.get("EDIFFG") or 0), run.ionic_steps[-1].get("forces")
    if criterion < 0 and forces is not None:
        largest = float(np.linalg.norm(np.asarray(forces, dtype=float), axis=1).max())
        if largest > -1.05 * criterion:
            refuse(f"is not converged: a force of {largest:.3f} eV/Å is left, and EDIFFG = {criterion:g}", again)


def _was_stopped(path: Path) -> bool:
    """Whether the OUTCAR beside says that the run was told to stop: vasprun.xml does not say it."""
    from monty.io import zopen

    name = re.sub(r"^vasprun", "OUTCAR", path.name).replace(".xml", "")
    for file in (path.with_name(name), path.with_name("OUTCAR"), path.with_name("OUTCAR.gz")):
        if file.is_file():
            with zopen(file, "rt", errors="replace") as text:
                return _SOFT_STOP in str(text.read())[-_TAIL:]
    return False


def _method(run: Any, variant: str | None) -> ImportedMethod:
    parameters = run.parameters
    settings = {
        "cutoff_eV": float(parameters.get("ENCUT") or parameters.get("ENMAX") or 0) or None,
        "precision": str(parameters.get("PREC", "normal")).lower(),
        "aspherical": bool(parameters.get("LASPH", False)),
        "real_space_projection": _projection(run),
        "added_grid": bool(parameters.get("ADDGRID", False)),
        "spin_orbit": bool(parameters.get("LSORBIT", False)),
        "dispersion": _dispersion(run),
    }
    return ImportedMethod("VASP", str(run.vasp_version).split()[0], _functional(run), settings, variant=variant)


def _functional(run: Any) -> str:
    tags = {**run.parameters, **run.incar}
    if tags.get("LHFCALC"):
        return f"hybrid, {tags.get('AEXX', 0.25):g} exact, screening {tags.get('HFSCREEN', 0):g}"
    meta = str(tags.get("METAGGA") or "--").strip().upper()
    if meta not in ("--", "NONE", ""):
        return {"R2SCAN": "r2SCAN", "RSCAN": "rSCAN"}.get(meta, meta)
    gga = str(tags.get("GGA") or "--").strip().upper()
    if gga in ("--", ""):  # INCAR names none: the functional that the POTCARs were made with
        return _OF_POTCAR.get(str(run.potcar_symbols[0]).split()[0], "unknown") if run.potcar_symbols else "unknown"
    return _GGA.get(gga, gga)


def _projection(run: Any) -> bool:
    value = {**run.parameters, **run.incar}.get("LREAL", False)
    return str(value).strip(".").lower()[:1] not in ("f", "n", "")


def _dispersion(run: Any) -> str:
    tags = {**run.parameters, **run.incar}
    if tags.get("LUSE_VDW"):
        return "van der Waals functional"
    return f"IVDW {tags['IVDW']}" if tags.get("IVDW") else "none"


def _potentials(run: Any) -> dict[str, str]:
    """Element -> title of its POTCAR, and U where there is one."""
    units = {str(symbol): value for symbol, value in (run.hubbards or {}).items() if value}
    found = {}
    for title in run.potcar_symbols:
        words = str(title).split()
        symbol = re.split(r"[._]", words[1] if len(words) > 1 else words[0])[0]
        found[symbol] = " ".join(words) + (f", U = {units[symbol]:g} eV" if symbol in units else "")
    return found


def _voigt(stress: Any) -> list[float]:
    """GPa in ASE's order and sign from VASP's kbar, whose sign is the opposite."""
    matrix = -KBAR * np.asarray(stress, dtype=float)
    return [float(matrix[i]) for i in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
