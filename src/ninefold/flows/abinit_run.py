"""One ABINIT calculation through atomate2's makers: inputs, the run, what it left, and its errors as one line."""

from __future__ import annotations

import gzip
import logging
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.units import Bohr, GPa, Hartree
from pymatgen.core import Structure

from ninefold.engines.base import CalculationError
from ninefold.flows.paw_grid import refined

if TYPE_CHECKING:
    from ninefold.engines.dft_settings import DFTSettings
    from ninefold.engines.settings import RelaxSettings

INPUT_VERSION = 2
"""Rises when what is handed to ABINIT changes energies; in the fingerprint."""
FINE_GRID = 2.0
"""`pawecutdg` over `ecut`; four times moves LiH by 0.0004 meV/atom and 0.0001 GPa."""
OVERLAP = 15.0
"""Per cent by which PAW spheres may overlap; ABINIT's own 5 refuses K2ReH9."""
IXC = {"PBE": 11, "PBEsol": -116133}
RESTARTS = 2
"""Runs more, each from the density of the one before, until self-consistency is given up."""
_LOG_NAMES = ("pymatgen.io.abinit", "abipy", "atomate2")
"""Loggers that atomate2 gives a file of every job."""
WITHOUT_SYMMETRY = {"nsym": 1}
_EVENT = re.compile(r"^--- !(\w*(?:ERROR|Error|BUG))\s*\n(.*?)^\.\.\.", re.MULTILINE | re.DOTALL)
_INCONSISTENCY = re.compile(r"chkinp: ERROR -\s*\n(.*?)\n\s*\n", re.DOTALL)
"""What ABINIT finds wrong with its input; the event that ends the run only counts these."""
_MACHINE = re.compile(r"memor|alloc|no space|cannot open|permission|could not open", re.IGNORECASE)
"""Words of errors that say nothing about the structure."""

_SYMMETRY = re.compile(r"symm?etr", re.IGNORECASE)


@dataclass(frozen=True)
class Finished:
    """What a run left."""

    structure: Structure
    energy: float
    """eV per cell, extrapolated to no smearing."""
    forces: np.ndarray
    """shape (n_atoms, 3), eV/Å."""
    stress: np.ndarray
    """shape (3, 3), eV/Å³, ASE's sign."""
    is_converged: bool
    steps: int = 0
    """Of a relaxation."""
    notes: tuple[str, ...] = ()


def variables(
    settings: DFTSettings, cutoff: float, mesh: Sequence[int], moments: Sequence[float] | None
) -> dict[str, Any]:
    """ABINIT's variables of a calculation, on top of those that abipy's factories set.

    Args:
        settings: Of the method.
        cutoff: Of the plane waves, eV.
        mesh: k-points along the reciprocal vectors, with Γ.
        moments: μB per atom to start from; None for a calculation without spin.
    """
    values: dict[str, Any] = {
        "ixc": IXC[settings.functional], "ngkpt": list(mesh), "nshiftk": 1, "shiftk": [0, 0, 0], "kptopt": 1,
        "nstep": settings.max_iterations,
        # squared residual of the potential: the same power of ten as GPAW's residual of the density
        "tolvrs": settings.density_tolerance**2,
        "pawovlp": OVERLAP,
        # exchange and correlation on a mesh of angles, as in GPAW; ABINIT's default, a series of moments, is 14 meV
        # and 1.8 GPa off on iron
        "pawxcdev": 0,
        "chksymbreak": 0, "chksymtnons": 0,  # a mesh with Γ, or a molecule's place, may not fit the lattice's symmetry
        "prtwf": 0, "prteig": 0,  # restarts begin from the density; a wave function is most of the disk
    }  # fmt: skip
    if moments is not None:
        values |= {"nsppol": 2, "nspden": 2, "spinat": [[0.0, 0.0, moment] for moment in moments]}
    return values


