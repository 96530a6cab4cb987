"""`ninefold verify`: candidates of a finished campaign, and their competitors, by a method that is believed more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, StoreOption, SubmitToOption, WorkflowOption, console, print_json

if TYPE_CHECKING:
    from ninefold.stages.verify_plan import Plan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    campaign: Annotated[str | None, typer.Argument(help="Campaign in the store; not needed if there is one.")] = None,
    store: StoreOption = None,
    method: Annotated[str, typer.Option(help="Engine, NAME or NAME:MODEL.")] = "gpaw:draft",
    mode: Annotated[
        str, typer.Option(help="static: one energy at the potential's geometry. relax: some steps, continued each run.")
    ] = "static",
    window: Annotated[
        float | None,
        typer.Option(help="Distance to the hull, eV/atom. Default: 1.645 times each candidate's uncertainty."),
    ] = None,
    top: Annotated[int | None, typer.Option(help="Candidates at most, the nearest to the hull first.")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Formula or chemical system (Cr-H-Mg); may be given again.")
    ] = None,
    max_steps: Annotated[int, typer.Option("--max-steps", help="Steps of a relaxation in one run.")] = 20,
    fmax: Annotated[float, typer.Option(help="Force at which a relaxation ends, eV/Å.")] = 0.05,
    margin: Annotated[
        float, typer.Option(help="References farther above the potential's hull are left out, eV/atom.")
    ] = 0.05,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Phases at once. Default: the campaign's, else every core.")
    ] = None,
    workflow: WorkflowOption = "verify",
    cluster: SubmitToOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be computed, and its cost.")] = False,
    json: JsonOption = False,
) -> None:
    """Carry the best candidates and their competitors to another method's hull: DFT with GPAW. Resumable."""
    from pathlib import Path

    from ninefold.campaign import parse_campaign
    from ninefold.cli.locate import campaign_document, store_address
    from ninefold.cli.progress import run_to_the_end
    from ninefold.cli.trust import anchored_settings
    from ninefold.flows.verify_plan import plan_of
    from ninefold.run.verify import verify_campaign
    from ninefold.stages.verify import VerifySettings
    from ninefold.store import open_store

    values = {
        "method": anchored_settings(method, Path.cwd()), "mode": mode, "window": window, "top": top,
        "only": tuple(only or ()), "max_steps": max_steps, "fmax": fmax, "margin": margin,
    }  # fmt: skip
    settings = VerifySettings.checked(values, "verify", are_options=True)
    address = store_address(store)
    with open_store(address) as repository:
        document = campaign_document(repository, campaign)
        screened = parse_campaign(document["settings"])
        plan = plan_of(repository, screened, settings)
    if workers is not None:
        screened = screened.model_copy(update={"execution": screened.execution.model_copy(update={"workers": workers})})
    if dry_run:
        _show_plan(plan, settings, json)
        return
    if not json:
        _announce(plan)
    if cluster is not None:
        from ninefold.cli.submit import submit_after_to

        submit_after_to(cluster, screened, address, settings, "verify", [settings.method], workflow, as_json=json)
        return
    fault = run_to_the_end(lambda: verify_campaign(screened, address, settings, workflow))
    _show_result(address, screened.name, settings, plan, json)
    if fault is not None:
        raise fault


def _announce(plan: Plan) -> None:
    from ninefold.report.verification import cost_line

    roles = ", ".join(f"{len(plan.of(role))} {role}s" for role in ("candidate", "competitor", "reference"))
    typer.echo(f"Verify: {roles}; {cost_line(plan.seconds, len(plan.items))}", err=True)


def _show_plan(plan: Plan, settings: Any, as_json: bool) -> None:
    from ninefold.report.terminal_parts import plain, table_of
    from ninefold.report.text import MISSING, duration
    from ninefold.report.verification import cost_line

    if as_json:
        print_json(
            {"phases": [item.line() for item in plan.items], "left_out": plan.left_out, "core_seconds": plan.seconds}
        )
        return
    table = table_of("role", "phase", ">meV/atom", ">window", ">atoms", ">core time")
    for item in plan.items:
        table.add_row(
            item.role, plain(f"{item.name} (methods disagree)" if item.is_disputed else item.name),
            MISSING if item.distance is None else f"{1000 * item.distance:+.0f}",
            MISSING if item.window is None else f"{1000 * item.window:.0f}", str(item.nsites),
            MISSING if item.seconds is None else duration(item.seconds),
        )  # fmt: skip
    out = console()
    out.print(table)
    for left in plan.left_out:
        out.print(plain(f"left out: {left['name']}: {left['reason']}"))
    out.print(f"{settings.method.title}, {settings.mode}: {cost_line(plan.seconds, len(plan.items))}")


def _show_result(address: str, name: str, settings: Any, plan: Plan, as_json: bool) -> None:
    from ninefold.cli.locate import campaign_document
    from ninefold.report.terminal_parts import plain
    from ninefold.report.verification import sentences, verification_table, verified
    from ninefold.store import masked, open_store

    with open_store(address) as repository:
        methods = {row["id"]: row["label"] for row in repository.find("methods", limit=None)}
        used = campaign_document(repository, name)["methods"][-1:]
        rows = verified(
            row for key in used for row in repository.iterate("candidates", equal={"campaign": name, "method": key})
        )
    if as_json:
        print_json({"campaign": name, "method": used, "candidates": rows, "left_out": plan.left_out})
        return
    out = console()
    out.print(verification_table(rows))
    for sentence in sentences(rows):
        out.print(plain(sentence))
    if plan.left_out:
        out.print(plain(f"{len(plan.left_out)} phases were left out of these hulls; --dry-run says which and why."))
    label = ", ".join(methods.get(key, key) for key in used)
    out.print(f"Hull of {label}; static, 0 K, no zero-point energy.\nStore:  {masked(address)}", soft_wrap=True)
