"""Jobs of the reference phases: planned by the selection's chemical systems, relaxed some at a time, gathered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import tasks
from ninefold.flows.compute import Line, compute_shard
from ninefold.flows.counting import counted, tell_missing
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    each_line,
    forget_other_shards,
    key_of,
    shards_of,
    stage_of,
    systems_of,
    take,
)
from ninefold.flows.workplace import method_of
from ninefold.stages import references
from ninefold.stages.stage import tasks_per_job
from ninefold.store import open_store

if TYPE_CHECKING:
    from ninefold.models.reference import ReferenceRecord
    from ninefold.store import Store

PLAN = "0"
"""Shard of the funnel record that counts what has no structure to relax."""


@job(name="relax reference phases")
def relax_reference_phases(campaign: Settings, store: str, selected: list[Shard], method: int = 0) -> Response:
    """Replace itself by jobs that relax the competing phases of some chemical systems with a method, some each.

    With a DFT code each phase is a job of its own.

    Args:
        campaign: As plain values.
        store: Its address.
        selected: Compositions, whose systems these are.
        method: Its place among the campaign's methods; 0 is the search's.

    Returns:
        As output: see `gather_references`.
    """
    screened, attempt = parse_campaign(campaign), selected[0]["attempt"]
    stage = stage_of("references", screened, method)
    size = tasks_per_job(method_of(screened.methods[method]).evidence, references.PHASES_PER_JOB)
    with open_store(store, mode="write") as opened:
        systems = systems_of(opened, selected)
        names = sorted(references.phases_of(systems))
        lines = ({"name": name, "label": name} for name in names)
        shards = shards_of(opened, lines, size, attempt)
        with counted(opened, screened.name, stage, PLAN, attempt=attempt, is_of_facts=True, method=method) as funnel:
            take(funnel, references.missing_counts(systems))
        forget_other_shards(opened, screened.name, [stage], [PLAN, *map(key_of, shards)], attempt)
    jobs = [relax_references_of(campaign, store, shard, method) for shard in shards]
    gathered = gather_references(campaign, store, names, [part.output for part in jobs], method, attempt)
    return Response(replace=Flow([*jobs, gathered], output=gathered.output, name="references"))


@job(name="relax some reference phases")
def relax_references_of(campaign: Settings, store: str, shard: Shard, method: int) -> Shard | None:
    """Some reference phases relaxed with one of the campaign's methods."""
    stage = stage_of("references", parse_campaign(campaign), method)

    def handed_on(opened: Store, line: Line, record: ReferenceRecord) -> Line:
        opened.put("references", [record])
        return {**line, "reference": record.id}

    return compute_shard(
        campaign, store, shard, stage, tasks.relax_reference, method,
        counts_of=references.counts, handed_on=handed_on, unit="structures", method=method,
    )  # fmt: skip


@job(name="gather reference phases", config=WHATEVER_IS_THERE)
def gather_references(
    campaign: Settings, store: str, names: list[str], relaxed: list[Shard | None], method: int, attempt: int
) -> list[dict[str, Any]]:
    """What the hulls of a method take.

    Returns:
        `name` of each phase, and `reference`: the id of its record, or None where the machine failed.
    """
    screened = parse_campaign(campaign)
    stage = stage_of("references", screened, method)
    with open_store(store, mode="write") as opened:
        found = {line["name"]: line["reference"] for line in each_line(opened, relaxed)}
        tell_missing(opened, screened.name, [stage], "some reference phases", None in relaxed, attempt)
    return [{"name": name, "reference": found.get(name)} for name in names]
