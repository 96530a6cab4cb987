"""`ninefold dynamics quench`: the minima below frames of runs, which of them are the same, and how long each lasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import EngineOption, ModelOption, refuse, told_by
from ninefold.cli.dynamics.sources import (
    EveryOption,
    FilesArgument,
    SkipOption,
    TimeStepOption,
    TypesOption,
    UntilOption,
)
from ninefold.cli.options import JsonOption, console, finite, print_json

if TYPE_CHECKING:
    from ninefold.dynamics.minima.inherent_structures import Minima, RunStates, ShellStates
    from ninefold.dynamics.minima.quenches import Quench
    from ninefold.dynamics.trajectories.trajectory import Trajectory

MOST_STATES = 8
"""States that are printed."""
RESULT_FILE, MINIMA_FILE = "minima.json", "minima.xyz"


def quench(
    files: FilesArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for quenches; those that are there are kept.")],
    frames: Annotated[int, typer.Option("--frames", min=2, help="Of each run, at equal times.")] = 50,
    engine: EngineOption = "sevennet",
    model: ModelOption = None,
    centre: Annotated[
        str | None, typer.Option(help="Element at the centre of the anions, or B12: their shells are told apart too.")
    ] = None,
    ligands: Annotated[
        int | None, typer.Option("--ligands", "-n", help="Hydrogens of a shell. Default: as in the first frame.")
    ] = None,
    fmax: Annotated[float, typer.Option(help="Largest force at the end, eV/Å.")] = 0.003,
    steps: Annotated[int, typer.Option(min=1, help="Of the optimizer at most.")] = 1000,
    window: Annotated[
        float, typer.Option("--window", help="meV of the cell; minima whose energies differ by more are two.")
    ] = 5.0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Å; minima whose interatomic distances differ by more are two.")
    ] = 0.1,
    time_step: TimeStepOption = None,
    types: TypesOption = None,
    skip: SkipOption = 0,
    until: UntilOption = None,
    every: EveryOption = 1,
    json: JsonOption = False,
) -> None:
    """Relax frames of runs in their cells and tell the distinct minima: energies, populations, lifetimes, entropy.

    Each quench is a file: Ctrl-C ends after the one in flight, and the same command goes on.
    """
    from ninefold.cli.calculation import step_progress, stopping
    from ninefold.cli.dynamics.systems import check_elements
    from ninefold.dynamics.minima.inherent_structures import crystal_minima
    from ninefold.dynamics.minima.quenches import Quenches, frame_count, quench_frames
    from ninefold.dynamics.second_method.point_checks import equal_times
    from ninefold.engines import EngineSettings, make_engine
    from ninefold.paths import user_path

    for option, value, highest, unit in (
        ("--fmax", fmax, 1.0, "eV/Å"), ("--window", window, 1000.0, "meV"), ("--tolerance", tolerance, 1.0, "Å")
    ):  # fmt: skip
        if not 0 < value <= highest:
            refuse(option, value, "is out of range", f"above 0, up to {highest:g} {unit}")
    out = user_path(out, "--out")
    if out.exists() and not out.is_dir():
        refuse("--out", str(out), "is a file", "a folder")
    with told_by():
        made = make_engine(EngineSettings(name=engine, model=model))
    calculator = getattr(made, "calculator", None)
    if calculator is None:
        refuse("--engine", engine, "has no calculator", "chgnet, sevennet, distilled, or another ASE calculator")
    trajectories = _trajectories(files, time_step, types, skip, until, every)
    check_elements(made, trajectories[0].symbols.tolist())
    n = None if centre is None else _ligands(trajectories[0], centre, ligands)
    quenches = Quenches(out, calculator(), made.fingerprint, fmax, steps)
    found: list[list[Quench]] = []
    spacings = []
    with stopping(None) as stop, step_progress() as notify:
        for trajectory in trajectories:
            total = frame_count(trajectory)
            numbers = equal_times(total, frames)
            if len(numbers) < 2:
                refuse("--frames", total, f"frames are all that {trajectory.source} holds", "2 and more")
            name = f"quenches {trajectory.source}"
            one = quench_frames(
                trajectory, numbers, quenches, lambda done, to_do, name=name: notify(name, done, to_do), stop  # type: ignore[misc]
            )  # fmt: skip
            if one is None:
                typer.echo(f"Stopped: {stop.reason}; the same command goes on.", err=True)
                raise typer.Exit(130)
            found.append(one)
            spacings.append(total / len(numbers) * trajectory.time_step_fs / 1000)
    symbols = trajectories[0].symbols.tolist()
    minima = crystal_minima(found, symbols, spacings, window / 1000, tolerance)
    shells = None if centre is None or n is None else _shells(found, symbols, centre, n, spacings, tolerance)
    notes = _notes(files, made.fingerprint, found, trajectories)
    plain = _plain(made, trajectories, found, minima, shells, symbols, notes)
    _keep(out, plain, found, minima, symbols)
    if json:
        print_json(plain)
        return
    _print(plain, made.label, minima, shells, [one.source for one in trajectories], len(symbols))


def _trajectories(
    files: list[Path], time_step: float | None, types: str | None, skip: int, until: int | None, every: int
) -> list[Trajectory]:
    from ninefold.cli.dynamics.sources import trajectories_of

    trajectories = trajectories_of(files, None, time_step, types, skip, until, every)
    for one in trajectories[1:]:
        if one.symbols.tolist() != trajectories[0].symbols.tolist():
            refuse("files", one.source, f"has other atoms than {trajectories[0].source}", "runs of one crystal")
    return trajectories


def _ligands(trajectory: Trajectory, centre: str, n: int | None) -> int:
    """Ligands of the first frame's shells."""
    from ninefold.dynamics.anions.cages import with_cages
    from ninefold.dynamics.anions.shells import follow_shells
    from ninefold.dynamics.trajectories.trajectory import in_memory

    first = next(trajectory.chunks())
    one = in_memory(trajectory.species, first.positions[:1], first.cells[0], 1.0, source=trajectory.source)
    one = with_cages(one, centre)
    return follow_shells(one, centre, n).n


