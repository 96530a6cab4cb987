"""ABINIT as an engine, through atomate2's makers, with the PAW data sets of GPAW: it checks codes, not data.

Settings are those of GPAW (`configs/dft/`), so that both codes compute the same thing. An energy is always that of
`DFTSettings.cutoff`, as in `gpaw_engine`.

ABINIT is a program of its own (Debian's package `abinit`; `make setup-abinit`); atomate2 runs it by means of abipy.
Source: Gonze et al., Comput. Phys. Commun. 248, 107042 (2020), doi:10.1016/j.cpc.2019.107042.
"""

from __future__ import annotations

import functools
import gzip
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ase.units import GPa
from pymatgen.core import Structure

from ninefold.engines.ase_engine import atoms_of
from ninefold.engines.base import Evaluation, Relaxation
from ninefold.engines.dft_settings import DFTSettings, read_dft_settings
from ninefold.engines.gpaw_engine import is_lone_atom, kpoint_mesh, log_folder
from ninefold.engines.paw_data import check_data_sets, data_checksum, data_sets, shipped_folders
from ninefold.engines.settings import EngineSettings, RelaxSettings
from ninefold.engines.spin import forced_moments, starting_moments
from ninefold.errors import InputError, MissingDependencyError
from ninefold.flows.abinit_run import (
    INPUT_VERSION,
    WITHOUT_SYMMETRY,
    Finished,
    NoSymmetryError,
    run_relax,
    run_static,
    variables,
)
from ninefold.keys import content_key
from ninefold.models.evidence import Evidence

_GRID = re.compile(rb'<radial_grid eq="([^"]+)"')
_FOREIGN_GRID = b"r=a*i/(1-b*i)"
_KEPT = ("run.abi", "run.abo", "run.log")
"""Files of a run that `log` keeps."""


class AbinitEngine:
    """Plane-wave DFT with ABINIT.

    Args:
        settings: Of the calculations.
        title: Name of the preset or file that they come from, for people.

    Raises:
        MissingDependencyError: if atomate2, abipy or the data sets are not installed.
        InputError: if there is no executable, or no PAW data sets are found.
    """

    name = "abinit"
    evidence: Evidence = "DFT"
    batch = 1

    def __init__(self, settings: DFTSettings, title: str = "") -> None:
        self._command, release = _executable()
        self._files = data_sets(shipped_folders(), self.name)
        self.settings = settings
        self._log = None if settings.log is None else log_folder(settings.log)
        label = f"ABINIT {release}, {settings.functional}, {settings.cutoff:g} eV"
        self.label = f"{label} ({title})" if title else label
        checksums = data_checksum(tuple(sorted(self._files.values())))
        self.fingerprint = content_key(self.name, release, checksums, INPUT_VERSION, settings.method())

    def check_elements(self, symbols: Iterable[str]) -> None:
        """Refuse elements without a PAW data set, or with one that ABINIT cannot read: gpaw-data's of the lanthanides.

        Raises:
            InputError: naming them.
        """
        asked = sorted({*symbols})
        check_data_sets(asked, frozenset(self._files), shipped_folders(), self.name)
        if refused := [symbol for symbol in asked if not _is_readable(self._files[symbol])]:
            raise InputError(
                "engine.name", self.name, problem=f"cannot read the PAW data set of {', '.join(refused)}: its radial "
                "grid is none of ABINIT's", hint="take gpaw for these elements",
            )  # fmt: skip

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """See `Engine.evaluate`.

        Raises:
            InputError: if an element has no PAW data set, before anything is computed.
        """
        self._check(structures)
        return [self._evaluate(structure) for structure in structures]

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """See `Engine.relax`; ABINIT keeps the symmetry of the start in any case.

        Raises:
            InputError: as `evaluate`, and for an external pressure.
        """
        if settings.pressure:
            raise InputError(
                "pressure", settings.pressure, problem="is not offered by the engine abinit", allowed="0 GPa"
            )
        self._check(structures)
        return [self._relax(structure, settings) for structure in structures]

    def _check(self, structures: Sequence[Structure]) -> None:
        for structure in structures:
            if structure.is_ordered:  # disorder is the structure's own error
                self.check_elements(site.specie.symbol for site in structure)

    def _evaluate(self, structure: Structure) -> Evaluation:
        with _core_seconds() as spent:
            try:
                found = self._run(run_static, structure, self.settings.cutoff, "energy")
            except Exception as error:  # an error of ABINIT's ends this structure, not the batch
                return Evaluation.failed(error, spent())
            energy = found.energy / len(structure)
            return Evaluation(energy, found.forces, found.stress, spent(), notes=found.notes)

    def _relax(self, structure: Structure, settings: RelaxSettings) -> Relaxation:
        with _core_seconds() as spent:
            try:
                found = self._run(run_relax, structure, self.settings.relax_cutoff, "relax", settings=settings)
            except Exception as error:  # as above
                return Relaxation.failed(structure, error, core_seconds=spent())
            end = self._evaluate(found.structure)
            if end.error is not None:
                reason = f"energy of the relaxed structure: {end.error}"
                return Relaxation(
                    structure, None, np.inf, np.inf, found.steps, False, spent(), reason, end.is_transient
                )
            force = float(np.linalg.norm(found.forces, axis=1).max())
            stress = float(np.abs(found.stress).max()) / GPa if settings.relax_cell else 0.0
            return Relaxation(
                found.structure, end.energy_per_atom, force, stress, found.steps, found.is_converged, spent(),
                notes=tuple(dict.fromkeys((*found.notes, *end.notes))), forces=end.forces, stress=end.stress,
            )  # fmt: skip

    def _run(
        self, run: Callable[..., Finished], structure: Structure, cutoff: float, purpose: str, **more: Any
    ) -> Finished:
        atoms_of(structure, frozenset(self._files))  # refuses disorder and overlapping atoms
        settings = self.settings
        values = variables(settings, cutoff, kpoint_mesh(structure, settings.kpoint_density), self._moments(structure))
        with tempfile.TemporaryDirectory(prefix="ninefold-abinit-") as name:
            folder = Path(name)

            def attempt(values: dict[str, Any]) -> Finished:
                try:
                    return run(structure, self._files, values, cutoff, settings.smearing, self._command, folder, **more)
                finally:
                    self._keep(folder, structure, purpose)

            try:
                found = attempt(values)
            except NoSymmetryError:
                found = attempt(values | WITHOUT_SYMMETRY)
                found = replace(found, notes=(*found.notes, "computed without symmetry: ABINIT found no group"))
        return replace(found, structure=structure) if run is run_static else found

    def _moments(self, structure: Structure) -> list[float] | None:
        symbols = [site.specie.symbol for site in structure]
        if self.settings.spin == "none":
            return None
        is_forced = self.settings.spin == "polarised" or is_lone_atom(structure)
        return forced_moments(symbols) if is_forced else starting_moments(symbols)

    def _keep(self, folder: Path, structure: Structure, purpose: str) -> None:
        if self._log is None:
            return
        for number, run in enumerate(sorted((folder / "work").glob("job_*"))):
            kept = self._log / f"{structure.composition.reduced_formula}-{structure.num_sites}-{purpose}-{number}"
            kept.mkdir(parents=True, exist_ok=True)
            for name in _KEPT:
                if (run / name).exists():
                    shutil.copyfile(run / name, kept / name)


