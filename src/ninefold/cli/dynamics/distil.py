"""`ninefold dynamics distil`: a fast potential for one compound, from an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ninefold.cli.calculation import BarrierEngineOption, ModelOption, barrier_engine, refuse, told_by
from ninefold.cli.options import JsonOption, console, print_json


def distil(
    file: Annotated[Path, typer.Argument(help="Structure: CIF, POSCAR, ...; relaxed here first, cell kept.")],
    temperature: Annotated[list[float], typer.Option("--temperature", help="K; repeat: those of the runs to come.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; what is there is gone on with.")],
    engine: BarrierEngineOption = None,
    model: ModelOption = None,
    student: Annotated[str, typer.Option(help="Kind of potential: nep, a plug-in or FILE.py:NAME.")] = "nep",
    paths: Annotated[
        Path | None,
        typer.Option(help="Folder of 'ninefold dynamics paths --out' by the same engine: barriers to compare."),
    ] = None,
    width: Annotated[float, typer.Option(help="Narrowest width of the supercell, Å.")] = 8.0,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Of the student, at most.")] = 4,
    teacher_ps: Annotated[float, typer.Option("--teacher-ps", help="Teacher's run at each temperature, ps.")] = 0.2,
    student_ps: Annotated[
        float, typer.Option("--student-ps", help="Student's run at each temperature and round, ps.")
    ] = 4.0,
    time_step: Annotated[float, typer.Option("--time-step", help="Of the integrator, fs.")] = 0.5,
    force_limit: Annotated[
        float, typer.Option("--force-limit", help="Force error on its own runs, meV/Å, that is good enough.")
    ] = 100.0,
    barrier_limit: Annotated[
        float, typer.Option("--barrier-limit", help="Difference of barriers, meV, that is good enough.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Fixes runs, fits and random displacements.")] = 0,
    max_atoms: Annotated[int, typer.Option("--max-atoms", min=1, help="Larger supercells are refused.")] = 300,
    json: JsonOption = False,
) -> None:
    """Distil a fast potential for one compound: rounds of runs, labelled by the engine and learnt, until it is as good.

    Measured on its own runs and on its own paths; what misses a limit is said with every rate from it. A command that
    was killed goes on. Use it by --engine distilled --model FOLDER.
    """
    from pydantic import ValidationError

    from ninefold.cli.calculation import step_progress, stopping
    from ninefold.cli.dynamics.systems import check_elements, say_beside, supercell
    from ninefold.dynamics.potentials.distil import distil as distil_one
    from ninefold.dynamics.potentials.distil_errors import read_paths
    from ninefold.dynamics.potentials.distil_settings import DistilSettings, Teacher
    from ninefold.dynamics.potentials.students import make_trainer
    from ninefold.engines import make_engine
    from ninefold.engines.registry import anchored_engine

    for kelvin in temperature:
        if not 0 < kelvin <= 5000:
            refuse("--temperature", kelvin, "is out of range", "above 0, up to 5000 K")
    for option, value, highest, unit in (
        ("--force-limit", force_limit, 10_000, "meV/Å"), ("--barrier-limit", barrier_limit, 1000, "meV")
    ):  # fmt: skip
        if not 0 < value <= highest:
            refuse(option, f"{value:g}", "is out of range", f"above 0, up to {highest} {unit}")
    try:
        settings = DistilSettings(
            temperatures_K=tuple(temperature), rounds=rounds, teacher_ps=teacher_ps, student_ps=student_ps,
            time_step_fs=time_step, force_limit=force_limit / 1000, barrier_limit=barrier_limit / 1000, seed=seed,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).replace('_fs', '').replace('_', '-')}"
        refuse(option, first["input"], "is out of range", first["msg"][0].lower() + first["msg"][1:])
    teacher_settings = anchored_engine(barrier_engine(engine, model), Path.cwd())
    with told_by():
        made: Any = make_engine(teacher_settings)
    calculator = getattr(made, "calculator", None)
    if calculator is None:
        refuse("--engine", engine, "has no calculator", "chgnet, sevennet, or another ASE calculator")
    trainer = make_trainer(student)
    known = [] if paths is None else read_paths(paths, made.fingerprint)
    atoms = supercell(file, width, max_atoms)
    check_elements(made, atoms.get_chemical_symbols())
    say_beside(made, atoms)
    typer.echo(f"{file.name}: supercell of {len(atoms)} atoms, teacher {made.label}, student {trainer.label}", err=True)
    teacher = Teacher(
        calculator(), teacher_settings.model_dump(mode="json"), made.label, made.fingerprint, made.evidence,
        getattr(made, "files", ()),
    )  # fmt: skip
    with stopping(None) as stop, step_progress() as notify:
        result = distil_one(atoms, teacher, student, trainer, settings, out, known, notify, stop)
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
    out.print(
        f"{result['student_label']} from {result['teacher']['label']}: round {result['round']}, fitted to "
        f"{result['frames']} frames"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("K", "species", "force error meV/Å", "of", "energy error meV/atom", "frames"):
        table.add_column(name, justify="left" if name == "species" else "right")
    for row in result["errors"]:
        energy = f"{row['energy_rmse_per_atom'] * 1000:.2f}" if row["species"] == "all" else ""
        table.add_row(
            f"{row['temperature_K']:g}", row["species"], f"{row['force_rmse'] * 1000:.0f}",
            f"{row['force_rms'] * 1000:.0f}", energy, str(row["frames"]),
        )  # fmt: skip
    out.print(table)
    if result["barriers"]:
        table = Table(box=None, pad_edge=False)
        for name in ("path", "teacher meV", "student meV", "teacher on the student's path"):
            table.add_column(name, justify="left" if name == "path" else "right")
        for row in result["barriers"]:
            flag = "" if row["is_converged"] else " *"
            values = (row["teacher_eV"], row["student_eV"], row["teacher_on_student_path_eV"])
            texts = ["none" if value is None else f"{value * 1000:.0f}" for value in values]
            table.add_row(row["path"], texts[0], f"{texts[1]}{flag}", texts[2])
        out.print(table)
    if result["is_claimed"]:
        out.print("Within its limits: rates may be claimed from it, where its checks hold.")
    else:
        out.print("Rates are not claimed from it:")
        for reason in result["reasons"]:
            out.print(f"  {reason}")
    out.print(f"Use: --engine distilled --model {folder}")
