"""Computing a shard: one task for each of its lines, counted, what the machine failed told as faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.flows.counting import Faults, counted, errors_as_fault
from ninefold.flows.progress import announce
from ninefold.flows.runner import Task, run_tasks
from ninefold.flows.shards import Settings, Shard, key_of, lines_of, shard_of
from ninefold.flows.workplace import Failure
from ninefold.store import open_store

if TYPE_CHECKING:
    from ninefold.stages.stage import Counts
    from ninefold.store import Store

Line = dict[str, Any]
"""Of a shard: plain values, `label` among them, which names it to people."""


def compute_shard(
    campaign: Settings,
    store: str,
    shard: Shard,
    stage: str,
    task: Task,
    *arguments: Any,
    counts_of: Callable[[Any], Counts],
    handed_on: Callable[[Store, Line, Any], Line | None],
    failed: Line | None = None,
    unit: str = "compositions",
    after: str | None = None,
    method: int = 0,
) -> Shard | None:
    """Run a task for each line of a shard, and hand on the lines with what has been found.

    Args:
        campaign: As plain values.
        store: Its address.
        shard: What is computed.
        stage: With its round or method, as in `FunnelRecord`.
        task: Called with a workplace, the line and the arguments.
        arguments: The same for each line.
        counts_of: A result -> what the funnel counts of it.
        handed_on: Store, line and result -> the line of the next stage; None where there is none.
        failed: What a line is handed on with after a failure; the next stage counts it then. None where it is not
            handed on: it counts as one that went in.
        unit: Of the counts.
        after: The stage that it follows, if it is none of ninefold's own.
        method: Its place among the campaign's methods.

    Returns:
        The lines handed on, in the order of the shard; None where something unforeseen ended the whole shard.
    """
    name, key, attempt = parse_campaign(campaign).name, key_of(shard), shard["attempt"]
    with open_store(store, mode="write") as opened, errors_as_fault(opened, name, stage, key, attempt):
        lines, faults = lines_of(opened, shard), Faults(opened, name, stage, attempt)
        found: dict[int, Line | None] = {}
        with counted(opened, name, stage, key, attempt=attempt, is_of_facts=True, after=after, method=method) as funnel:
            funnel.unit = unit
            for index, result in _each(campaign, store, stage, task, lines, arguments, unit):
                line = lines[index]
                if isinstance(result, Failure):
                    funnel.count_in += failed is None
                    faults.add(line["label"], result.reason, funnel)
                    found[index] = None if failed is None else line | failed
                else:
                    faults.clear(line["label"])
                    funnel.add(counts_of(result))
                    found[index] = handed_on(opened, line, result)
        rest = [kept for index in sorted(found) if (kept := found[index]) is not None]
        return shard_of(opened, rest, attempt, key)
    return None


def _each(
    campaign: Settings, store: str, stage: str, task: Task, lines: list[Line], arguments: tuple[Any, ...], unit: str
) -> Iterator[tuple[int, Any]]:
    """Index and result of each line, as they finish, telling the progress."""
    announce(stage, 0, len(lines), unit=unit)
    results = run_tasks(task, [(line, *arguments) for line in lines], campaign, store)
    for done, (index, result) in enumerate(results, start=1):
        yield index, result
        line = lines[index]
        announce(stage, done, len(lines), unit=unit, note=line.get("name") or line["label"].split()[0])
