"""A million candidates on a hundred nodes, simulated from measured rates: what becomes the bottleneck, and when.

python benchmarks/million.py [--candidates 1000000] [--nodes 100] ... Every number that was measured stands in
`Rates`, with where; docs/scaling.md discusses the result.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import json
import math
from dataclasses import dataclass

PARTS = (0.1, 0.9)
"""Jobs of a shard, built and searched: their shares of its core time."""


@dataclass(frozen=True)
class Rates:
    """Measured on one machine of two cores, the server (FerretDB on PostgreSQL) beside the workers."""

    core_seconds_per_candidate: float = 73.0
    """One search with CHGNet: 33 searches of the demo (ninefold.flows.estimate)."""
    documents_per_candidate: float = 80.0
    """Written for each search: calculations, structures, pool, search, minima, row; of the demo's store."""
    documents_per_second: float = 3800.0
    """That the server takes, on one core (docs/mongodb.md)."""
    server_cores: int = 1
    """That the database has to itself."""
    seconds_per_job: float = 0.3
    """In the server for one job, without the workflow's document."""
    bytes_per_job_in_workflow: float = 75.0
    """The workflow's document is written anew at the end of each of its jobs, by one process at a time."""
    bytes_per_second: float = 20e6
    """Of such a document: encoded, sent, stored."""
    plan_seconds_per_candidate: float = 0.0025
    """Enumeration, rules, a row: one process."""
    blobs_per_candidate: float = 1.0
    """Pools."""
    queue_seconds: float = 30.0
    """From a queue job's submission to its first job, where the queue is free."""


@dataclass(frozen=True)
class Site:
    """The cluster."""

    nodes: int = 100
    cores: int = 32
    wall_hours: float = 24.0
    shard_seconds: float = 3600.0
    most_shards: int = 1000
    """Of one workflow, as `ninefold submit` plans them."""
    campaigns: int = 1
    """That the candidates are divided among, each planned and locked by itself; by centre no hull is cut."""


@dataclass(frozen=True)
class Outcome:
    """What a campaign takes."""

    hours: float
    """Wall time."""
    busy: float
    """Share of the time for which the cores compute."""
    plan_hours: float
    jobs: int
    queue_jobs: int
    blobs: int
    """Pools: files, or GridFS in a database."""
    workflow_MB: float
    documents_per_second: float
    """Asked of the server while the cores compute."""
    load: dict[str, float]
    """Resource -> what is asked of it, as a share of what it can do; above 1 the workers wait for it."""

    @property
    def bottleneck(self) -> str:
        """What is asked for most."""
        return max(self.load, key=lambda name: self.load[name])


def simulate(candidates: int, site: Site, rates: Rates) -> Outcome:
    """Shards through workers; at the end of each job its workflow's document is written, by one process at a time.

    Args:
        candidates: That pass the rules.
        site: Whose workers, one on each core.
        rates: What each step takes.
    """
    workers, most = site.nodes * site.cores, site.most_shards * site.campaigns
    size = max(1, round(site.shard_seconds / rates.core_seconds_per_candidate), math.ceil(candidates / most))
    shards = [size] * (candidates // size) + ([candidates % size] if candidates % size else [])
    jobs = len(PARTS) * len(shards)
    plan = candidates / site.campaigns * rates.plan_seconds_per_candidate
    document = jobs / site.campaigns * rates.bytes_per_job_in_workflow
    locked = document / rates.bytes_per_second + rates.seconds_per_job
    free_at = [plan] * site.campaigns  # the lock of each workflow
    waiting = iter(enumerate(shards))
    events: list[tuple[float, int, int]] = []  # a job ends: when, its shard, which part of it

    def begin(time: float) -> None:
        if (following := next(waiting, None)) is not None:
            place, number = following
            heapq.heappush(events, (time + PARTS[0] * number * rates.core_seconds_per_candidate, place, 0))

    for _ in range(min(workers, len(shards))):
        begin(plan + rates.queue_seconds)
    end = plan
    while events:
        time, place, part = heapq.heappop(events)
        lock = place % site.campaigns
        end = free_at[lock] = max(free_at[lock], time) + locked
        if part + 1 < len(PARTS):
            seconds = PARTS[part + 1] * shards[place] * rates.core_seconds_per_candidate
            heapq.heappush(events, (end + seconds, place, part + 1))
        else:
            begin(end)
    end = max(free_at)
    seconds = end - plan
    computed = candidates * rates.core_seconds_per_candidate
    documents = candidates * rates.documents_per_candidate / seconds
    return Outcome(
        hours=end / 3600, busy=computed / (seconds * workers), plan_hours=plan / 3600, jobs=jobs,
        queue_jobs=math.ceil(seconds / 3600 / site.wall_hours) * site.nodes,
        blobs=round(candidates * rates.blobs_per_candidate), documents_per_second=documents,
        workflow_MB=document / 1e6,
        load={
            "shards for the workers": workers / len(shards),
            "database writes": documents / (rates.documents_per_second * rates.server_cores),
            "lock of a workflow": jobs / site.campaigns * locked / seconds,
            "server's time for jobs": jobs * rates.seconds_per_job / seconds / rates.server_cores,
            "planning before the first shard": plan / end,
        },
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    for made in (Site(), Rates()):
        for field in dataclasses.fields(made):
            value = getattr(made, field.name)
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    site = Site(**{field.name: given[field.name] for field in dataclasses.fields(Site)})
    rates = Rates(**{field.name: given[field.name] for field in dataclasses.fields(Rates)})
    outcome = simulate(given["candidates"], site, rates)
    print(json.dumps({**dataclasses.asdict(outcome), "bottleneck": outcome.bottleneck}, indent=2))


if __name__ == "__main__":
    main()
