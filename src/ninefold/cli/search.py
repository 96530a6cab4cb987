"""Commands on one composition or one structure, without a campaign or a store: search, relax."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, console, print_json
from ninefold.cli.outputs import ForceOption, check_output, check_output_folder, record_written

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.engines import Engine
    from ninefold.engines.settings import RelaxSettings
    from ninefold.search import FoundStructure, SearchOutcome
    from ninefold.search.budget import SearchBudget
    from ninefold.store.export import TaggedStructure, Target
    from ninefold.structures.files import ReadStructure

EngineOption = Annotated[str, typer.Option("--engine", help="What computes energies: chgnet, emt, lj or a plug-in.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="The engine's own model or weight file.")]
ALL = "all"
_ONE_FILE = "a file for all that ends with .cif, .xyz or .extxyz"
MAX_ATOMS = 500
"""Atoms that `relax` takes without asking: with CHGNet about an hour for 500 steps, and 3 GB."""
SECONDS_PER_ATOM, GB_PER_ATOM, BASE_GB = 0.01, 0.0045, 0.7
"""Cost of a CHGNet step: 36, 288 and 972 atoms of a dense hydride took 0.9, 2.2 and 4.8 GB; 4 ms an atom on an idle
core, 19 ms on a loaded one."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(search)
    app.command()(relax)


