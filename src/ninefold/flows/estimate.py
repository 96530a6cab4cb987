"""How long a campaign will take, from measured rates: its own store's, else those that ninefold ships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.errors import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ninefold.campaign.model import Campaign
    from ninefold.search.budget import SearchBudget
    from ninefold.store import Store

FEWEST = 5
"""Searches in a store from which rates are taken."""
MOST = 200
"""Searches that are looked at."""


class Range(NamedTuple):
    """Measurements: a tenth of them lie below `low`, a half below `middle`, nine tenths below `high`."""

    low: float
    middle: float
    high: float


class Rates(NamedTuple):
    """What a search costs."""

    per_structure: Range
    """Core-seconds to settle one structure of the pool with the force field."""
    per_relaxation: Range
    """Core-seconds of the engine for one relaxation, its share of the single points included."""
    origin: str
    """Where they were measured."""


SHIPPED: dict[str, Rates] = {
    "chgnet": Rates(
        Range(0.051, 0.075, 0.093),
        Range(2.0, 3.9, 5.3),
        "33 searches of ninefold's demo (7 to 36 atoms a cell, CHGNet 0.3.0, two busy cores of an x86 server)",
    )
}
"""Engine -> rates."""
PER_MINIMUM = {"sevennet": Range(1.5, 3.3, 7.0)}
"""Engine -> core-seconds to relax one minimum of a search to the end: of the demo, 7net-0, a busy x86 server."""


class Estimate(NamedTuple):
    """What a campaign takes, as far as rates tell."""

    searches: int
    """Of all rounds."""
    core_seconds_per_search: Range
    hours: Range
    """Wall clock with all workers busy."""
    workers: int
    origin: str
    left_out: tuple[str, ...] = ()
    """Further methods whose rates are not known."""
    low_budget: int = 0
    """Searches with the low budget of a complete search, beside the others."""
    core_seconds_per_low_budget: Range | None = None
    """Of one of these, further methods left out."""

    def summary(self) -> str:
        """One sentence with the rates and their source."""
        each, total = self.core_seconds_per_search, self.hours
        left_out = listed(["reference phases", *self.left_out], 6)
        more = ""
        if (low := self.core_seconds_per_low_budget) is not None:
            more = (
                f" and {self.low_budget:,} with a low budget, of some {low.middle:.0f} ({low.low:.0f} to "
                f"{low.high:.0f}), which complete the hulls"
            )
        return (
            f"about {_hours(total.middle)} ({_hours(total.low)} to {_hours(total.high)}) on {self.workers} "
            f"worker{'' if self.workers == 1 else 's'}: {self.searches:,} searches of some {each.middle:.0f} "
            f"({each.low:.0f} to {each.high:.0f}) core-seconds{more}; an estimate, {left_out} left out; "
            f"rates: {self.origin}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        low = self.core_seconds_per_low_budget
        return {
            "searches": self.searches, "workers": self.workers, "rates": self.origin,
            "core_seconds_per_search": self.core_seconds_per_search._asdict(), "hours": self.hours._asdict(),
            "low_budget_searches": self.low_budget,
            "core_seconds_per_low_budget_search": None if low is None else low._asdict(),
        }  # fmt: skip


def measured_rates(campaign: Campaign, store: Store | None = None) -> Rates | None:
    """The rates of a campaign's engine: from a store with enough searches by it, else the shipped ones, if any.

    Args:
        campaign: Whose engine.
        store: A store that may hold searches by the same engine.
    """
    found = None if store is None else _rates_of(store, campaign)
    return found or (SHIPPED.get(campaign.engine.name) if campaign.engine.model is None else None)


def per_search(budget: SearchBudget, rates: Rates) -> Range:
    """Core-seconds of one search of a composition: a budget times rates."""
    return Range(
        *(
            budget.pool * build + budget.most_relaxations * relax
            for build, relax in zip(rates.per_structure, rates.per_relaxation, strict=True)
        )
    )


def estimate(
    campaign: Campaign, compositions: int, rates: Rates, competitors: int = 0, low_budget: int = 0
) -> Estimate:
    """What the searches of a campaign and its further methods take: rates times its budgets.

    Args:
        campaign: Budgets, rounds and workers.
        compositions: That pass the rules.
        rates: See `measured_rates`.
        competitors: Made compounds that are searched beside them, in every round.
        low_budget: Compositions that a complete search adds.
    """
    from ninefold.search.allocation import in_round

    budget = campaign.structures
    each = per_search(budget, rates)
    low = per_search(campaign.budget_of(is_low=True), rates)
    searches = sum(in_round(compositions, number) + competitors for number in range(1, budget.rounds + 1))
    workers = campaign.execution.worker_count
    busy = max(1, min(workers, compositions))
    minima = (compositions + competitors) * budget.passed_on
    minima += low_budget * campaign.budget_of(is_low=True).passed_on
    further = [PER_MINIMUM[method.name] for method in campaign.energies if method.name in PER_MINIMUM]
    hours = (
        (searches * cost + low_budget * low[place] + minima * sum(rate[place] for rate in further)) / busy / 3600
        for place, cost in enumerate(each)
    )
    unknown = tuple(method.title for method in campaign.energies if method.name not in PER_MINIMUM)
    return Estimate(
        searches, each, Range(*hours), workers, rates.origin, unknown, low_budget, low if low_budget else None
    )


def _rates_of(store: Store, campaign: Campaign) -> Rates | None:
    pools: list[float] = []
    relaxations: list[float] = []
    wanted = campaign.engine.model_dump(mode="json")
    for document in store.find("campaigns"):
        stored = document["settings"].get("engine") or {}
        if {"kernels": "default"} | stored != wanted:  # a campaign may have been stored before there was a choice
            continue
        of_campaign = {"campaign": document["name"]}
        relaxations += _each(store, "searches", of_campaign, "relaxations")
        pools += _each(store, "pools", of_campaign, "count_in")
    if min(len(pools), len(relaxations)) < FEWEST:
        return None
    return Rates(_range(pools), _range(relaxations), f"{len(relaxations)} searches in {store.location}")


def _each(store: Store, collection: str, equal: Mapping[str, str], counted: str) -> list[float]:
    """Core-seconds for one of what a stored record counts, record by record."""
    values = store.find(collection, equal=equal, fields=["core_seconds", counted], limit=MOST)
    return [value["core_seconds"] / value[counted] for value in values if value.get(counted)]


def _range(values: list[float]) -> Range:
    ordered = sorted(values)
    return Range(*(ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.1, 0.5, 0.9)))


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{max(1, round(60 * hours))} min"
    return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"
