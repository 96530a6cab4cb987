"""Commands that compute: run, resume. They end with the ranked table and the path of a report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, StoreOption, console, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from ninefold.campaign.model import Campaign

ReportOption = Annotated[
    str | None, typer.Option("--report", help="Where to write the HTML report. Default: NAME-report.html.")
]
WorkflowOption = Annotated[
    str, typer.Option("--workflow", help="The flow: a name that ninefold ships, or a Python file with make_flow.")
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
        bool, typer.Option("--fresh", help="Discard this campaign's results and calculations and start again.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="The file has changed: recompute what that touches, in place.")
    ] = False,
    workers: WorkersOption = None,
    report: ReportOption = None,
    workflow: WorkflowOption = "screen",
    json: JsonOption = False,
) -> None:
    """Run a campaign: enumerate, select, search structures, judge stability, rank, report."""
    from ninefold.campaign import read_campaign

    _execute(read_campaign(campaign), store, fresh, update, workers, report, workflow, json)


def resume(
    campaign: Annotated[str | None, typer.Argument(help="Campaign in the store; not needed if there is one.")] = None,
    store: StoreOption = None,
    workers: WorkersOption = None,
    report: ReportOption = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", help="The flow. Default: the one that it was started with.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Go on with an interrupted campaign; nothing finished is computed again."""
    from ninefold.campaign import parse_campaign
    from ninefold.cli.locate import campaign_document, store_path
    from ninefold.store import open_repository

    path = store_path(store)
    with open_repository(path) as repository:
        document = campaign_document(repository, campaign, unfinished_first=True)
    chosen = workflow or document.get("workflow", "screen")
    _execute(parse_campaign(document["settings"]), str(path), False, False, workers, report, chosen, json)


def _execute(
    campaign: Campaign,
    store: str | None,
    fresh: bool,
    update: bool,
    workers: int | None,
    report: str | None,
    workflow: str,
    as_json: bool,
) -> None:
    from pathlib import Path

    from ninefold.cli.locate import result_rows, store_path
    from ninefold.flows.execute import is_finished, run_campaign
    from ninefold.report import check_report_path
    from ninefold.store import open_repository

    path = store_path(store, campaign.store)
    target = Path(report or f"{campaign.name}-report.html")
    check_report_path(target)
    if workers is not None:
        campaign = campaign.model_copy(update={"execution": campaign.execution.model_copy(update={"workers": workers})})
    if fresh or not is_finished(campaign, path, workflow):
        with _progress_bars():
            run_campaign(campaign, path, fresh=fresh, update=update, workflow=workflow)
    elif not as_json:
        typer.echo(f"Campaign {campaign.name!r} is finished; --fresh starts again.", err=True)
    with open_repository(path) as repository:
        _write_report(repository, campaign.name, target)
        if as_json:
            print_json(result_rows(repository, campaign.name))
            return
        _show(repository, campaign, path, target)


def _show(repository: Any, campaign: Campaign, path: Path, target: Path) -> None:
    from ninefold.flows.funnel import total
    from ninefold.report.answer import uncertainty_note
    from ninefold.report.terminal import funnel_table, ranked_table

    out = console()
    of_campaign = f'campaign="{campaign.name}"'
    out.print(funnel_table(total(repository.find("funnel", of_campaign, limit=None))))
    rows = list(repository.find("candidates", of_campaign, sort=[("rank", "asc")], limit=25))
    out.print(ranked_table(rows))
    evidence = ", ".join(dict.fromkeys(row["evidence"] for row in rows if row["energy_per_atom"] is not None)) or "none"
    fields = ["e_above_hull_uncertainty", "phase_separation_energy", "evidence"]
    out.print(uncertainty_note(list(repository.find("candidates", of_campaign, fields=fields, limit=None))))
    out.print(f"Evidence: {evidence}, static, 0 K.")
    out.print(f"Store:  {path}\nReport: {target.resolve()}", soft_wrap=True)


def _write_report(repository: Any, name: str, target: Path) -> None:
    from ninefold.cli.locate import report_parts
    from ninefold.report import render_report, write_report

    write_report(target, render_report(*report_parts(repository, name)))


@contextmanager
def _progress_bars() -> Iterator[None]:
    """Counts, rate and time left, one bar per stage, on standard error."""
    import sys

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from ninefold.flows.progress import Progress as Step
    from ninefold.flows.progress import listening

    console_ = Console(stderr=True, highlight=False)
    if not sys.stderr.isatty():
        import time

        started: dict[str, float] = {}

        def log(step: Step) -> None:
            begin = started.setdefault(step.stage, time.monotonic())
            elapsed = time.monotonic() - begin
            left = (
                f", about {elapsed / step.done * (step.total - step.done):.0f} s left"
                if step.total and step.done
                else ""
            )
            count = f"{step.done}/{step.total}" if step.total is not None else f"{step.done}"
            console_.print(f"{step.stage}: {count} {step.unit} {step.note} ({elapsed:.0f} s{left})", soft_wrap=True)

        with listening(log):
            yield
        return
    with Progress(
        TextColumn("{task.description:<11}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console_,
    ) as bars:
        tasks: dict[str, Any] = {}

        def show(step: Step) -> None:
            if step.stage not in tasks:
                tasks[step.stage] = bars.add_task(step.stage, total=step.total, unit=step.unit, note="")
            bars.update(tasks[step.stage], completed=step.done, total=step.total, note=step.note)

        with listening(show):
            yield
