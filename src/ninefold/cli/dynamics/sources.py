"""Trajectories as the commands of `ninefold dynamics` take them: folders of runs, or files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ninefold.dynamics.trajectories.trajectory import Trajectory

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        help="Folders of runs; or files: extended XYZ, vasprun.xml, XDATCAR, ASE .traj, LAMMPS dump. One a temperature."
    ),
]
TimeStepOption = Annotated[
    float | None, typer.Option("--time-step", help="fs between two frames of the file.", show_default=False)
]
TypesOption = Annotated[
    str | None, typer.Option(help="LAMMPS dump without elements: element of type 1, 2, ..., e.g. K,Re,H.")
]
SkipOption = Annotated[int, typer.Option(min=0, help="Frames to leave out at the start (equilibration).")]
UntilOption = Annotated[
    int | None,
    typer.Option(min=1, help="Leave out all frames after so many, counted from the first.", show_default=False),
]
EveryOption = Annotated[int, typer.Option(min=1, help="Take every so many frames.")]
PolyhedronOption = Annotated[
    str | None, typer.Option(help="Whose isomers are followed. Default: the closest on average.")
]


def trajectories_of(
    files: list[Path],
    temperature: list[float] | None,
    time_step: float | None,
    types: str | None,
    skip: int,
    until: int | None,
    every: int,
) -> list[Trajectory]:
    """The trajectories of some folders and files.

    Args:
        files: Folders of runs, or files.
        temperature: K, of each file; folders know theirs.
        time_step: fs between two frames of a file; folders know theirs.
        types: Elements of a LAMMPS dump's types, separated by commas.
        skip: Frames to leave out at the start.
        until: The last frame that is taken, counted from the first; None is the last.
        every: Take every so many frames.

    Raises:
        InputError: if one cannot be read, or they are of different compounds.
    """
    from ninefold.chemistry.formula import formula_of, reduced
    from ninefold.dynamics.simulation.runs import is_run, read_run
    from ninefold.dynamics.trajectories.reading import read_trajectory
    from ninefold.dynamics.trajectories.trajectory import FrameChoice
    from ninefold.errors import InputError

    choice = FrameChoice(skip, until, every)
    for path in files:
        if path.is_dir() and not is_run(path):
            runs = sorted(one.name for one in path.iterdir() if is_run(one))
            hint = f"the folders of runs in it: {', '.join(str(path / name) for name in runs)}" if runs else None
            raise InputError(
                "trajectory", str(path), problem="is no folder of a run", hint=hint,
                allowed="a file, or the folder of one temperature that 'ninefold dynamics run' wrote",
            )  # fmt: skip
    resolved = [path.resolve() for path in files]
    if twice := next((path for path in files if resolved.count(path.resolve()) > 1), None):
        raise InputError("trajectory", str(twice), problem="is given twice", allowed="each once")
    kelvins = one_each(temperature, files)
    if all(is_run(path) for path in files):
        known = "nothing: a run's folder says it"
        if temperature:
            raise InputError("--temperature", f"{temperature[0]:g}", problem="is for files", allowed=known)
        if time_step is not None:
            raise InputError("--time-step", f"{time_step:g}", problem="is for files", allowed=known)
    elements = [name.strip() for name in types.split(",")] if types else []
    found = [
        read_run(path, choice) if is_run(path) else read_trajectory(path, time_step, kelvin, elements, choice)
        for path, kelvin in zip(files, kelvins, strict=True)
    ]
    compounds = {formula_of(reduced(Counter(one.species))): path for one, path in zip(found, files, strict=True)}
    if len(compounds) > 1:
        raise InputError(
            "trajectory", ", ".join(f"{path}: {formula}" for formula, path in compounds.items()),
            problem="are of different compounds", allowed="runs of one crystal, of one isotope",
        )  # fmt: skip
    return found


def one_each(temperatures: list[float] | None, files: list[Path]) -> list[float | None]:
    """The temperature of each file; None where none is given."""
    from ninefold.errors import InputError

    if not temperatures:
        return [None] * len(files)
    if len(temperatures) != len(files):
        raise InputError(
            "--temperature", ", ".join(f"{value:g}" for value in temperatures),
            problem=f"{len(temperatures)} for {len(files)} files", allowed="one for each file, in their order",
        )  # fmt: skip
    for value in temperatures:
        if not 0 < value < 10_000:
            raise InputError("--temperature", value, allowed="above 0, below 10000 K")
    return list(temperatures)
