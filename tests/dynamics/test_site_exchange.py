"""Ligands that go to each other's places in the crystal, with known truth."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation
from synthetic_trajectories import M_H, crystal, vibration

from campaign_run import ninefold
from ninefold.dynamics.analysis import DynamicsAnalysis, analyse
from ninefold.dynamics.anions.isomers import cycles, isomers_of
from ninefold.dynamics.anions.permutations import EXCHANGE, RINGS, TURN
from ninefold.dynamics.anions.site_exchange import find_places, nearest_places
from ninefold.dynamics.barriers import site_exchange_barriers, site_exchange_problem
from ninefold.dynamics.statistics.rates import ANY, BOLTZMANN

RING = RINGS[3]
PRISM = "tricapped trigonal prism"
SHAPES = [(4, "tetrahedron"), (6, "octahedron"), (7, "capped octahedron"), (8, "square antiprism"), (9, PRISM)]


def in_crystal(
    vertices: np.ndarray, frames: int, plan: dict[int, np.ndarray], seed: int, libration: float = 8.0, passage: int = 20
) -> np.ndarray:
    """Vectors, shape (frames, n, 3), Å, of an anion whose orientation the crystal holds.

    Args:
        plan: Frame -> permutation: what is on vertex v goes to `permutation[v]`, on the sphere.
        libration: Root mean square of the turns of the whole about each axis, degrees.
    """
    rng = np.random.default_rng(seed)
    places = Rotation.from_rotvec(rng.normal(size=3)).apply(vertices)
    assignment = np.arange(len(places))
    vectors = np.empty((frames, len(places), 3))
    previous = 0
    for start in sorted(plan):
        before = places[assignment]
        vectors[previous:start] = before
        assignment = plan[start][assignment]
        for step in range(passage):
            share = (step + 1) / passage
            mixed = (1 - share) * before + share * places[assignment] + 1e-3 * rng.normal(size=before.shape)
            vectors[start + step] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        previous = start + passage
    vectors[previous:] = places[assignment]
    turned = Rotation.from_rotvec(vibration(frames, 1, np.radians(libration), rng, 50)[:, 0]).as_matrix()
    return M_H * (np.einsum("fij,fnj->fni", turned, vectors) + vibration(frames, len(places), 0.06, rng, 10))


def ring(n: int, *members: int) -> np.ndarray:
    cycle = np.arange(n)
    cycle[list(members)] = [*members[1:], members[0]]
    return cycle


def faces(vertices: np.ndarray) -> list[tuple[int, int, int]]:
    near = vertices @ vertices.T > np.cos(np.radians(112))
    every = range(len(vertices))
    return [
        (a, b, c) for a in every for b in every for c in every if a < b < c and near[a, b] and near[b, c] and near[a, c]
    ]


def counts(found: DynamicsAnalysis) -> dict[str, int]:
    assert found.site_exchanges is not None
    return {one.kind: one.rate.events for one in found.site_exchanges.rates}


@pytest.mark.parametrize(("n", "name"), SHAPES)
def test_vibration_and_libration_are_no_exchange(n: int, name: str) -> None:
    vectors = in_crystal(isomers_of(n)[name].vertices, 10_000, {}, seed=1, libration=12.0)
    found = analyse(crystal([vectors]), "Re", polyhedron=name)
    assert counts(found) == {ANY: 0}
    assert found.site_exchanges is not None
    expected = np.sqrt(0.06**2 * (1 + 1 + 0.0) / 3 + 2 / 3 * np.radians(12.0) ** 2)  # along the bond: divided out
    assert found.site_exchanges.amplitude == pytest.approx(expected, rel=0.06)
    assert found.site_exchanges.separation > 3


@pytest.mark.parametrize(("n", "name"), SHAPES)
@pytest.mark.parametrize("kind", [TURN, RING, EXCHANGE])
def test_every_exchange_is_counted_once_and_by_its_kind(n: int, name: str, kind: str) -> None:
    isomers = isomers_of(n)[name]
    rng = np.random.default_rng(2)
    if kind == TURN:
        choices = list(isomers.rotations[1:])
    elif kind == RING:
        choices = [ring(n, *members) for members in faces(isomers.vertices)]
    else:
        choices = [ring(n, a, b) for a, b, _ in faces(isomers.vertices)]
    starts = np.cumsum(rng.integers(150, 400, size=12))
    planned = [choices[rng.integers(len(choices))] for _ in starts]
    vectors = in_crystal(
        isomers.vertices, int(starts[-1]) + 300, dict(zip(starts.tolist(), planned, strict=True)), seed=3
    )
    found = analyse(crystal([vectors]), "Re", polyhedron=name)
    assert found.site_exchanges is not None
    # a ring of three of a tetrahedron is a turn; of a shell with more ligands it is none
    expected = TURN if (n, kind) == (4, RING) else kind
    assert counts(found) == {ANY: 12, expected: 12}
    middle = np.array([event.time_fs / 2.0 for event in found.site_exchanges.events])
    assert np.abs(middle - starts - 10).max() <= 15
    ways = [np.linalg.norm(isomers.vertices[one] - isomers.vertices) * M_H for one in planned]
    [row] = [row for row in found.site_exchanges.rates if row.kind == expected]
    assert row.displacement == pytest.approx(np.mean(ways), rel=0.015)
    assert row.rate.time_ps == pytest.approx(len(vectors) * 0.002)


def test_to_the_next_isomer_and_back_is_no_exchange() -> None:
    """The shell is off its places for a while, as ligands of one that is soft are."""
    isomers = isomers_of(9)[PRISM]
    places = Rotation.from_rotvec([0.3, -0.2, 0.9]).apply(isomers.vertices)
    rotation, _ = Rotation.align_vectors(places, isomers.vertices[isomers.neighbours[0]])
    other = rotation.apply(isomers.vertices[isomers.neighbours[0]])
    rng = np.random.default_rng(4)
    vectors = np.repeat(places[None], 8000, axis=0)
    for start in range(500, 7500, 500):
        vectors[start : start + 100] = other
    vectors = M_H * (vectors + vibration(8000, 9, 0.05, rng, 10))
    found = analyse(crystal([vectors]), "Re", polyhedron=PRISM)
    assert found.pseudorotation.permutation_rate.events == 28
    assert counts(found) == {ANY: 0}


def test_a_turn_to_no_place_and_back_is_no_exchange() -> None:
    """[BH4]- turned by 60 degrees about a B-H bond, 120 fs and back: two turns beyond 45 degrees."""
    vertices = isomers_of(4)["tetrahedron"].vertices
    vectors = in_crystal(vertices, 8000, {}, seed=5)
    there = Rotation.from_rotvec(np.radians(60) * vectors[0, 0] / M_H)
    for start in range(500, 7500, 500):
        vectors[start : start + 100] = there.apply(vectors[start : start + 100].reshape(-1, 3)).reshape(-1, 4, 3)
    found = analyse(crystal([vectors]), "Re")
    assert len(found.pseudorotation.turns) > 20
    assert counts(found) == {ANY: 0}


def brownian(vertices: np.ndarray, axis: np.ndarray | None, frames: int = 5000) -> np.ndarray:
    """Vectors of an anion that turns freely, about one axis or about any."""
    rng = np.random.default_rng(6)
    steps = rng.normal(size=(frames, 3)) * 0.12
    if axis is not None:
        steps = (steps @ axis)[:, None] * axis
    turned, vectors = Rotation.identity(), np.empty((frames, *vertices.shape))
    for frame in range(frames):
        turned = Rotation.from_rotvec(steps[frame]) * turned
        vectors[frame] = turned.apply(vertices)
    return M_H * (vectors + vibration(frames, len(vertices), 0.05, rng, 10))


def cap_of(n: int, name: str) -> np.ndarray:
    """The vertex that rotations leave where it is."""
    isomers = isomers_of(n)[name]
    [fixed] = {int(v) for rotation in isomers.rotations[1:] for v in np.flatnonzero(rotation == np.arange(n))}
    return isomers.vertices[fixed]


FREE = [
    ("tetrahedron", 4, "ligand"), ("tetrahedron", 4, None), ("octahedron", 6, "ligand"),
    ("capped square antiprism", 9, "cap"), (PRISM, 9, None), ("icosahedron", 12, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "n", "about"), FREE)
def test_an_anion_that_turns_freely_has_no_places(name: str, n: int, about: str | None) -> None:
    """About one axis the places are as far apart as ever, and each ligand keeps its distance from the axis."""
    vertices = isomers_of(n)[name].vertices
    axis = None if about is None else (cap_of(n, name) if about == "cap" else vertices[0])
    found = analyse(crystal([brownian(vertices, axis)]), "Re", polyhedron=name)
    assert found.site_exchanges is not None
    assert found.site_exchanges.separation < 3
    assert any("the anion turns freely or has several orientations" in note for note in found.notes)


@pytest.mark.parametrize("degrees", [30, 45])
def test_two_orientations_are_no_exchange(degrees: int) -> None:
    """A square antiprism with a cap that rests turned about its axis for half of the time: no ligand takes another's
    place, or it is said that they have none."""
    vertices = isomers_of(9)["capped square antiprism"].vertices
    cap = cap_of(9, "capped square antiprism")
    rng = np.random.default_rng(12)
    turned = Rotation.from_rotvec(np.radians(degrees) * cap).apply(vertices)
    vectors = np.repeat(vertices[None], 12_000, axis=0)
    for start in range(300, 12_000, 600):
        vectors[start : start + 300] = turned
    found = analyse(crystal([M_H * (vectors + vibration(12_000, 9, 0.05, rng, 10))]), "Re")
    assert found.site_exchanges is not None
    assert counts(found) == {ANY: 0} or found.site_exchanges.separation < 3


def test_the_separation_is_half_the_way_over_the_amplitude_along_it() -> None:
    rng = np.random.default_rng(13)
    vertices = isomers_of(4)["tetrahedron"].vertices
    places = find_places([vertices + 0.05 * rng.normal(size=(4000, 4, 3))])
    # ligands that move independently: any way has the amplitude of one
    for permutation in (np.array([1, 0, 2, 3]), np.array([1, 2, 0, 3])):
        way = np.linalg.norm(places.directions[permutation] - places.directions)
        assert places.separation(permutation) == pytest.approx(way / 2 / 0.05, rel=0.05)
    assert places.closest_exchange().tolist() != [0, 1, 2, 3]


def test_turns_are_told_whichever_polyhedron_is_followed() -> None:
    vertices = isomers_of(9)[PRISM].vertices
    third = next(
        one
        for one in isomers_of(9)[PRISM].rotations
        if all(len(c) == 3 for c in cycles(one)) and len(list(cycles(one)))
    )
    vectors = in_crystal(vertices, 4000, {400 * (k + 1): third for k in range(8)}, seed=14)
    for name in (PRISM, "capped square antiprism"):
        assert counts(analyse(crystal([vectors]), "Re", polyhedron=name)) == {ANY: 8, TURN: 8}


def test_exchanges_that_follow_each_other_are_two_and_what_is_undone_is_none() -> None:
    vertices = isomers_of(9)[PRISM].vertices
    one, other = (ring(9, *face) for face in faces(vertices)[:2])
    back = np.argsort(one)
    plan = {500: one, 520: other, 1500: one, 1520: back, 2500: one, 2600: back}
    found = analyse(crystal([in_crystal(vertices, 3500, plan, seed=15, passage=10)]), "Re", polyhedron=PRISM)
    assert counts(found) == {ANY: 4, RING: 4}, "two at 1 ps, none at 3 ps, forth and back 200 fs apart at 5 ps"


def test_a_barrier_has_enough_events_at_two_temperatures() -> None:
    vertices = isomers_of(9)[PRISM].vertices
    runs = []
    for kelvin, rings, swaps in ((300.0, 6, 0), (450.0, 26, 1), (600.0, 54, 2)):
        chosen = [ring(9, *faces(vertices)[0])] * rings + [ring(9, 0, 1)] * swaps
        plan = {200 * (k + 1): one for k, one in enumerate(chosen)}
        vectors = in_crystal(vertices, 12_000, plan, seed=7)
        runs.append(analyse(replace(crystal([vectors]), temperature_K=kelvin), "Re", polyhedron=PRISM))
    assert [counts(one).get(RING) for one in runs] == [6, 26, 54]
    found = site_exchange_barriers(runs)
    assert set(found) == {("Re1", ANY), ("Re1", RING)}
    fit = found["Re1", RING]
    assert fit.low_eV < fit.barrier_eV < fit.high_eV
    assert fit.barrier_eV == pytest.approx(BOLTZMANN * np.log(9) / (1 / 300 - 1 / 600), rel=0.01)
    assert site_exchange_barriers([runs[0], runs[0]]) == {}
    assert runs[0].site_exchanges is not None
    blurred = replace(runs[0], site_exchanges=replace(runs[0].site_exchanges, separation=2.9))
    assert site_exchange_barriers([blurred, *runs[1:]]) == {}
    assert "no places of their own at 300 K (half-way is 2.9 amplitudes" in str(
        site_exchange_problem([blurred, *runs[1:]])
    )
    [group] = runs[0].anions.groups
    moved = replace(runs[0], anions=runs[0].anions._replace(groups=(group._replace(centres=(7,)),), symmetry="Pmn2_1"))
    problem = str(site_exchange_problem([moved, *runs[1:]]))
    assert problem.startswith("the runs do not agree on which anions are alike: Pmn2_1 and ")


def test_the_assignment_is_the_best_of_all() -> None:
    rng = np.random.default_rng(8)
    places = isomers_of(6)["octahedron"].vertices * rng.uniform(0.7, 1.0, (6, 1))
    vectors = places + 0.6 * rng.normal(size=(200, 6, 3))
    found = nearest_places(vectors, places)
    every = np.array(list(permutations(range(6))))
    for frame, assignment in zip(vectors, found, strict=True):
        squared = ((frame - places[every]) ** 2).sum(axis=(1, 2))
        own = ((frame - places[assignment]) ** 2).sum()
        assert own == pytest.approx(squared.min())


def test_places_are_those_of_the_crystal_whichever_ligand_is_where() -> None:
    vertices = isomers_of(9)[PRISM].vertices
    rng = np.random.default_rng(9)
    shuffled = np.array([vertices[rng.permutation(9)] for _ in range(3000)]) + 0.08 * rng.normal(size=(3000, 9, 3))
    places = find_places([shuffled[:100], shuffled[100:]])
    off = np.linalg.norm(places.directions[:, None] - vertices, axis=2)
    assert sorted(off.argmin(axis=1).tolist()) == list(range(9))
    assert off.min(axis=1).max() < 0.02
    assert places.amplitude == pytest.approx(0.08, rel=0.02)


def test_command_prints_each_kind(tmp_path: Path) -> None:
    vertices = isomers_of(9)[PRISM].vertices
    face = faces(vertices)[0]
    for kelvin, number in ((300, 6), (600, 12)):
        vectors = in_crystal(vertices, 3000, {200 * (k + 1): ring(9, *face) for k in range(number)}, seed=10)
        made = crystal([vectors])
        frames = np.concatenate([piece.positions for piece in made.chunks()])
        cell = next(iter(made.chunks())).cells[0]
        ase.io.write(
            tmp_path / f"{kelvin}.xyz", [Atoms(made.species, positions=at, cell=cell, pbc=True) for at in frames],
            format="extxyz",
        )  # fmt: skip
    command = [
        "dynamics", "analyse", "300.xyz", "600.xyz", "--temperature", "300", "--temperature", "600", "--centre", "Re",
        "--time-step", "2",
    ]  # fmt: skip
    text = ninefold(*command, cwd=tmp_path).stdout
    values = json.loads(ninefold(*command, "--json", cwd=tmp_path).stdout)
    assert "ring of three:    6; 1 per anion and ps" in text
    assert "ring of three:    12; 2 per anion and ps" in text
    assert "Barrier of the site exchange (ring of three) of Re1:" in text
    [_, barrier] = values["site_exchange_barriers"]
    assert (barrier["anion"], barrier["kind"]) == ("Re1", RING)
    assert barrier["barrier_eV"] == pytest.approx(BOLTZMANN * np.log(2) / (1 / 300 - 1 / 600), rel=1e-3)
    events = values["trajectories"][1]["site_exchanges"]["events"]
    assert {(event["kind"], event["ligands_moved"]) for event in events} == {(RING, 3)}