def run_static(
    structure: Structure, files: Mapping[str, Path], values: dict[str, Any], cutoff: float, smearing: float,
    command: str, folder: Path,
) -> Finished:  # fmt: skip
    """Energy, forces and stress of a structure as it stands.

    Args:
        structure: Ordered.
        files: Symbol -> PAW data set.
        values: See `variables`.
        cutoff: Of the plane waves, eV.
        smearing: Of the occupation, eV.
        command: ABINIT's executable.
        folder: To work in.

    Raises:
        CalculationError: if ABINIT comes to no converged energy.
    """
    from atomate2.abinit.jobs.core import StaticMaker
    from atomate2.abinit.sets.core import StaticSetGenerator

    generator = StaticSetGenerator(**_generator(structure, files, values, cutoff, smearing, folder))
    document, runs = _run(_at_most(StaticMaker, RESTARTS)(input_set_generator=generator), structure, command, folder)
    found = _read(document, structure, runs)
    if not found.is_converged:
        raise CalculationError(f"SCF did not converge after {runs} runs of {values['nstep']} iterations")
    return found


def run_relax(
    structure: Structure, files: Mapping[str, Path], values: dict[str, Any], cutoff: float, smearing: float,
    command: str, folder: Path, settings: RelaxSettings,
) -> Finished:  # fmt: skip
    """Atoms, or atoms and cell, relaxed by ABINIT in the symmetry of the start.

    Args:
        structure: Ordered.
        files: As in `run_static`, as the rest but `settings`.
        values: As above.
        cutoff: As above.
        smearing: As above.
        command: As above.
        folder: As above.
        settings: How far; without external pressure.

    Raises:
        CalculationError: if ABINIT comes to no converged energy.
    """
    from atomate2.abinit.jobs.core import RelaxMaker
    from atomate2.abinit.sets.core import RelaxSetGenerator

    of_relaxation: dict[str, Any] = {
        "ntime": max(1, settings.max_steps), "tolmxf": settings.fmax * Bohr / Hartree,
        # scattered forces make BFGS wander: tolvrs as for an energy alone suffices at fmax of some 0.01 eV/Å
        "prtden": 0,
    }  # fmt: skip
    if settings.relax_cell:
        of_relaxation |= {"dilatmx": 1.1, "ecutsm": 0.5}  # ecutsm: energies smooth in the volume, Ha
    generator = RelaxSetGenerator(
        **_generator(structure, files, values | of_relaxation, cutoff, smearing, folder),
        relax_cell=settings.relax_cell, tolmxf=of_relaxation["tolmxf"],
    )  # fmt: skip
    # a relaxation that was cut goes on in the next run of whoever asked, not here
    document, runs = _run(_at_most(RelaxMaker, 0)(input_set_generator=generator), structure, command, folder)
    return _read(document, structure, runs)


def _generator(
    structure: Structure, files: Mapping[str, Path], values: dict[str, Any], cutoff: float, smearing: float,
    folder: Path,
) -> dict[str, Any]:  # fmt: skip
    ecut = cutoff / Hartree
    symbols = sorted({site.specie.symbol for site in structure})
    return {
        "pseudos": [str(_unpacked(files[symbol], folder)) for symbol in symbols],
        "factory_kwargs": {
            "ecut": ecut, "pawecutdg": FINE_GRID * ecut, "kppa": 1,
            "spin_mode": "polarized" if "spinat" in values else "unpolarized",
            "smearing": f"fermi_dirac:{smearing:g} eV",
        },
        "user_abinit_settings": values,
    }  # fmt: skip


def _unpacked(file: Path, folder: Path) -> Path:
    """A data set under a name by which ABINIT and pymatgen know XML, on a grid that ABINIT integrates well."""
    path = folder / f"{file.name.removesuffix('.gz')}.xml"
    if not path.exists():
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
        path.write_text(refined(text))
    return path


def _at_most(kind: Any, restarts: int) -> Any:
    """One of atomate2's makers that restarts so often; atomate2's own number is a setting of the whole process."""

    class Limited(kind):
        def get_response(self, task_document: Any, history: Any, **given: Any) -> Any:
            return super().get_response(task_document, history, **{**given, "max_restarts": restarts})

    Limited.__name__, Limited.__qualname__, Limited.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Limited


