"""Jobs of `ninefold vibrations`: planned, one job for each phase, gathered into the candidates' minima."""

from __future__ import annotations

from typing import Any

from jobflow import Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import vibration_tasks
from ninefold.flows.best_phases import plan_shards
from ninefold.flows.compute import compute_shard
from ninefold.flows.followed import store_followed
from ninefold.flows.shards import WHATEVER_IS_THERE, Settings, Shard, each_line, side_by_side, stage_of
from ninefold.flows.tasks import records_of
from ninefold.flows.vibration_plan import plan_of
from ninefold.models.composition import CompositionRecord
from ninefold.models.search import MinimaRecord
from ninefold.models.vibrations import VibrationRecord
from ninefold.stages import vibrations
from ninefold.stages.followed import has_left
from ninefold.stages.verify_plan import REFERENCE
from ninefold.stages.vibrations import VibrationsSettings
from ninefold.store import open_store


@job(name="plan vibrations")
def plan_vibrations(campaign: Settings, store: str, settings: Settings) -> dict[str, Any]:
    """Choose the phases.

    Args:
        campaign: As plain values.
        store: Its address.
        settings: `VibrationsSettings` as plain values.

    Returns:
        `shards`; `left_out`, names and reasons; `attempt`.
    """
    screened, asked = parse_campaign(campaign), VibrationsSettings.model_validate(settings)
    with open_store(store, mode="write") as opened:
        plan = plan_of(opened, screened, asked)
        order = sorted(plan.phases, key=lambda phase: -phase.supercell_atoms * phase.displacements)
        lines = (phase.line() for phase in order)
        return plan_shards(
            opened, screened, asked.method, vibrations.STAGE, lines, asked.phases_per_job, plan.left_out
        )  # fmt: skip


@job(name="compute vibrations")
def compute_vibrations(
    campaign: Settings, store: str, shards: list[Shard], method: int, settings: Settings
) -> Response:
    """Replace itself by a job for each shard.

    Args:
        campaign: As plain values, the method among its methods.
        store: Its address.
        shards: Of phases.
        method: Its place among the campaign's methods.
        settings: `VibrationsSettings` as plain values.
    """
    jobs = [compute_vibrations_of(campaign, store, shard, method, settings) for shard in shards]
    return side_by_side(jobs, "vibrations")


@job(name="compute vibrations of phases")
def compute_vibrations_of(
    campaign: Settings, store: str, shard: Shard, method: int, settings: Settings
) -> Shard | None:
    """The phases of a shard; each line is handed on with `vibrations`, the id of a `VibrationRecord`."""
    return compute_shard(
        campaign, store, shard, stage_of(vibrations.STAGE.name, parse_campaign(campaign), method),
        vibration_tasks.vibrations_one, method, settings,
        counts_of=vibrations.counts, unit="phases", method=method,
        handed_on=lambda _, line, found: {**line, "vibrations": found.id},
    )  # fmt: skip


@job(name="gather vibrations", config=WHATEVER_IS_THERE)
def gather_vibrations(
    campaign: Settings, store: str, planned: dict[str, Any], computed: list[Shard | None] | None
) -> dict[str, Any]:
    """Let lower structures take their saddle points' places among the candidates' minima.

    Args:
        campaign: As plain values.
        store: Its address.
        planned: Output of `plan_vibrations`.
        computed: Lines with the ids of what was found.

    Returns:
        `vibrations`, ids; `moved`, ids of compositions whose minima have changed; `left_out`.
    """
    moved, ids = [], []
    with open_store(store, mode="write") as opened:
        for line in each_line(opened, computed):
            record = records_of(opened, VibrationRecord, [line["vibrations"]])[line["vibrations"]]
            ids.append(record.id)
            if line["role"] == REFERENCE or not has_left(record):
                continue
            # a verification's or an import's minima are those of another method, and stay as they are
            found = records_of(opened, MinimaRecord, [line["minima"]])[line["minima"]]
            composition = records_of(opened, CompositionRecord, [line["id"]])[line["id"]]
            if found.method == record.method and store_followed(opened, found, composition.to_assignment()):
                moved.append(line["id"])
    return {"vibrations": ids, "moved": moved, "left_out": planned["left_out"]}