def _shells(
    found: list[list[Quench]], symbols: list[str], centre: str, n: int, spacings: list[float], tolerance: float
) -> ShellStates:
    from ninefold.dynamics.minima.inherent_structures import shell_states, with_centres

    return shell_states(*with_centres(found, symbols, centre), centre, n, spacings, tolerance)


def _notes(files: list[Path], method: str, found: list[list[Quench]], trajectories: list[Trajectory]) -> list[str]:
    import json

    from ninefold.dynamics.simulation.runs import RUN_FILE, is_run

    notes = []
    for path, quenches, trajectory in zip(files, found, trajectories, strict=True):
        if is_run(path) and json.loads((path / RUN_FILE).read_text(encoding="utf-8")).get("method") != method:
            notes.append(f"{trajectory.source} is a run by another engine than the one that quenches it")
        if failed := sum(not one.is_converged for one in quenches):
            notes.append(f"{failed} of {len(quenches)} quenches of {trajectory.source} are not converged: left out")
    return notes


def _plain(
    engine: Any, trajectories: list[Trajectory], found: list[list[Quench]], minima: Minima,
    shells: ShellStates | None, symbols: list[str], notes: list[str],
) -> dict[str, Any]:  # fmt: skip
    plain: dict[str, Any] = {
        "engine": engine.label, "method": engine.fingerprint, "atoms": len(symbols),
        "minima": [
            {"energy_eV": energy, "run": trajectories[run].source, "quench": place}
            for energy, (run, place) in zip(minima.energies_eV, minima.representatives, strict=True)
        ],
        "runs": [
            {
                "source": trajectory.source, "temperature_K": trajectory.temperature_K,
                "energies_eV": [one.energy_eV for one in quenches], "steps": [one.steps for one in quenches],
                "is_converged": [one.is_converged for one in quenches], **states.to_dict(),
            }
            for trajectory, quenches, states in zip(trajectories, found, minima.runs, strict=True)
        ],
        "notes": notes,
    }  # fmt: skip
    if shells is not None:
        plain["shells"] = [
            {"source": trajectory.source, **states.to_dict()}
            for trajectory, states in zip(trajectories, shells.runs, strict=True)
        ]
    return plain


