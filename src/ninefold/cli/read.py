"""Commands that read a store: status, query, show, export, report. They answer at once."""

from __future__ import annotations

import typer

from ninefold.cli.export import export
from ninefold.cli.query import query, show
from ninefold.cli.report import report
from ninefold.cli.status import status


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (status, query, show, export, report):
        app.command()(command)
