"""`ninefold dynamics`: what the hydrogens of an anion do in a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import EngineOption, ModelOption, refuse, told_by
from ninefold.cli.dynamics_candidates import candidates
from ninefold.cli.dynamics_checks import CheckOption
from ninefold.cli.dynamics_correct import correct
from ninefold.cli.dynamics_density import density
from ninefold.cli.dynamics_distil import distil
from ninefold.cli.dynamics_jumps import jumps
from ninefold.cli.dynamics_paths import paths
from ninefold.cli.dynamics_plot import plot
from ninefold.cli.dynamics_quench import quench
from ninefold.cli.dynamics_sources import (
    EveryOption,
    FilesArgument,
    PolyhedronOption,
    SkipOption,
    TimeStepOption,
    TypesOption,
    UntilOption,
    trajectories_of,
)
from ninefold.cli.dynamics_transport import transport
from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninefold.dynamics.analysis import DynamicsAnalysis


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Molecular dynamics, and the pseudorotation of anions in it.")
    for command in (run, analyse, paths, transport, jumps, candidates, plot, distil, correct, density, quench):
        group.command()(command)
    app.add_typer(group, name="dynamics")


def run(
    file: Annotated[Path, typer.Argument(help="Relaxed structure: CIF, POSCAR, ...; docs/files.md.")],
    temperature: Annotated[list[float], typer.Option("--temperature", help="K; repeat for several runs.")],
    picoseconds: Annotated[float, typer.Option(help="Of each run; a run that is there goes on to it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; each run has its own in it.")],
    engine: EngineOption = "sevennet",
    model: ModelOption = None,
    width: Annotated[float, typer.Option(help="Narrowest width of the supercell, Å.")] = 7.0,
    time_step: Annotated[float, typer.Option("--time-step", help="Of the integrator, fs.")] = 0.5,
    save_every: Annotated[
        int, typer.Option("--save-every", min=1, max=10_000, help="Steps between frames that are kept.")
    ] = 10,
    deuterium: Annotated[bool, typer.Option("--deuterium", help="Mass of D for the hydrogens.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes the velocities and the thermostat.")] = 0,
    pressure: Annotated[
        float | None,
        typer.Option(help="GPa: the cell breathes, its shape kept. Default: it is held.", show_default=False),
    ] = None,
    max_atoms: Annotated[int, typer.Option("--max-atoms", min=1, help="Larger supercells are refused.")] = 300,
    check_every: Annotated[
        int, typer.Option("--check-every", min=0, help="Frames from check to check by a distilled potential's teacher.")
    ] = 200,
    second: CheckOption = None,
    check_frames: Annotated[
        int, typer.Option("--check-frames", min=1, help="Frames of each run for --check, at equal times.")
    ] = 50,
) -> None:
    """Run molecular dynamics at constant temperature. Ctrl-C ends after a piece; the same command goes on.

    The volume is constant, or the pressure with --pressure.

    The folder of a run is what `ninefold dynamics analyse` takes. With --check a second method computes frames of each
    finished run; each is kept, so that the same command goes on after a kill.
    """
    from ninefold.cli.calculation import step_progress, stopping
    from ninefold.cli.dynamics_checks import check_method, check_run, frame_sentence
    from ninefold.cli.dynamics_output import box_lines
    from ninefold.dynamics.potentials.corrected import CorrectedEngine
    from ninefold.dynamics.potentials.distilled import DistilledEngine, force_source
    from ninefold.dynamics.simulation.runs import RunSettings
    from ninefold.dynamics.simulation.runs import run as run_one
    from ninefold.engines import EngineSettings, make_engine

    if not 0 < picoseconds <= 1e6:
        refuse("--picoseconds", picoseconds, "is no length of a run", "above 0, up to 1000000 ps")
    if not 0 < time_step <= 5:
        refuse("--time-step", time_step, "is no time step", "above 0, up to 5 fs; 0.5 fs for hydrogen")
    for kelvin in temperature:
        if not 0 < kelvin <= 5000:
            refuse("--temperature", kelvin, "is out of range", "above 0, up to 5000 K")
    if pressure is not None and not -20 <= pressure <= 500:
        refuse("--pressure", pressure, "is out of range", "-20 to 500 GPa")
    with told_by():
        made = make_engine(EngineSettings(name=engine, model=model))
    calculator = getattr(made, "calculator", None)
    if calculator is None:
        refuse(
            "--engine", engine, "has no calculator for dynamics", "chgnet, sevennet, gpaw, or another ASE calculator"
        )
    if pressure is not None and isinstance(made, DistilledEngine):
        refuse("--pressure", pressure, "is not for a distilled potential: it learnt one volume, and no stress",
               "an engine with stresses; then distil at the mean volume")  # fmt: skip
    if pressure is not None and isinstance(made, CorrectedEngine):
        refuse("--pressure", pressure, "is not for a corrected engine: no stress was labelled",
               "the engine without its correction")  # fmt: skip
    atoms = supercell(file, width, max_atoms)
    check_elements(made, atoms.get_chemical_symbols())
    say_beside(made, atoms)
    points = None if second is None else check_method(second, made, atoms.get_chemical_symbols(), out)
    if twice := next((kelvin for kelvin in temperature if temperature.count(kelvin) > 1), None):
        refuse("--temperature", f"{twice:g}", "is given twice", "each once; --seed makes another run in another --out")
    frames = max(1, round(picoseconds * 1000 / time_step / save_every))
    typer.echo(
        f"{file.name}: supercell of {len(atoms)} atoms, {frames} frames for {picoseconds:g} ps, {made.label}", err=True
    )
    check = made.check(check_every) if isinstance(made, DistilledEngine) and check_every else None
    for kelvin in temperature:
        settings = RunSettings(
            temperature_K=kelvin, time_step_fs=time_step, save_every=save_every, seed=seed,
            isotope="D" if deuterium else "H", pressure_GPa=pressure,
        )  # fmt: skip
        folder = out / (f"{kelvin:g}K" if pressure is None else f"{kelvin:g}K-{pressure:g}GPa")
        source = force_source(made, kelvin, len(atoms), atoms.get_volume() / len(atoms), atoms.get_chemical_symbols())
        for note in source.warnings if isinstance(made, DistilledEngine) else ():
            typer.echo(f"{folder}: note: {note}", err=True)
        with stopping(None) as stop, step_progress() as notify:
            name = f"dynamics {kelvin:g} K"
            atoms.calc = calculator()
            done = run_one(
                atoms, settings, folder, frames, made.fingerprint, frames_per_piece=20 if check is None else 200,
                notify=lambda at, total, name=name: notify(name, at, total), stop=stop,  # type: ignore[misc]
                forces=source,
                check=check,
            )  # fmt: skip
        by_species = ", ".join(f"{symbol} {value:.0f}" for symbol, value in done.temperatures.items())
        typer.echo(
            f"{folder}: {done.time_ps:g} ps, mean temperature {done.mean_temperature:.0f} K ({by_species}), "
            f"its energy settled after {done.settled} frames"
        )
        for note in done.notes:
            typer.echo(f"{folder}: note: {note}")
        if done.box is not None:
            for line in box_lines(done.box):
                typer.echo(f"{folder}: {line}")
        if points is not None and not stop.reason:
            with stopping(None) as stop:
                found = check_run(folder, atoms, calculator(), points, check_frames, done.frames, stop)
            if found is not None:
                sentence = frame_sentence(found, points.engine.label, min(check_frames, done.frames))
                typer.echo(f"{folder}: {made.label} against {sentence}")
        if stop.reason:
            typer.echo(f"Stopped: {stop.reason}; the same command goes on.", err=True)
            raise typer.Exit(130)


def supercell(file: Path, width: float, max_atoms: int) -> Any:
    """The structure of a file as ASE's atoms, repeated to a width."""
    from ninefold.dynamics.simulation.cells import repeats_of, widened
    from ninefold.structures.files import read_structure

    read = read_structure(file)
    for note in read.notes:
        typer.echo(f"ninefold: note: {file}: {note}", err=True)
    structure = read.structure
    return widened(structure, repeats_of(structure.lattice.matrix, width, len(structure), max_atoms))


def check_elements(made: Any, symbols: Iterable[str]) -> None:
    """Refuse a structure with an element that an engine does not know, before anything is computed."""
    known: frozenset[str] = getattr(made, "elements", None) or frozenset()
    unknown = sorted(set(symbols) - known)
    if known and unknown:
        refuse("--engine", made.name, f"does not know {', '.join(unknown)}", ", ".join(sorted(known)))


def say_beside(made: Any, atoms: Any) -> None:
    """Tell where a corrected engine is used for a composition or a volume that was not labelled."""
    from ninefold.dynamics.potentials.corrected import CorrectedEngine

    if isinstance(made, CorrectedEngine):
        for note in made.beside(atoms.get_chemical_symbols(), atoms.get_volume() / len(atoms)):
            typer.echo(f"ninefold: note: {note}", err=True)


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
    from ninefold.cli.dynamics_output import print_analysis, print_barrier, print_relaxation

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
