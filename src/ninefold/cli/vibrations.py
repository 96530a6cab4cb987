"""`ninefold vibrations`: zero-point and free energies, imaginary modes, and the minima that they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import refuse
from ninefold.cli.options import JsonOption, StoreOption, SubmitToOption, WorkflowOption, console, print_json
from ninefold.cli.outputs import ForceOption

if TYPE_CHECKING:
    from ninefold.flows.vibration_plan import VibrationPlan
    from ninefold.stages.vibrations import VibrationsSettings
    from ninefold.store import Store

COMMAND = "vibrations"
_PATTERN = "*-vibrations.svg"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(vibrations)


def vibrations(
    campaign: Annotated[str | None, typer.Argument(help="Campaign in the store; not needed if there is one.")] = None,
    store: StoreOption = None,
    files: Annotated[
        list[Path] | None, typer.Option("--file", help="A structure file in place of a campaign; may be given again.")
    ] = None,
    method: Annotated[str, typer.Option(help="What gives the forces, NAME or NAME:MODEL.")] = "sevennet:7net-0",
    top: Annotated[int, typer.Option(min=1, help="Candidates, the nearest to the hull first.")] = 5,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Formula or chemical system (Cr-H-Mg); may be given again.")
    ] = None,
    competitors: Annotated[
        bool, typer.Option("--competitors/--no-competitors", help="What competes with them, too: references first.")
    ] = True,
    min_width: Annotated[
        float, typer.Option("--min-width", help="Least distance of an atom to its image, Å; 0: the cell itself.")
    ] = 8.0,
    displacement: Annotated[float, typer.Option(help="Of one atom, Å.")] = 0.01,
    fmax: Annotated[float, typer.Option(help="Force to which a structure is relaxed before, eV/Å.")] = 0.002,
    max_steps: Annotated[
        int, typer.Option("--max-steps", help="Of each relaxation; 0: the structure as it stands.")
    ] = 500,
    follow: Annotated[
        int,
        typer.Option(help="How often an unstable structure is displaced along its modes and relaxed; 0: told only."),
    ] = 2,
    max_atoms: Annotated[int, typer.Option("--max-atoms", help="Of a supercell; larger ones are left out.")] = 600,
    volumes: Annotated[
        int, typer.Option("--volumes", help="At which a minimum is computed too, for thermal expansion: 5 or more.")
    ] = 1,
    smallest_volume: Annotated[
        float, typer.Option("--smallest-volume", help="Of these, over that of 0 K without vibrations.")
    ] = 0.94,
    largest_volume: Annotated[
        float, typer.Option("--largest-volume", help="Likewise; what heat expands to must be below.")
    ] = 1.14,
    pressure: Annotated[float, typer.Option("--pressure", help="Of the volumes that are shown, GPa.")] = 0.0,
    temperature: Annotated[
        list[float] | None, typer.Option("--temperature", help="Of free energies, K; may be given again. Default: 973.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", metavar="FOLDER", help="Draw dispersion and density of states there.")
    ] = None,
    force: ForceOption = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Phases at once. Default: the campaign's, else every core.")
    ] = None,
    workflow: WorkflowOption = "vibrations",
    cluster: SubmitToOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be computed, and its cost.")] = False,
    json: JsonOption = False,
) -> None:
    """Compute vibrations: of a finished campaign's best candidates and their competitors, or of structure files.

    Resumable: the forces of each displaced supercell are stored as soon as they are there. A candidate that is a saddle
    point gives way to the lower structure beside it, and hulls and ranks are made anew.
    """
    from ninefold.cli.outputs import check_output_folder
    from ninefold.thermo.equation_of_state import check_pressure

    if cluster is not None:
        _check_submittable(cluster, files, pictures)
    if files:
        _check_of_files(campaign, only)
    if pressure and volumes == 1:
        refuse(
            "--pressure", f"{pressure:g}", "is where the volumes of --volumes are shown", "beside --volumes 5 or more"
        )
    if pictures is not None:
        check_output_folder(pictures, "--pictures", pattern=_PATTERN, force=force)
    settings = _settings(
        method=method, top=top, only=tuple(only or ()), competitors=competitors, min_width=min_width,
        displacement=displacement, fmax=fmax, max_steps=max_steps, follow=follow, max_atoms=max_atoms,
        volumes=volumes, smallest_volume=smallest_volume, largest_volume=largest_volume,
    )  # fmt: skip
    temperatures = _temperatures(temperature)
    check_pressure(pressure, "--pressure")
    if files:
        from ninefold.cli.vibration_files import of_files

        rows, failed = of_files(files, store, settings, temperatures, pressure, pictures, dry_run)
        if json:
            print_json({"method": settings.method.title, "phases": rows})
        elif rows:
            _print_rows(rows, temperatures)
        if failed:
            raise typer.Exit(2)
        return
    from ninefold.campaign import parse_campaign
    from ninefold.cli.locate import campaign_document, store_address
    from ninefold.cli.progress import run_to_the_end
    from ninefold.flows.vibration_plan import plan_of
    from ninefold.run.vibrations import compute_vibrations
    from ninefold.store import masked, open_store

    address = store_address(store)
    with open_store(address) as repository:
        screened = parse_campaign(campaign_document(repository, campaign)["settings"])
        plan = plan_of(repository, screened, settings)
    if workers is not None:
        screened = screened.model_copy(update={"execution": screened.execution.model_copy(update={"workers": workers})})
    if dry_run:
        _show_plan(plan, settings, json)
        return
    if not json:
        typer.echo(_announcement(plan), err=True)
    if cluster is not None:
        from ninefold.cli.submit import submit_after_to

        submit_after_to(cluster, screened, address, settings, COMMAND, [settings.method], workflow, as_json=json)
        return
    fault = run_to_the_end(lambda: compute_vibrations(screened, address, settings, workflow), quiet_seconds=5.0)
    with open_store(address) as repository:
        rows = _rows(repository, plan, settings, temperatures, pressure)
        if pictures is not None:
            _draw(repository, rows, pictures)
    if json:
        print_json(
            {"campaign": screened.name, "method": settings.method.title, "phases": rows, "left_out": plan.left_out}
        )
    else:
        _print_rows(rows, temperatures)
        for left in plan.left_out:
            typer.echo(f"left out: {left['name']}: {left['reason']}")
        also = "" if settings.volumes == 1 else " but where volumes are told"
        typer.echo(f"Forces: {settings.method.title}; harmonic, volume of 0 K{also}.\nStore:  {masked(address)}")
    if fault is not None:
        raise fault


def _check_of_files(campaign: str | None, only: list[str] | None) -> None:
    """Refuse what chooses among a campaign's phases where files are given: it would be read as if it counted."""
    if campaign is not None:
        refuse("campaign", campaign, "stands beside --file", "a campaign, or files")
    if only:
        refuse("--only", only[0], "chooses among a campaign's phases, and --file is given", "without --file")


