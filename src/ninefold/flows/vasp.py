"""VASP through atomate2's jobs, with settings for hydrides on top, as a part of a flow.

    maker = VaspMaker(settings="mpgga", vasp_cmd="mpirun -n 32 vasp_std")
    maker.check(structure)             # executable and potentials, before anything is queued
    run_locally(maker.make(structure), store=JobStore(MemoryStore(), additional_stores={"data": MemoryStore()}))

The output of a flow is what `run_of` turns into an `ImportedRun`: the same form as that of `ninefold import`, so that
VASP run here and VASP run elsewhere are one method if their settings are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from jobflow import Flow, Maker, Response, job

from ninefold.errors import InputError
from ninefold.flows.shards import WHATEVER_IS_THERE
from ninefold.flows.vasp_checks import check_executable, check_packages, check_potentials
from ninefold.flows.vasp_output import packed_task, run_of
from ninefold.store import public_address

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.vasp_settings import VaspSettings
    from ninefold.store.competition import ToCompute

Mode = Literal["relax", "static", "labels"]
Moves = Literal["none", "relaxation", "dynamics"]


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
        check_packages()
        settings = self._read()
        if self.mode == "relax" and settings.protocol == "MatPES":
            raise InputError(
                "mode", self.mode, problem=f"is not for the protocol MatPES ({self.settings})",
                allowed="labels or static", hint="settings: mpgga or mp24 relax",
            )  # fmt: skip
        for command in (self.vasp_cmd, self.vasp_gamma_cmd or self.vasp_cmd):
            check_executable(command)
        check_potentials(structures, settings)

    def _read(self) -> VaspSettings:
        from ninefold.engines.vasp_settings import read_vasp_settings

        check_packages()
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
                run_vasp_kwargs=self.run_kwargs(moves="relaxation" if purpose == "relax" else "none"),
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
        parts = [each for each, _ in made.iterflow()] if isinstance(made, Flow) else [made]
        told = [{"folder": each.output.dir_name, "custodian": each.output.custodian} for each in parts]
        return made, gather(made.output, structure.composition.reduced_formula, told)

    def run_kwargs(self, *, moves: Moves) -> dict[str, Any]:
        """How atomate2 starts VASP; see `handlers`."""
        return {
            "vasp_cmd": self.vasp_cmd,
            "vasp_gamma_cmd": self.vasp_gamma_cmd or self.vasp_cmd,
            "max_errors": self.max_errors,
            "handlers": handlers(moves=moves, frozen_seconds=self.frozen_seconds),
            # some MPIs end with a code although VASP is done: the validators look at the files
            # each job takes the first at least; the product is the time between two looks at a run
            "custodian_kwargs": {
                "terminate_on_nonzero_returncode": False,
                "polling_time_step": 2,
                "monitor_freq": 30,
                **self.custodian,
            },
        }


@dataclass
class VaspHullMaker(Maker):
    """Some structures by VASP, each on its own, and what came of them stored as an import is.

    Args:
        name: Of the flow.
        vasp_maker: Computes one structure.
    """

    name: str = "VASP hull"
    vasp_maker: VaspMaker = field(default_factory=VaspMaker)

    def make(self, items: Sequence[ToCompute], store: str, campaign: str | None = None) -> Flow:
        """The flow; its output says what was stored, what lies on a hull and what is missing for one.

        A structure that VASP came to no end with costs only itself.

        Args:
            items: Structures with what each is in the store, as `ninefold.store.competition.to_compute` finds them.
            store: Its address, which the last job must reach.
            campaign: Whose candidates these are.
        """
        flows = [self.vasp_maker.make(item.structure) for item in items]
        of = [{"kind": item.kind, "id": item.id, "name": item.name} for item in items]
        stored = store_runs(public_address(store), campaign, [flow.output for flow in flows], of)
        return Flow([*flows, stored], output=stored.output, name=self.name)


@job(name="store VASP runs", config=WHATEVER_IS_THERE)
def store_runs(
    store: str, campaign: str | None, packed: list[dict[str, Any] | None], of: list[dict[str, str]]
) -> dict[str, Any]:
    """Store what flows of `VaspMaker` gave, and make the hulls that it suffices for.

    Args:
        store: Its address.
        campaign: Name; None: calculations alone.
        packed: Outputs; None of a flow that failed.
        of: What each structure is in the store.
    """
    from dataclasses import asdict

    from ninefold.flows.importing import import_runs
    from ninefold.models.campaign import CampaignRecord
    from ninefold.store import open_store

    runs = [replace(run_of(each), of=item) for each, item in zip(packed, of, strict=True) if each is not None]
    with open_store(store, mode="write") as opened:
        document = None if campaign is None else opened.get("campaigns", campaign)
        record = None if document is None else CampaignRecord.model_validate(document)
        done = import_runs(opened, runs, record)
    lost = [item["name"] for each, item in zip(packed, of, strict=True) if each is None]
    return {**asdict(done), "lost": lost}


def handlers(*, moves: Moves, frozen_seconds: int = 21600) -> list[Any]:
    """Custodian's handlers, new ones: they count errors, and atomate2's are shared by all jobs of a process.

    Args:
        moves: Whether atoms move, and why. A run of dynamics that took all its steps is not unconverged.
        frozen_seconds: Without a new line of output before VASP is killed and started again.
    """
    from custodian.vasp import handlers as of

    from ninefold.flows.vasp_time import StopInTime

    of_energy = [] if moves == "dynamics" else [of.UnconvergedErrorHandler(), of.NonConvergingErrorHandler()]
    common = [
        of.VaspErrorHandler(), of.MeshSymmetryErrorHandler(), *of_energy, of.PositiveEnergyErrorHandler(),
        of.FrozenJobErrorHandler(timeout=frozen_seconds), of.StdErrHandler(), of.LargeSigmaHandler(),
        of.IncorrectSmearingHandler(),
    ]  # fmt: skip
    return [*common, of.PotimErrorHandler(), StopInTime()] if moves == "relaxation" else common


@job(name="make VASP flow")
def make_when_known(maker: VaspMaker, structure: Any) -> Response:
    """Replace itself by the flow of a structure that an earlier job has made: its elements decide the settings."""
    flow = maker.make(structure)
    return Response(replace=flow)


@job(name="read VASP")
def gather(document: Any, formula: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What the last run of a flow gave, as plain values.

    Args:
        document: atomate2's task document.
        formula: Of the structure that was asked for.
        runs: Of every run, in their order: its `folder`, and what `custodian` did.

    Raises:
        VaspRunError: if it is no converged energy, whatever its state says.
    """
    return packed_task(document, formula, runs)


@job(name="read VASP labels")
def gather_labels(documents: Mapping[str, Any], formula: str) -> dict[str, Any]:
    """By functional, what each single point gave."""
    found = [packed_task(documents[key], formula) for key in sorted(documents)]
    return {each["method"]["functional"]: each for each in found}
