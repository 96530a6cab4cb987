"""What several temperatures tell together: the relaxation of M-H vectors, and whether the crystal is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation
from scipy.stats import t as student_t
from synthetic_trajectories import Plan, crystal, shell

from ninefold.cli.dynamics.output import print_relaxation
from ninefold.dynamics.analysis import DynamicsAnalysis, analyse
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.relaxation import relaxation
from ninefold.dynamics.barriers import Barriers, barriers_of, relaxation_barriers, relaxation_problem
from ninefold.dynamics.statistics.rates import BOLTZMANN

BARRIER = 0.050
RATES = {kelvin: 4 * np.exp(-BARRIER / BOLTZMANN / kelvin) for kelvin in (300.0, 450.0)}
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
    law = relaxation_barriers(runs)["Re1", "lab"]
    assert law.barrier_eV.low < BARRIER < law.barrier_eV.high
    assert law.barrier_eV.value == pytest.approx(BARRIER, abs=0.015)
    assert law.time_ps.low < 1 / RATES[300.0] < law.time_ps.high
    assert law.used_K == (300.0, 450.0)
    assert ("Re1", "body") not in relaxation_barriers(runs), "nothing permutes"


def test_the_error_of_a_relaxation_time_is_its_scatter() -> None:
    """Of 40 runs of three shells that tumble: 95 % of the intervals hold the time, and the error is the scatter."""
    rng = np.random.default_rng(0)
    rate, inside, logs, errors = 0.5, 0, [], []
    for _ in range(40):
        shells = []
        for _ in range(3):
            jumps = np.cumsum(rng.random(6000) < rate * 0.02)
            directions = rng.normal(size=(jumps[-1] + 1, 4, 3))
            shells.append((directions / np.linalg.norm(directions, axis=2, keepdims=True))[jumps])
        fit = relaxation(shells, 20.0).fit
        assert fit is not None
        assert fit.log_error is not None
        assert fit.pieces == 12
        logs.append(np.log(fit.mean_tau_ps * rate))
        errors.append(fit.log_error)
        inside += abs(logs[-1]) < student_t.ppf(0.975, 11) * fit.log_error
    assert inside >= 34  # 95 % of 40, less three standard deviations
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(logs), rel=0.4)


def test_a_time_has_an_error_where_all_pieces_tell_it() -> None:
    """Not in a run of four times, nor of one shell."""
    rng = np.random.default_rng(1)

    def shell_at(rate: float, frames: int) -> np.ndarray:
        jumps = np.cumsum(rng.random(frames) < rate * 0.02)
        directions = rng.normal(size=(jumps[-1] + 1, 4, 3))
        return (directions / np.linalg.norm(directions, axis=2, keepdims=True))[jumps]

    short = relaxation([shell_at(0.5, 400) for _ in range(3)], 20.0).fit
    assert short is not None
    assert short.is_resolved
    assert short.log_error is None
    pair = relaxation([shell_at(0.5, 6000)], 20.0).fit
    assert pair is not None
    assert pair.log_error is None, "four pieces alone"


def test_what_has_no_barrier_of_relaxation_says_why(runs: list[DynamicsAnalysis]) -> None:
    def changed(**fields: object) -> list[DynamicsAnalysis]:
        fit = runs[1].anion_correlations["Re1"]["lab"]
        assert fit is not None
        return [runs[0], replace(runs[1], anion_correlations={"Re1": {"lab": fit._replace(**fields)}})]

    assert relaxation_problem(runs, "Re1", "lab") is None
    for fields, said in (
        ({"plateau": 0.5, "amplitude": 0.4}, "at 300 K, 0.56 at 450 K): not one process"),
        ({"is_at_limit": True}, "450 K: the decay is not told from vibration"),
        ({"log_error": None}, "450 K: the error of the time is not known"),
        ({"is_resolved": False}, "450 K: C2 does not decay"),
    ):
        assert said in str(relaxation_problem(changed(**fields), "Re1", "lab"))
        assert relaxation_barriers(changed(**fields)) == {}
        assert any(
            said in problem and "Re1, lab frame" in problem for problem in barriers_of(changed(**fields)).problems
        )
    [group] = runs[1].anions.groups
    moved = replace(runs[1], anions=runs[1].anions._replace(groups=(group._replace(centres=(0,)),)))
    assert relaxation_problem([runs[0], moved], "Re1", "lab") == "the runs do not agree on which anions are alike"


def test_replicas_count_each(runs: list[DynamicsAnalysis]) -> None:
    alone = relaxation_barriers(runs)["Re1", "lab"]
    twice = relaxation_barriers([*runs, runs[0]])["Re1", "lab"]
    assert twice.used_K == (300.0, 450.0, 300.0)
    assert twice.time_ps.high - twice.time_ps.low < alone.time_ps.high - alone.time_ps.low
    hidden = replace(runs[1], anion_correlations={"Re1": {"lab": None}})
    assert relaxation_problem([runs[0], runs[0], hidden], "Re1", "lab") == "450 K: too short a run"


def test_times_that_do_not_fall_with_temperature_are_no_barrier(runs: list[DynamicsAnalysis]) -> None:
    text = StringIO()
    out = Console(file=text, width=200)
    exchanged = [replace(one, pseudorotation=replace(one.pseudorotation, temperature_K=kelvin))
                 for one, kelvin in zip(runs, (450.0, 300.0), strict=True)]  # fmt: skip
    print_relaxation(out, relaxation_barriers(exchanged)["Re1", "lab"], "Re1", "lab")
    said = text.getvalue()
    assert "none is resolved: times do not fall with temperature" in said
    print_relaxation(out, relaxation_barriers(runs)["Re1", "lab"], "Re1", "lab")
    said = text.getvalue()[len(said) :]
    assert "Barrier of the relaxation of M-H of Re1 (mean times of C2, lab frame, at 300, 450 K): " in said
    assert "none is resolved" not in said


def test_runs_that_follow_other_polyhedra_have_no_barrier(runs: list[DynamicsAnalysis]) -> None:
    other = replace(runs[1], pseudorotation=replace(runs[1].pseudorotation, polyhedron="square planar"))
    problems = barriers_of([runs[0], other]).problems
    assert any(
        "300 K: tetrahedron, 450 K: square planar; the runs follow isomers of different polyhedra: --polyhedron"
        in problem
        for problem in problems
    )


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
    assert set(values["pseudorotation"]["turns"][0]) == {"centre", "frame", "angle"}
    assert values["lab_surface"].keys() >= {"percolation_eV"}
    [group] = values["anions"]["groups"]
    assert group["permutations"]["events"] == 0
    laws = json.loads(json.dumps(barriers_of(runs).to_dict()))
    [law] = laws["relaxation_barriers"]
    assert set(law) == {"anion", "frame", "barrier_eV", "temperature_K", "time_ps", "used_K"}
    assert set(law["barrier_eV"]) == {"value", "low", "high"}
    assert laws["problems"]
