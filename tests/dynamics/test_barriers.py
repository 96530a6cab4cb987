"""What several temperatures tell together: the relaxation of M-H vectors, and whether the crystal is the same."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from synthetic_trajectories import Plan, crystal, shell

from ninefold.dynamics.analysis import DynamicsAnalysis, analyse
from ninefold.dynamics.barriers import Barriers, barriers_of, relaxation_barriers
from ninefold.dynamics.correlation import fit_shells
from ninefold.dynamics.isomers import isomers_of
from ninefold.dynamics.rates import BOLTZMANN

BARRIER = 0.050
RATES = {kelvin: 20 * np.exp(-BARRIER / BOLTZMANN / kelvin) for kelvin in (300.0, 450.0)}
FRAMES, STEP_PS = 10_000, 0.01


def _tumbling(kelvin: float, seed: int) -> DynamicsAnalysis:
    """Four tetrahedra that go to orientations drawn anew at a rate: C2 is exp(-rate t)."""
    rng = np.random.default_rng(seed)
    shells = []
    for _ in range(4):
        at = np.flatnonzero(rng.random(FRAMES) < RATES[kelvin] * STEP_PS)
        turns = {int(frame): Rotation.random(random_state=rng) for frame in at}
        shells.append(shell(isomers_of(4)["tetrahedron"].vertices, FRAMES, Plan(turns=turns, passage=1), 0.03, rng))
    return analyse(replace(crystal(shells), temperature_K=kelvin, time_step_fs=STEP_PS * 1000), "Re")


@pytest.fixture(scope="module")
def runs() -> list[DynamicsAnalysis]:
    return [_tumbling(kelvin, seed) for seed, kelvin in enumerate(RATES)]


def test_the_relaxation_has_the_barrier_of_the_tumbling(runs: list[DynamicsAnalysis]) -> None:
    law = relaxation_barriers(runs)["lab"]
    assert law.barrier_eV.low < BARRIER < law.barrier_eV.high
    assert law.barrier_eV.value == pytest.approx(BARRIER, abs=0.015)
    assert law.coefficient.low < RATES[300.0] < law.coefficient.high


def test_the_error_of_a_relaxation_time_is_that_of_the_shells_scatter() -> None:
    """Of 60 times eight shells with planted times: the standard error is the scatter of the means, within a fifth."""
    rng = np.random.default_rng(0)
    times = np.arange(400) * 0.02
    logs, errors = [], []
    for _ in range(60):
        decays = [np.exp(-times / np.exp(0.3 * rng.normal())) for _ in range(8)]
        found = fit_shells(times, decays, [1.0] * 8)
        assert found.log_error is not None
        logs.append(np.log(found.mean_tau_ps))
        errors.append(found.log_error)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(logs), rel=0.25)
    assert fit_shells(times, decays[:2], [1.0] * 2).log_error is None


def test_one_temperature_tells_nothing(runs: list[DynamicsAnalysis]) -> None:
    assert barriers_of(runs[:1]) == barriers_of([runs[0], runs[0]]) == Barriers()
    assert relaxation_barriers([runs[0], runs[0]]) == {}


def test_a_crystal_that_goes_over_is_told(runs: list[DynamicsAnalysis]) -> None:
    assert barriers_of(runs).notes == ()
    other = replace(runs[1], anions=runs[1].anions._replace(symmetry="Pmn2_1 of the mean positions of Li"))
    [note] = barriers_of([other, runs[0]]).notes
    assert f"(300 K: {runs[0].anions.symmetry}; 450 K: Pmn2_1 of the mean positions of Li)" in note
    assert "a slope over 1/T is that of no one phase" in note


def test_json_names_every_value(runs: list[DynamicsAnalysis]) -> None:
    values = json.loads(json.dumps(runs[0].to_dict()))
    assert set(values["lab_correlation"]) >= {"tau_ps", "beta", "plateau", "log_error"}
    assert set(values["lab_curve"]) == {"times_ps", "values"}
    assert values["pseudorotation"]["turn_rate"]["events"] == len(values["pseudorotation"]["turns"])
    assert values["lab_surface"].keys() >= {"percolation_eV"}
    [group] = values["anions"]["groups"]
    assert group["permutations"]["events"] == 0
    laws = json.loads(json.dumps(barriers_of(runs).to_dict()))
    assert set(laws["relaxation_barriers"]["lab"]) == {"barrier_eV", "temperature_K", "coefficient", "used_K"}
    assert set(laws["relaxation_barriers"]["lab"]["barrier_eV"]) == {"value", "low", "high"}