def _keep(out: Path, plain: dict[str, Any], found: list[list[Quench]], minima: Minima, symbols: list[str]) -> None:
    """The result, and the minima as extended XYZ, the lowest first."""
    import io
    import json

    from ase import Atoms
    from ase.io import write

    from ninefold.atomic_files import write_atomically

    images = []
    for energy, (run, place) in zip(minima.energies_eV, minima.representatives, strict=True):
        one = found[run][place]
        atoms = Atoms(symbols, positions=one.positions, cell=one.cell, pbc=True)
        atoms.info["energy_above_lowest_eV"] = energy
        images.append(atoms)
    if images:
        text = io.StringIO()
        write(text, images, format="extxyz")
        write_atomically(out / MINIMA_FILE, text.getvalue().encode())
    write_atomically(out / RESULT_FILE, json.dumps(finite(plain), indent=1, allow_nan=False).encode())


def _print(
    plain: dict[str, Any], label: str, minima: Minima, shells: ShellStates | None, sources: list[str], atoms: int
) -> None:
    from rich.table import Table

    out = console()
    number = len(minima.energies_eV)
    out.print(f"{number} distinct {'minimum' if number == 1 else 'minima'} of {atoms} atoms by {label}")
    table = Table(box=None, pad_edge=False)
    table.add_column("minimum", justify="right")
    table.add_column("meV above the lowest", justify="right")
    for source in sources:
        table.add_column(f"{source}: population", justify="right")
        table.add_column("lifetime, ps (95 %)", justify="right")
    for state, energy in enumerate(minima.energies_eV[:MOST_STATES]):
        cells = [text for run in minima.runs for text in _occupation(run, state)]
        table.add_row(str(state + 1), f"{energy * 1000:.0f}", *cells)
    out.print(table)
    if len(minima.energies_eV) > MOST_STATES:
        out.print(f"... and {len(minima.energies_eV) - MOST_STATES} more in {RESULT_FILE}")
    for source, run in zip(sources, minima.runs, strict=True):
        out.print(f"{source}: a quench every {run.spacing_ps:.3g} ps, and no shorter stay is seen")
        change = run.any_change
        out.print(
            f"  changes, atoms exchanged in the same minimum included: {change.events} of "
            f"{round(change.time_ps / run.spacing_ps)} steps{_saturated(run)}"
        )
        out.print(f"  configurational entropy of the cell {_entropy(run)}")
    for source, run in zip(sources, () if shells is None else shells.runs, strict=False):
        shares = ", ".join(
            f"{one.population:.0%} (lifetime {_lifetime(one)} ps)"
            for one in sorted(run.occupations.values(), key=lambda one: -one.frames)[:3]
        )
        count = len(run.occupations)
        shapes = "1 shape" if count == 1 else f"{count} shapes"
        out.print(f"{source}: {shapes} of shells: {shares}; entropy of an anion {_entropy(run)}")
    for note in plain["notes"]:
        out.print(f"note: {note}")


def _occupation(run: RunStates, state: int) -> tuple[str, str]:
    one = run.occupations.get(state)
    if one is None:
        return "0", ""
    return f"{one.population:.0%} ({one.frames})", _lifetime(one)


def _lifetime(one: Any) -> str:
    mean, low, high = one.lifetime_ps
    if mean is None:
        return "not left" if not low else f"above {low:.2g}"
    return f"{mean:.2g} ({low:.2g} to {high:.2g})"


def _saturated(run: RunStates) -> str:
    changes = run.any_change
    steps = round(changes.time_ps / run.spacing_ps)
    if changes.events <= steps / 2:
        return ""
    return ": most of them, so that lifetimes are not resolved; more --frames tell more"


def _entropy(run: RunStates) -> str:
    text = f"{run.entropy_kB:.2f} k ({run.entropy_corrected_kB:.2f} corrected for the number of frames)"
    if run.is_entropy_resolved:
        return text
    return f"{text}; not resolved: too few frames for so many states, a lower bound"
