"""`ninefold relax`: structures from files, relaxed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import (
    ONE_FILE,
    EngineOption,
    ModelOption,
    refuse,
    step_progress,
    stopping,
    structure_target,
    told_by,
)
from ninefold.cli.options import JsonOption, console, print_json
from ninefold.cli.outputs import ForceOption, record_written

if TYPE_CHECKING:
    from ninefold.engines import Engine
    from ninefold.engines.settings import RelaxSettings
    from ninefold.output.structures import TaggedStructure
    from ninefold.output.target import Target
    from ninefold.structures.files import ReadStructure

MAX_ATOMS = 500
"""Atoms that `relax` takes without asking: with CHGNet about an hour for 500 steps, and 3 GB."""

COST = {"chgnet": (0.01, 0.0045, 0.7), "sevennet": (0.005, 0.0011, 1.05)}
"""Engine -> seconds an atom, GB an atom and GB besides, of a step: measured on 36, 288 and 972 atoms of K2ReH9. CHGNet
took 0.9, 2.2 and 4.8 GB, 4 ms an atom on an idle core and 19 ms on a loaded one; 7net-0 1.1, 1.4 and 2.1 GB, 3 to 5 ms
of processor time."""


def relax(
    files: Annotated[
        list[Path], typer.Argument(help="Structures: CIF, POSCAR, SHELX, pymatgen JSON, trajectories; docs/files.md.")
    ],
    fmax: Annotated[float, typer.Option(help="Largest force left, eV/Å.")] = 0.01,
    steps: Annotated[int, typer.Option(min=0, max=100_000, help="Steps at most; 0 for a single point.")] = 500,
    pressure: Annotated[float, typer.Option(help="External pressure, GPa.")] = 0.0,
    keep_symmetry: Annotated[bool, typer.Option("--keep-symmetry", help="Hold the space group of the start.")] = False,
    engine: EngineOption = None,
    model: ModelOption = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help=f"Folder for the relaxed CIFs, or {ONE_FILE}. Default: none written."),
    ] = None,
    all_frames: Annotated[
        bool, typer.Option("--all-frames", help="Every frame or data block of a file. Default: a trajectory's last.")
    ] = False,
    force: ForceOption = False,
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", min=1, help="Larger structures are refused, with an estimate of their cost.")
    ] = MAX_ATOMS,
    json: JsonOption = False,
) -> None:
    """Relax structures from files, as a search ends. A bad file is reported and the others go on.

    Default of --engine: sevennet, whose 7net-0 relaxes the final structures of a campaign.
    """
    from ninefold.campaign.model import DEFAULT_ENERGIES
    from ninefold.engines import EngineSettings, make_engine
    from ninefold.engines.settings import RelaxSettings
    from ninefold.errors import InputError

    if not 0 < fmax <= 10:
        refuse("--fmax", fmax, "is no force criterion", "above 0, up to 10 eV/Å")
    if not -100 <= pressure <= 1000:
        refuse("--pressure", pressure, "is out of range", "-100 to 1000 GPa")
    settings = RelaxSettings(fmax=fmax, max_steps=steps, pressure=pressure, keep_symmetry=keep_symmetry)
    names = _output_names(files)
    read = [*files, *([Path(model)] if model else [])]
    asked = DEFAULT_ENERGIES[-1] if engine is None else EngineSettings(name=engine)
    with told_by():
        calculator = make_engine(asked if model is None else asked.model_copy(update={"model": model}))
    written = names + [f"{name}-[0-9]*" for name in names if all_frames]
    target = structure_target(out, written, force, read) if out is not None else None
    rows: list[dict[str, Any]] = []
    is_machine_s = False
    relaxed: list[TaggedStructure] = []
    with stopping(None) as stop, step_progress() as notify:
        for done, (file, name) in enumerate(zip(files, names, strict=True), start=1):
            if stop():
                break
            try:
                frames = _frames(file, all_frames, max_atoms, calculator.name)
            except InputError as error:
                rows.append({"file": str(file), "error": str(error)})
                continue
            for number, frame in enumerate(frames, start=1):
                if stop():
                    break
                [relaxation] = calculator.relax([frame.structure], settings)
                own = {"frame": number if all_frames else None, "notes": list(frame.notes)}
                rows.append(_row(file, frame.structure, relaxation) | own)
                is_machine_s = is_machine_s or relaxation.is_transient
                if target is not None and not relaxation.error:
                    named = f"{name}-{number:04d}" if len(frames) > 1 else name
                    relaxed.append(_tagged(named, file, relaxation, calculator, settings))
                    if target.is_folder:
                        rows[-1]["path"] = _path_of(relaxed[-1:], target)
            notify("relaxation", done, len(files))
    if target is not None and not target.is_folder and relaxed:
        path = _path_of(relaxed, target)
        for row in rows:
            row["path"] = None if row["error"] else path
    if target is not None and target.is_folder and relaxed:
        paths = [Path(row["path"]) for row in rows if row.get("path")]
        record_written(target.path, "relax", paths, removes_earlier=False)
    failed = [row for row in rows if row["error"]]
    if json:
        print_json({"engine": calculator.label, "structures": rows, "stopped": stop.reason})
    else:
        _print_rows(rows, calculator, len(files))
    if failed:
        raise typer.Exit(1 if is_machine_s else 2)


def _frames(file: Path, every: bool, max_atoms: int, engine: str) -> list[ReadStructure]:
    """The structures of a file that are to be relaxed; notes on how they were read go to standard error."""
    from ninefold.structures.files import read_structure, read_structures

    frames = read_structures(file) if every else [read_structure(file)]
    for note in dict.fromkeys(note for frame in frames for note in frame.notes):
        typer.echo(f"ninefold: note: {file}: {note}", err=True)
    for frame in frames:
        _check_size(file, frame.structure, max_atoms, engine)
    return frames


def _row(file: Path, start: Any, relaxation: Any) -> dict[str, Any]:
    from ninefold.flows.faults import is_of_machine
    from ninefold.structures.description import describe

    row: dict[str, Any] = {"file": str(file), "error": relaxation.error}
    if relaxation.error:
        if relaxation.is_transient:
            failed = "the machine failed: " if is_of_machine(relaxation.error) else "engine raised "
            row["error"] = f"not the structure's fault, {failed}{relaxation.error}"
        return row
    description = describe(relaxation.structure)
    return row | {
        "formula": start.composition.reduced_formula,
        "energy_per_atom": relaxation.energy_per_atom,
        "space_group_number": description.space_group_number,
        "space_group_symbol": description.space_group_symbol,
        "volume": relaxation.structure.volume,
        "volume_change": relaxation.structure.volume / start.volume - 1,
        "nsites": len(relaxation.structure),
        "steps": relaxation.steps,
        "is_converged": relaxation.is_converged,
        "max_force": relaxation.max_force,
        "max_stress": relaxation.max_stress,
        "description": description.as_dict(),
        "path": None,
    }


def _output_names(files: Sequence[Path]) -> list[str]:
    """A name for each relaxed structure: files of one name in two folders keep their folders' names."""
    from ninefold.output.structures import safe_name
    from ninefold.structures.files import stem_of

    taken: list[str] = []
    for file in files:
        names = [
            safe_name(f"{stem_of(file)}-relaxed"),
            safe_name(f"{file.resolve().parent.name}-{stem_of(file)}-relaxed"),
        ]
        names += [f"{names[-1]}-{number}" for number in range(2, len(taken) + 3)]
        taken.append(next(name for name in names if name.lower() not in map(str.lower, taken)))
    return taken


