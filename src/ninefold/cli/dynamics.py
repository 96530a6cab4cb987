"""`ninefold dynamics`: what the hydrogens of an anion do in a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Pseudorotation of anions in trajectories of molecular dynamics.")
    group.command()(analyse)
    app.add_typer(group, name="dynamics")


def analyse(
    files: Annotated[
        list[Path],
        typer.Argument(help="Trajectories: extended XYZ, XDATCAR, ASE .traj, LAMMPS text dump; one a temperature."),
    ],
    centre: Annotated[str, typer.Option(help="Element at the centre of the anions, e.g. Re.")],
    time_step: Annotated[
        float | None, typer.Option("--time-step", help="fs between two frames of the file.", show_default=False)
    ] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            "--temperature", help="K, once for each file in their order. Needed for free energies, a barrier."
        ),
    ] = None,
    ligands: Annotated[
        int | None, typer.Option("--ligands", "-n", help="Hydrogens of a shell. Default: as in the first frame.")
    ] = None,
    polyhedron: Annotated[
        str | None, typer.Option(help="Whose isomers are followed. Default: the closest on average.")
    ] = None,
    types: Annotated[
        str | None, typer.Option(help="LAMMPS dump without elements: element of type 1, 2, ..., e.g. K,Re,H.")
    ] = None,
    skip: Annotated[int, typer.Option(min=0, help="Frames to leave out at the start (equilibration).")] = 0,
    every: Annotated[int, typer.Option(min=1, help="Take every so many frames.")] = 1,
    json: JsonOption = False,
) -> None:
    """Follow the shells of a trajectory: permutations of ligands, turns of the anion, exchange, polyhedra.

    Prints rates with 95 % intervals, and with several temperatures the barrier of the permutations.
    """
    from ninefold.cli.calculation import step_progress
    from ninefold.dynamics.analysis import analyse as analyse_one
    from ninefold.dynamics.analysis import barrier
    from ninefold.dynamics.reading import read_trajectory
    from ninefold.errors import InputError

    temperatures = _one_each(temperature, files)
    elements = [name.strip() for name in types.split(",")] if types else []
    trajectories = [
        read_trajectory(path, time_step, kelvin, elements, skip, every)
        for path, kelvin in zip(files, temperatures, strict=True)
    ]
    found: list[DynamicsAnalysis] = []
    with step_progress() as notify:
        for done, trajectory in enumerate(trajectories):
            notify("trajectories", done, len(trajectories))
            found.append(analyse_one(trajectory, centre, ligands, polyhedron))
        notify("trajectories", len(trajectories), len(trajectories))
    fit = None
    if len(set(temperatures)) > 1:
        try:
            fit = barrier(found)
        except InputError as error:
            typer.echo(f"No barrier: {error.problem}; {error.hint or error.allowed}", err=True)
    if json:
        print_json(
            {"trajectories": [one.to_dict() for one in found], "barrier": None if fit is None else fit._asdict()}
        )
        return
    from ninefold.cli.dynamics_output import print_analysis, print_barrier

    out = console()
    for one in found:
        print_analysis(out, one)
    if fit is not None:
        print_barrier(out, fit)


def _one_each(temperatures: list[float] | None, files: list[Path]) -> list[float | None]:
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
