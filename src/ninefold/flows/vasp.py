"""VASP through atomate2's jobs, with settings for hydrides on top, as a part of a flow.

    maker = VaspMaker(settings="mpgga", vasp_cmd="mpirun -n 32 vasp_std")
    maker.check(structure)             # executable and potentials, before anything is queued
    run_locally(maker.make(structure), store=JobStore(MemoryStore(), additional_stores={"data": MemoryStore()}))

The output of a flow is what `run_of` turns into an `ImportedRun`: the same form as that of `ninefold import`, so that
VASP run here and VASP run elsewhere are one method if their settings are the same.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jobflow import Flow, Maker, Response, job

from ninefold.errors import InputError, MissingDependencyError, NinefoldError, listed

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.vasp_settings import VaspSettings
    from ninefold.imported.run import ImportedRun

Mode = Literal["relax", "static", "labels"]
TABLES = {"PBE": "POT_GGA_PAW_PBE", "PBE_64": "POT_PAW_PBE_64"}
"""Release of POTCARs -> folder that pymatgen looks for below PMG_VASP_PSP_DIR."""


class VaspRunError(NinefoldError):
    """VASP came to no converged energy, with custodian's means."""


@dataclass
class VaspMaker(Maker):
    """Relaxation twice and a static energy, a static energy alone, or single points as labels.

    Args:
        name: Of the flow.
        settings: A set of `configs/vasp/` or a YAML file of the user's.
        mode: relax: two relaxations and a static run (MPGGA or MP24, PBEsol before r2SCAN; a relaxation starts on the
            plane waves of its first cell, hence twice). static: the structure as it stands. labels: MatPES single
            points of PBE, then of r2SCAN, to fit a potential to.
        vasp_cmd: How VASP is started.
        vasp_gamma_cmd: The same for one k-point; None: `vasp_cmd`.
        max_errors: Corrections of custodian before a run is given up.
        frozen_seconds: Without a new line of output before custodian kills and restarts VASP.
        custodian: More settings of custodian.
    """

    name: str = "VASP"
    settings: str = "mpgga"
    mode: Mode = "relax"
    vasp_cmd: str = "vasp_std"
    vasp_gamma_cmd: str | None = None
    max_errors: int = 10
    frozen_seconds: int = 21600
    custodian: dict[str, Any] = field(default_factory=dict)

    def make(self, structure: Any) -> Flow:
        """The flow of a structure; its output is a dict of plain values, which `run_of` reads.

        Args:
            structure: As pymatgen's, or the output of a job that will be one.
        """
        from pymatgen.core import Structure

        if not isinstance(structure, Structure):
            later = make_when_known(self, structure)
            return Flow([later], output=later.output, name=self.name)
        made = self._flow(structure, self._read())
        return Flow(
            [made[0], made[1]], output=made[1].output, name=f"{self.name} {structure.composition.reduced_formula}"
        )

    def check(self, structures: Iterable[Structure]) -> None:
        """Whether VASP can be started and has a potential for every element.

        Raises:
            InputError: naming the executable, the folder of potentials, or the elements.
            MissingDependencyError: if atomate2 or custodian is not installed.
        """
        _check_packages()
        settings = self._read()
        if self.mode == "relax" and settings.protocol == "MatPES":
            raise InputError(
                "mode", self.mode, problem=f"is not for the protocol MatPES ({self.settings})",
                allowed="labels or static", hint="settings: mpgga or mp24 relax",
            )  # fmt: skip
        for command in (self.vasp_cmd, self.vasp_gamma_cmd or self.vasp_cmd):
            _check_executable(command)
        _check_potentials(structures, settings)

    def _read(self) -> VaspSettings:
        from ninefold.engines.vasp_settings import read_vasp_settings

        _check_packages()
        return read_vasp_settings(self.settings)

    def _flow(self, structure: Structure, settings: VaspSettings) -> tuple[Any, Any]:
        """Atomate2's flow or job with our input sets and fresh handlers in every part, and the job that ends it."""
        from atomate2.vasp.flows.matpes import MatPesStaticFlowMaker
        from atomate2.vasp.flows.mp import MP24DoubleRelaxStaticMaker, MPGGADoubleRelaxStaticMaker
        from atomate2.vasp.jobs.mp import MP24StaticMaker, MPGGAStaticMaker

        from ninefold.engines.vasp_settings import input_set, read_vasp_settings

        def part(maker: Any, purpose: Any, of: VaspSettings = settings, functional: str | None = None) -> Any:
            return replace(
                maker, input_set_generator=input_set(structure, of, purpose, functional),
                run_vasp_kwargs=self._run_kwargs(is_relaxed=purpose == "relax"),
                stop_children_kwargs={"handle_unsuccessful": "error"},
            )  # fmt: skip

        if self.mode == "labels":
            of_pbe = settings if settings.protocol == "MatPES" else read_vasp_settings("matpes")
            labels = MatPesStaticFlowMaker()
            kept = of_pbe.model_copy(update={"incar": {**of_pbe.incar, "LWAVE": True}})  # r2SCAN starts from it
            labels.static1 = part(labels.static1, "static", kept, "PBE")
            labels.static2 = part(labels.static2, "static", of_pbe, "r2SCAN")
            flow = labels.make(structure)
            ended = gather_labels(flow.output, structure.composition.reduced_formula)
            return flow, ended
        if self.mode == "static":
            static = part(MP24StaticMaker() if settings.protocol == "MP24" else MPGGAStaticMaker(), "static")
            made = static.make(structure)
        elif settings.protocol == "MP24":
            double = MP24DoubleRelaxStaticMaker()
            inner = double.relax_maker
            first = part(inner.relax_maker1, "relax", settings, "PBEsol")
            double.relax_maker = replace(inner, relax_maker1=first, relax_maker2=part(inner.relax_maker2, "relax"))
            double.static_maker = part(double.static_maker, "static")
            made = double.make(structure)
        else:
            gga = MPGGADoubleRelaxStaticMaker()
            inner = gga.relax_maker
            gga.relax_maker = replace(
                inner, relax_maker1=part(inner.relax_maker1, "relax"), relax_maker2=part(inner.relax_maker2, "relax")
            )
            gga.static_maker = part(gga.static_maker, "static")
            made = gga.make(structure)
        return made, gather(made.output, structure.composition.reduced_formula)

    def _run_kwargs(self, *, is_relaxed: bool) -> dict[str, Any]:
        return {
            "vasp_cmd": self.vasp_cmd,
            "vasp_gamma_cmd": self.vasp_gamma_cmd or self.vasp_cmd,
            "max_errors": self.max_errors,
            "handlers": handlers(is_relaxed=is_relaxed, frozen_seconds=self.frozen_seconds),
            # some MPIs end with a code although VASP is done: the validators look at the files
            "custodian_kwargs": {"terminate_on_nonzero_returncode": False, **self.custodian},
        }


