"""What jobs hand to each other: shards of compositions, as lines of plain values in a blob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from jobflow import Flow, JobConfig, OnMissing, Response

from ninefold.models.composition import unpack_assignment
from ninefold.models.lines import decode_lines, encode_lines
from ninefold.stages.stage import name_with

if TYPE_CHECKING:
    from jobflow import Job

    from ninefold.campaign.model import Campaign
    from ninefold.models.composition import CompositionRecord
    from ninefold.stages.stage import Counts
    from ninefold.store import Store

Settings = dict[str, Any]
"""A campaign as plain values."""
Shard = dict[str, Any]
"""Some compositions: `blob`, the name of their lines in the store; `count`; `key`, which names the shard in every
stage; and `attempt`, the number of the run that the jobs belong to, which decides whose rows and counts stay."""

WHATEVER_IS_THERE = JobConfig(on_missing_references=OnMissing.NONE)
"""Of a job that waits for many: one that failed leaves a gap and does not stop the others."""


def side_by_side(jobs: Sequence[Job], name: str) -> Response:
    """What a job gives that replaces itself by others, none of which waits for another.

    Args:
        jobs: One for each shard; there may be none.
        name: Of the flow that they make.

    Returns:
        With the outputs of the jobs, in their order, as output.
    """
    if not jobs:
        return Response(output=[])
    return Response(replace=Flow(list(jobs), output=[each.output for each in jobs], name=name))


def line_of(composition: CompositionRecord) -> dict[str, Any]:
    """What a search needs of a composition that has not been searched."""
    budget = {"is_low_budget": True} if composition.is_low_budget else {}
    return {
        "id": composition.id, "label": composition.label, "assignment": composition.assignment, "searches": [],
        "minima": None, **budget,
    }  # fmt: skip


def is_low_budget(line: Mapping[str, Any]) -> bool:
    """Whether a line's composition is one that a complete search adds."""
    return bool(line.get("is_low_budget"))


def shards_of(store: Store, lines: Iterable[dict[str, Any]], size: int, attempt: int) -> list[Shard]:
    """Lines as shards of a size at most; no more than one shard is held at once."""
    remaining = iter(lines)
    return [shard_of(store, some, attempt) for some in iter(lambda: list(islice(remaining, size)), [])]


def shard_of(store: Store, lines: Sequence[dict[str, Any]], attempt: int, key: str | None = None) -> Shard:
    """Lines as a blob; a shard keeps its key through the stages."""
    blob = store.blobs.put(encode_lines(lines))
    return {"blob": blob, "count": len(lines), "key": key or blob[:12], "attempt": attempt}


def lines_of(store: Store, shard: Shard) -> list[dict[str, Any]]:
    """The lines of a shard."""
    return decode_lines(store.blobs.get(shard["blob"]))


def each_line(store: Store, shards: Iterable[Shard | None] | None) -> Iterator[dict[str, Any]]:
    """The lines of some shards, one shard after another; what is missing is left out."""
    for shard in shards or ():
        if shard is not None:
            yield from lines_of(store, shard)


def systems_of(store: Store, shards: Iterable[Shard]) -> list[tuple[str, ...]]:
    """Chemical systems of the compositions of some shards, sorted."""
    lines = each_line(store, shards)
    return sorted({tuple(sorted(unpack_assignment(line["assignment"]).amounts)) for line in lines})


def key_of(shard: Shard) -> str:
    """What names a shard in the funnel."""
    return str(shard["key"])


def forget_other_shards(store: Store, campaign: str, stages: Iterable[str], keys: Iterable[str], attempt: int) -> None:
    """Drop counts of shards that an attempt does not divide the compositions into, which would count twice.

    Args:
        store: Where the counts are.
        campaign: Its name.
        stages: Each with its round or method.
        keys: Of the shards that count.
        attempt: Whose shards; counts of a later one stay.
    """
    kept, fields = set(keys), ["id", "shard", "attempt"]
    for stage in stages:
        for row in store.find("funnel", equal={"campaign": campaign, "stage": stage}, fields=fields):
            if row["shard"] not in kept and (row["attempt"] or 0) <= attempt:
                store.delete("funnel", equal={"id": row["id"], "attempt": row["attempt"]})


def divided(
    store: Store, campaign: str, stage: str, lines: Iterable[dict[str, Any]], size: int, attempt: int
) -> list[Shard]:
    """Lines as shards that an attempt has of a stage; what is counted of others is dropped.

    Args:
        store: Takes the lines.
        campaign: Its name.
        stage: With its round or method.
        lines: In the order in which they are computed.
        size: Of a shard at most.
        attempt: Whose shards.
    """
    shards = shards_of(store, lines, size, attempt)
    forget_other_shards(store, campaign, (stage,), map(key_of, shards), attempt)
    return shards


def stage_of(name: str, campaign: Campaign, method: int) -> str:
    """A stage with one of the campaign's methods behind its name, as in `FunnelRecord`."""
    return name_with(name, method_name(campaign, method))


def method_name(campaign: Campaign, method: int) -> str | None:
    """How a further method stands behind a stage's name; the search's own has none."""
    return None if method == 0 else campaign.method_titles[method]


def take(funnel: Counts, counts: Counts) -> None:
    """Counts that a stage has made itself."""
    funnel.unit = counts.unit
    funnel.add(counts)