def search(
    formula: Annotated[str, typer.Argument(help="Composition, e.g. K2ReH9.")],
    relaxations: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Relaxations at most; the pool grows with them. Default: about 20."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Wall-clock seconds at most; ends after the calculation in flight.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes every random choice.")] = 0,
    exclude_types: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude-types", help="Known structure types not to offer; repeat, separate by commas, or 'all'."
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            help="Where structures come from; repeat. Default: known_types, prototypes, hosts, symmetric_units, "
            "rigid_units. Yours: FILE.cif (a host), FILE.py:function.",
        ),
    ] = None,
    electrons: Annotated[int, typer.Option(min=8, max=24, help="Electron count at the centre.")] = 18,
    centre: Annotated[
        str | None, typer.Option(help="Which metal is the centre, where a formula has two readings.")
    ] = None,
    engine: EngineOption = "chgnet",
    model: ModelOption = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help=f"Folder for CIFs, or {_ONE_FILE}. Default: FORMULA-structures/."),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Search the structure of one composition: pool, single points, relaxations, checks; best first, as CIFs.

    Files carry energy, engine, evidence, seed and label as _ninefold_ items (CIF), or as keys that ASE reads (extxyz).
    """
    from ninefold.engines import EngineSettings, make_engine
    from ninefold.errors import MachineFaultError
    from ninefold.search import search_composition
    from ninefold.search.prescreen import OF_MACHINE

    budget = _budget(relaxations, exclude_types or [], source or [])
    if seconds is not None and not seconds > 0:
        _refuse("--seconds", seconds, "is no time", "a positive number")
    assignment = _reading(formula, electrons, centre)
    read = [Path(name.rpartition(":")[0] or name) for name in source or []] + ([Path(model)] if model else [])
    command = f"search {assignment.formula}"
    calculator = make_engine(EngineSettings(name=engine, model=model))
    target = _structure_target(out or f"{assignment.formula}-structures/", ["*"], force, read, command)
    with _stopping(seconds) as stop, _progress() as notify:
        outcome = search_composition(assignment, budget, calculator, seed, notify, stop)
        stopped = stop.reason
    faults = [reason.removeprefix(OF_MACHINE) for reason in outcome.reasons if reason.startswith(OF_MACHINE)]
    if faults and not outcome.counts["single_points"]:
        raise MachineFaultError(f"engine: {engine!r} cannot compute on this machine: {faults[0]}; nothing was written")
    if outcome.counts["pool"] and not outcome.counts["single_points"] and not stopped:
        _refuse("--engine", engine, f"computes no structure of {formula}: {_commonest(outcome)}", "another engine")
    rows = _written(outcome.found, target, assignment, calculator, seed)
    if target.is_folder:  # with --force: ranks of an earlier search must not stand among these
        record_written(target.path, command, [Path(row["path"]) for row in rows if row["path"] is not None])
    if json:
        print_json(_summary(assignment, calculator, outcome, rows, seed, stopped))
    else:
        _print_search(assignment, calculator, outcome, rows, target, stopped)
    if faults:
        raise MachineFaultError(f"the machine failed in some calculations, whose structures are left out: {faults[0]}")


def relax(
    files: Annotated[
        list[Path], typer.Argument(help="Structures: CIF, POSCAR, SHELX, pymatgen JSON, trajectories; docs/files.md.")
    ],
    fmax: Annotated[float, typer.Option(help="Largest force left, eV/Å.")] = 0.01,
    steps: Annotated[int, typer.Option(min=0, max=100_000, help="Steps at most; 0 for a single point.")] = 500,
    pressure: Annotated[float, typer.Option(help="External pressure, GPa.")] = 0.0,
    keep_symmetry: Annotated[bool, typer.Option("--keep-symmetry", help="Hold the space group of the start.")] = False,
    engine: EngineOption = "chgnet",
    model: ModelOption = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help=f"Folder for the relaxed CIFs, or {_ONE_FILE}. Default: none written."),
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
    """Relax structures from files, as a search ends. A bad file is told and the others go on."""
    from ninefold.engines import EngineSettings, make_engine
    from ninefold.engines.settings import RelaxSettings
    from ninefold.errors import InputError

    if not 0 < fmax <= 10:
        _refuse("--fmax", fmax, "is no force criterion", "above 0, up to 10 eV/Å")
    if not -100 <= pressure <= 1000:
        _refuse("--pressure", pressure, "is out of range", "-100 to 1000 GPa")
    settings = RelaxSettings(fmax=fmax, max_steps=steps, pressure=pressure, keep_symmetry=keep_symmetry)
    names = _relaxed_names(files)
    read = [*files, *([Path(model)] if model else [])]
    calculator = make_engine(EngineSettings(name=engine, model=model))
    written = names + [f"{name}-[0-9]*" for name in names if all_frames]
    target = _structure_target(out, written, force, read) if out is not None else None
    rows: list[dict[str, Any]] = []
    is_machine_s = False
    relaxed: list[TaggedStructure] = []
    with _stopping(None) as stop, _progress() as notify:
        for done, (file, name) in enumerate(zip(files, names, strict=True), start=1):
            if stop():
                break
            try:
                frames = _frames(file, all_frames, max_atoms, engine)
            except InputError as error:
                rows.append({"file": str(file), "error": str(error)})
                continue
            for number, frame in enumerate(frames, start=1):
                if stop():
                    break
                [relaxation] = calculator.relax([frame.structure], settings)
                own = {"frame": number if all_frames else None, "notes": list(frame.notes)}
                rows.append(_relaxed_row(file, frame.structure, relaxation) | own)
                is_machine_s = is_machine_s or relaxation.is_transient
                if target is not None and not relaxation.error:
                    named = f"{name}-{number:04d}" if len(frames) > 1 else name
                    relaxed.append(_tagged_relaxation(named, file, relaxation, calculator, settings))
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
        _print_relaxed(rows, calculator, len(files))
    if failed:
        raise typer.Exit(1 if is_machine_s else 2)


def _budget(relaxations: int | None, excluded: list[str], sources: list[str]) -> SearchBudget:
    """The search's budget: counts grow with the relaxations asked for."""
    from ninefold.search.budget import SearchBudget
    from ninefold.structures.known_types import type_names
    from ninefold.structures.sources import check_source, load_foreign, reading_notes

    names = [name.strip() for text in excluded for name in text.split(",") if name.strip()]
    if ALL in names:
        names = type_names()
    for name in names:
        if name not in type_names():
            _refuse("--exclude-types", name, "is not a structure type", ", ".join([ALL, *type_names()]))
    withheld = tuple(dict.fromkeys(names))
    if relaxations is None:
        budget = SearchBudget(withhold_types=withheld)
    else:
        budget = SearchBudget.for_relaxations(relaxations, withheld)
    if not sources:
        return budget
    for name in sources:
        try:
            check_source(name)
        except ValueError as error:
            _refuse("--source", name, "cannot be used", str(error).partition("allowed: ")[2] or "a file that is there")
    load_foreign(sources)
    for note in reading_notes(sources):
        typer.echo(f"ninefold: note: {note}", err=True)
    return budget.model_copy(update={"sources": tuple(dict.fromkeys(sources))})


