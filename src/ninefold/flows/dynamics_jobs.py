"""Jobs of `ninefold dynamics candidates`: planned, run as one task for each run, analysed candidate by candidate."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jobflow import Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import dynamics_tasks
from ninefold.flows.best_phases import plan_shards
from ninefold.flows.compute import compute_shard
from ninefold.flows.counting import Faults
from ninefold.flows.dynamics_plan import plan_of
from ninefold.flows.progress import announce
from ninefold.flows.runner import run_tasks
from ninefold.flows.shards import WHATEVER_IS_THERE, Settings, Shard, each_line, side_by_side, stage_of
from ninefold.flows.workplace import Failure
from ninefold.stages import dynamics
from ninefold.stages.dynamics import DynamicsSettings
from ninefold.stages.stage import Counts
from ninefold.store import open_store


@job(name="plan dynamics")
def plan_dynamics(campaign: Settings, store: str, settings: Settings) -> dict[str, Any]:
    """Choose candidates and supercells.

    Args:
        campaign: As plain values.
        store: Its address.
        settings: `DynamicsSettings` as plain values.

    Returns:
        `shards`, one line for each run; `left_out`, names and reasons; `attempt`.
    """
    screened, asked = parse_campaign(campaign), DynamicsSettings.model_validate(settings)
    with open_store(store, mode="write") as opened:
        plan = plan_of(opened, screened, asked)
        order = sorted(plan.candidates, key=lambda one: -one.steps * one.n_atoms)
        lines = (line for one in order for line in one.lines(asked))
        return plan_shards(opened, screened, asked.method, dynamics.STAGE, lines, asked.runs_per_job, plan.left_out)


@job(name="compute dynamics")
def compute_dynamics(campaign: Settings, store: str, shards: list[Shard], method: int, settings: Settings) -> Response:
    """Replace itself by a job for each shard.

    Args:
        campaign: As plain values, the method among its methods.
        store: Its address.
        shards: Of runs.
        method: Its place among the campaign's methods.
        settings: `DynamicsSettings` as plain values.
    """
    return side_by_side([compute_dynamics_of(campaign, store, shard, method, settings) for shard in shards], "dynamics")


@job(name="run dynamics")
def compute_dynamics_of(campaign: Settings, store: str, shard: Shard, method: int, settings: Settings) -> Shard | None:
    """Some runs; each line is handed on with `trajectory`, the id of its last piece.

    Args:
        campaign: As plain values, the method among its methods.
        store: Its address.
        shard: Of runs.
        method: Its place among the campaign's methods.
        settings: `DynamicsSettings` as plain values.
    """
    return compute_shard(
        campaign, store, shard, stage_of(dynamics.STAGE.name, parse_campaign(campaign), method),
        dynamics_tasks.run_one, method, settings,
        counts_of=dynamics.counts, unit="runs", method=method,
        handed_on=lambda _, line, found: {**line, "trajectory": found.id},
    )  # fmt: skip


@job(name="analyse dynamics", config=WHATEVER_IS_THERE)
def analyse_dynamics(
    campaign: Settings, store: str, planned: dict[str, Any], runs: list[Shard | None] | None, method: int,
    settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """Analyse the runs of each candidate together, where all of them are there.

    Args:
        campaign: As plain values, the method among its methods.
        store: Its address.
        planned: Output of `plan_dynamics`.
        runs: Those that came to their end.
        method: Its place among the campaign's methods.
        settings: `DynamicsSettings` as plain values.

    Returns:
        `dynamics`, ids of `DynamicsRecord`; `left_out`.
    """
    screened = parse_campaign(campaign)
    stage = stage_of(dynamics.STAGE.name, screened, method)
    ids = []
    with open_store(store, mode="write") as opened:
        by_candidate: dict[str, list[dict[str, Any]]] = {}
        for line in each_line(opened, runs):
            by_candidate.setdefault(line["id"], []).append(line)
        asked = Counter(line["id"] for line in each_line(opened, planned["shards"]))
        # of what is not complete a fault tells; analysed in part it would leave a result that nobody asked for
        each = [lines for key, lines in by_candidate.items() if len(lines) == asked[key]]
        faults = Faults(opened, screened.name, stage, planned["attempt"])
        tasks = [(lines[0], lines, method, settings) for lines in each]
        for done, (index, found) in enumerate(run_tasks(dynamics_tasks.analyse_one, tasks, campaign, store), start=1):
            what = f"analysis of {each[index][0]['name']}"
            if isinstance(found, Failure):
                faults.add(what, found.reason, Counts())
            else:
                faults.clear(what)
                ids.append(found.id)
            announce("analysis of dynamics", done, len(each), unit="candidates", note=each[index][0]["name"])
    return {"dynamics": sorted(ids), "left_out": planned["left_out"]}
