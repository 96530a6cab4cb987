"""What a record says of runs whose permutations and diffusion were planted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic_trajectories import Plan, crystal, shell

from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.simulation.pieces import Piece, decode_piece, encode_piece
from ninefold.dynamics.simulation.propagation import RunPoint, RunSettings
from ninefold.dynamics.statistics.rates import BOLTZMANN, barrier_bound, fit_arrhenius, poisson_rate, rate_at
from ninefold.models.dynamics import DynamicsRecord, IonDiffusion, StoredInterval, TrajectoryRecord
from ninefold.models.lines import blob_id
from ninefold.stages.dynamics import DynamicsSettings
from ninefold.stages.dynamics_analysis import Asked, analyse
from ninefold.stages.dynamics_fields import preferred, row_values
from ninefold.stages.dynamics_runs import RunOf

STEP_FS = 5.0
BARRIER, PREFACTOR = 0.060, 2.5
"""eV; attempts per anion and ps."""
FRAMES, PIECE = 6000, 2000
JUMP = 2.0
"""Å."""
ASKED = Asked(
    "planted", "K2[ReH9]", "s", "Re", 9, ("K",), "m", "planted", "ML", (1, 1, 1)
)  # fmt: skip


def planted(kelvin, rate, seed, jumps=0.0):
    """Frames of one anion that permutes to its closest isomers at a rate, 1/ps, and a cation that jumps."""
    rng = np.random.default_rng(seed)
    isomers = isomers_of(9)["tricapped trigonal prism"]
    near = isomers.neighbours[isomers.squared_distances < isomers.squared_distances[0] + 1e-6]
    starts, at = {}, 0.0
    while rate and (at := at + rng.exponential(1 / rate) * 1000 / STEP_FS) < FRAMES - 60:
        frame = int(at)
        if not starts or frame - max(starts) > 45:
            starts[frame] = near[rng.integers(len(near))]
    vectors = shell(isomers.vertices, FRAMES, Plan(starts, passage=8), 0.05, rng)
    trajectory = crystal([vectors], STEP_FS)
    positions = np.concatenate([frames.positions for frames in trajectory.chunks()])
    if jumps:
        steps = rng.normal(size=(FRAMES, 3))
        steps *= JUMP / np.linalg.norm(steps, axis=1, keepdims=True)
        steps *= rng.random((FRAMES, 1)) < jumps * STEP_FS / 1000
        positions[:, -1] += np.cumsum(steps, axis=0)
    return trajectory, positions, len(starts)


def run_of(kelvin, rate, seed, blobs, replica=0, jumps=0.0, error=None, hot=1.0):
    """The records of a run and how often its anion permutes."""
    trajectory, positions, events = planted(kelvin, rate, seed, jumps)
    cell = next(iter(trajectory.chunks())).cells[0]
    rng = np.random.default_rng(seed + 1)
    energies = rng.normal(size=FRAMES) - 40.0
    temperatures = kelvin * hot * (1 + 0.1 * rng.normal(size=(FRAMES, 3)))
    settings = RunSettings(temperature_K=kelvin).model_dump(mode="json")
    pieces = []
    for number, first in enumerate(range(0, FRAMES, PIECE)):
        own = slice(first, first + PIECE)
        end = RunPoint(positions[own][-1], np.zeros(positions.shape[1:]), {"state": number})
        content = encode_piece(
            Piece(
                trajectory.species, cell, STEP_FS, kelvin, positions[own].astype(np.float32), energies[own],
                temperatures[own], end,
            )
        )  # fmt: skip
        blobs[blob_id(content)] = content
        pieces.append(
            TrajectoryRecord(
                id=f"{kelvin}-{replica}-{number}", campaign="planted", label="K2[ReH9]", method="m", structure="s",
                temperature_K=kelvin, replica=replica, number=number, frames=PIECE, n_atoms=positions.shape[1],
                content=blob_id(content), settings=settings, core_seconds=1.0, created="2026",
            )
        )  # fmt: skip
    if error:
        pieces.append(pieces[-1].model_copy(update={"id": "bad", "content": None, "frames": 0, "error": error}))
    return RunOf(kelvin, replica, tuple(pieces)), events


def rate_of(kelvin):
    return PREFACTOR * np.exp(-BARRIER / BOLTZMANN / kelvin)


@pytest.fixture(scope="module")
def told():
    """Two temperatures, two replicas of the lower one."""
    blobs = {}
    runs = [
        run_of(500.0, rate_of(500.0), 1, blobs, jumps=2.0), run_of(300.0, rate_of(300.0), 12, blobs, jumps=1.0),
        run_of(300.0, rate_of(300.0), 13, blobs, 1, jumps=1.0),
    ]  # fmt: skip
    result = analyse(ASKED, [run for run, _ in runs], blobs.__getitem__)
    [record] = result.records
    return record, [events for _, events in runs], result


def test_events_of_replicas_are_counted_together_and_the_barrier_comes_back(told):
    record, (hot, *cold), _ = told
    assert [one.temperature_K for one in record.temperatures] == [300.0, 500.0]
    low, high = record.temperatures
    assert (low.replicas, high.replicas, record.replicas) == (2, 1, 2)
    assert low.permutations == pytest.approx(sum(cold), abs=2)
    assert high.permutations == pytest.approx(hot, abs=2)
    rates = [poisson_rate(one.permutations, one.shell_ps) for one in record.temperatures]
    assert low.rate.value == rates[0].per_ps
    assert low.rate.low < rate_of(300.0) < low.rate.high
    fit = fit_arrhenius([300.0, 500.0], rates)
    assert record.barrier.value == pytest.approx(1000 * fit.barrier_eV)
    assert record.barrier.low < 1000 * BARRIER < record.barrier.high
    assert not record.is_too_short
    assert record.rate_300.value == low.rate.value, "a run at 300 K says more than a law"
    assert record.evidence == "MD"
    assert record.polyhedron == "tricapped trigonal prism"
    assert record.length_ps == pytest.approx(3 * FRAMES * STEP_FS / 1000, rel=0.3)


def test_diffusion_of_replicas_is_that_of_all_their_ions(told):
    record, _, _ = told
    [ion] = record.ions
    assert ion.species == "K"
    for one, jumps in zip(record.temperatures, (1.0, 2.0), strict=True):
        true = JUMP**2 * jumps / 6 * 1e-4
        found = one.diffusion["K"]
        assert found.value is not None
        assert found.low < true < found.high
    assert ion.at_300 == record.temperatures[0].diffusion["K"]
    assert ion.barrier is not None
    assert record.fastest == ion


def test_pictures_have_what_they_show(told):
    record, _, result = told
    curves = json.loads(result.blobs[record.curves])["temperatures"]
    assert [one["temperature_K"] for one in curves] == [300.0, 500.0]
    assert [one["events"] for one in curves] == [one.permutations for one in record.temperatures]
    for one in curves:
        assert one["lab"]["values"][0] == pytest.approx(1.0)
        assert min(value for value in one["profile"]["values"] if value is not None) == 0.0
        assert set(one["squares"]) == {"K", "H"}
        assert one["squares"]["K"]["values"][0] == 0.0


def test_a_row_says_what_the_record_does(told):
    record, _, _ = told
    row = row_values(record)
    assert row["pseudorotation_barrier"] == record.barrier.value
    assert row["dynamics_length"] == record.length_ps
    assert row["cation_diffusion_300"] == record.ions[0].at_300.value
    assert set(row_values(None).values()) == {None}
    assert set(row_values(None)) == set(row)


def test_without_an_event_there_are_bounds_and_the_record_is_too_short():
    blobs = {}
    run, _ = run_of(400.0, 0.0, 5, blobs)
    [record] = analyse(ASKED, [run], blobs.__getitem__).records
    [one] = record.temperatures
    assert one.permutations == 0
    assert one.rate.value is None
    assert one.rate.high == poisson_rate(0, one.shell_ps).high
    assert record.is_too_short
    bound = barrier_bound([400.0], [poisson_rate(0, one.shell_ps)])
    assert (record.barrier.value, record.barrier.high) == (None, None)
    assert record.barrier.low == pytest.approx(1000 * bound)
    assert record.rate_300 == StoredInterval(high=one.rate.high)
    assert any("too short for a barrier" in warning for warning in record.warnings)
    assert row_values(record)["pseudorotation_barrier"] is None


def test_what_is_wrong_with_runs_is_told():
    blobs = {}
    bad, _ = run_of(800.0, 0.0, 6, blobs, error="4000 K the run exploded")
    warm, _ = run_of(400.0, 0.0, 7, blobs, hot=1.2)
    [record] = analyse(ASKED, [bad, warm], blobs.__getitem__).records
    assert [one.temperature_K for one in record.temperatures] == [400.0]
    assert any("800 K" in warning and "exploded" in warning for warning in record.warnings)
    assert any(warning.startswith("400 K: H has 48") and "+20%" in warning for warning in record.warnings)
    [none] = analyse(ASKED, [bad], blobs.__getitem__).records
    assert none.error == "no run came to its end"
    assert preferred([none], "s") is None


def test_shells_that_cannot_be_followed_leave_the_rest():
    blobs = {}
    run, _ = run_of(400.0, 0.0, 8, blobs)
    [record] = analyse(Asked(**{**ASKED.__dict__, "centre": "Os"}), [run], blobs.__getitem__).records
    assert record.temperatures[0].permutations is None
    assert record.barrier is None
    assert "K" in record.temperatures[0].diffusion
    assert any(warning.startswith("shells cannot be followed") for warning in record.warnings)


def test_a_piece_comes_back_to_the_bit():
    rng = np.random.default_rng(3)
    generator = np.random.default_rng(1)
    piece = Piece(
        ("K", "H"), np.eye(3) * 5, 5.0, 300.0, rng.random((4, 2, 3)).astype(np.float32), rng.random(4),
        rng.random((4, 2)), RunPoint(rng.random((2, 3)), rng.random((2, 3)), dict(generator.bit_generator.state)),
    )  # fmt: skip
    content = encode_piece(piece)
    assert content == encode_piece(piece), "no clock in it: a blob is named by its content"
    again = decode_piece(content)
    assert again.species == piece.species
    assert (again.time_step_fs, again.temperature_K) == (5.0, 300.0)
    for name in ("cell", "positions", "energies", "temperatures"):
        assert np.array_equal(getattr(again, name), getattr(piece, name))
    assert np.array_equal(again.end.positions, piece.end.positions)
    assert np.array_equal(again.end.momenta, piece.end.momenta)
    generator.bit_generator.state = again.end.random
    assert generator.random() == np.random.default_rng(1).random()


def test_the_rate_at_another_temperature_is_that_of_the_law():
    kelvins = [400.0, 500.0, 600.0]
    rates = [poisson_rate(round(1e5 * rate_of(kelvin)), 1e5) for kelvin in kelvins]
    value, low, high = rate_at(300.0, kelvins, rates)
    assert value == pytest.approx(rate_of(300.0), rel=0.01)
    assert low < rate_of(300.0) < high
    assert rate_at(450.0, kelvins, rates)[0] == pytest.approx(fit_arrhenius(kelvins, rates).rate(450.0))


def test_a_bound_needs_runs_without_an_event():
    assert barrier_bound([300.0], [poisson_rate(1, 100.0)]) is None
    # 3.69 / time is the upper end of no event
    assert barrier_bound([300.0], [poisson_rate(0, 100.0)]) == pytest.approx(
        BOLTZMANN * 300 * np.log(10 * 100 / 3.689), rel=1e-3
    )
    assert barrier_bound([300.0], [poisson_rate(0, 0.01)]) is None


def _record(**more):
    return DynamicsRecord(
        **{
            "id": "a", "campaign": "", "label": "", "method": "m", "engine": "e", "structure": "s", "evidence": "MD",
            "centre": "Re", "n": 9, "isotope": "H", "time_step_fs": 0.5, "repeats": [1, 1, 1], "n_atoms": 12,
            "temperatures": [], "length_ps": 10.0, "replicas": 1, "is_too_short": True, "trajectories": [],
            "core_seconds": 1.0, "created": "", **more,
        }
    )  # fmt: skip


def test_of_several_records_the_row_shows_its_own_structure_s_then_the_longest():
    own, other = _record(), _record(id="b", structure="t", length_ps=1000.0)
    assert preferred([other, own], "s") is own
    longer = _record(id="c", length_ps=20.0)
    assert preferred([other, own, longer], "s") is longer
    enough = _record(id="d", is_too_short=False)
    assert preferred([longer, enough], "s") is enough
    assert preferred([enough, _record(id="e", evidence="test", is_too_short=False, length_ps=99.0)], "s") is enough


def test_the_fastest_cation_is_one_that_is_resolved():
    ions = [
        IonDiffusion(species="Li", at_300=StoredInterval(high=1e-5)),
        IonDiffusion(species="K", at_300=StoredInterval(value=1e-7, low=5e-8, high=2e-7)),
        IonDiffusion(species="Na", at_300=StoredInterval(value=3e-7, low=5e-8, high=2e-6)),
    ]
    assert _record(ions=ions).fastest.species == "Na"
    assert _record(ions=ions[:1]).fastest.species == "Li"
    assert _record().fastest is None


def test_a_run_is_made_up_to_whole_pieces():
    settings = DynamicsSettings(picoseconds=1.2)
    assert settings.piece_ps == 0.5
    assert settings.pieces == 3
    assert DynamicsSettings(picoseconds=1.0).pieces == 2
    assert DynamicsSettings(temperatures=(600.0, 300.0, 600.0)).temperatures == (300.0, 600.0)
    assert settings.run(300.0, 2).seed == 2
