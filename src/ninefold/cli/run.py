"""Commands that compute: run, resume. They end with the ranked table and the path of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, StoreOption, WorkflowOption, console, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from ninefold.campaign.model import Campaign

ReportOption = Annotated[
    str | None, typer.Option("--report", help="Where to write the HTML report. Default: NAME-report.html.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Worker processes. Default: the campaign's, else every core.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)
    app.command()(resume)


def run(
    campaign: Annotated[str, typer.Argument(help="A campaign file, or one that ninefold ships: quickstart.")],
    store: StoreOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Discard this campaign's calculations, after asking, and start again.")
    ] = False,
    update: Annotated[
        bool,
        typer.Option("--update", help="The file has changed: recompute what that touches; keep every calculation."),
    ] = False,
    workers: WorkersOption = None,
    report: ReportOption = None,
    workflow: WorkflowOption = "screen",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --fresh discards calculations.")] = False,
    json: JsonOption = False,
) -> None:
    """Run a campaign: enumerate, select, search structures, judge stability, rank, report."""
    from ninefold.campaign import read_campaign

    _execute(read_campaign(campaign), store, fresh, update, workers, report, workflow, json, yes=yes)


def resume(
    campaign: Annotated[str | None, typer.Argument(help="Campaign in the store; not needed if there is one.")] = None,
    store: StoreOption = None,
    workers: WorkersOption = None,
    report: ReportOption = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", help="The flow. Default: the one that it was started with.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Accept that files it names, or the workflow, have changed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Go on with an interrupted campaign; nothing finished is computed again."""
    from ninefold.campaign import parse_campaign
    from ninefold.cli.locate import campaign_document, store_address
    from ninefold.store import open_store

    address = store_address(store)
    with open_store(address) as repository:
        document = campaign_document(repository, campaign, unfinished_first=True)
    chosen = workflow or document.get("workflow", "screen")
    _execute(parse_campaign(document["settings"]), address, False, update, workers, report, chosen, json)


def _execute(
    campaign: Campaign,
    store: str | None,
    fresh: bool,
    update: bool,
    workers: int | None,
    report: str | None,
    workflow: str,
    as_json: bool,
    *,
    yes: bool = False,
) -> None:
    from pathlib import Path

    from ninefold.cli.locate import result_rows, store_address
    from ninefold.cli.outputs import check_output, free_report, store_identity
    from ninefold.cli.progress import progress_display
    from ninefold.cli.signals import Interrupted
    from ninefold.errors import MachineFaultError
    from ninefold.flows.progress import listening
    from ninefold.run.local import is_finished, run_campaign
    from ninefold.store import open_store, store_file
    from ninefold.structures.sources import reading_notes

    address = store_address(store, campaign.store)
    target = free_report(campaign.name, address) if report is None else Path(report)
    target = check_output(
        target, "--report", can_force=False, store=store_file(address), makes_folders=True,
        report_of=(campaign.name, store_identity(address, target)),
    )  # fmt: skip
    if report is None and target.name != (usual := f"{campaign.name}-report.html"):
        typer.echo(f"ninefold: note: {usual} is no report of this store; the report goes to {target}", err=True)
    if workers is not None:
        campaign = campaign.model_copy(update={"execution": campaign.execution.model_copy(update={"workers": workers})})
    if fresh and not yes:
        _ask_before_discarding(campaign, address)
    fault: MachineFaultError | None = None
    for note in _notes_on_methods(campaign):
        typer.echo(f"ninefold: note: {note}", err=True)
    try:
        if fresh or not is_finished(campaign, address, workflow):
            for note in reading_notes(campaign.structures.sources):
                typer.echo(f"ninefold: note: {note}", err=True)
            with progress_display() as show, listening(show):
                run_campaign(campaign, address, fresh=fresh, update=update, workflow=workflow)
        elif not as_json:
            typer.echo(
                f"Campaign {campaign.name!r} is finished; --fresh discards its calculations and starts again.", err=True
            )
    except Interrupted as interrupt:
        raise Interrupted(interrupt.number, _kept(campaign, address)) from None
    except MachineFaultError as error:
        if not error.is_at_end:
            raise
        fault = error
    with open_store(address) as repository:
        _write_report(repository, campaign.name, target, address)
        if as_json:
            print_json(result_rows(repository, campaign.name))
        else:
            _show(repository, campaign, address, target)
    if fault is not None:
        raise fault


def _notes_on_methods(campaign: Campaign) -> list[str]:
    """Of methods that do not stand by rising trust, or are not fit to be the last."""
    from ninefold.engines.registry import evidence_of, order_note
    from ninefold.trust.uncertainty import roughness_note

    notes = [roughness_note([method.title for method in campaign.methods])]
    if campaign.energies:
        levels = {method.title: evidence_of(method) for method in campaign.methods}
        notes.insert(0, order_note(campaign.methods, levels))
    return [note for note in notes if note is not None]


