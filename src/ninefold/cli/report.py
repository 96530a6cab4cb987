"""`ninefold report`: a campaign's HTML report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, print_json
from ninefold.cli.outputs import ForceOption, check_output, store_identity
from ninefold.report import DEFAULT_TOP

MOST_SHOWN = 5000
"""Candidates that a report can show: 25 kB each, and a browser opens no file of a gigabyte."""


def report(
    campaign: CampaignOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: NAME-report.html.")] = None,
    top: Annotated[
        int, typer.Option("--top", min=1, max=MOST_SHOWN, help="Candidates to show, the best; the rest is counted.")
    ] = DEFAULT_TOP,
    force: ForceOption = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write the HTML report: one file, no network needed to read it."""
    from ninefold.cli.locate import campaign_document, input_files, report_maps, report_parts, store_for_reading
    from ninefold.report import render_report, write_report
    from ninefold.store import open_store, store_file

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        name = campaign_document(repository, name)["name"]
        target = out or Path(f"{name}-report.html")
        target = check_output(
            target, force=force, store=store_file(address), inputs=input_files(campaign),
            report_of=(name, store_identity(address, target)), makes_folders=True,
        )  # fmt: skip
        identity = store_identity(address, target)
        parts = report_parts(repository, name, top)
        maps = report_maps(repository, name, parts[2])
        write_report(target, render_report(*parts, store=identity, maps=maps))
    if json:
        print_json({"report": str(target.resolve())})
    else:
        typer.echo(str(target.resolve()))
