"""Trajectories from files: extended XYZ, XDATCAR, vasprun.xml, ASE .traj, LAMMPS text dumps.

A file is read again for each pass over its frames, some hundred frames at a time, so that its length does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ninefold.dynamics.trajectories.trajectory import ALL_FRAMES, FrameChoice, Frames, Trajectory
from ninefold.dynamics.trajectories.vasprun import is_vasprun, vasp_dynamics, vasp_frames
from ninefold.errors import InputError, description
from ninefold.paths import readable_file

FRAMES_AT_ONCE = 200
_FORMATS = {
    "extxyz": "extended XYZ", "xyz": "extended XYZ", "traj": "ASE trajectory", "vasp-xdatcar": "XDATCAR",
    "vasp-xml": "vasprun.xml", "lammps-dump-text": "LAMMPS dump",
}  # fmt: skip
"""ASE's name of a format -> ours."""
VASPRUN = "vasp-xml"
_DEUTERIUM = "deuterium is written as H: the analysis takes its positions, and no masses"
_DUMPS = (".lammpstrj", ".dump", ".lammpsdump")


def read_trajectory(
    path: Path,
    time_step_fs: float | None,
    temperature_K: float | None = None,
    types: Sequence[str] = (),
    choice: FrameChoice = ALL_FRAMES,
) -> Trajectory:
    """A trajectory from a file, its first frame looked at.

    Args:
        path: The file.
        time_step_fs: Between the frames of the file; a vasprun.xml says it.
        temperature_K: Of the thermostat; a vasprun.xml says it.
        types: Element of each atom type, for LAMMPS dumps without a column `element`.
        choice: Which frames; the time between them follows.

    Raises:
        InputError: if the file is missing, in no such format, has no frames or no cell, or the time step is missing.
    """
    path = readable_file(path, "trajectory", what="a trajectory")
    kind = _format_of(path)
    if types and kind != "lammps-dump-text":
        raise InputError("--types", ",".join(types), problem=f"is for LAMMPS dumps: {path.name} names its elements")
    if kind == VASPRUN:
        says = vasp_dynamics(path)
        if time_step_fs is not None and abs(time_step_fs - says.time_step_fs) > 1e-6:
            raise InputError(
                "--time-step", time_step_fs, problem=f"is not that of {path.name}: POTIM = {says.time_step_fs:g}",
                allowed="none, where the file says it; --every takes fewer frames",
            )  # fmt: skip
        time_step_fs = says.time_step_fs
        temperature_K = says.temperature_K if temperature_K is None else temperature_K
    if time_step_fs is None:
        raise InputError(
            "--time-step", None, problem=f"is needed: {path.name} does not say the time between its frames",
            allowed="fs between two frames of the file, not of the integrator",
        )  # fmt: skip
    first = next(_atoms(path, kind, types, 0), None)
    if first is None:
        raise InputError("trajectory", str(path), problem="holds no frame", allowed="one and more")
    species = tuple(first.get_chemical_symbols())
    if 0 in first.numbers:
        raise InputError("trajectory", str(path), problem="holds atoms of no element")
    if not all(first.pbc):
        raise InputError(
            "trajectory", str(path), problem="is not periodic in three directions", allowed="a cell in every frame",
            hint="extended XYZ: Lattice=\"...\" and pbc=\"T T T\" in the second line of each frame",
        )  # fmt: skip

    def read() -> Iterator[Frames]:
        return _pieces(path, kind, types, species, choice)

    return Trajectory(
        species, time_step_fs * choice.every, read, temperature_K, path.name, skipped=choice.skip, stride=choice.every
    )


def _format_of(path: Path) -> str:
    from ase.io.formats import UnknownFileTypeError, filetype

    if path.suffix.lower() in _DUMPS:
        return "lammps-dump-text"
    if is_vasprun(path):
        return VASPRUN
    try:
        kind = str(filetype(str(path), read=True))
    except UnknownFileTypeError:
        kind = ""
    if kind not in _FORMATS:
        raise InputError(
            "trajectory", str(path), problem="is in no format of trajectories that is read",
            allowed=", ".join(dict.fromkeys(_FORMATS.values())), hint="ase convert changes formats",
        )  # fmt: skip
    return kind


def _atoms(path: Path, kind: str, types: Sequence[str], skip: int) -> Iterator[Any]:
    """Frames as ASE's atoms.

    Raises:
        InputError: with the frame at which ASE's parser stops; it raises whatever a broken file makes it.
    """
    import ase.io

    options: dict[str, Any] = {}
    if kind == "lammps-dump-text":
        _check_types(path, types)
        options = {"specorder": list(types)} if types else {}
    number = skip
    try:
        frames = (
            vasp_frames(path, skip)
            if kind == VASPRUN
            else ase.io.iread(str(path), index=f"{skip}:", format=kind, **options)
        )
        for atoms in frames:
            yield atoms
            number += 1
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(
            "trajectory",
            str(path),
            problem=f"is no {_FORMATS[kind]} that can be read, at frame {number + 1}: {description(error)}",
            hint=_DEUTERIUM if isinstance(error, KeyError) and error.args == ("D",) else None,
        ) from error


def _check_types(path: Path, types: Sequence[str]) -> None:
    """A dump without elements gives types, which ASE would take for atomic numbers."""
    from ase.data import chemical_symbols

    with path.open(encoding="utf-8", errors="replace") as lines:
        header = next((line for line in lines if line.startswith("ITEM: ATOMS")), "")
    if "element" in header.split():
        return
    if unknown := [name for name in types if name not in chemical_symbols[1:]]:
        hint = _DEUTERIUM if "D" in unknown else None
        raise InputError("--types", unknown[0], problem="is no element", allowed="symbols, e.g. K,Re,H", hint=hint)
    if not types:
        raise InputError(
            "--types", None, problem=f"is needed: {path.name} numbers its atom types and does not name elements",
            allowed="the element of type 1, 2, ..., e.g. K,Re,H",
        )  # fmt: skip


def _pieces(
    path: Path, kind: str, types: Sequence[str], species: tuple[str, ...], choice: FrameChoice
) -> Iterator[Frames]:
    positions: list[np.ndarray] = []
    cells: list[np.ndarray] = []
    last = None if choice.until is None else choice.until - choice.skip
    for number, atoms in enumerate(islice(_atoms(path, kind, types, choice.skip), last)):
        if number % choice.every:
            continue
        if len(atoms) != len(species) or tuple(atoms.get_chemical_symbols()) != species:
            raise InputError(
                "trajectory", f"{path.name}, frame {choice.skip + number + 1}",
                problem="has other atoms than the first frame",
                allowed=f"the same {len(species)} atoms in the same order",
            )  # fmt: skip
        positions.append(atoms.positions)
        cells.append(atoms.cell.array)
        if len(positions) == FRAMES_AT_ONCE:
            yield Frames(np.array(positions), np.array(cells))
            positions, cells = [], []
    if positions:
        yield Frames(np.array(positions), np.array(cells))
