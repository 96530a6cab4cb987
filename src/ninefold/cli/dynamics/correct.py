"""`ninefold dynamics correct`: an engine corrected by single points of a better method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ninefold.cli.calculation import BarrierEngineOption, ModelOption, barrier_engine, refuse, told_by
from ninefold.cli.options import JsonOption, console, print_json


def correct(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; what is there is gone on with.")],
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of 'ninefold dynamics paths --check' or 'run --check'.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="Also the DFT calculations of a store: 'ninefold verify', imports. Default: none.",
                     show_default=False),
    ] = None,
    species: Annotated[
        list[str] | None,
        typer.Option("--species", help="Of the store: structures with other elements are left out; repeat.",
                     show_default=False),
    ] = None,
    engine: BarrierEngineOption = None,
    model: ModelOption = None,
    check: Annotated[
        str | None,
        typer.Option("--check", help="Part of the check method's name, where the folders hold several.",
                     show_default=False),
    ] = None,
    student: Annotated[str, typer.Option(help="Kind of potential: pairs, nep, a plug-in or FILE.py:NAME.")] = "pairs",
    folds: Annotated[
        int, typer.Option(min=2, max=50, help="Fits, each without some whole paths, runs or compounds.")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Fixes the fits.")] = 0,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Correct an engine by single points of a better method, e.g. DFT: a small potential of their differences.

    Measured on labels that it was not fitted to; one that does not help there is refused. A command that was killed
    goes on. Use it by --engine corrected --model FOLDER, as the engine of paths and run, and as the teacher of distil.
    """
    from ase.data import atomic_numbers

    from ninefold.cli.calculation import step_progress, stopping
    from ninefold.cli.dynamics.systems import check_elements
    from ninefold.cli.locate import store_address
    from ninefold.dynamics.potentials.check_labels import read_check_labels, together
    from ninefold.dynamics.potentials.correction import correct as correct_one
    from ninefold.dynamics.potentials.distil_settings import Teacher
    from ninefold.dynamics.potentials.students import few_frames_trainer
    from ninefold.engines import make_engine
    from ninefold.engines.registry import anchored_engine
    from ninefold.flows.stored_labels import stored_labels
    from ninefold.paths import user_path
    from ninefold.store import open_store

    folder = user_path(out, "--out")
    if folder.exists() and not folder.is_dir():
        refuse("--out", str(out), "is a file", "a folder")
    if not folders and store is None:
        refuse("folders", None, "are missing", "folders of single points, or --store of a verified campaign")
    if species and store is None:
        refuse("--species", species[0], "is of a store's structures, and none is given", "with --store")
    if species and (unknown := sorted(set(species) - atomic_numbers.keys())):
        refuse("--species", unknown[0], "is no element", "symbols, e.g. Li")
    labels = read_check_labels([user_path(one, "folder") for one in folders], check) if folders else None
    if store is not None:
        address = store_address(store)
        with open_store(address) as repository:
            stored = stored_labels(repository, address, species or (), check, None if labels is None else labels.method)
        labels = stored if labels is None else together(labels, stored)
    assert labels is not None
    settings = anchored_engine(barrier_engine(engine, model), Path.cwd())
    with told_by():
        made: Any = make_engine(settings)
    calculator = getattr(made, "calculator", None)
    if calculator is None:
        refuse("--engine", settings.title, "has no calculator", "chgnet, sevennet, or another ASE calculator")
    if made.fingerprint == labels.method:
        refuse("--engine", settings.title, "is the method of the single points itself", "the engine to correct")
    check_elements(made, {symbol for label in labels.labels for symbol in label.frame.species})
    trainer = few_frames_trainer(student)
    typer.echo(f"{len(labels.labels)} single points by {labels.engine}, {made.label}, {trainer.label}", err=True)
    corrected = Teacher(calculator(), settings.model_dump(mode="json"), made.label, made.fingerprint, made.evidence)
    with stopping(None) as stop, step_progress() as notify:
        result = correct_one(labels, corrected, student, trainer, folds, seed, folder, notify, stop)
    if result is None:
        typer.echo(f"Stopped: {stop.reason}; the same command goes on.", err=True)
        raise typer.Exit(130)
    if json:
        print_json(result)
        return
    _print_result(result, out)


def _print_result(result: dict[str, Any], folder: Path) -> None:
    from rich.table import Table

    out = console()
    own, check, errors = result["engine"]["label"], result["check"], result["errors"]
    failed = f", {result['failed_single_points']} more failed" if result["failed_single_points"] else ""
    out.print(
        f"{own} against {check['label']} (evidence {check['evidence']}): {result['labels']} single points{failed}; "
        f"{result['student_label']}"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("root mean square error", "without", "corrected, not fitted", "corrected, fitted"):
        table.add_column(name, justify="left" if name.startswith("root") else "right")
    names = ("before", "held_out", "fitted")
    table.add_row("forces meV/Å", *(f"{errors[name]['force_eV_per_A'] * 1000:.0f}" for name in names))
    for symbol in result["species"]:
        table.add_row(f"  of {symbol}", *(f"{errors[name]['force_by_species'][symbol] * 1000:.0f}" for name in names))
    table.add_row(
        "energy meV/atom, about its mean", *(f"{errors[name]['energy_eV_per_atom'] * 1000:.2f}" for name in names)
    )
    out.print(table)
    of = f"{'whole' if result['folds_are_whole_paths_and_runs'] else 'stretches of'} paths, runs and compounds"
    out.print(
        f"Not fitted: {result['folds']} fits, each without some {of}. Forces by {check['label']} are "
        f"{result['check_force_rms_eV_per_A'] * 1000:.0f} meV/Å."
    )
    if result["paths"]:
        table = Table(box=None, pad_edge=False)
        columns = ("path", "barrier meV: check", own, "corrected", "error along it: without", "corrected, not fitted")
        for name in columns:
            table.add_column(name, justify="left" if name == "path" else "right")
        for row in result["paths"]:
            values = (
                row["check_barrier_eV"], row["engine"]["barrier_eV"], row["held_out"]["barrier_eV"],
                row["engine"]["energy_eV"], row["held_out"]["energy_eV"],
            )  # fmt: skip
            table.add_row(row["path"], *(f"{value * 1000:.0f}" for value in values))
        out.print(table)
        out.print("Each image by the fit that did not see it; barriers are the highest images that were computed.")
    if result["is_worth"]:
        out.print("The error falls on what was not fitted: near these geometries, and nowhere else, it is known to.")
        out.print(f"Use: --engine corrected --model {folder}")
    else:
        out.print(f"Not worth it, and refused as an engine: {result['reason']}")
