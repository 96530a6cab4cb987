"""`ninefold trust`: engines beside DFT on the set of phases that ninefold carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, console, print_json
from ninefold.cli.outputs import ForceOption, check_output_folder

if TYPE_CHECKING:
    from rich.table import Table

    from ninefold.trust.summary import TrustSummary

DEFAULT_ENGINES = ("chgnet", "sevennet:7net-0")


def trust(
    engines: Annotated[
        list[str] | None,
        typer.Argument(
            help="Engines: NAME or NAME:MODEL, e.g. sevennet:7net-mf-0:PBE.", metavar="[ENGINE]...", show_default=False
        ),
    ] = None,
    phases: Annotated[bool, typer.Option("--phases", help="Phase by phase.")] = False,
    hessian: Annotated[
        bool, typer.Option("--hessian/--no-hessian", help="Test whether second derivatives are symmetric.")
    ] = True,
    drawn: Annotated[
        Path | None, typer.Option("--pictures", metavar="FOLDER", help="Draw the errors: trust-*.svg in this folder.")
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Show how far engines are from DFT: energies, volumes, bonds, forces, by class of phase.

    Default: chgnet and sevennet:7net-0. Both methods see the same geometries, which come with ninefold. Some 200 single
    points, one to five minutes for an engine.
    """
    from ninefold.cli.calculation import step_progress, told_by
    from ninefold.engines import make_engine
    from ninefold.trust.hessian import structure_of_test
    from ninefold.trust.phases import trust_set
    from ninefold.trust.summary import summarise

    if drawn is not None:
        check_output_folder(drawn, "--pictures", pattern="trust-*.svg", force=force)
    with told_by("ENGINES", None):
        settings = [engine_settings(name) for name in engines or DEFAULT_ENGINES]
        made = [make_engine(one) for one in settings]
    reference = trust_set()
    found = []
    with step_progress() as notify:
        for done, engine in enumerate(made):
            notify("engines", done, len(made))
            found.append(summarise(engine, reference, structure_of_test() if hessian else None))
        notify("engines", len(made), len(made))
    if drawn is not None:
        _draw(found, drawn)
    if json:
        print_json({"set": reference.method, "engines": [summary.to_dict() for summary in found]})
        return
    geometries = sum(len(phase.frames) for phase in reference.phases)
    console().print(
        f"Against {reference.method}: {len(reference.phases)} phases, {geometries} geometries relaxed by "
        f"{reference.geometry}. Errors are mean absolute values, engine less DFT.",
        soft_wrap=False,
    )
    for summary in found:
        _print_summary(summary, with_phases=phases)


def _draw(found: list[TrustSummary], folder: Path) -> None:
    """Write the pictures.

    Raises:
        InputError: if the folder cannot be made or written to.
    """
    from ninefold.errors import InputError
    from ninefold.output.target import write_whole
    from ninefold.report.trust_pictures import pictures

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--pictures", str(folder), problem=f"cannot be made: {error.strerror}") from error
    for name, picture in pictures(found).items():
        write_whole(folder / name, picture.encode("utf-8"), "--pictures")
    typer.echo(f"{folder}: trust-energies, trust-volumes, trust-bonds and trust-by-n.svg", err=True)


def engine_settings(name: str) -> Any:
    """Settings of an engine from NAME or NAME:MODEL; a user's file, FILE.py:NAME, is a name.

    Raises:
        InputError: if there is no engine of this name.
    """
    from ninefold.engines import EngineSettings
    from ninefold.engines.registry import check_engine_name, engine_names

    first, colon, model = name.partition(":")
    if colon and first in engine_names():
        return EngineSettings(name=first, model=model)
    check_engine_name(name)
    return EngineSettings(name=name)


def anchored_settings(name: str, folder: Path) -> Any:
    """Settings of --method, a user's files by their absolute paths: jobs run in other folders, and must find them.

    Args:
        name: NAME or NAME:MODEL.
        folder: That relative paths are meant from.
    """
    from ninefold.cli.calculation import told_by
    from ninefold.engines.registry import anchored_engine

    with told_by("--method", None):
        return anchored_engine(engine_settings(name), folder)