def _run(maker: Any, structure: Structure, command: str, folder: Path) -> tuple[Any, int]:
    """The document of the last run, and how many there were."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    maker.run_abinit_kwargs = {"abinit_cmd": command}
    job = maker.make(structure.copy())  # abipy changes the class of the object that it is given
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    store = JobStore(MemoryStore())
    try:
        with warnings.catch_warnings(), _no_new_handlers():
            warnings.simplefilter("ignore")  # of abipy: a data set without hints, a variable it does not know
            answers = run_locally(
                job, log=False, store=store, create_folders=True, root_dir=work, raise_immediately=True
            )
    except Exception as error:
        raise _told(work, error) from error
    runs = answers[job.uuid]
    return runs[max(runs)].output, len(runs)


@contextmanager
def _no_new_handlers() -> Iterator[None]:
    """Close the files that atomate2 opens for the log of each job and leaves open."""
    known = {name: list(logging.getLogger(name).handlers) for name in _LOG_NAMES}
    try:
        yield
    finally:
        for name, handlers in known.items():
            logger = logging.getLogger(name)
            for handler in [each for each in logger.handlers if each not in handlers]:
                logger.removeHandler(handler)
                handler.close()


class NoSymmetryError(CalculationError):
    """ABINIT finds a lattice of higher symmetry than its atoms or digits have, and stops."""


def _told(work: Path, error: Exception) -> Exception:
    """ABINIT's own words for what went wrong, where it has left any."""
    logs = sorted(work.glob("*/run.log"), key=lambda path: path.stat().st_mtime)
    text = logs[-1].read_text(errors="replace") if logs else ""
    for name, block in _EVENT.findall(text):
        words = " ".join(block.split("message:", 1)[-1].lstrip(" |\n").split())
        words = re.sub(r"\s*(src_file|src_line|mpi_rank):.*", "", words)
        if cause := _INCONSISTENCY.search(text):
            words = " ".join(cause.group(1).split())
        told = f"ABINIT {name.lower()}: {words[:200]}"
        if _SYMMETRY.search(words):
            return NoSymmetryError(told)
        return RuntimeError(told) if _MACHINE.search(words) else CalculationError(told)
    if not logs:
        return error
    left = [path.read_text(errors="replace").split() for path in (logs[-1].with_name("run.err"), logs[-1])]
    last = " ".join((left[0] or left[1])[-20:])
    return RuntimeError(f"ABINIT ended without a result: {last}"[:200])


def _read(document: Any, start: Structure, runs: int) -> Finished:
    from abipy.electrons.gsr import GsrFile
    from atomate2.abinit.schemas.calculation import TaskState

    folder = Path(document.dir_name) / "outdata"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with GsrFile(str(folder / "out_GSR.nc")) as file:
            # the free energy and the entropy's part of it: the mean of both ends is that of no smearing
            energy = float(file.energy) - 0.5 * float(file.energy_terms["e_entropy"])
            forces, stress = np.array(file.cart_forces, dtype=float), np.array(file.cart_stress_tensor, dtype=float)
            is_polarised = file.nsppol == 2
            moment = float(file.ebands.get_collinear_mag()) if is_polarised else 0.0
            cell = file.structure
    if [site.specie.symbol for site in cell] != [site.specie.symbol for site in start]:
        raise RuntimeError("ABINIT's atoms stand in another order than those it was given")
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        raise CalculationError("energy or forces are not numbers")
    notes = [f"SCF took {runs} runs"] if runs > 1 else []
    if is_polarised:
        notes.append(f"magnetic moment {moment:.2f} μB per cell")
    return Finished(
        structure=Structure(cell.lattice.matrix, start.species, cell.frac_coords), energy=energy, forces=forces,
        stress=stress * GPa, is_converged=document.state == TaskState.SUCCESS, steps=_steps(folder), notes=tuple(notes),
    )  # fmt: skip


def _steps(folder: Path) -> int:
    """Of a relaxation: geometries after the first."""
    import netCDF4

    path = folder / "out_HIST.nc"
    if not path.exists():
        return 0
    with netCDF4.Dataset(path) as file:
        return max(0, len(file.dimensions["time"]) - 1)