def handlers(*, is_relaxed: bool, frozen_seconds: int = 21600) -> list[Any]:
    """Custodian's handlers, new ones: they count errors, and atomate2's are shared by all jobs of a process.

    Args:
        is_relaxed: Whether atoms move.
        frozen_seconds: Without a new line of output before VASP is killed and started again.
    """
    from custodian.vasp import handlers as of

    common = [
        of.VaspErrorHandler(), of.MeshSymmetryErrorHandler(), of.UnconvergedErrorHandler(),
        of.NonConvergingErrorHandler(), of.PositiveEnergyErrorHandler(),
        of.FrozenJobErrorHandler(timeout=frozen_seconds), of.StdErrHandler(), of.LargeSigmaHandler(),
        of.IncorrectSmearingHandler(),
    ]  # fmt: skip
    return [*common, of.PotimErrorHandler()] if is_relaxed else common


@job(name="make VASP flow")
def make_when_known(maker: VaspMaker, structure: Any) -> Response:
    """Replace itself by the flow of a structure that an earlier job has made: its elements decide the settings."""
    flow = maker.make(structure)
    return Response(replace=flow)


@job(name="read VASP")
def gather(document: Any, formula: str) -> dict[str, Any]:
    """What the last run of a flow gave, as plain values.

    Args:
        document: atomate2's task document.
        formula: Of the structure that was asked for.

    Raises:
        VaspRunError: if it is no converged energy, whatever its state says.
    """
    return packed_task(document, formula)


