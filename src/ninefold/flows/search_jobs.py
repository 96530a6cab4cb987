"""Jobs of the structure search: pools and searches of some compositions, minima with further methods."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import tasks
from ninefold.flows.compute import Line, compute_shard
from ninefold.flows.rows import Step, write_rows
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    divided,
    each_line,
    side_by_side,
    stage_of,
)
from ninefold.flows.workplace import method_of
from ninefold.models.composition import CompositionRecord
from ninefold.models.search import MinimaRecord
from ninefold.stages import build, energies, prescreen
from ninefold.stages.row import candidate_row
from ninefold.stages.stage import Counts, name_with, tasks_per_job
from ninefold.store import open_store
from ninefold.store.records import read

if TYPE_CHECKING:
    from ninefold.store import Store

NOT_BUILT = "no pool of structures: it could not be built"
"""Reason in the funnel of a search that could not begin."""


@job(name="search structures")
def search_structures(campaign: Settings, store: str, shards: list[Shard], number: int) -> Response:
    """Replace itself by a build and a prescreen job for each shard of compositions; with a budget, by lanes of them.

    Args:
        campaign: As plain values, here and in every job.
        store: Its address, likewise.
        shards: Compositions of the round.
        number: Of the round.
    """
    if number == 1 and parse_campaign(campaign).execution.budget is not None:
        from ninefold.flows.release_jobs import released_search

        return Response(replace=released_search(campaign, store, shards))
    jobs, searched = [], []
    for shard in shards:
        built = build_structures(campaign, store, shard, number)
        prescreened = prescreen_structures(campaign, store, built.output, number)
        jobs += [built, prescreened]
        searched.append(prescreened.output)
    return Response(replace=Flow(jobs, output=searched, name="structure search"))


@job(name="build structures")
def build_structures(campaign: Settings, store: str, shard: Shard, number: int) -> Shard | None:
    """Generate structures for a shard of compositions and settle them with the ionic force field."""
    return compute_shard(
        campaign, store, shard, name_with("build", number), tasks.build_one, number,
        counts_of=build.counts,
        handed_on=lambda _, line, pool: {**line, "pool": pool.id},
        failed={"pool": None},
        unit="structures",
    )  # fmt: skip


@job(name="prescreen structures", config=WHATEVER_IS_THERE)
def prescreen_structures(campaign: Settings, store: str, shard: Shard | None, number: int) -> Shard | None:
    """Single points, coarse relaxations and refinements with the search's engine."""
    if shard is None:
        return None
    method, attempt = method_of(parse_campaign(campaign).engine), shard["attempt"]

    def handed_on(opened: Store, line: Line, result: Any) -> Line | None:
        if result is None:
            return None
        search, minima = result
        composition = read(opened, CompositionRecord, line["id"])
        if composition is not None:  # a later selection may have dropped it
            row = candidate_row(composition, method, read(opened, MinimaRecord, minima))
            write_rows(opened, [row], Step.SEARCHED, attempt, number)
        return {**line, "searches": [*line["searches"], search.id], "minima": minima}

    return compute_shard(
        campaign, store, shard, name_with("prescreen", number), tasks.prescreen_one, number,
        counts_of=_counts_of_search, handed_on=handed_on,
    )  # fmt: skip


@job(name="relax minima")
def relax_minima(campaign: Settings, store: str, assessed: dict[str, Any], method: int) -> Response:
    """Replace itself by a job for each shard of compositions, which relaxes their minima with a further method.

    Args:
        campaign: As plain values.
        store: Its address.
        assessed: What the search's last hull handed on.
        method: Its place among the campaign's methods.
    """
    screened = parse_campaign(campaign)
    size = tasks_per_job(method_of(screened.methods[method]).evidence, screened.execution.compositions_per_job)
    with open_store(store, mode="write") as opened:
        lines = (
            {key: value for key, value in line.items() if key != "row"}
            for line in each_line(opened, assessed["shards"])
            if line["row"]["structures_found"]
        )
        attempt, stage = assessed["attempt"], stage_of("energies", screened, method)
        shards = divided(opened, screened.name, stage, lines, size, attempt)
    jobs = [relax_minima_of(campaign, store, shard, method) for shard in shards]
    return side_by_side(jobs, "energies")


@job(name="relax minima of some compositions")
def relax_minima_of(campaign: Settings, store: str, shard: Shard, method: int) -> Shard | None:
    """Minima of some compositions relaxed to the end with a further method."""
    stage = stage_of("energies", parse_campaign(campaign), method)
    return compute_shard(
        campaign, store, shard, stage, tasks.relax_minima_one, method,
        counts_of=energies.counts,
        handed_on=lambda _, line, relaxed: {**line, "minima": relaxed.id},
        method=method,
    )  # fmt: skip


def _counts_of_search(result: Any) -> Counts:
    if result is None:
        return Counts(count_in=1, reasons=Counter({NOT_BUILT: 1}))
    search, _ = result
    return prescreen.counts(search)