def _tagged(name: str, file: Path, relaxation: Any, engine: Engine, settings: RelaxSettings) -> TaggedStructure:
    from ninefold.output.structures import TaggedStructure

    tags = {
        "relaxed_from": file.name, "evidence": engine.evidence, "engine": engine.label,
        "engine_fingerprint": engine.fingerprint, "energy_per_atom": relaxation.energy_per_atom,
        "pressure_GPa": settings.pressure, "is_converged": relaxation.is_converged, "max_force": relaxation.max_force,
    }  # fmt: skip
    return TaggedStructure(relaxation.structure, name, tags)


def _path_of(items: Sequence[TaggedStructure], target: Target) -> str:
    from ninefold.output.structures import write_tagged

    [path], _, _ = write_tagged(items, target)
    return str(path)


def _print_rows(rows: list[dict[str, Any]], engine: Engine, asked: int) -> None:
    from rich.table import Table

    printer = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("file", "formula", "E\neV/atom", "SG", "V\nÅ³", "ΔV\n%", "steps", "F max\neV/Å", "converged"):
        table.add_column(heading, justify="left" if heading in ("file", "formula", "SG", "converged") else "right")
    good = [row for row in rows if not row["error"]]
    for row in good:
        table.add_row(
            f"{row['file']} #{row['frame']}" if row["frame"] else row["file"], row["formula"],
            f"{row['energy_per_atom']:.4f}", row["space_group_symbol"],
            f"{row['volume']:.1f}", f"{100 * row['volume_change']:+.1f}", str(row["steps"]), f"{row['max_force']:.3f}",
            "yes" if row["is_converged"] else "no",
        )  # fmt: skip
    if good:
        printer.print(table)
    printer.print(
        f"{len(good)} of {max(asked, len(rows))} structures; {engine.label}; evidence {engine.evidence}, static, 0 K",
        markup=False,
    )
    for row in rows:
        if row["error"]:
            typer.echo(row["error"] if row["error"].startswith("file") else f"{row['file']}: {row['error']}", err=True)


def _check_size(file: Path, structure: Any, max_atoms: int, engine: str) -> None:
    """Refuse a structure that would take hours or the machine's memory, unless `--max-atoms` allows it."""
    from ninefold.errors import InputError

    atoms = len(structure)
    if atoms <= max_atoms:
        return
    cost = ""
    if engine in COST:
        seconds, size, base = COST[engine]
        cost = f": roughly {atoms * seconds:.0f} s a step on one core and {atoms * size + base:.0f} GB"
    raise InputError(
        "file", str(file), problem=f"holds {atoms} atoms, more than {max_atoms}{cost}",
        hint=f"--max-atoms {atoms} relaxes it all the same",
    )  # fmt: skip