@job(name="read VASP labels")
def gather_labels(documents: Mapping[str, Any], formula: str) -> dict[str, Any]:
    """By functional, what each single point gave."""
    found = [packed_task(documents[key], formula) for key in sorted(documents)]
    return {each["method"]["functional"]: each for each in found}


def packed_task(document: Any, formula: str) -> dict[str, Any]:
    """A task document as `run_of` takes it: the run's own vasprun.xml, read and checked as an import is."""
    from ninefold.imported.vasp import read_vasprun

    folder = Path(_attribute(document, "dir_name").split(":", 1)[-1])
    files = sorted(folder.glob("vasprun.xml*"))
    if not files:
        raise VaspRunError(f"VASP: {formula}: {folder} holds no vasprun.xml")
    try:
        run = read_vasprun(files[-1])
    except InputError as error:
        raise VaspRunError(f"VASP: {formula}: {error}") from error
    corrections = _corrections(document)
    notes = [*run.notes, *([f"custodian corrected: {listed(corrections, 6)}"] if corrections else [])]
    return {
        "structure": run.structure.as_dict(),
        "energy_per_atom": run.energy_per_atom,
        "forces": None if run.forces is None else run.forces.tolist(),
        "stress": run.stress,
        "steps": run.steps,
        "method": run.method.to_dict(),
        "potentials": dict(run.potentials),
        "source": str(files[-1]),
        "notes": notes,
    }


def run_of(packed: Mapping[str, Any]) -> ImportedRun:
    """The inverse of `packed_task`."""
    import numpy as np
    from pymatgen.core import Structure

    from ninefold.imported.run import ImportedMethod, ImportedRun

    own = dict(packed["method"])
    named = {key: own.pop(key) for key in ("code", "version", "functional", "corrections", "variant")}
    return ImportedRun(
        structure=Structure.from_dict(packed["structure"]),
        energy_per_atom=packed["energy_per_atom"],
        method=ImportedMethod(settings=own, **named),
        potentials=packed["potentials"],
        source=packed["source"],
        forces=None if packed["forces"] is None else np.asarray(packed["forces"]),
        stress=packed["stress"],
        steps=packed["steps"],
        notes=tuple(packed["notes"]),
    )


def _corrections(document: Any) -> list[str]:
    """Errors that custodian met in the last run, in its own words."""
    found = []
    for one in _attribute(document, "custodian") or ():
        for correction in _attribute(one, "corrections") or ():
            found += [str(error) for error in _attribute(correction, "errors") or ()]
    return list(dict.fromkeys(found))


def _attribute(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def _check_packages() -> None:
    for package in ("atomate2", "custodian"):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            raise MissingDependencyError("verify", "vasp", package, "cluster") from error


def _check_executable(command: str) -> None:
    words = shlex.split(os.path.expandvars(command))
    missing = [word for word in words[:1] if shutil.which(word) is None]
    # mpirun -n 4 vasp_std: what is started last is VASP, and must be there as well
    missing += [word for word in words[1:] if "vasp" in Path(word).name and shutil.which(word) is None]
    if not words or missing:
        raise InputError(
            "vasp_cmd", command, problem=f"cannot be started: {', '.join(missing) or 'nothing is named'} is not found",
            allowed="a command on PATH, or with its folder", hint="load the module of VASP first",
        )  # fmt: skip


def _check_potentials(structures: Iterable[Structure], settings: VaspSettings) -> None:
    """Refuse to begin without a folder of potentials, or without one of them."""
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
