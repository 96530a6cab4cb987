"""What a record says of cations whose jumps were planted, and of paddle-wheel tests of several runs."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from planted_jumps import planted

from ninefold.dynamics.statistics.rates import BOLTZMANN, poisson_rate
from ninefold.models.dynamics import DynamicsRecord, IonJumps, PaddleWheelTest, StoredInterval
from ninefold.report.dynamics_text import dynamics_facts
from ninefold.stages import dynamics_jumps
from ninefold.stages.dynamics_fields import row_values
from ninefold.stages.dynamics_jumps import jumps_of
from ninefold.stages.dynamics_law import barrier_of
from ninefold.stages.dynamics_runs import Settled

BARRIER, PREFACTOR = 0.15, 8.0
"""eV; 1/ps."""
FRAMES, IONS = 6000, 8


def run_of(kelvin: float, replica: int, moves: bool = True) -> tuple[Settled, int]:
    """A run and how often its ions jump."""
    rate = PREFACTOR * math.exp(-BARRIER / BOLTZMANN / kelvin) if moves else 0.0
    seed = round(kelvin) + replica
    made = planted({"A": rate, "B": rate}, FRAMES, IONS, 0.2, kelvin, seed)
    steady = np.zeros(FRAMES)
    return Settled(kelvin, replica, made.trajectory, 0, steady, np.full((FRAMES, 2), kelvin), None, 1.0), len(
        made.jumps
    )


@pytest.fixture(scope="module")
def found() -> tuple[IonJumps, list[int]]:
    runs, counts = zip(run_of(600.0, 0), run_of(600.0, 1), run_of(900.0, 0), strict=True)
    [ion], problems = jumps_of(("Li",), runs, {})
    assert problems == []
    return ion, list(counts)


def test_jumps_of_replicas_are_counted_together(found: tuple[IonJumps, list[int]]) -> None:
    ion, (first, second, hot) = found
    cold_at, hot_at = ion.temperatures
    assert cold_at.jumps == pytest.approx(first + second, rel=0.02)
    assert hot_at.jumps == pytest.approx(hot, rel=0.02)
    assert cold_at.rate.value == poisson_rate(cold_at.jumps, cold_at.ion_ps).per_ps
    assert cold_at.ion_ps == pytest.approx(2 * IONS * FRAMES * 0.01, rel=0.02)
    assert [(kind.name, kind.count) for kind in ion.sites] == [("Li1", 8), ("Li2", 8)]
    assert set(cold_at.ways) == {"Li1 to Li2", "Li2 to Li1"}
    assert ion.paddle_wheel == [], "no shells, no test"


def test_the_planted_barrier_comes_back_and_gives_the_rate_at_300(found: tuple[IonJumps, list[int]]) -> None:
    ion, _ = found
    assert ion.barrier is not None
    assert ion.rate_300 is not None
    assert ion.barrier.low is not None
    assert ion.barrier.high is not None
    assert ion.barrier.low < 1000 * BARRIER < ion.barrier.high
    assert ion.barrier.value == pytest.approx(1000 * BARRIER, rel=0.15)
    true = PREFACTOR * math.exp(-BARRIER / BOLTZMANN / 300.0)
    assert ion.rate_300.low is not None
    assert ion.rate_300.high is not None
    assert ion.rate_300.low < true < ion.rate_300.high


def test_ions_that_stay_have_bounds() -> None:
    run, _ = run_of(600.0, 0, moves=False)
    # another ion on the empty sites' places would be one site fewer: an ion that jumps once makes them sites
    [ion], problems = jumps_of(("Li",), [run], {})
    assert problems == []
    [at] = ion.temperatures
    assert at.jumps == 0
    assert at.rate == StoredInterval(high=poisson_rate(0, at.ion_ps).high)
    assert ion.rate_300 == StoredInterval(high=at.rate.high)
    if at.attempts is None:
        assert ion.barrier is None
    else:
        assert at.rate.high is not None
        assert at.attempts.low is not None
        assert ion.barrier is not None
        assert ion.barrier.low == pytest.approx(1000 * BOLTZMANN * 600 * math.log(at.attempts.low / at.rate.high))


def test_a_cation_without_sites_is_told_and_the_others_stay(found: tuple[IonJumps, list[int]]) -> None:
    run, _ = run_of(600.0, 0)
    ions, problems = jumps_of(("K", "Li"), [run], {})
    assert [one.species for one in ions] == ["Li"]
    assert len(problems) == 1
    assert problems[0].startswith("no jumps of K:")


def test_without_attempts_there_is_no_bound() -> None:
    """A run too short for a vibration counts none of them."""
    silent = {600.0: poisson_rate(0, 100.0)}
    assert barrier_of(silent, 0.0) == barrier_of(silent, None) == (None, True)
    bound, _ = barrier_of(silent, 2.0)
    assert bound is not None
    assert bound.low == pytest.approx(1000 * BOLTZMANN * 600 * math.log(2.0 / poisson_rate(0, 100.0).high))


def coincidence(p: float | None, pairs: int = 12, expected: float = 4.0) -> Any:
    return SimpleNamespace(
        event="permutation", p_value=p, pairs=pairs, expected=expected, n_jumps=3, n_events=0,
        reason=None if p is not None else "3 jumps and 0 events, 10 of each are needed",
    )  # fmt: skip


def test_several_runs_are_one_test() -> None:
    """Two of 0.05 are 0.0175 by Fisher: x (1 - ln x) of their product; one that is not resolved adds nothing."""
    one = dynamics_jumps._test("permutation", [coincidence(0.05), coincidence(0.05), coincidence(None)])
    product = 0.05**2
    assert one.p == pytest.approx(product * (1 - math.log(product)))
    assert (one.tested_runs, one.pairs, one.expected) == (2, 24, 8.0)
    none = dynamics_jumps._test("permutation", [coincidence(None), coincidence(None)])
    assert none.p is None
    assert none.reason is not None
    assert "6 jumps and 0 permutations" in none.reason


def record_with(ion: IonJumps, **more: Any) -> DynamicsRecord:
    return DynamicsRecord.model_validate(
        {
            "id": "d", "campaign": "c", "label": "x", "method": "m", "engine": "e", "structure": "s", "evidence": "MD",
            "centre": "Mo", "n": 9, "isotope": "H", "time_step_fs": 0.5, "repeats": [1, 1, 1], "n_atoms": 10,
            "temperatures": [], "length_ps": 1.0, "replicas": 1, "is_too_short": True, "trajectories": ["t"],
            "core_seconds": 1.0, "created": "2026", "jumps": [ion], **more,
        }
    )  # fmt: skip


def test_rows_and_sentences_say_what_the_record_does(found: tuple[IonJumps, list[int]]) -> None:
    ion, _ = found
    tested = ion.model_copy(
        update={
            "paddle_wheel": [
                PaddleWheelTest(event="permutation", p=0.002, tested_runs=2, pairs=24, expected=8.0),
                PaddleWheelTest(event="turn", tested_runs=0, pairs=0, expected=0.0, reason="in no run: 9 jumps"),
            ]
        }
    )
    assert ion.barrier is not None
    assert ion.rate_300 is not None
    row = row_values(record_with(tested))
    assert row["cation_jump_barrier"] == ion.barrier.value
    assert row["cation_jump_rate_300_high"] == ion.rate_300.high
    assert row["paddle_wheel_p"] == 0.002
    text = "\n".join(dynamics_facts(record_with(tested).model_dump(mode="json")))
    assert "Jumps of Li with permutations of anions: p = 0.002, 24 pairs where 8 are expected by chance" in text
    assert "Jumps of Li with turns of anions: not resolved in no run: 9 jumps" in text
    assert f"Jumps of Li: barrier {ion.barrier.value:.3g} (" in text
    silent = row_values(record_with(tested, rung="distilled", is_claimed=False))
    assert silent["cation_jump_barrier"] is silent["paddle_wheel_p"] is None
    assert silent["dynamics_rung"] == "distilled"
    unresolved = ion.model_copy(update={"barrier": None})
    assert "barrier not resolved" in "\n".join(dynamics_facts(record_with(unresolved).model_dump(mode="json")))