def _check_submittable(cluster: str, files: list[Path] | None, pictures: Path | None) -> None:
    from ninefold.errors import InputError

    if files:
        raise InputError(
            "--cluster", cluster, problem="takes no --file", hint="vibrations of files are computed where they lie"
        )
    if pictures is not None:
        raise InputError(
            "--cluster", cluster, problem="draws no --pictures",
            hint="when its jobs have ended, the same command without --cluster finds what they computed, and draws",
        )  # fmt: skip


def _settings(**values: Any) -> VibrationsSettings:
    from ninefold.cli.trust import anchored_settings
    from ninefold.stages.vibrations import VibrationsSettings

    values |= {"method": anchored_settings(values["method"], Path.cwd())}
    return VibrationsSettings.checked(values, COMMAND, are_options=True)


def _temperatures(asked: list[float] | None) -> list[float]:
    from ninefold.errors import InputError
    from ninefold.thermo.harmonic import HARMONIC_TEMPERATURES

    low, high = HARMONIC_TEMPERATURES
    for value in asked or ():
        if not low <= value <= high:
            raise InputError("--temperature", value, problem="is out of range", allowed=f"{low:g} to {high:g} K")
    return list(dict.fromkeys(asked or [973.0]))


def _announcement(plan: VibrationPlan) -> str:
    from ninefold.report.text import duration

    new = [phase for phase in plan.phases if not phase.is_known]
    known = len(plan.phases) - len(new)
    cells = sum(phase.displacements for phase in new)
    memory = max((phase.memory_GB for phase in new if phase.memory_GB is not None), default=None)
    words = f"Vibrations: {len(new)} phases, {cells} supercells"
    words += f", {known} phases are known" if known else ""
    if new and plan.seconds is not None:
        words += f"; some {duration(plan.seconds)} of core time for the forces"
    if memory is not None:
        words += f", {memory:.1f} GB at most"
    return words


