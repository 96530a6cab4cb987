"""`ninefold dynamics analyse`: what the hydrogens of an anion do in a trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ninefold.cli.dynamics.sources import (
    EveryOption,
    FilesArgument,
    PolyhedronOption,
    SkipOption,
    TimeStepOption,
    TypesOption,
    UntilOption,
    trajectories_of,
)
from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis


def analyse(
    files: FilesArgument,
    centre: Annotated[
        str, typer.Option(help="Element at the centre of the anions, e.g. Re; B12: cages of 12 boron atoms.")
    ],
    time_step: TimeStepOption = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            "--temperature", help="K, once for each file in their order. Needed for free energies, a barrier."
        ),
    ] = None,
    ligands: Annotated[
        int | None, typer.Option("--ligands", "-n", help="Hydrogens of a shell. Default: as in the first frame.")
    ] = None,
    polyhedron: PolyhedronOption = None,
    types: TypesOption = None,
    skip: SkipOption = 0,
    until: UntilOption = None,
    every: EveryOption = 1,
    json: JsonOption = False,
) -> None:
    """Follow the shells of a trajectory: permutations of ligands, turns of the anion, exchange, polyhedra.

    Prints rates with 95 % intervals, and with several temperatures the barrier of the permutations.
    """
    from ninefold.cli.calculation import step_progress
    from ninefold.dynamics.analysis import analyse as analyse_one
    from ninefold.dynamics.anions.event_paths import event_path
    from ninefold.dynamics.barriers import barriers_of

    trajectories = trajectories_of(files, temperature, time_step, types, skip, until, every)
    found: list[DynamicsAnalysis] = []
    with step_progress() as notify:
        for done, trajectory in enumerate(trajectories):
            notify("trajectories", done, len(trajectories))
            found.append(analyse_one(trajectory, centre, ligands, polyhedron))
        notify("trajectories", len(trajectories), len(trajectories))
    laws = barriers_of(found)
    for problem in laws.problems:
        typer.echo(problem, err=True)
    events = [event for one in found for event in one.pseudorotation.events]
    path = event_path(events)
    paths = {
        group.name: event_path(events, group.centres) for group in found[0].anions.groups if group.name in laws.by_anion
    }
    if json:
        print_json(
            {
                "trajectories": [one.to_dict() for one in found],
                "path": None if path is None else path.to_dict(),
                "paths_by_anion": {name: None if one is None else one.to_dict() for name, one in paths.items()},
                **laws.to_dict(),
            }
        )
        return
    from ninefold.cli.dynamics.output import print_analysis, print_barrier, print_relaxation

    out = console()
    for one in found:
        print_analysis(out, one)
    if laws.permutations is not None:
        print_barrier(out, laws.permutations, path)
    for name, fit in laws.by_anion.items():
        print_barrier(out, fit, paths[name], name)
    if laws.turns is not None:
        print_barrier(out, laws.turns, None, events="turns of the whole")
    for (anion, kind), fit in laws.site_exchanges.items():
        print_barrier(out, fit, None, anion, events=f"site exchange ({kind})")
    for (anion, frame), law in laws.relaxation.items():
        print_relaxation(out, law, anion, frame)
    for note in laws.notes:
        out.print(f"  note: {note}")
