"""What a record says of ligands whose exchanges of places were planted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_trajectories import M_H, crystal, vibration
from test_dynamics_jump_records import record_with

from ninefold.dynamics.analysis import DynamicsAnalysis, analyse
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.curves import curves_of
from ninefold.dynamics.statistics.rates import combined, fit_arrhenius, poisson_rate
from ninefold.models.dynamics import AnionExchanges, StoredInterval
from ninefold.report.dynamics_text import dynamics_facts
from ninefold.stages.dynamics_exchanges import exchanges_of
from ninefold.stages.dynamics_fields import row_values
from ninefold.stages.dynamics_runs import Settled

FRAMES = 8000
EVENTS = {(300.0, 0): 5, (300.0, 1): 7, (600.0, 0): 30}


def run_of(kelvin: float, replica: int, turns: int) -> tuple[Settled, DynamicsAnalysis]:
    """[BH4]- in a crystal that turns by a third, `turns` times."""
    vertices = isomers_of(4)["tetrahedron"].vertices
    rng = np.random.default_rng(round(kelvin) + replica)
    places, assignment = vertices, np.arange(4)
    vectors = np.repeat(places[None], FRAMES, axis=0)
    for start in np.linspace(200, FRAMES - 200, turns).astype(int) if turns else ():
        assignment = np.array([0, 2, 3, 1])[assignment]
        vectors[start:] = places[assignment]
    made = replace(crystal([M_H * (vectors + vibration(FRAMES, 4, 0.06, rng, 10))]), temperature_K=kelvin)
    steady = np.zeros(FRAMES)
    return Settled(kelvin, replica, made, 0, steady, np.full((FRAMES, 2), kelvin), None, 1.0), analyse(made, "Re")


@pytest.fixture(scope="module")
def shells() -> dict[Settled, DynamicsAnalysis]:
    return dict(run_of(kelvin, replica, turns) for (kelvin, replica), turns in EVENTS.items())


@pytest.fixture(scope="module")
def found(shells: dict[Settled, DynamicsAnalysis]) -> AnionExchanges:
    [anion], problems = exchanges_of(shells)
    assert problems == []
    return anion


def test_replicas_are_counted_together(found: AnionExchanges) -> None:
    assert (found.anion, found.count) == ("Re1", 1)
    assert [one.kind for one in found.kinds] == ["any", "turn"]
    for one in found.kinds:
        cold, hot = one.temperatures
        assert (cold.events, hot.events) == (12, 30)
        assert cold.anion_ps == pytest.approx(2 * FRAMES * 0.002)
        assert cold.rate.value == pytest.approx(12 / cold.anion_ps)
        assert one.displacement == pytest.approx(2 * np.sqrt(2) * M_H, rel=0.02)  # three edges of 2 √(2/3) M-H
        assert one.rate_300 == cold.rate


def test_the_barrier_is_that_of_the_rates(found: AnionExchanges, shells: dict[Settled, DynamicsAnalysis]) -> None:
    each = [one.site_exchanges for one in shells.values()]
    rates = [combined([one.rate("Re1") for one in some if one is not None]) for some in (each[:2], each[2:])]
    fit = fit_arrhenius([300.0, 600.0], rates)
    barrier = found.total.barrier
    assert barrier == StoredInterval(value=1000 * fit.barrier_eV, low=1000 * fit.low_eV, high=1000 * fit.high_eV)


def test_an_anion_that_stays_has_bounds() -> None:
    [anion], _ = exchanges_of(dict([run_of(300.0, 0, 0)]))
    [total] = anion.kinds
    high = poisson_rate(0, FRAMES * 0.002).high
    assert total.rate_300 == StoredInterval(high=high)
    assert total.displacement is None
    assert total.barrier is not None
    assert total.barrier.value is None
    assert total.barrier.low is not None
    assert total.barrier.low > 0


def test_a_kind_that_was_seen_too_seldom_has_no_barrier(shells: dict[Settled, DynamicsAnalysis]) -> None:
    cold = [run for run in shells if run.temperature_K == 300.0]
    [anion], _ = exchanges_of({run: shells[run] for run in cold})
    assert [one.barrier for one in anion.kinds] == [None, None], "one temperature alone"
    assert [one.rate_300 for one in anion.kinds] == [one.temperatures[0].rate for one in anion.kinds]


def test_without_places_nothing_is_said(shells: dict[Settled, DynamicsAnalysis]) -> None:
    first = next(iter(shells))
    exchanges = shells[first].site_exchanges
    assert exchanges is not None
    blurred = replace(shells[first], site_exchanges=replace(exchanges, separation=2.0))
    [problem] = exchanges_of({**shells, first: blurred})[1]
    assert problem.startswith("no barrier of site exchange: ligands have no places of their own at 300 K (half-way ")
    assert exchanges_of({}) == ([], [])
    group = shells[first].anions.groups[0]._replace(centres=(7,))
    other = replace(shells[first], anions=shells[first].anions._replace(groups=(group,)))
    [problem] = exchanges_of({**shells, first: other})[1]
    assert "the runs do not agree on which anions are alike: P" in problem


def test_centres_that_do_not_stay_have_no_place(shells: dict[Settled, DynamicsAnalysis]) -> None:
    first = next(iter(shells))
    group = shells[first].anions.groups[0]._replace(fractional=(float("nan"),) * 3)
    moving = replace(shells[first], anions=shells[first].anions._replace(groups=(group,)))
    [anion], _ = exchanges_of({first: moving})
    assert anion.fractional is None
    assert AnionExchanges.model_validate_json(anion.model_dump_json()) == anion


def test_pictures_of_replicas_that_do_not_agree_have_no_exchanges(shells: dict[Settled, DynamicsAnalysis]) -> None:
    first, second, _ = shells.values()
    assert curves_of(300.0, [first, second], {})["site_exchanges"][0]["events"] == 12
    group = first.anions.groups[0]._replace(name="Re2", centres=(7,))
    other = replace(second, anions=second.anions._replace(groups=(group,)))
    assert curves_of(300.0, [first, other], {})["site_exchanges"] is None


def test_a_row_has_those_of_the_anions_that_exchange_most(found: AnionExchanges) -> None:
    slow = found.total.model_copy(update={"rate_300": StoredInterval(value=1e-6, low=1e-7, high=1e-5)})
    still = found.model_copy(update={"anion": "Re2", "kinds": [slow]})
    record: Any = record_with(None, jumps=[], site_exchanges=[still, found])
    row = row_values(record)
    assert found.total.barrier is not None
    assert found.total.rate_300 is not None
    assert row["site_exchange_barrier"] == found.total.barrier.value
    assert row["site_exchange_barrier_low"] == found.total.barrier.low
    assert row["site_exchange_rate_300"] == found.total.rate_300.value
    assert row["site_exchange_rate_300_high"] == found.total.rate_300.high
    text = "\n".join(dynamics_facts(record.model_dump(mode="json")))
    assert "Ligands of Re1 (1 anion) that exchange places in the crystal, turn: barrier" in text
    silent = row_values(record.model_copy(update={"rung": "distilled", "is_claimed": False}))
    assert silent["site_exchange_barrier"] is silent["site_exchange_rate_300"] is None
