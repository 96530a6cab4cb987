"""Jobs of `ninefold compress`: planned, the structures of each method in shards of their own, computed."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from jobflow import Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import compress as tasks
from ninefold.flows.compute import compute_shard
from ninefold.flows.shards import Settings, Shard, divided, side_by_side, stage_of
from ninefold.flows.verify_plan import check_finished
from ninefold.stages import compress
from ninefold.stages.compress import CompressSettings
from ninefold.store import open_store


@job(name="plan compression")
def plan_compression(campaign: Settings, store: str, settings: Settings) -> dict[str, Any]:
    """Choose the structures, those with most atoms first: none of them is left alone at the end.

    Args:
        campaign: As plain values.
        store: Its address.
        settings: `CompressSettings` as plain values.

    Returns:
        `shards`, pairs of a method's place among the campaign's and a shard of structures.
    """
    screened, asked = parse_campaign(campaign), CompressSettings.model_validate(settings)
    with open_store(store, mode="write") as opened:
        lines = tasks.plan(opened, screened, asked)
        attempt = check_finished(opened, screened.name).attempt
        lines.sort(key=lambda line: (line["method"], -line["nsites"]))
        shards: list[tuple[int, Shard]] = []
        for method, some in groupby(lines, key=lambda line: line["method"]):
            stage = stage_of(compress.COMPRESS.name, screened, method)
            of_method = divided(opened, screened.name, stage, some, asked.structures_per_job, attempt)
            shards += [(method, shard) for shard in of_method]
        return {"shards": shards}


@job(name="compress")
def compress_structures(campaign: Settings, store: str, shards: list[tuple[int, Shard]]) -> Response:
    """Replace itself by a job for each shard.

    Args:
        campaign: As plain values.
        store: Its address.
        shards: Of structures, each behind its method's place among the campaign's.
    """
    return side_by_side(
        [compress_structures_of(campaign, store, shard, method) for method, shard in shards], "compress"
    )


@job(name="compress structures")
def compress_structures_of(campaign: Settings, store: str, shard: Shard, method: int) -> Shard | None:
    """The structures of a shard; each line is handed on with `state`, the id of a `PropertyRecord`."""
    return compute_shard(
        campaign, store, shard, stage_of(compress.COMPRESS.name, parse_campaign(campaign), method), tasks.compress_one,
        method,
        counts_of=compress.counts, unit="structures", method=method,
        handed_on=lambda _, line, found: {**line, "state": found.id},
    )  # fmt: skip
