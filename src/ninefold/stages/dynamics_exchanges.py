"""Ligands that go to each other's places in the crystal, in all runs of a candidate: rates and barriers by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.statistics.rates import ANY, Rate, combined
from ninefold.models.dynamics import AnionExchanges, ExchangeKind, ExchangesAt
from ninefold.stages.dynamics_law import barrier_of, rate_300, rate_interval

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis
    from ninefold.dynamics.anions.rates_by_anion import AnionRates
    from ninefold.dynamics.anions.site_exchange import ExchangeRate, SiteExchanges
    from ninefold.stages.dynamics_runs import Settled


def exchanges_of(shells: Mapping[Settled, DynamicsAnalysis]) -> tuple[list[AnionExchanges], list[str]]:
    """Exchanges of each kind of anion.

    Args:
        shells: What the anions do in each run whose shells could be followed; of one crystal, in one cell.

    Returns:
        One for each kind of anion, and why there is none.
    """
    from ninefold.dynamics.barriers import site_exchange_problem

    problem = site_exchange_problem(list(shells.values()))
    if problem is not None:
        return [], [f"no barrier of site exchange: {problem}"]
    by_kelvin: dict[float, list[SiteExchanges]] = {}
    for run, found in shells.items():
        if found.site_exchanges is not None:
            by_kelvin.setdefault(run.temperature_K, []).append(found.site_exchanges)
    if not by_kelvin:
        return [], []
    first = next(iter(shells.values()))
    return [_of_anion(group, by_kelvin) for group in first.anions.groups], []


def _of_anion(group: AnionRates, by_kelvin: Mapping[float, list[SiteExchanges]]) -> AnionExchanges:
    own = [rate for some in by_kelvin.values() for one in some for rate in one.rates if rate.anion == group.name]
    seen = {kind: sum(rate.rate.events for rate in own if rate.kind == kind) for kind in {rate.kind for rate in own}}
    kinds = sorted(seen, key=lambda kind: (kind != ANY, -seen[kind], kind))
    return AnionExchanges(
        anion=group.name, count=len(group.centres),
        fractional=list(group.fractional) if np.isfinite(group.fractional).all() else None,
        kinds=[
            _of_kind(
                kind,
                {kelvin: combined([one.rate(group.name, kind) for one in some]) for kelvin, some in by_kelvin.items()},
                [rate for rate in own if rate.kind == kind],
            )
            for kind in kinds
        ],
    )  # fmt: skip


def _of_kind(kind: str, rates: Mapping[float, Rate], seen: Sequence[ExchangeRate]) -> ExchangeKind:
    return ExchangeKind(
        kind=kind,
        displacement=_mean_displacement(seen),
        temperatures=[
            ExchangesAt(temperature_K=kelvin, events=rate.events, anion_ps=rate.time_ps, rate=rate_interval(rate))
            for kelvin, rate in sorted(rates.items())
        ],
        barrier=barrier_of(rates)[0],
        rate_300=rate_300(rates),
    )  # fmt: skip


def _mean_displacement(seen: Sequence[ExchangeRate]) -> float | None:
    events = sum(one.rate.events for one in seen)
    return sum(one.displacement * one.rate.events for one in seen) / events if events else None