def _print_summary(summary: TrustSummary, *, with_phases: bool) -> None:
    output = console()
    output.print()
    output.print(summary.engine, style="bold", markup=False)
    if summary.hydrogen is not None:
        hydrogen = summary.hydrogen
        output.print(
            f"H2: own molecule {hydrogen.energy - hydrogen.shift:.3f} eV/H, fitted to {hydrogen.hydrides} binary "
            f"hydrides {hydrogen.energy:.3f}; their formation energies: {_millis(hydrogen.error_before)} -> "
            f"{_millis(hydrogen.error)} meV/atom (each left out of its fit)"
        )
    if summary.hessian_asymmetry is not None:
        from ninefold.trust.hessian import TEST_FORMULA
        from ninefold.trust.uncertainty import LARGEST_ASYMMETRY

        is_above = summary.hessian_asymmetry > LARGEST_ASYMMETRY
        verdict = "not fit for final relaxations and phonons" if is_above else "within the limit"
        output.print(
            f"Hessian of {TEST_FORMULA}: {100 * summary.hessian_asymmetry:.1f} % asymmetric: {verdict} "
            f"(limit {100 * LARGEST_ASYMMETRY:.0f} %)"
        )
    output.print(_class_table(summary))
    if summary.by_n:
        named = {f"n = {n}": value for n, value in summary.by_n.items()}
        every = {"n": named, "centre": summary.by_centre, "cation": summary.by_cation}
        output.print("Reaction energies of complexes, mean error with sign, meV/atom:")
        for name, values in every.items():
            told = ", ".join(f"{key}: {_millis(value, sign=True)}" for key, value in values.items())
            output.print(f"  by {name}: {told}", markup=False)
    if with_phases:
        output.print(_phase_table(summary))


def _class_table(summary: TrustSummary) -> Table:
    from ninefold.report.terminal_parts import table_of
    from ninefold.trust.summary import TITLES

    table = table_of(
        "class", ">phases", ">Ef own H2\nmeV/atom", ">Ef\nmeV/atom", ">reaction\nmeV/atom", ">raw rms\nmeV/atom",
        ">left out\nmeV/atom",
        ">volume\n%", ">pressure\nGPa", ">M-H\nmÅ", ">forces\neV/Å",
    )  # fmt: skip
    for one in summary.classes:
        table.add_row(
            TITLES[one.phase_class],
            str(one.phases) if one.computed == one.phases else f"{one.computed} of {one.phases}",
            _millis(one.formation_own), _millis(one.formation), _millis(one.reaction),
            _millis(one.shift.error_before if one.shift else None), _millis(one.shift.error if one.shift else None),
            _number(one.volume, 100, 1), _number(one.pressure, 1, 1), _number(one.bond, 1000, 0),
            _number(one.force, 1, 2),
        )  # fmt: skip
    return table


def _phase_table(summary: TrustSummary) -> Table:
    from ninefold.report.terminal_parts import plain, table_of

    table = table_of(
        "phase", ">Ef DFT\neV/atom", ">error\nmeV/atom", ">reaction\neV/atom", ">error\nmeV/atom", ">volume\n%"
    )
    for phase in summary.fitted.phases:
        table.add_row(
            plain(phase.name if phase.reason is None else f"{phase.name}: {phase.reason}"),
            _number(phase.formation, 1, 3), _millis(phase.formation_error, sign=True),
            _number(phase.reaction, 1, 3), _millis(phase.reaction_error, sign=True),
            _number(phase.volume_error, 100, 1),
        )  # fmt: skip
    return table


def _millis(value: float | None, *, sign: bool = False) -> str:
    return "–" if value is None else f"{1000 * value:+.0f}" if sign else f"{1000 * value:.0f}"


def _number(value: float | None, factor: float, digits: int) -> str:
    return "–" if value is None else f"{factor * value:.{digits}f}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trust)