def _reading(formula: str, electrons: int, centre: str | None) -> Assignment:
    """The reading to search: the one asked for, else the one that the rules like best."""
    from ninefold.chemistry.formula import isotope_notes
    from ninefold.errors import InputError
    from ninefold.rules import RuleSettings, diagnose, load_rule_set, readings

    found = readings(formula, (electrons,))
    for note in isotope_notes(formula):
        typer.echo(f"ninefold: note: {formula}: {note}", err=True)
    if not found:
        raise InputError(
            "formula", formula, problem=f"has no reading with {electrons} electrons: {diagnose(formula, electrons)}",
            hint="--electrons 16 for an anion that counts 16",
        )  # fmt: skip
    if centre is not None:
        chosen = [reading for reading in found if reading.centre == centre]
        if not chosen:
            allowed = ", ".join(sorted({reading.centre for reading in found}))
            _refuse("--centre", centre, f"is not the centre of a reading of {formula}", allowed)
        found = chosen
    if len(found) == 1:
        return found[0]
    rule_set = load_rule_set(RuleSettings())
    best = max(found, key=lambda reading: rule_set.judge_neighbour(reading)[0] or 0.0)
    others = ", ".join(reading.label for reading in found if reading != best)
    typer.echo(f"{formula}: read as {best.label}; also possible: {others} (--centre)", err=True)
    return best


class _Stop:
    """Says when to end: the time is up, or the user pressed Ctrl-C; then keeps saying so."""

    def __init__(self, seconds: float | None) -> None:
        import time

        self._clock = time.monotonic
        self._end = None if seconds is None else self._clock() + seconds
        self.reason: str | None = None

    def __call__(self) -> bool:
        if self.reason is None and self._end is not None and self._clock() >= self._end:
            self.reason = "time is up"
        return self.reason is not None


