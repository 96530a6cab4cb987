"""Cage anions, whose centre is no atom: their centres, and their turns counted as those of any shell."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation
from synthetic_trajectories import M_H, Plan, ideal, shell

from campaign_run import ninefold
from ninefold.dynamics.analysis import analyse
from ninefold.dynamics.anions.cages import with_cages
from ninefold.dynamics.density.surfaces import SurfaceSettings, surfaces_of
from ninefold.dynamics.minima.inherent_structures import shell_states, with_centres
from ninefold.dynamics.minima.quenches import Quench
from ninefold.dynamics.trajectories.trajectory import in_memory
from ninefold.errors import InputError

B_B, B_H = 1.70, 2.90
"""From the centre of [B12H12]2-, Å."""
FRAMES = 3000
TURNS = {500: 75.0, 1200: 90.0, 2100: 120.0}
"""Frame -> degrees."""


def cages(turns, spacing=7.2, wrap=True):
    """Two cages in a cell hardly wider than one; those of the first turn as planned, the second rests."""
    rng = np.random.default_rng(4)
    _, icosahedron = ideal(12)
    positions, species = [], []
    for number in range(2):
        angles = turns if number == 0 else {}
        plan = Plan(turns={at: Rotation.from_rotvec([0, 0, np.radians(angle)]) for at, angle in angles.items()})
        vectors = shell(icosahedron, FRAMES, plan, 0.02, rng) / M_H
        centre = np.array([spacing * number + 0.3, 0.2, 0.1])
        positions += [centre + B_B * vectors, centre + B_H * vectors, np.tile(centre + spacing / 2, (FRAMES, 1, 1))]
        species += [*["B"] * 12, *["H"] * 12, "Na"]
    cell = np.diag([2 * spacing, spacing, spacing])
    every = np.concatenate(positions, axis=1)
    if wrap:
        every = np.mod(every @ np.linalg.inv(cell), 1.0) @ cell
    return in_memory(species, every, cell, 2.0, temperature_K=400.0)


def test_the_centre_is_that_of_the_cage_wherever_its_atoms_are_wrapped():
    found = with_cages(cages(TURNS), "B12")
    assert found.species[-2:] == ("B12", "B12")
    for frames in found.chunks():
        off = frames.positions[:, -2:] - np.array([[0.3, 0.2, 0.1], [7.5, 0.2, 0.1]])
        off -= np.round(off / frames.cells[0].diagonal()) * frames.cells[0].diagonal()
        assert np.abs(off).max() < 0.06
    assert with_cages(found, "B12") is found
    assert with_cages(found, "B") is found


def test_turns_are_counted_and_no_permutation():
    found = analyse(cages(TURNS), "B12").pseudorotation
    assert (found.n, found.polyhedron, found.n_centres) == (12, "icosahedron", 2)
    assert found.events == ()
    assert len(found.turns) == len(TURNS)
    assert {atom for atom, _ in found.turns} == {50}, "the second cage rests"
    for (_, turn), at in zip(found.turns, TURNS, strict=True):
        assert abs(turn.frame - at) < 100


def test_a_resting_cage_has_no_turn():
    assert analyse(cages({}), "B12").pseudorotation.turns == ()


def test_a_group_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"'B10' is no group of bonded B atoms.*allowed: B12"):
        with_cages(cages({}), "B10")


def test_the_density_about_a_cage_has_its_twelve_places_and_no_atom_in_the_middle():
    found = surfaces_of(cages({}), "B12", SurfaceSettings(blocks=3, resamples=5))
    crystal, *anions = found.surfaces
    assert crystal.symbols.count("B12") == 0
    assert crystal.symbols.count("B") == 24
    assert [(one.kind, len(one.sites), one.symbols) for one in anions] == [
        ("B12-1", 12, ()), ("B12-2", 12, ())
    ]  # fmt: skip
    assert all(len(one.positions) == 0 for one in anions)


def test_density_command_draws_a_cage(tmp_path):
    made = cages({})
    frames = np.concatenate([piece.positions for piece in made.chunks()])[::10]
    cell = next(iter(made.chunks())).cells[0]
    ase.io.write(tmp_path / "run.xyz", [Atoms(made.species, positions=at, cell=cell, pbc=True) for at in frames])
    command = ["dynamics", "density", "run.xyz", "--centre", "B12", "--time-step", "20", "--temperature", "400"]
    ninefold(*command, "--out", "d", cwd=tmp_path)
    assert {path.suffix for path in (tmp_path / "d").iterdir()} == {".cube", ".png", ".json"}
    cube = ase.io.read(next((tmp_path / "d").glob("*crystal-free-energy.cube")))
    assert set(cube.symbols) == {"B", "Na"}


def test_jumps_of_cations_beside_cages(tmp_path):
    made = cages(TURNS)
    frames = np.concatenate([piece.positions for piece in made.chunks()])[::5]
    cell = next(iter(made.chunks())).cells[0]
    ase.io.write(tmp_path / "run.xyz", [Atoms(made.species, positions=at, cell=cell, pbc=True) for at in frames])
    command = ["dynamics", "jumps", "run.xyz", "--mobile", "Na", "--centre", "B12", "--time-step", "10"]
    text = ninefold(*command, "--temperature", "400", cwd=tmp_path).stdout
    assert "with turns" in text
    assert "with site exchanges" in text


def test_quenches_have_the_cages_centres():
    first = next(iter(cages({}).chunks()))
    quenches = [Quench(first.positions[k], first.cells[k], 0.0, 0.1, 0.001, 1, True) for k in (0, 5)]
    species = list(cages({}).species)
    [moved], symbols = with_centres([quenches], species, "B12")
    assert symbols == [*species, "B12", "B12"]
    assert [len(one.positions) for one in moved] == [52, 52]
    states = shell_states([moved], symbols, "B12", 12, [1.0], tolerance=0.5)
    assert len(states.representatives) == 1
    [same], _ = with_centres([quenches], species, "B")
    assert (same[0].positions == quenches[0].positions).all()
