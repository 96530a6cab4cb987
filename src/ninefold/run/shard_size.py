"""How many compositions a job takes: by measured rates, and by the jobs that a cluster runs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.store import Store

SHARD_SECONDS = 3600.0
"""Core-seconds of a shard: long beside the 5 s that a job's start and end take, short beside a queue's wall time."""
LEAST_SECONDS = 60.0
"""Core-seconds of a shard below which places of the cluster do not make it smaller."""
SHARDS_PER_PLACE = 4
"""Shards of the first round for each job that the cluster runs at once: the last ones end at about the same time, and
a later round, which searches half as many compositions, still has work for all places."""
MOST_SHARDS = 1000
"""Shards of a stage at most: FireWorks writes a document of the whole workflow at each step of each job."""


def with_shards(campaign: Campaign, store: Store, seconds: float, places: int | None = None) -> Campaign:
    """A campaign whose shards take some core-seconds each, by measured rates; its results do not depend on it.

    Where that makes fewer than `SHARDS_PER_PLACE` for each place of a cluster, they are smaller, but not below
    `LEAST_SECONDS`. Without rates, the campaign's own size stays.
    """
    from ninefold.enumeration import enumerate_assignments
    from ninefold.flows.estimate import estimate, measured_rates
    from ninefold.rules import load_rule_set, selectivity
    from ninefold.stages.own import columns_of

    rules = load_rule_set(campaign.rules, extra_columns=columns_of(campaign.stages))
    kept = selectivity(rules, (table for space in campaign.space for table in enumerate_assignments(space))).kept
    size = campaign.execution.compositions_per_job
    if (rates := measured_rates(campaign, store)) is not None:
        each = estimate(campaign, max(1, kept), rates).core_seconds_per_search.middle
        if places is not None:
            seconds = min(seconds, max(each * kept / (places * SHARDS_PER_PLACE), LEAST_SECONDS))
        size = min(max(1, round(seconds / each)), max(1, kept))
    size = min(max(size, -(-kept // MOST_SHARDS)), 100_000)
    return campaign.model_copy(
        update={"execution": campaign.execution.model_copy(update={"compositions_per_job": size})}
    )
