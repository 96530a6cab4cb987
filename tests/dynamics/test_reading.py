"""Foreign trajectories, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from synthetic_trajectories import Plan, crystal, shell

from campaign_run import ninefold
from ninefold.cli.dynamics.sources import trajectories_of
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.pseudorotation import analyse_shells
from ninefold.dynamics.trajectories.reading import read_trajectory
from ninefold.dynamics.trajectories.trajectory import FrameChoice, Frames, Trajectory, in_memory, thinned
from ninefold.errors import InputError


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    rng = np.random.default_rng(0)
    isomers = isomers_of(9)["tricapped trigonal prism"]
    trajectory = crystal([shell(isomers.vertices, 300, Plan({150: isomers.neighbours[0]}), 0.05, rng)])
    return [
        Atoms(trajectory.species, positions=positions, cell=cell, pbc=True)
        for piece in trajectory.chunks()
        for positions, cell in zip(piece.positions, piece.cells, strict=True)
    ]


@pytest.mark.parametrize(("name", "form"), [("run.xyz", "extxyz"), ("run.traj", "traj"), ("XDATCAR", "vasp-xdatcar")])
def test_formats_give_the_same_events(frames: list[Atoms], tmp_path: Path, name: str, form: str) -> None:
    ordered = [atoms[np.argsort(atoms.numbers, kind="stable")] for atoms in frames]
    ase.io.write(tmp_path / name, ordered, format=form)
    found, _ = analyse_shells(read_trajectory(tmp_path / name, 2.0), "Re")
    assert (len(found.events), found.n, found.duration_ps) == (1, 9, pytest.approx(0.6))


def test_lammps_dump_needs_its_elements(frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / "run.lammpstrj"
    _write_dump(path, frames[:3], ["K", "Re", "H"])
    with pytest.raises(InputError, match="--types"):
        read_trajectory(path, 2.0)
    read = read_trajectory(path, 2.0, types=["K", "Re", "H"])
    assert sorted(read.species) == sorted(frames[0].get_chemical_symbols())
    [piece] = read.chunks()
    assert piece.positions[0] == pytest.approx(frames[0].positions, abs=1e-4)


def _write_dump(path: Path, frames: list[Atoms], types: list[str]) -> None:
    with path.open("w") as file:
        for step, atoms in enumerate(frames):
            lengths = atoms.cell.lengths()
            file.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n")
            file.writelines(f"0 {length}\n" for length in lengths)
            file.write("ITEM: ATOMS id type x y z\n")
            for number, (symbol, place) in enumerate(zip(atoms.symbols, atoms.positions, strict=True), start=1):
                file.write(f"{number} {types.index(symbol) + 1} {place[0]:.6f} {place[1]:.6f} {place[2]:.6f}\n")


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_a_run_is_thinned_as_a_file_is(every: int) -> None:
    """Also over the ends of pieces."""
    positions = np.arange(200 * 3, dtype=float).reshape(200, 1, 3)
    cells = np.broadcast_to(np.eye(3) * 9, (200, 3, 3))
    whole = in_memory(["H"], positions, np.eye(3) * 9, 2.0)
    places = [slice(at, at + 9) for at in range(0, 200, 9)]
    pieces = replace(whole, read=lambda: (Frames(positions[place], cells[place]) for place in places))
    found = thinned(pieces, every)
    assert np.concatenate([one.positions for one in found.chunks()]) == pytest.approx(positions[::every])
    assert found.time_step_fs == 2.0 * every


def test_every_and_skip(frames: list[Atoms], tmp_path: Path) -> None:
    ase.io.write(tmp_path / "run.traj", frames)
    read = read_trajectory(tmp_path / "run.traj", 2.0, choice=FrameChoice(skip=100, every=4))
    assert read.time_step_fs == 8.0
    assert sum(len(piece) for piece in read.chunks()) == 50


@pytest.mark.parametrize(("until", "last"), [(203, 200), (202, 200), (201, 200), (200, 196), (999, 296)])
def test_the_end_is_counted_from_the_first_frame(frames: list[Atoms], tmp_path: Path, until: int, last: int) -> None:
    ase.io.write(tmp_path / "run.traj", frames)
    choice = FrameChoice(skip=100, until=until, every=4)
    read = read_trajectory(tmp_path / "run.traj", 2.0, choice=choice)
    found = np.concatenate([piece.positions for piece in read.chunks()])
    assert found == pytest.approx(np.array([atoms.positions for atoms in frames[100 : last + 1 : 4]]))


def test_deuterium_in_a_file_is_told_how_to_be_written(tmp_path: Path) -> None:
    text = '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3 pbc="T T T"\nRe 0 0 0\nD 0 0 1.7\n'
    (tmp_path / "run.xyz").write_text(text * 3)
    with pytest.raises(InputError, match="deuterium is written as H"):
        read_trajectory(tmp_path / "run.xyz", 2.0)


def _broken(frames: list[Atoms], what: str) -> list[Atoms]:
    changed = [atoms.copy() for atoms in frames[:30]]
    if what == "fewer atoms":
        del changed[20][0]
    if what == "no number":
        changed[20].positions[3, 1] = np.nan
    if what == "no cell":
        for atoms in changed:
            atoms.pbc = False
    if what == "flat cell":
        changed[20].cell[:] = 0.0
    return changed


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("fewer atoms", "frame 21"), ("no number", "frame 21"), ("no cell", "not periodic"), ("flat cell", "frame 21"),
    ],
)  # fmt: skip
def test_broken_frames_are_named(frames: list[Atoms], tmp_path: Path, what: str, said: str) -> None:
    ase.io.write(tmp_path / "run.traj", _broken(frames, what))
    with pytest.raises(InputError, match=said):
        for _ in read_trajectory(tmp_path / "run.traj", 1.0).chunks():
            pass
    if said != "not periodic":  # numbers are those of the file, whatever is left out
        with pytest.raises(InputError, match=said):
            for _ in read_trajectory(tmp_path / "run.traj", 1.0, choice=FrameChoice(skip=5, every=3)).chunks():
                pass


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run.traj", "--centre", "Re"], "--time-step"),
        (["run.traj", "--centre", "Mo", "--time-step", "1"], "Mo"),
        (["run.traj", "--centre", "Re", "--time-step", "-1"], "time_step_fs"),
        (
            ["run.traj", "--centre", "Re", "--time-step", "1", "--temperature", "300", "--temperature", "400"],
            "one for each",
        ),
        (["run.traj", "--centre", "Re", "--time-step", "1", "--polyhedron", "cube"], "tricapped"),
        (["run.traj", "--centre", "Re", "--time-step", "1", "--skip", "999"], "no frame"),
        (["run.traj", "--centre", "Re", "--time-step", "1", "--skip", "9", "--until", "9"], "10 and more"),
        (["gone.traj", "--centre", "Re", "--time-step", "1"], "does not exist"),
        (["notes.txt", "--centre", "Re", "--time-step", "1"], "no format"),
    ],
)
def test_wrong_input_is_one_line(frames: list[Atoms], tmp_path: Path, arguments: list[str], said: str) -> None:
    ase.io.write(tmp_path / "run.traj", frames[:30])
    (tmp_path / "notes.txt").write_text("what I did\n")
    process = ninefold("dynamics", "analyse", *arguments, cwd=tmp_path)
    assert process.returncode == 2, process.stderr
    assert said in process.stderr
    assert "Traceback" not in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1


def test_runs_of_different_compounds_are_refused(frames: list[Atoms], tmp_path: Path) -> None:
    other = [atoms.copy() for atoms in frames[:4]]
    for atoms in other:
        atoms.symbols[atoms.symbols == "K"] = "Rb"
    for name, some in (("a.xyz", frames[:4]), ("b.xyz", other), ("c.xyz", frames[:4])):
        ase.io.write(tmp_path / name, some, format="extxyz")

    def together(*names: str) -> list[Trajectory]:
        return trajectories_of([tmp_path / name for name in names], None, 2.0, None, 0, None, 1)

    assert len(together("a.xyz", "c.xyz")) == 2
    with pytest.raises(InputError, match="are of different compounds; allowed: runs of one crystal, of one isotope"):
        together("a.xyz", "b.xyz")
