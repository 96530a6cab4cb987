"""`ninefold dynamics run`: molecular dynamics of a structure, by any engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ninefold.cli.calculation import EngineOption, ModelOption, refuse, told_by
from ninefold.cli.dynamics.checks import CheckOption
from ninefold.cli.dynamics.systems import check_elements, say_beside, supercell


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
    from ninefold.cli.dynamics.checks import check_method, check_run, frame_sentence
    from ninefold.cli.dynamics.output import box_lines
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
