"""Molecular dynamics of candidates by VASP: the flow of `ninefold dynamics candidates` with VASP's jobs as its runs.

    settings = {"method": {"name": "vasp", "model": "mpgga"}, "only": ["K2ReH9"], "picoseconds": 5}
    maker = vasp_dynamics_maker(settings, VaspMaker(vasp_cmd="mpirun -n 32 vasp_std"))
    flow = maker.make(campaign.to_dict(), "sqlite:///ninefold.db")

Each run is one job of VASP from the candidate's minimum. What its vasprun.xml holds is stored as the pieces of a run by
any engine, and analysed as these are; a run that is stored is not computed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.flows import dynamics_tasks
from ninefold.flows.compute import Line, compute_shard
from ninefold.flows.dynamics_makers import DynamicsMaker, RunsMaker
from ninefold.flows.shards import WHATEVER_IS_THERE, Settings, Shard, lines_of, method_name
from ninefold.flows.vasp import VaspMaker
from ninefold.flows.workplace import Failure, Workplace, isolated, method_of
from ninefold.models.dynamics import TrajectoryRecord
from ninefold.stages import dynamics
from ninefold.stages.dynamics import VASP, DynamicsSettings
from ninefold.stages.stage import name_with
from ninefold.store import open_store

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass
class VaspRunsMaker(RunsMaker):
    """Runs by VASP, a job each.

    Args:
        name: Of the flow.
        vasp_maker: How VASP is started; its settings are those of the dynamics' method.
    """

    name: str = "runs by VASP"
    vasp_maker: VaspMaker = field(default_factory=VaspMaker)

    def make(self, campaign: dict[str, Any], store: str, shards: Any, method: int, settings: dict[str, Any]) -> Flow:
        """See `RunsMaker.make`."""
        asked = DynamicsSettings.model_validate(settings)
        if asked.method.name != VASP:
            raise InputError("method", asked.method.title, problem="is not computed by VASP's jobs",
                             allowed="vasp:SETTINGS")  # fmt: skip
        maker = replace(self.vasp_maker, mode="static", settings=asked.method.model or self.vasp_maker.settings)
        run = run_by_vasp(campaign, store, shards, method, settings, maker)
        return Flow([run], output=run.output, name=self.name)


def vasp_dynamics_maker(settings: dict[str, Any], vasp_maker: VaspMaker) -> DynamicsMaker:
    """A `DynamicsMaker` whose runs VASP makes.

    Args:
        settings: `DynamicsSettings` as plain values; its method is `{"name": "vasp", "model": ...}`.
        vasp_maker: How VASP is started.
    """
    return DynamicsMaker(settings={**settings, "runs_per_job": 1}, runs_maker=VaspRunsMaker(vasp_maker=vasp_maker))


@job(name="run dynamics by VASP")
def run_by_vasp(
    campaign: Settings, store: str, shards: list[Shard], method: int, settings: Settings, maker: VaspMaker
) -> Response:
    """Replace itself by a job of VASP for each run that is not stored, and one that stores it.

    Args:
        campaign: As plain values, the method among its methods.
        store: Its address.
        shards: Of one run each.
        method: Its place among the campaign's methods.
        settings: `DynamicsSettings` as plain values.
        maker: How VASP is started.

    Raises:
        InputError: if VASP cannot be started or a potential is missing, before any of its jobs is queued.
    """
    asked = DynamicsSettings.model_validate(settings)
    of_method = method_of(parse_campaign(campaign).methods[method]).id
    with open_store(store, mode="write") as opened:
        lines = [lines_of(opened, shard)[0] for shard in shards]
        subjects = [dynamics_tasks.subject_of(opened, "", line, of_method, asked) for line in lines]
        known = [
            len(dynamics_tasks.known_pieces(opened, subject, dynamics_tasks.run_ids(subject, asked, line)))
            == asked.pieces
            for subject, line in zip(subjects, lines, strict=True)
        ]
    cells = [one.structure.to_structure().make_supercell(one.repeats, in_place=False) for one in subjects]
    wanted = [cell for cell, is_known in zip(cells, known, strict=True) if not is_known]
    if wanted:
        maker.check(wanted)
    parts: list[Any] = []
    outputs = []
    for shard, line, cell, is_known in zip(shards, lines, cells, known, strict=True):
        made = None if is_known else dynamics_job(maker, cell, asked, line)
        folder = None if made is None else made.output.dir_name
        kept = keep_run(campaign, store, shard, method, settings, folder)
        parts += [kept] if made is None else [made, kept]
        outputs.append(kept.output)
    if not parts:
        return Response(output=[])
    return Response(replace=Flow(parts, output=outputs, name="VASP dynamics"))


def dynamics_job(maker: VaspMaker, cell: Structure, settings: DynamicsSettings, line: Line) -> Any:
    """atomate2's job of one run.

    Args:
        maker: How VASP is started, and its settings.
        cell: The supercell.
        settings: Of the dynamics.
        line: Of the run: `temperature_K`, `replica`, `label`.
    """
    from atomate2.vasp.jobs.md import MDMaker

    from ninefold.engines.vasp_settings import dynamics_set, read_vasp_settings

    run = settings.run(line["temperature_K"], line["replica"])
    inputs = dynamics_set(
        cell, read_vasp_settings(maker.settings), run.temperature_K,
        settings.pieces * settings.piece_frames * settings.save_every, run.time_step_fs, run.friction_per_ps,
        run.isotope, run.seed,
    )  # fmt: skip
    made = MDMaker(
        name=f"dynamics {line['label']}", input_set_generator=inputs,
        run_vasp_kwargs=maker.run_kwargs(moves="dynamics"), stop_children_kwargs={"handle_unsuccessful": "error"},
    ).make(cell)  # fmt: skip
    return made


@job(name="keep a run of VASP", config=WHATEVER_IS_THERE)
def keep_run(
    campaign: Settings, store: str, shard: Shard, method: int, settings: Settings, folder: str | None
) -> Shard | None:
    """Store the pieces of a run; its line is handed on with `trajectory`.

    Args:
        campaign: As above, as the store, shard, method and settings.
        store: As above.
        shard: Of the run.
        method: As above.
        settings: As above.
        folder: Of VASP's job; None where it failed, or where the run is stored already.
    """
    stage = name_with(dynamics.STAGE.name, method_name(parse_campaign(campaign), method))
    return compute_shard(
        campaign, store, shard, stage, store_run, method, settings, folder,
        counts_of=dynamics.counts, unit="runs", method=method,
        handed_on=lambda _, line, found: {**line, "trajectory": found.id},
    )  # fmt: skip


@isolated
def store_run(
    place: Workplace, line: Line, method: int, settings: Settings, folder: str | None
) -> TrajectoryRecord | Failure:
    """The last piece of a run, all of them stored; a failure where VASP came to no end."""
    from ninefold.flows.tasks import store_result
    from ninefold.flows.vasp_frames import pieces_of

    store, asked = place.store, DynamicsSettings.model_validate(settings)
    subject = dynamics_tasks.subject_of(
        store, place.campaign.name, line, method_of(place.campaign.methods[method]).id, asked
    )
    if folder is not None:
        try:
            for result in pieces_of(folder, subject, asked, line):
                store_result(store, result)
        except InputError as error:
            return Failure(f"VASP's run cannot be used: {error}")
    known = dynamics_tasks.known_pieces(store, subject, dynamics_tasks.run_ids(subject, asked, line))
    if len(known) < asked.pieces:
        return Failure("VASP came to no end of the run; its folder tells why")
    return known[-1]
