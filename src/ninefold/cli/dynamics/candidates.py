"""`ninefold dynamics candidates`: molecular dynamics of a finished campaign's best candidates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, StoreOption, SubmitToOption, WorkflowOption, console, print_json

if TYPE_CHECKING:
    from ninefold.flows.dynamics_plan import DynamicsPlan
    from ninefold.models.dynamics import DynamicsRecord
    from ninefold.stages.dynamics import DynamicsSettings

COMMAND = "dynamics candidates"


def candidates(
    campaign: Annotated[str | None, typer.Argument(help="Campaign in the store; not needed if there is one.")] = None,
    store: StoreOption = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option("--temperature", help="K; may be given again. Default: 400, 600, 800.", show_default=False),
    ] = None,
    picoseconds: Annotated[float, typer.Option(help="Of each run; a run that is there goes on to it.")] = 20.0,
    replicas: Annotated[int, typer.Option(help="Runs at each temperature, with other random numbers.")] = 1,
    method: Annotated[
        str, typer.Option(help="What gives the forces, NAME or NAME:MODEL; or distilled:FOLDER.")
    ] = "sevennet:7net-0",
    top: Annotated[int, typer.Option(min=1, help="Candidates, the best placed first.")] = 3,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Formula or chemical system (Cr-H-Mg); may be given again.")
    ] = None,
    deuterium: Annotated[bool, typer.Option("--deuterium", help="Mass of D for the hydrogens.")] = False,
    width: Annotated[float, typer.Option(help="Narrowest width of the supercell, Å.")] = 7.0,
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", help="Candidates with larger supercells are left out.")
    ] = 300,
    time_step: Annotated[float, typer.Option("--time-step", help="Of the integrator, fs.")] = 0.5,
    save_every: Annotated[
        int, typer.Option("--save-every", min=1, max=10_000, help="Steps between frames that are kept.")
    ] = 10,
    piece_frames: Annotated[
        int, typer.Option("--piece-frames", help="Frames that are stored at once: what a kill can lose.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Fixes the velocities and the thermostat.")] = 0,
    check_every: Annotated[
        int, typer.Option("--check-every", help="Frames from check to check by a distilled potential's teacher.")
    ] = 200,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Runs at once. Default: the campaign's, else every core.")
    ] = None,
    workflow: WorkflowOption = "dynamics",
    cluster: SubmitToOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be run, and its cost.")] = False,
    json: JsonOption = False,
) -> None:
    """Run molecular dynamics of a finished campaign's best candidates, and analyse it; results stand with them.

    Resumable: each piece of a run is stored as soon as it is there; a longer run, or one with more temperatures, takes
    what is there. Rates of permutations, their barrier, the cations' jumps and diffusion are fields of the candidates.
    A distilled potential is of one compound: --method distilled:FOLDER runs that candidate, or those of all potentials
    in the folder.
    """
    from ninefold.campaign import parse_campaign
    from ninefold.cli.locate import campaign_document, store_address
    from ninefold.cli.progress import run_to_the_end
    from ninefold.flows.dynamics_plan import plan_of
    from ninefold.run.dynamics import compute_dynamics
    from ninefold.store import masked, open_store

    asked = _settings(
        method, top=top, only=tuple(only or ()), picoseconds=picoseconds, replicas=replicas, min_width=width,
        max_atoms=max_atoms, time_step_fs=time_step, save_every=save_every, piece_frames=piece_frames, seed=seed,
        check_every=check_every, isotope="D" if deuterium else "H",
        **({"temperatures": tuple(temperature)} if temperature else {}),
    )  # fmt: skip
    address = store_address(store)
    with open_store(address) as repository:
        screened = parse_campaign(campaign_document(repository, campaign)["settings"])
        plans = [(settings, plan_of(repository, screened, settings)) for settings in asked]
    if workers is not None:
        screened = screened.model_copy(update={"execution": screened.execution.model_copy(update={"workers": workers})})
    if dry_run:
        _show_plans(plans, json)
        return
    if not json:
        for settings, plan in plans:
            typer.echo(_announcement(plan, settings), err=True)
    if cluster is not None:
        from ninefold.cli.submit import submit_after_to

        for settings, _ in plans:
            submit_after_to(cluster, screened, address, settings, COMMAND, [settings.method], workflow, as_json=json)
        return
    faults = []
    for settings, _ in plans:
        compute = partial(compute_dynamics, screened, address, settings, workflow)
        faults.append(run_to_the_end(compute, quiet_seconds=5.0))
    with open_store(address) as repository:
        records = [record for settings, plan in plans for record in _records(repository, plan, settings)]
    left_out = [left for _, plan in plans for left in plan.left_out]
    if json:
        rows = [record.model_dump(mode="json") for record in records]
        title = ", ".join(settings.method.title for settings in asked)
        print_json({"campaign": screened.name, "method": title, "dynamics": rows, "left_out": left_out})
    else:
        _print(records)
        for left in left_out:
            typer.echo(f"left out: {left['name']}: {left['reason']}")
        typer.echo(f"Store:  {masked(address)}")
    for fault in faults:
        if fault is not None:
            raise fault


def _settings(method: str, **values: Any) -> list[DynamicsSettings]:
    """One; of a folder of distilled potentials one for each."""
    from ninefold.cli.trust import anchored_settings
    from ninefold.stages.dynamics import DISTILLED, DynamicsSettings

    engine = anchored_settings(method, Path.cwd())
    engines = [engine]
    if engine.name == DISTILLED and engine.model is not None:
        from ninefold.dynamics.potentials.distilled import potentials_in
        from ninefold.paths import user_path

        folders = potentials_in(user_path(engine.model, "--method"))
        engines = [engine.model_copy(update={"model": str(folder)}) for folder in folders]
    return [DynamicsSettings.checked(values | {"method": one}, COMMAND) for one in engines]


def _records(repository: Any, plan: DynamicsPlan, settings: DynamicsSettings) -> list[DynamicsRecord]:
    """What the runs of the plan say, in its order; candidates without a result are left out."""
    from ninefold.flows.dynamics_tasks import known_dynamics
    from ninefold.flows.workplace import method_of

    method = method_of(settings.method).id
    found = (known_dynamics(repository, one.item.id, one.lines(settings), settings, method) for one in plan.candidates)
    return [record for record in found if record is not None]


def _announcement(plan: DynamicsPlan, settings: DynamicsSettings) -> str:
    from ninefold.report.text import count, duration

    new = [one for one in plan.candidates if one.steps]
    runs = len(settings.temperatures) * settings.replicas
    length = settings.pieces * settings.piece_ps
    words = f"Dynamics: {count(len(plan.candidates), 'candidate')}, {count(runs, 'run')} of {length:g} ps each"
    steps = sum(one.steps for one in new)
    words += f", {steps} steps to compute" if steps else ", all known"
    if steps and plan.seconds is not None:
        words += f"; some {duration(plan.seconds)} of core time"
    return words


def _show_plans(plans: list[tuple[DynamicsSettings, DynamicsPlan]], as_json: bool) -> None:
    from ninefold.report.terminal_parts import plain, table_of
    from ninefold.report.text import MISSING, duration

    planned = [one for _, plan in plans for one in plan.candidates]
    left_out = [left for _, plan in plans for left in plan.left_out]
    costs = [plan.seconds for _, plan in plans]
    if as_json:
        print_json(
            {
                "candidates": [
                    {
                        "name": one.item.name, "formula": one.item.formula, "structure": one.item.structure,
                        "repeats": list(one.repeats), "n_atoms": one.n_atoms, "steps": one.steps,
                        "known_pieces": one.known_pieces, "core_seconds": one.seconds,
                    }
                    for one in planned
                ],
                "left_out": left_out,
                "core_seconds": None if None in costs else sum(cost for cost in costs if cost is not None),
            }
        )  # fmt: skip
        return
    table = table_of("candidate", "supercell", ">atoms", ">steps", ">pieces\nknown", ">core time")
    for one in planned:
        time = MISSING if one.seconds is None else duration(one.seconds)
        table.add_row(
            plain(one.item.name), " x ".join(map(str, one.repeats)), str(one.n_atoms), str(one.steps),
            str(one.known_pieces), time,
        )  # fmt: skip
    out = console()
    out.print(table)
    for left in left_out:
        out.print(plain(f"left out: {left['name']}: {left['reason']}"))
    for settings, plan in plans:
        out.print(plain(f"{settings.method.title}: {_announcement(plan, settings)}"))


def _print(records: list[DynamicsRecord]) -> None:
    from ninefold.report.dynamics_text import dynamics_facts, dynamics_rows
    from ninefold.report.terminal_parts import plain, table_of

    out = console()
    for record in records:
        values = record.model_dump(mode="json")
        headings, lines = dynamics_rows(values)
        out.print(plain(record.label))
        if lines:
            table = table_of(*(f">{heading}" for heading in headings))
            for line in lines:
                table.add_row(*line)
            out.print(table)
        for fact in dynamics_facts(values):
            out.print(plain(f"  {fact}"))
