"""Trajectories with known permutations, turns and exchanges."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation
from synthetic_trajectories import Plan, crystal, shell

from ninefold.cli.dynamics.output import print_analysis
from ninefold.dynamics.analysis import analyse
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.pseudorotation import analyse_shells
from ninefold.dynamics.anions.shells import ExchangeCounts, counted
from ninefold.dynamics.trajectories.trajectory import Trajectory, in_memory
from ninefold.errors import InputError

AMPLITUDE = 0.06
"""Of M-H: a bending mode of 850 cm^-1 at 300 K."""
SHAPES = [
    (7, "pentagonal bipyramid"),
    (7, "capped octahedron"),
    (8, "square antiprism"),
    (8, "dodecahedron"),
    (9, "tricapped trigonal prism"),
    (9, "capped square antiprism"),
]
STIFF = [(3, "trigonal planar"), (4, "tetrahedron"), (6, "octahedron")]
"""Whose other isomers are far, or none: [BH4]-, [FeH6]4-."""


@pytest.mark.parametrize(("n", "name"), [*SHAPES, *STIFF])
def test_vibration_alone_is_no_event(n: int, name: str) -> None:
    rng = np.random.default_rng(1)
    vectors = shell(isomers_of(n)[name].vertices, 8000, Plan(), 0.08, rng)
    found, _ = analyse_shells(crystal([vectors]), "Re", polyhedron=name)
    assert (found.n, len(found.events), len(found.turns), len(found.exchanges)) == (n, 0, 0, 0)
    assert found.vibration_amplitude == pytest.approx(0.08, rel=0.05)


@pytest.mark.parametrize(("n", "name"), [*SHAPES, *STIFF])
def test_a_turn_of_the_whole_is_no_permutation(n: int, name: str) -> None:
    rng = np.random.default_rng(2)
    turned = {400 * k: Rotation.from_rotvec(np.radians(90) * _unit(rng)) for k in range(1, 10)}
    vectors = shell(isomers_of(n)[name].vertices, 4400, Plan(turns=turned, passage=60), AMPLITUDE, rng)
    found, _ = analyse_shells(crystal([vectors]), "Re", polyhedron=name)
    assert len(found.events) == 0
    assert len(found.turns) == 9
    assert found.separation > 3


def test_turns_at_several_temperatures_have_a_barrier() -> None:
    """[BH4]-, whose reorientation is what neutrons and NMR see: 10 turns at 300 K, 40 at 600 K, ln 4 of them."""
    from ninefold.dynamics.barriers import barrier, turn_barrier
    from ninefold.dynamics.statistics.rates import BOLTZMANN

    rng = np.random.default_rng(5)
    runs = []
    for kelvin, number in ((300.0, 10), (600.0, 40)):
        turned = {400 * k: Rotation.from_rotvec(np.radians(120) * _unit(rng)) for k in range(1, number + 1)}
        vectors = shell(isomers_of(4)["tetrahedron"].vertices, 16800, Plan(turns=turned, passage=60), AMPLITUDE, rng)
        runs.append(analyse(replace(crystal([vectors]), temperature_K=kelvin), "Re"))
    assert [len(one.pseudorotation.turns) for one in runs] == [10, 40]
    found = turn_barrier(runs)
    assert found.barrier_eV == pytest.approx(BOLTZMANN * np.log(4) / (1 / 300 - 1 / 600), rel=1e-3)
    assert found.low_eV < found.barrier_eV < found.high_eV
    with pytest.raises(InputError):
        barrier(runs)


@pytest.mark.parametrize(("n", "name"), SHAPES)
@pytest.mark.parametrize("which", ["closest", "three-arm"])
def test_every_permutation_is_counted_once(n: int, name: str, which: str) -> None:
    rng = np.random.default_rng(3)
    isomers = isomers_of(n)[name]
    starts = np.cumsum(rng.integers(120, 400, size=30))
    nearest = np.flatnonzero(isomers.squared_distances < isomers.squared_distances[0] + 1e-6)
    choices = isomers.neighbours[nearest] if which == "closest" else _three_arm(isomers.vertices)
    planned = {int(start): choices[rng.integers(len(choices))] for start in starts}
    vectors = shell(isomers.vertices, int(starts[-1]) + 200, Plan(planned), AMPLITUDE, rng)
    found, _ = analyse_shells(crystal([vectors]), "Re", polyhedron=name)
    assert len(found.events) == 30
    middle = [event.time_fs / 2.0 for event in found.events]
    assert np.abs(np.array(middle) - starts - 10).max() <= 15
    assert len(found.kinds) <= len({isomers.kind(choice) for choice in choices})


@pytest.mark.parametrize(("n", "name"), [SHAPES[1], SHAPES[2], SHAPES[4]])
def test_a_static_shell_does_nothing(n: int, name: str) -> None:
    vectors = shell(isomers_of(n)[name].vertices, 400, Plan(), 0.0, np.random.default_rng(0))
    found = analyse(replace(crystal([vectors]), temperature_K=300.0), "Re", polyhedron=name)
    assert not (found.pseudorotation.events)
    assert not (found.pseudorotation.turns)
    assert not (found.pseudorotation.exchanges)
    assert found.pseudorotation.populations[name] == 1
    assert found.site_exchanges is not None
    assert not found.site_exchanges.events
    print_analysis(Console(file=(text := StringIO()), width=200), found)
    assert "half-way is beyond any vibration along the way" in text.getvalue()


@pytest.mark.parametrize(("n", "name"), [SHAPES[1], SHAPES[2], SHAPES[4]])
def test_everything_at_once(n: int, name: str) -> None:
    """Permutations of both kinds, turns of the whole, and an exchange between two centres, with vibration."""
    rng = np.random.default_rng(6)
    isomers = isomers_of(n)[name]
    nearest = isomers.neighbours[isomers.squared_distances < isomers.squared_distances[0] + 1e-6]
    three_arm = _three_arm(isomers.vertices)
    frames, planned, turned = 9000, 0, 0
    shells = []
    for _ in range(3):
        permuted, turns = {}, {}
        for number, start in enumerate(range(250, frames - 250, 250)):
            at = start + int(rng.integers(-50, 50))
            if 4000 < at < 5200:  # the time of the exchange
                continue
            if number % 3 == 2:
                turns[at] = Rotation.from_rotvec(np.radians(90) * _unit(rng))
            else:
                choices = nearest if number % 3 else three_arm
                permuted[at] = choices[rng.integers(len(choices))]
        planned, turned = planned + len(permuted), turned + len(turns)
        shells.append(shell(isomers.vertices, frames, Plan(permuted, turns, passage=30), 0.05, rng))
    whole = crystal(shells, wrap=False)
    positions = np.concatenate([piece.positions for piece in whole.chunks()])
    cell = next(whole.chunks()).cells[0]
    a, b = 1, 1 + n + 2  # a ligand of each of two centres
    share = np.clip((np.arange(frames) - 4500) / 200, 0, 1)[:, None]
    there = _shortest(positions[:, b] - positions[:, a], cell)
    positions[:, a], positions[:, b] = positions[:, a] + share * there, positions[:, b] - share * there
    found, _ = analyse_shells(in_memory(whole.species, positions, cell, 2.0), "Re", polyhedron=name)
    # a ligand that crosses its shell on the way out may make one more
    assert len(found.events) == pytest.approx(planned, rel=0.05)
    assert len(found.turns) == turned
    assert counted(found.exchanges) == ExchangeCounts(to_other=2, back=0, of_hydride=0, free=0)


def test_ligands_that_leave_as_a_molecule_are_told() -> None:
    vertices = isomers_of(9)["tricapped trigonal prism"].vertices
    whole = crystal([shell(vertices, 1200, Plan(), 0.03, np.random.default_rng(4))], wrap=False)
    positions = np.concatenate([piece.positions for piece in whole.chunks()])
    cell = next(whole.chunks()).cells[0]
    share = np.clip((np.arange(1200) - 600) / 100, 0, 1)[:, None]
    for atom, goal in ((1, [3.8, 3.7, 0.1]), (2, [3.8, 3.7, 0.84])):
        positions[:, atom] += share * _shortest(np.array(goal) - positions[:, atom], cell)
    found, _ = analyse_shells(in_memory(whole.species, positions, cell, 2.0), "Re")
    assert counted(found.exchanges) == ExchangeCounts(to_other=0, back=0, of_hydride=0, free=2)
    assert found.h2_molecules == 1
    assert len(found.events) == 0
    close, _ = analyse_shells(in_memory(whole.species, _two_ligands_close(whole), cell, 2.0), "Re")
    assert close.h2_frames == 400
    assert close.h2_molecules == 0


def _two_ligands_close(trajectory: Trajectory) -> np.ndarray:
    """Two ligands that stay in their shell are 0.8 Å apart in 400 frames."""
    positions = np.concatenate([piece.positions for piece in trajectory.chunks()])
    both = positions[300:700, 1:3]
    middle = both.mean(axis=1, keepdims=True)
    apart = both - middle
    positions[300:700, 1:3] = middle + 0.4 * apart / np.linalg.norm(apart, axis=2, keepdims=True)
    return positions


def test_lifetimes_of_polyhedra_are_those_planted() -> None:
    """An antiprism of eight for 300 frames, a dodecahedron for 100, and so on: no vibration."""
    shapes = [isomers_of(8)[name].vertices for name in ("square antiprism", "dodecahedron")]
    pattern = np.repeat([0, 1, 0, 1, 0], [300, 100, 300, 100, 300])
    vectors = 1.68 * np.array([shapes[place] for place in pattern])
    found, _ = analyse_shells(crystal([vectors]), "Re")
    assert found.populations == {"square antiprism": pytest.approx(9 / 11), "dodecahedron": pytest.approx(2 / 11)}
    assert found.lifetimes_fs == {"square antiprism": pytest.approx(600.0), "dodecahedron": pytest.approx(200.0)}
    assert found.mixing_entropy_kB == pytest.approx(-9 / 11 * np.log(9 / 11) - 2 / 11 * np.log(2 / 11))


def test_shells_that_are_never_whole_are_refused() -> None:
    vectors = shell(isomers_of(9)["tricapped trigonal prism"].vertices, 200, Plan(), 0.03, np.random.default_rng(4))
    whole = crystal([vectors], wrap=False)
    positions = np.concatenate([piece.positions for piece in whole.chunks()])
    positions[5:, 1] += 3.0
    with pytest.raises(InputError, match=r"no Re keeps so many for 20 frames"):
        analyse_shells(in_memory(whole.species, positions, next(whole.chunks()).cells[0], 2.0), "Re")
    for number in (0, -3, 10):
        with pytest.raises(InputError, match=r"--ligands.*1 to 9, the hydrogens that there are"):
            analyse_shells(whole, "Re", number)


def test_one_frame_is_no_trajectory() -> None:
    trajectory = in_memory(["Re", *["H"] * 9], np.random.default_rng(0).uniform(3, 6, (1, 10, 3)), np.eye(3) * 9, 5.0)
    with pytest.raises(InputError, match=r"has 1 frames: too few to follow permutations; allowed: 20 and more"):
        analyse_shells(trajectory, "Re", 9)


def test_exchange_between_centres_is_told_apart() -> None:
    rng = np.random.default_rng(4)
    vertices = isomers_of(9)["tricapped trigonal prism"].vertices
    shells = [shell(vertices, 1200, Plan(), 0.03, rng) for _ in range(2)]
    trajectory = crystal(shells)
    (frames,) = [*trajectory.chunks()][:1]
    assert frames is not None
    positions = np.concatenate([piece.positions for piece in trajectory.chunks()])
    a, b = 1, 1 + 11  # a ligand of each centre
    share = np.clip((np.arange(1200) - 500) / 200, 0, 1)[:, None]
    cell = frames.cells[0]
    there = _shortest(positions[:, b] - positions[:, a], cell)
    positions[:, a], positions[:, b] = positions[:, a] + share * there, positions[:, b] - share * there
    from ninefold.dynamics.trajectories.trajectory import in_memory

    found, _ = analyse_shells(in_memory(trajectory.species, positions, cell, 2.0), "Re")
    assert len(found.exchanges) == 2
    assert {exchange.joined != exchange.left for exchange in found.exchanges} == {True}
    assert len(found.events) == 0


@pytest.mark.parametrize("ahead", [0, 150, -150])
def test_a_hydride_ion_takes_the_place_of_a_ligand(ahead: int) -> None:
    """It comes with the ligand that leaves, before it, or after it; then the ligand comes back for it."""
    rng = np.random.default_rng(4)
    vertices = isomers_of(9)["tricapped trigonal prism"].vertices
    frames = 2400
    whole = crystal([shell(vertices, frames, Plan(), 0.03, rng) for _ in range(2)], wrap=False)
    positions = np.concatenate([piece.positions for piece in whole.chunks()])
    cell = next(whole.chunks()).cells[0]
    hydride = np.array([3.8, 3.7, 0.1]) + rng.normal(scale=0.05, size=(frames, 3))
    number = np.arange(frames)

    def away(start: int, end: int) -> np.ndarray:
        return (np.clip((number - start) / 100, 0, 1) - np.clip((number - end) / 100, 0, 1))[:, None]

    ligand, come = away(800, 1600), away(800 - ahead, 1600 + ahead)
    there = _shortest(hydride - positions[:, 1], cell)
    bound = positions[:, 1].copy()
    positions[:, 1] = bound + ligand * there
    positions = np.concatenate([positions, (hydride - come * there)[:, None]], axis=1)
    found, histories = analyse_shells(in_memory([*whole.species, "H"], positions, cell, 2.0), "Re")
    assert counted(found.exchanges) == ExchangeCounts(to_other=0, back=1, of_hydride=1, free=1)
    assert [exchange.hydrogen for exchange in found.exchanges if exchange.left is None] == [22]
    # of 4.8 ps of two shells without the ways, and what two ligands or none take of the same place
    assert found.time_ps > 9.6 - 2 * (0.2 + 2 * abs(ahead) / 1000) - 0.4
    assert {22 in history.segment.ligands for history in histories} == {True, False}
    assert len(found.events) == 0


@pytest.mark.parametrize(
    ("leaves", "said"),
    [(1600, "than 9 for 33% of the time, which is left out"), (100, "no longer the anions of the first frame")],
)
def test_the_time_without_a_whole_shell_is_told(leaves: int, said: str) -> None:
    """The ligand goes in 100 frames to where it is of no centre, bound for 40: 760 of 2400 without it, 30 beside."""
    vertices = isomers_of(9)["tricapped trigonal prism"].vertices
    whole = crystal([shell(vertices, 2400, Plan(), 0.03, np.random.default_rng(4))], wrap=False)
    positions = np.concatenate([piece.positions for piece in whole.chunks()])
    cell = next(whole.chunks()).cells[0]
    away = np.clip((np.arange(2400) - leaves) / 100, 0, 1)[:, None]
    positions[:, 1] += away * _shortest(np.array([3.8, 3.7, 0.1]) - positions[:, 1], cell)
    found = analyse(in_memory(whole.species, positions, cell, 2.0), "Re")
    [note] = [note for note in found.notes if note.startswith("shells had")]
    assert said in note


def _shortest(steps: np.ndarray, cell: np.ndarray) -> np.ndarray:
    fractional = steps @ np.linalg.inv(cell)
    return (fractional - np.round(fractional[0])) @ cell


def _three_arm(vertices: np.ndarray) -> np.ndarray:
    """Cyclic permutations of the three ligands of each face that are all within 95 degrees of each other."""
    close = vertices @ vertices.T > np.cos(np.radians(95))
    n = len(vertices)
    found = []
    for a in range(n):
        for b in range(a + 1, n):
            for c in range(b + 1, n):
                if close[a, b] and close[b, c] and close[a, c]:
                    cycle = np.arange(n)
                    cycle[[a, b, c]] = [b, c, a]
                    found.append(cycle)
    return np.array(found)


def _unit(rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)