def _show_plan(plan: VibrationPlan, settings: VibrationsSettings, as_json: bool) -> None:
    from ninefold.report.terminal_parts import plain, table_of
    from ninefold.report.text import MISSING, duration

    if as_json:
        lines = [phase.line() for phase in plan.phases]
        print_json({"phases": lines, "left_out": plan.left_out, "core_seconds": plan.seconds})
        return
    table = table_of("role", "phase", ">atoms", ">supercell\natoms", ">supercells", ">memory\nGB", ">core time")
    for phase in plan.phases:
        time = "known" if phase.is_known else MISSING if phase.seconds is None else duration(phase.seconds)
        table.add_row(
            phase.item.role, plain(phase.item.name), str(phase.item.nsites), str(phase.supercell_atoms),
            str(phase.displacements), MISSING if phase.memory_GB is None else f"{phase.memory_GB:.1f}", time,
        )  # fmt: skip
    out = console()
    out.print(table)
    for left in plan.left_out:
        out.print(plain(f"left out: {left['name']}: {left['reason']}"))
    out.print(plain(f"{settings.method.title}: {_announcement(plan)}"))


def _rows(
    store: Store, plan: VibrationPlan, settings: VibrationsSettings, temperatures: list[float], pressure: float
) -> list[dict[str, Any]]:
    """What was found of each phase, as plain values."""
    from ninefold.cli.vibration_files import row_of
    from ninefold.cli.vibration_volumes import volumes_of
    from ninefold.flows.vibration_tasks import known_expansion, known_vibrations
    from ninefold.flows.workplace import method_of

    method = method_of(settings.method).id
    rows = []
    for phase in plan.phases:
        record = known_vibrations(store, phase.item.structure, method, settings.phonons())
        base = {"role": phase.item.role, "name": phase.item.name, "formula": phase.item.formula}
        if record is None:
            rows.append(base | {"error": "not computed"})
            continue
        spectrum = None if record.spectrum is None else store.blobs.get(record.spectrum)
        row = base | row_of(record, phase.item.formula, spectrum, temperatures)
        if settings.volumes > 1 and (found := known_expansion(store, record, settings)) is not None:
            spectra = {name: store.blobs.get(name) for name in found.values["spectra"]}
            row["volumes"] = volumes_of(found, spectra, temperatures, pressure)
        rows.append(row)
    return rows


def _draw(store: Store, rows: list[dict[str, Any]], folder: Path) -> None:
    from ninefold.cli.vibration_files import draw
    from ninefold.flows.tasks import structures_of

    for row in rows:
        if row.get("force_constants"):
            cell = structures_of(store, [row["structure"]])[row["structure"]].to_structure()
            draw(folder, row["name"], cell, row["supercell"], store.blobs.get(row["force_constants"]))


def _print_rows(rows: list[dict[str, Any]], temperatures: list[float]) -> None:
    from ninefold.cli.vibration_files import imaginary_of, trial_line
    from ninefold.cli.vibration_volumes import told
    from ninefold.report.terminal_parts import plain, table_of
    from ninefold.report.text import MISSING

    table = table_of(
        "phase", ">atoms", ">supercell", "imaginary, meV", ">gain\nmeV/atom", ">ZPE\nmeV/atom", ">ZPE\nmeV/f.u.",
        *(f">F {temperature:g} K\nmeV/atom" for temperature in temperatures),
    )  # fmt: skip
    for row in rows:
        if row.get("error"):
            table.add_row(plain(row["name"]), *[MISSING] * 2, plain(row["error"]))
            continue
        table.add_row(
            plain(row["name"]), str(row["nsites"]), str(row["supercell_atoms"]), plain(imaginary_of(row)),
            f"{1000 * row['gain']:.1f}" if row["gain"] else "0", f"{1000 * row['zero_point_energy']:.1f}",
            f"{1000 * row['zero_point_energy_per_formula']:.0f}",
            *(f"{1000 * row['free_energy'][f'{temperature:g}']:.1f}" for temperature in temperatures),
        )  # fmt: skip
    out = console()
    out.print(table)
    for row in rows:
        for line in told(row.get("volumes")):
            out.print(plain(f"{row['name']}: {line}"))
        for trial in row.get("trials") or ():
            out.print(plain(f"{row['name']}: {trial_line(trial)}"))
        for note in row.get("notes") or ():
            out.print(plain(f"{row['name']}: {note}"))
