"""How many queue jobs there is work for: pure functions of what waits and of what the cluster allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ninefold.clusters.settings import Cluster, QueueResources
from ninefold.stages.stage import ResourceKind

LEAST_FILLED = 0.25
"""Share of its working time for which a queue job should have work: a larger one packs short jobs into fewer queue jobs
and waits longer for the last of them, a smaller one asks the scheduler for time that nobody uses."""


class Demand(NamedTuple):
    """Work of one kind."""

    waiting: int
    """Jobs that could start now and that no worker has."""
    running: int = 0
    """Jobs that workers have; they fill queue jobs that are there already."""
    minutes: float | None = None
    """What is expected of all waiting and running jobs together, each on one of the places of a queue job; None where
    nothing has been measured, and each is then taken to fill a place of its own."""


class DemandSource(Protocol):
    """What counts the work: the launchpad, or a test."""

    def demand(self) -> Mapping[ResourceKind, Demand]:
        """Work by kind of resource; a kind without work may be left out.

        Raises:
            NinefoldError: if it cannot be counted now; that is tried again.
        """
        ...

    def paused(self) -> Sequence[str]:
        """Campaigns that are paused, which may go on at any time."""
        ...

    def hindrances(self) -> Sequence[str]:
        """What keeps work from becoming ready, for people."""
        ...


def queue_jobs_for(demand: Demand, needs: QueueResources) -> int:
    """Queue jobs that the work of a kind can fill, without regard to limits.

    Args:
        demand: Of the kind.
        needs: What one queue job of the kind is, from `Cluster.of`.
    """
    jobs = demand.waiting + demand.running
    if demand.waiting == 0 or jobs == 0:
        return 0
    places = needs.jobs_at_once or 1
    most = math.ceil(jobs / places)
    if demand.minutes is None:
        return most
    filled = LEAST_FILLED * places * needs.working_seconds / 60
    return max(1, min(most, math.ceil(demand.minutes / filled)))


def to_submit(
    cluster: Cluster, demand: Mapping[ResourceKind, Demand], alive: Mapping[ResourceKind, int]
) -> dict[ResourceKind, int]:
    """Queue jobs to submit now, by kind.

    Where the cluster's limit is too low for all kinds, each kind gets one in turn.

    Args:
        cluster: Its limits and what its queue jobs are.
        demand: Work by kind; a kind that the cluster does not run counts for nothing.
        alive: Queue jobs that wait or run, by kind.
    """
    missing = {}
    for kind in cluster.resources.kinds:
        needs, has = cluster.of(kind), alive.get(kind, 0)
        wanted = queue_jobs_for(demand.get(kind, Demand(0)), needs)
        missing[kind] = max(0, min(wanted, needs.max_queue_jobs or wanted) - has)
    free = max(0, cluster.max_queue_jobs - sum(alive.values()))
    chosen: dict[ResourceKind, int] = dict.fromkeys(missing, 0)
    while free > 0 and any(missing.values()):
        for kind in missing:
            if free > 0 and missing[kind] > 0:
                chosen[kind] += 1
                missing[kind] -= 1
                free -= 1
    return {kind: count for kind, count in chosen.items() if count}
