"""`ninefold dynamics density` on a foreign trajectory: cube files read back, pictures, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.io.cube import read_cube
from synthetic_trajectories import Plan, ideal, shell
from typer.testing import CliRunner

from ninefold.cli.main import command_line
from ninefold.errors import InputError

BOHR = 0.529177
CELL = np.array([[7.0, 0, 0], [-3.5, 6.0622, 0], [0, 0, 6.5]])
CENTRE = np.array([0.31, 0.22, 5.9])
CATION = CENTRE + np.array([3.5, 2.0, 3.3])
FRAMES = 200


def _invoke(*arguments: str) -> Any:
    return CliRunner().invoke(command_line(), ["dynamics", "density", *arguments])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One anion of nine ligands that vibrates near a corner of a hexagonal cell, run, and the output of the command."""
    folder = tmp_path_factory.mktemp("density")
    vectors = shell(ideal(9)[1], FRAMES, Plan(), 0.04, np.random.default_rng(0))
    frames = [Atoms("ReKH9", positions=[CENTRE, CATION, *(CENTRE + one)], cell=CELL, pbc=True) for one in vectors]
    for one in frames:
        one.wrap()
    ase.io.write(folder / "run.xyz", frames, format="extxyz")
    np.save(folder / "vectors.npy", vectors)
    for frame in ("crystal", "anion"):
        done = _invoke(
            str(folder / "run.xyz"), "--centre", "Re", "--time-step", "2", "--temperature", "300", "--frame", frame,
            "--out", str(folder / "out"), "--energy", "90", "--energy", "120", "--resamples", "5", "--blocks", "4",
            "--polyhedron", ideal(9)[0],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    return folder


def _cube(path: Path) -> tuple[np.ndarray, Atoms, list[str]]:
    with path.open() as file:
        found = read_cube(file)
    return found["data"], found["atoms"], path.read_text().splitlines()[:6]


def test_cube_of_the_crystal_has_its_cell_in_bohr_and_its_hydrogens(written: Path) -> None:
    data, atoms, head = _cube(written / "out/run-crystal-density.cube")
    assert "hydrogens per A^3" in head[0]
    steps = np.array([[float(word) for word in line.split()] for line in head[3:6]])
    assert steps[:, 1:] * steps[:, :1] * BOHR == pytest.approx(CELL, abs=0.001)
    assert [float(word) for word in head[2].split()[1:]] == [0, 0, 0]
    assert atoms.get_chemical_symbols() == ["K", "Re"] or atoms.get_chemical_symbols() == ["Re", "K"]
    off = atoms.positions[atoms.numbers == 75] - CENTRE
    assert np.linalg.norm((off @ np.linalg.inv(CELL) + 0.5) % 1 @ CELL - 0.5 * CELL.sum(axis=0)) < 0.01
    volume = abs(np.linalg.det(CELL)) / data.size
    assert data.sum() * volume == pytest.approx(9.0, rel=1e-4)


def test_densest_places_of_the_cubes_are_where_the_ligands_are(written: Path) -> None:
    """In both frames distances from the metal in the file are M-H: grid and atoms have one origin."""
    vectors = np.load(written / "vectors.npy")
    for name in ("run-crystal", "run-anion-Re1"):
        data, atoms, _ = _cube(written / f"out/{name}-density.cube")
        place = np.array(np.unravel_index(np.argmax(data), data.shape)) / data.shape
        step = place - atoms.get_scaled_positions()[atoms.numbers == 75][0]
        step = (step + 0.5) % 1 - 0.5
        length = np.linalg.norm(step @ atoms.cell.array)
        assert length == pytest.approx(np.linalg.norm(vectors, axis=2).mean(), abs=0.15)
        if name == "run-crystal":
            nearest = np.linalg.norm(vectors.mean(axis=0) - step @ atoms.cell.array, axis=1).min()
            assert nearest < 0.15


def test_free_energy_is_that_of_the_density_and_ends_where_nothing_was_seen(written: Path) -> None:
    density, _, _ = _cube(written / "out/run-crystal-density.cube")
    energy, _, head = _cube(written / "out/run-crystal-free-energy.cube")
    highest = json.loads((written / "out/run-crystal.json").read_text())["surfaces"][0]["resolved_eV"]
    assert "in eV" in head[0]
    assert f"{highest:.4f}" in head[0]
    with np.errstate(divide="ignore"):
        expected = np.minimum(-8.617333e-5 * 300 * np.log(density / density.max()), highest)
    assert energy == pytest.approx(expected, abs=1e-5)
    assert (energy == pytest.approx(highest, abs=1e-5)).any() if np.isscalar(energy) else np.isfinite(energy).all()
    assert np.isclose(energy, highest, atol=1e-5).mean() > 0.3


def test_pictures_and_table_are_written_for_each_frame(written: Path) -> None:
    names = {path.name for path in (written / "out").iterdir()}
    assert {"run-crystal.png", "run-crystal-anions.png", "run-anion-anions.png", "run-anion.json"} <= names
    for name in ("run-crystal.png", "run-crystal-anions.png", "run-anion-anions.png"):
        assert (written / "out" / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    values = json.loads((written / "out/run-anion.json").read_text())
    [surface] = values["surfaces"]
    assert [(one["energy_meV"], one["pockets"], one["state"]) for one in surface["drawn"]] == [
        (90.0, 9, "isolated"), (120.0, 9, "isolated"),
    ]  # fmt: skip
    assert surface["connections"]["sites of an anion"]["energy_eV"] is None
    assert set(values["files"]) <= names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--frame", "lab"], "--frame"),
        (["--energy", "0"], "--energy"),
        (["--energy", "nan"], "--energy"),
        (["--smoothing", "3"], "--smoothing"),
        (["--resolution", "0.001"], "resolution"),
        (["--format", "pdf"], "--format"),
        (["--centre", "Mo"], "centre"),
        (["--polyhedron", "cube"], "--polyhedron"),
        (["--temperature", "-3"], "--temperature"),
        ([], "holds"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(written: Path, arguments: list[str], said: str) -> None:
    given = {"--centre": "Re", "--time-step": "2", "--temperature": "300", "--out": str(written / "new")}
    if not arguments:
        given["--out"] = str(written / "out")
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    done = _invoke(str(written / "run.xyz"), *(word for pair in given.items() for word in pair))
    assert isinstance(done.exception, InputError)  # which ends with exit code 2
    assert said in str(done.exception)
    assert not (written / "new").exists()


def test_without_a_temperature_there_is_no_free_energy(written: Path) -> None:
    done = _invoke(str(written / "run.xyz"), "--centre", "Re", "--time-step", "2", "--out", str(written / "new"))
    assert isinstance(done.exception, InputError)
    assert "--temperature" in str(done.exception)