def _ask_before_discarding(campaign: Campaign, address: str) -> None:
    """Say what a fresh start would throw away, and go on only if the user wants it.

    Raises:
        InputError: if there is something to throw away and nobody to ask.
    """
    import sys

    from ninefold.errors import InputError
    from ninefold.flows.kept import calculations_of
    from ninefold.report.text import duration
    from ninefold.store import masked

    kept = calculations_of(campaign.name, address)
    if kept.is_empty:
        return
    stake = f"{kept.calculations} finished calculations ({duration(kept.core_seconds)} of core time)"
    if not sys.stdin.isatty():
        raise InputError(
            "--fresh", campaign.name, problem=f"would discard {stake} in {masked(address)}", hint="--yes discards them"
        )
    typer.echo(f"Campaign {campaign.name!r} holds {stake} in {masked(address)}; --fresh discards them all.", err=True)
    typer.echo("Discard them? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        typer.echo("Nothing was discarded.", err=True)
        raise typer.Exit(1)


def _kept(campaign: Campaign, address: str) -> str:
    """What an interrupted run leaves in the store, and how to go on."""
    import shlex

    from ninefold.cli.locate import store_address
    from ninefold.errors import NinefoldError
    from ninefold.flows.kept import kept_of
    from ninefold.store import open_store, public_address

    again = f"ninefold resume {campaign.name}"
    if address != store_address(None):  # where `resume` without the option would not look
        again += f" --store {shlex.quote(public_address(address))}"
    nothing = "nothing had been computed; the same command starts again"
    try:
        with open_store(address) as repository:
            if repository.get("campaigns", campaign.name) is None:
                return nothing
            kept = kept_of(campaign.name, repository)
    except NinefoldError:  # not yet made
        return nothing
    return (
        f"kept: {kept.calculations} finished calculations, {kept.searched} of {kept.compositions} compositions "
        f"searched; {again!r} goes on"
    )


def _show(repository: Any, campaign: Campaign, address: str, target: Path) -> None:
    from collections import Counter

    from ninefold.flows.funnel import total
    from ninefold.flows.spending import left_out
    from ninefold.report.answer import uncertainty_note
    from ninefold.report.disagreement import FIELDS, disagreement_note
    from ninefold.report.terminal import funnel_table, ranked_table
    from ninefold.store import masked

    out = console()
    of_campaign = {"campaign": campaign.name}
    out.print(funnel_table(total(repository.find("funnel", equal=of_campaign, limit=None))))
    of_best = {**of_campaign, "is_best": True}
    rows = list(repository.find("candidates", equal=of_best, sort=[("rank", "asc")], limit=25))
    out.print(ranked_table(rows))
    evidence = ", ".join(dict.fromkeys(row["evidence"] for row in rows if row["energy_per_atom"] is not None)) or "none"
    fields = [
        "e_above_hull_uncertainty", "phase_separation_energy", "evidence", "is_competitor", "model_error",
        "model_error_source", "search_scatter", "method_disagreement", *FIELDS,
    ]  # fmt: skip
    every = list(repository.find("candidates", equal=of_best, fields=fields, limit=None))
    out.print(uncertainty_note(every))
    if note := disagreement_note(every):
        out.print(note, markup=False)
    engines = Counter(row["engine"] for row in rows if row["energy_per_atom"] is not None)
    by = ", ".join(f"{engine} ({count})" for engine, count in engines.most_common()) if len(engines) > 1 else ""
    out.print(f"Evidence: {evidence}, static, 0 K." + (f" Energies shown are of {by}." if by else ""))
    document = repository.get("campaigns", campaign.name)
    if document is not None and (left := left_out(repository, document)) is not None:
        out.print(
            f"{left.number} compositions were not computed: the budget is spent ({left.budget}); a larger "
            "execution.budget in the campaign file, or none, and the same command computes more.",
            soft_wrap=True, markup=False,
        )  # fmt: skip
    out.print(f"Store:  {masked(address)}\nReport: {target.resolve()}", soft_wrap=True)


def _write_report(repository: Any, name: str, target: Path, address: str) -> None:
    from ninefold.cli.locate import report_maps, report_parts
    from ninefold.cli.outputs import store_identity
    from ninefold.report import render_report, write_report

    parts = report_parts(repository, name)
    maps = report_maps(repository, name, parts[2])
    write_report(target, render_report(*parts, store=store_identity(address, target), maps=maps))