@contextmanager
def _stopping(seconds: float | None) -> Iterator[_Stop]:
    """Ctrl-C ends after the calculation in flight; pressed again, at once."""
    import signal

    from ninefold.cli import signals

    stop = _Stop(seconds)

    def on_interrupt(*_: Any) -> None:
        if stop.reason == "interrupted":
            signals.end_at_once(signal.SIGINT)
        stop.reason = "interrupted"
        typer.echo("Stopping after the calculation in flight; Ctrl-C again drops it.", err=True)

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Counts of each step, the time spent and the time left; on standard error."""
    from ninefold.cli.progress import progress_display
    from ninefold.flows.progress import Progress

    with progress_display(quiet_seconds=5.0) as show:
        yield lambda step, done, total: show(Progress(step, done, total, ""))


def _written(
    found: Sequence[FoundStructure], target: Target, assignment: Assignment, engine: Engine, seed: int
) -> list[dict[str, Any]]:
    """A row for each structure found, each written with what is known of it."""
    from ninefold.store.export import TaggedStructure, safe_name, write_tagged
    from ninefold.structures.description import describe

    items = []
    valid = [item.energy_per_atom for item in found if item.is_valid]
    lowest = min(valid or [item.energy_per_atom for item in found], default=0.0)
    for place, item in enumerate(found, start=1):
        tags = {
            "formula": assignment.formula, "label": assignment.label, "evidence": engine.evidence,
            "engine": engine.label, "engine_fingerprint": engine.fingerprint, "seed": seed,
            "energy_per_atom": item.energy_per_atom,
            "energy_above_lowest_minimum": item.energy_per_atom - lowest, "source": item.source,
            "structure_type": item.structure_type, "is_valid": item.is_valid, "is_converged": item.is_converged,
            "max_force": item.max_force, "coordination_numbers": item.coordination_numbers,
            "notes": item.notes or None,
        }  # fmt: skip
        name = f"{assignment.formula}-{place:02d}-{safe_name(item.space_group_symbol)}"
        items.append(TaggedStructure(item.structure, name, {key: v for key, v in tags.items() if v is not None}))
    paths, _, left_out = write_tagged(items, target) if items else ([], 0, [])
    files = iter(paths)
    rows = []
    for item, tagged in zip(found, items, strict=True):
        path = None
        if tagged.name not in left_out:
            path = next(files) if target.is_folder else target.path
        rows.append(
            {
                "energy_per_atom": item.energy_per_atom,
                "space_group_number": item.space_group_number,
                "space_group_symbol": item.space_group_symbol,
                "coordination_numbers": item.coordination_numbers,
                "volume": item.volume_per_formula_unit,
                "nsites": item.nsites,
                "source": item.source,
                "structure_type": item.structure_type,
                "relaxations": item.relaxations,
                "is_valid": item.is_valid,
                "is_converged": item.is_converged,
                "max_force": item.max_force,
                "notes": item.notes,
                "description": describe(item.structure).as_dict(),
                "path": None if path is None else str(path),
            }
        )
    return rows


def _frames(file: Path, every: bool, max_atoms: int, engine: str) -> list[ReadStructure]:
    """The structures of a file that are to be relaxed; notes on how they were read go to standard error."""
    from ninefold.structures.files import read_structure, read_structures

    frames = read_structures(file) if every else [read_structure(file)]
    for note in dict.fromkeys(note for frame in frames for note in frame.notes):
        typer.echo(f"ninefold: note: {file}: {note}", err=True)
    for frame in frames:
        _check_size(file, frame.structure, max_atoms, engine)
    return frames


def _relaxed_row(file: Path, start: Any, relaxation: Any) -> dict[str, Any]:
    from ninefold.structures.description import describe

    problem = f"the machine failed, not the structure: {relaxation.error}"
    row: dict[str, Any] = {"file": str(file), "error": problem if relaxation.is_transient else relaxation.error}
    if relaxation.error:
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


def _relaxed_names(files: Sequence[Path]) -> list[str]:
    """A name for each relaxed structure: files of one name in two folders keep their folders' names."""
    from ninefold.store.export import safe_name
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


def _tagged_relaxation(
    name: str, file: Path, relaxation: Any, engine: Engine, settings: RelaxSettings
) -> TaggedStructure:
    from ninefold.store.export import TaggedStructure

    tags = {
        "relaxed_from": file.name, "evidence": engine.evidence, "engine": engine.label,
        "engine_fingerprint": engine.fingerprint, "energy_per_atom": relaxation.energy_per_atom,
        "pressure_GPa": settings.pressure, "is_converged": relaxation.is_converged, "max_force": relaxation.max_force,
    }  # fmt: skip
    return TaggedStructure(relaxation.structure, name, tags)


def _path_of(items: Sequence[TaggedStructure], target: Target) -> str:
    from ninefold.store.export import write_tagged

    [path], _, _ = write_tagged(items, target)
    return str(path)


def _summary(
    assignment: Assignment, engine: Engine, outcome: SearchOutcome, rows: list[dict[str, Any]], seed: int,
    stopped: str | None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "formula": assignment.formula,
        "reading": assignment.label,
        "engine": engine.label,
        "engine_fingerprint": engine.fingerprint,
        "evidence": engine.evidence,
        "seed": seed,
        "structures": rows,
        "relaxations": outcome.relaxations,
        "core_seconds": round(outcome.core_seconds, 2),
        "best_by_relaxation": list(outcome.history),
        "counts": outcome.counts,
        "reasons": dict(outcome.reasons),
        "stopped": stopped,
    }