def abinit(settings: EngineSettings) -> AbinitEngine:
    """The engine; `engine.model` is a preset of `configs/dft/` or a file of settings."""
    return AbinitEngine(read_dft_settings(settings.model, "ABINIT"), Path(settings.model or "").stem)


@functools.lru_cache(maxsize=128)
def _is_readable(file: Path) -> bool:
    """Whether the radial grid of a data set is one that ABINIT knows."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return not any(grid.replace(b" ", b"") == _FOREIGN_GRID for grid in _GRID.findall(content))


def _executable() -> tuple[str, str]:
    """ABINIT's command, as atomate2 knows it, and its version."""
    for package in ("atomate2", "abipy"):
        if find_spec(package) is None:
            raise MissingDependencyError("engine.name", "abinit", package, "abinit")
    from atomate2 import SETTINGS

    command = str(SETTINGS.ABINIT_CMD)
    path = shutil.which(command)
    if path is None:
        raise InputError(
            "engine.name", "abinit", problem=f"cannot be started: {command} is not found",
            hint="make setup-abinit (Debian: apt-get install abinit), or name it in ATOMATE2_ABINIT_CMD",
        )  # fmt: skip
    return command, _version(path)


@functools.lru_cache(maxsize=4)
def _version(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
        words = done.stdout.split()
    except (OSError, subprocess.TimeoutExpired) as error:
        words, reason = [], str(error)
    else:
        reason = (done.stderr.strip().splitlines() or ["it does not tell its version"])[-1][:120]
    if not words or not words[-1][0].isdigit():
        raise InputError("engine.name", "abinit", problem=f"cannot be started: {path}: {reason}")
    return words[-1]


@contextmanager
def _core_seconds() -> Iterator[Callable[[], float]]:
    """Processor time of this process and of what it has started, since the beginning."""

    def now() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    start = now()
    yield lambda: now() - start
