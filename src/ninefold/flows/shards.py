"""What jobs hand to each other: shards of compositions, as lines of plain values in a blob; and tasks over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jobflow import JobConfig, OnMissing

from ninefold.flows.progress import announce
from ninefold.flows.runner import run_tasks
from ninefold.models.lines import decode_lines, encode_lines

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.models.composition import CompositionRecord
    from ninefold.stages.stage import Counts
    from ninefold.store import Store

Settings = dict[str, Any]
"""A campaign as plain values."""
Shard = dict[str, Any]
"""Some compositions: `blob`, the name of their lines in the store; `count`; and `key`, which names the shard in every
stage."""

WHATEVER_IS_THERE = JobConfig(on_missing_references=OnMissing.NONE)
"""Of a job that waits for many: one that failed leaves a gap and does not stop the others."""


def each(
    campaign: Settings,
    store: str,
    stage: str,
    task: Any,
    items: list[Any],
    *arguments: Any,
    unit: str = "compositions",
) -> Iterator[tuple[int, Any]]:
    """Run a task for each item where the executor says, telling the progress."""
    announce(stage, 0, len(items), unit=unit)
    results = run_tasks(task, [(item, *arguments) for item in items], campaign, store)
    for done, (index, result) in enumerate(results, start=1):
        yield index, result
        item = items[index]
        announce(stage, done, len(items), unit=unit, note=item if isinstance(item, str) else item["label"].split()[0])


def line_of(composition: CompositionRecord) -> dict[str, Any]:
    """What a search needs of a composition that has not been searched."""
    return {
        "id": composition.id, "label": composition.label, "assignment": composition.assignment, "searches": [],
        "minima": None,
    }  # fmt: skip


def shards_of(store: Store, lines: list[dict[str, Any]], size: int) -> list[Shard]:
    """Lines as shards of a size at most."""
    return [shard_of(store, lines[start : start + size]) for start in range(0, len(lines), size)]


def shard_of(store: Store, lines: list[dict[str, Any]], key: str | None = None) -> Shard:
    """Lines as a blob; a shard keeps its key through the stages."""
    blob = store.blobs.put(encode_lines(lines))
    return {"blob": blob, "count": len(lines), "key": key or blob[:12]}


def lines_of(store: Store, shard: Shard) -> list[dict[str, Any]]:
    """The lines of a shard."""
    return decode_lines(store.blobs.get(shard["blob"]))


def key_of(shard: Shard) -> str:
    """What names a shard in the funnel."""
    return str(shard["key"])


def forget_other_shards(store: Store, campaign: str, stages: Iterable[str], shards: list[Shard]) -> None:
    """Drop counts of shards that the compositions are no longer divided into, which would count twice."""
    keys = {shard["key"] for shard in shards}
    for stage in stages:
        for row in store.find("funnel", equal={"campaign": campaign, "stage": stage}, fields=["id", "shard"]):
            if row["shard"] not in keys:
                store.delete("funnel", equal={"id": row["id"]})


def method_name(campaign: Campaign, method: int) -> str | None:
    """How a further method stands behind a stage's name; the search's own has none."""
    return None if method == 0 else campaign.method_titles[method]


def take(funnel: Counts, counts: Counts) -> None:
    """Counts that a stage has made itself."""
    funnel.unit = counts.unit
    funnel.add(counts)