def _print_search(
    assignment: Assignment, engine: Engine, outcome: SearchOutcome, rows: list[dict[str, Any]], target: Target,
    stopped: str | None,
) -> None:  # fmt: skip
    from rich.table import Table

    from ninefold.report.terminal_candidate import structure_view

    printer = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "",
        "E\neV/atom",
        "SG",
        "SG of\nmetals",
        "CN",
        "V/f.u.\nÅ³",
        "atoms",
        "type",
        "source",
        "relaxations\nspent",
        "notes",
    ):
        table.add_column(
            heading, justify="left" if heading in ("SG", "SG of\nmetals", "CN", "type", "source", "notes") else "right"
        )
    for place, row in enumerate(rows, start=1):
        numbers = row["coordination_numbers"]
        shells = str(numbers[0]) if len(set(numbers)) == 1 else ", ".join(map(str, numbers))
        table.add_row(
            str(place), f"{row['energy_per_atom']:.4f}", row["space_group_symbol"],
            row["description"]["metal_space_group_symbol"], shells, f"{row['volume']:.1f}",
            str(row["nsites"]), row["structure_type"] or "", row["source"], str(row["relaxations"]),
            "; ".join(row["notes"]),
        )  # fmt: skip
    printer.print(f"{assignment.label}   {engine.label}; evidence {engine.evidence}, static, 0 K", markup=False)
    if rows:
        printer.print(table)
        printer.print(structure_view(rows[0]["description"]))
        where = f"{target.path.resolve()}{'/' if target.is_folder else ''}"
        count = sum(row["path"] is not None for row in rows)
        printer.print(f"{count} of {len(rows)} written as {target.kind}: {where}", soft_wrap=True, markup=False)
    else:
        printer.print("No structure found.")
    counts = ", ".join(f"{number} {step.replace('_', ' ')}" for step, number in outcome.counts.items())
    printer.print(
        f"{counts}; {outcome.relaxations} relaxations, {outcome.core_seconds:.0f} core-s with the engine", markup=False
    )
    if outcome.reasons:
        lost = ", ".join(f"{reason} ({number})" for reason, number in outcome.reasons.most_common(6))
        printer.print(f"Structures rejected: {lost}", markup=False)
    if stopped:
        printer.print(f"Stopped early: {stopped}; this is what there was.")


def _print_relaxed(rows: list[dict[str, Any]], engine: Engine, asked: int) -> None:
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
    """Refuse a structure that would take hours or the machine's memory, unless the user wants it."""
    from ninefold.errors import InputError

    atoms = len(structure)
    if atoms <= max_atoms:
        return
    cost = ""
    if engine == "chgnet":
        cost = (
            f": roughly {atoms * SECONDS_PER_ATOM:.0f} s a step on one core and {atoms * GB_PER_ATOM + BASE_GB:.0f} GB"
        )
    raise InputError(
        "file", str(file), problem=f"holds {atoms} atoms, more than {max_atoms}{cost}",
        hint=f"--max-atoms {atoms} relaxes it all the same",
    )  # fmt: skip


def _commonest(outcome: SearchOutcome) -> str:
    """What the engine said of most structures."""
    reasons = [(number, reason) for reason, number in outcome.reasons.items() if reason.startswith("engine: ")]
    return max(reasons)[1].removeprefix("engine: ") if reasons else "it gives no energies"


def _structure_target(out: str, names: Sequence[str], force: bool, inputs: Sequence[Path], command: str = "") -> Target:
    """Where structures go; checked, and a folder made, before anything is computed.

    Args:
        out: File or folder as the user wrote it.
        names: Patterns of the file names, without ending, that will be written into a folder.
        force: Whether files may be replaced.
        inputs: Files that the command reads.
        command: As the folder's manifest names it, where its earlier files will be removed.
    """
    from ninefold.errors import InputError
    from ninefold.store.export import STRUCTURES, structure_ending, target_of

    target = target_of(out, only=STRUCTURES)
    if not target.is_folder:
        check_output(target.path, force=force, inputs=inputs)
        return target
    for name in names:
        pattern = f"{name}{structure_ending(target.kind)}"
        check_output_folder(target.path, pattern=pattern, command=command, force=force, inputs=inputs)
    try:
        target.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", out, problem=f"cannot be made: {error.strerror}") from error
    return target


def _refuse(field: str, value: Any, problem: str, allowed: str) -> None:
    from ninefold.errors import InputError

    raise InputError(field, value, problem=problem, allowed=allowed)
